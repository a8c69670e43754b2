"""Turns the paths of a command into frames: of pictures, folders, videos, webcams and streams, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from .encoded import ImageError
from .paths import shown_path
from .pictures import find_pictures, is_picture, read_picture
from .video import Video, camera_number, is_address, without_password

_DRAWN_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
"""Formats that OpenCV writes in colour everywhere; drawings of other pictures become .png."""
_NAMED_FILES = 5


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture to estimate.

    Attributes:
        name: the file's path as `shown_path` returns it; for a frame of a video, its path or address, '#' and the frame's number.
        output: path of its drawing inside the output folder.
        image: (H, W, 3) BGR uint8; None where the file could not be read or ends before it should.
        stamp_s: seconds from the video's start, by its container; None for a picture, which stands alone.
        fps: images a second of the video.
        problem: the fault and the file or device that has it, where image is None.
    """

    name: str
    output: Path
    image: np.ndarray | None
    stamp_s: float | None = None
    fps: float = 0.0
    problem: str = ''


@dataclass(frozen=True)
class Source:
    """An input: a picture, or anything that Video opens.

    Attributes:
        what: a file, or a webcam's number, device or address as text.
        drawing: name of its drawing inside the output folder.
        picture: whether it is a picture.
    """

    what: Path | str
    drawing: Path
    picture: bool = False


@dataclass(frozen=True)
class Inputs:
    """The sources that the paths of a command name.

    Attributes:
        sources: one after another.
        others: files in the folders that are no pictures.
    """

    sources: list[Source]
    others: list[Path]

    @property
    def live(self) -> bool:
        """Whether all sources are webcams or addresses, which end when the user stops them."""
        return all(isinstance(source.what, str) for source in self.sources)

    def frames(self) -> Iterator[Frame]:
        """The frames of all sources; a source that cannot be read, or not to its end, gives a frame without an image."""
        return chain.from_iterable(_picture(source) if source.picture else _video_frames(source) for source in self.sources)


def find_inputs(paths: list[str], output: Path | None = None) -> Inputs:
    """Pictures, folders (with their subfolders), videos, webcams (a number or /dev/video...) and addresses (rtsp://, http://).

    Checks every path before it reads any file.

    Args:
        paths: the paths as the user wrote them.
        output: folder of the drawings; files in it are no inputs.

    Raises:
        ValueError: for a path that does not exist or is none of these, or an input that a drawing would overwrite.
    """
    sources: list[Source] = []
    others: list[Path] = []
    taken: set[Path] = set()
    for path in paths:
        found, beside = _sources(path, output)
        others += beside
        sources += [replace(source, drawing=_numbered(source.drawing, taken)) for source in found]
    if output is not None:
        files = {source.what.resolve(): source.what for source in sources if isinstance(source.what, Path)}
        for source in sources:
            if (lost := files.get((output / source.drawing).resolve())) is not None:
                it = 'it' if lost == source.what else lost
                raise ValueError(f'the drawing of {source.what} would overwrite {it}; name another folder with --output')
    return Inputs(sources, others)


def _sources(path: str, output: Path | None) -> tuple[list[Source], list[Path]]:
    """The sources that a path names, and the files of a folder that are no pictures."""
    if path.startswith('file://'):
        path = unquote(path.removeprefix('file://'), errors='surrogateescape')  # as file managers copy it, with %20 for a space
    file = Path(path)
    if file.is_file():
        # A GIF that is named is read with all its images.
        picture = is_picture(file) and file.suffix.lower() != '.gif'
        return [Source(file, _drawable(Path(file.name)) if picture else Path(f'{file.stem}.mp4'), picture)], []
    if file.is_dir():
        drawn = [] if output is None or output.resolve() == file.resolve() else [output.resolve()]
        pictures, others = find_pictures(file, drawn)
        if not pictures:
            raise ValueError(f'{path} holds no picture' + (f': {listed(others)}' if others else '; it is empty'))
        return [Source(picture, _drawable(picture.relative_to(file)), True) for picture in pictures], others
    number = camera_number(path)
    if number is not None:
        return [Source(path, Path(f'{number}.mp4'))], []
    if is_address(path):
        return [Source(path, Path('stream.mp4'))], []
    if file.exists():
        raise ValueError(f'{path} is no picture, folder, video or webcam')
    raise ValueError(f'{path} does not exist; name a picture, folder, video, webcam number or address')


def _drawable(picture: Path) -> Path:
    """A name for a picture's drawing: the same where OpenCV writes the format in colour."""
    return picture if picture.suffix.lower() in _DRAWN_SUFFIXES else picture.with_suffix('.png')


def listed(files: list[Path]) -> str:
    """Up to five names, and how many more."""
    more = f' and {len(files) - _NAMED_FILES} more' if len(files) > _NAMED_FILES else ''
    return ', '.join(shown_path(file.name) for file in files[:_NAMED_FILES]) + more


def _numbered(name: Path, taken: set[Path]) -> Path:
    """A name that no earlier source has, numbered if need be; adds it to those taken."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = name.with_stem(f'{name.stem}_{number}')
    taken.add(free)
    return free


def _picture(source: Source) -> Iterator[Frame]:
    assert isinstance(source.what, Path)
    name = shown_path(source.what)
    try:
        yield Frame(name, source.drawing, read_picture(source.what))
    except ImageError as error:
        yield Frame(name, source.drawing, None, problem=f'{name} {error}')


def _video_frames(source: Source) -> Iterator[Frame]:
    name = without_password(shown_path(source.what))
    try:
        video = Video(source.what)
    except ValueError as error:
        yield Frame(name, source.drawing, None, problem=str(error))
        return
    for number, (image, stamp_s) in enumerate(video.frames()):
        yield Frame(f'{name}#{number}', source.drawing, image, stamp_s, video.fps)
    if video.problem:
        yield Frame(name, source.drawing, None, problem=f'{name} {video.problem}')
