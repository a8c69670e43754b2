"""Estimates head poses in pictures, folders of pictures, videos or a webcam, without ROS."""
from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .draw import draw_poses
from .estimator import HeadPoseEstimator
from .images import PICTURE_SUFFIXES
from .models.registry import ModelError
from .types import HeadPose

_WEBCAM_FPS = 30.0


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture to estimate.

    Attributes:
        name: the file's path; for a frame of a video, its path, '#' and the frame's number.
        output: where its drawing goes inside the output folder.
        image: (H, W, 3) BGR uint8; None where the file could not be read.
        stamp_s: seconds from the video's beginning; None for a picture, which stands alone.
        fps: images a second of the video.
    """

    name: str
    output: Path
    image: np.ndarray | None
    stamp_s: float | None = None
    fps: float = _WEBCAM_FPS


def frames(paths: list[str], output: Path | None = None) -> Iterator[Frame]:
    """The frames of pictures, folders (searched below), videos, and webcams (a number), one after another.

    Every path is looked at before the first frame is read.

    Args:
        paths: the files, folders and numbers.
        output: folder of the drawings; what lies there is not taken for an input.

    Raises:
        ValueError: for a path that is none of these, or that its own drawing would overwrite.
    """
    sources = [source for path in paths for source in _sources(path, output)]
    taken: set[Path] = set()
    readers = []
    for source, drawing in sources:
        drawing = _numbered(drawing, taken)
        if output and isinstance(source, Path) and (output / drawing).resolve() == source.resolve():
            raise ValueError(f'the drawing of {source} would overwrite it; name another folder with --output')
        readers.append(_picture(source, drawing) if _is_picture(source) else _video_frames(source, drawing))
    return chain.from_iterable(readers)


def _sources(path: str, output: Path | None) -> Iterator[tuple[Path | int, Path]]:
    """What a path stands for, each with where its drawing goes."""
    file = Path(path)
    if path.isdigit() and not file.exists():
        yield int(path), Path(f'{path}.mp4')
    elif file.is_dir():
        drawn = [] if output is None or output.resolve() == file.resolve() else [output.resolve()]
        pictures = sorted(p for p in file.rglob('*') if _is_picture(p) and not any(p.resolve().is_relative_to(d) for d in drawn))
        if not pictures:
            raise ValueError(f"{path} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
        for picture in pictures:
            yield picture, _drawable(picture.relative_to(file))
    elif file.is_file():
        yield file, _drawable(Path(file.name)) if _is_picture(file) else Path(f'{file.stem}.mp4')
    else:
        raise ValueError(f'{path} is no picture, folder or video, and no webcam number')


def _is_picture(source: Path | int) -> bool:
    return isinstance(source, Path) and source.suffix.lower() in PICTURE_SUFFIXES


def _drawable(picture: Path) -> Path:
    """A name for a picture's drawing: the same, but that .pgm holds no colour."""
    return picture.with_suffix('.png') if picture.suffix.lower() == '.pgm' else picture


def _numbered(name: Path, taken: set[Path]) -> Path:
    """A name, numbered where an earlier source has it, and taken from now on."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = name.with_stem(f'{name.stem}_{number}')
    taken.add(free)
    return free


def _picture(path: Path | int, output: Path) -> Iterator[Frame]:
    yield Frame(str(path), output, cv2.imread(str(path)))


def pose_record(pose: HeadPose) -> dict[str, Any]:
    """A head pose as plain numbers for JSON: degrees, pixels, R_cam_head row by row."""
    box = pose.box
    return {
        'box': None if box is None else [round(v, 2) for v in (box.x1, box.y1, box.x2, box.y2)],
        'score': round(pose.score, 4),
        'R_cam_head': pose.R_cam_head.tolist(),
        'yaw_pitch_roll_deg': pose.yaw_pitch_roll_deg.tolist(),
        'rotation_std_deg': pose.rotation_std_deg.tolist(),
        'category': pose.category,
        'category_probabilities': pose.category_probabilities.tolist(),
        'track_id': pose.track_id,
    }


def _video_frames(source: Path | int, output: Path) -> Iterator[Frame]:
    video = cv2.VideoCapture(source if isinstance(source, int) else str(source))
    if not video.isOpened() and isinstance(source, int):
        raise ValueError(f'webcam {source} cannot be opened: is it plugged in (/dev/video{source}), used by no other program, and may '
                         'you read it (on Linux: group video)?')
    fps = video.get(cv2.CAP_PROP_FPS)
    fps = fps if 1 <= fps <= 1000 and not isinstance(source, int) else _WEBCAM_FPS
    start, number = time.monotonic(), 0
    try:
        while True:
            read, image = video.read()
            if not read:
                break
            stamp_s = time.monotonic() - start if isinstance(source, int) else number / fps
            yield Frame(f'{source}#{number}', output, image, stamp_s, fps)
            number += 1
    finally:
        video.release()
    if number == 0:
        yield Frame(str(source), output, None)


class _Drawings:
    """Writes drawings: pictures one by one, the frames of a video into one video."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._video: cv2.VideoWriter | None = None
        self._video_path = Path()

    def write(self, frame: Frame, drawing: np.ndarray) -> None:
        path = self._folder / frame.output
        path.parent.mkdir(parents=True, exist_ok=True)
        if frame.stamp_s is None:
            if not cv2.imwrite(str(path), drawing):
                raise OSError(f'{path} cannot be written')
            return
        if path != self._video_path:
            self.close()
            self._video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), frame.fps, drawing.shape[1::-1])
            self._video_path = path
            if not self._video.isOpened():
                raise OSError(f'{path} cannot be written')
        assert self._video is not None
        self._video.write(drawing)

    def close(self) -> None:
        if self._video is not None:
            self._video.release()
            self._video = None


def main(arguments: list[str] | None = None) -> int:
    """The command `demo`: 0 when every frame was read, 1 when some were not, 2 when nothing could be done."""
    parser = argparse.ArgumentParser(prog='demo', description=__doc__)
    parser.add_argument('path', nargs='+', help='picture, folder, video, or number of a webcam')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write every face as JSON')
    parser.add_argument('--output', type=Path, metavar='DIR', help='write pictures and videos with the poses drawn in')
    parser.add_argument('--model', default='c2f_edge', help='shipped name or .onnx file (default %(default)s)')
    parser.add_argument('--device', default='auto', choices=('auto', 'cpu', 'cuda'))
    parser.add_argument('--threads', type=int, default=1, help='CPU threads (default %(default)s)')
    options = parser.parse_args(arguments)
    try:
        _prepare_outputs(options)
        estimator = HeadPoseEstimator.load(options.model, options.device, options.threads)
        print(f'model {estimator.model_name} on {estimator.device}', file=sys.stderr)
        return _run(estimator, options)
    except KeyboardInterrupt:
        return 130
    except (ModelError, ValueError, OSError) as error:
        print(f'demo: {error}', file=sys.stderr)
        return 2


def _prepare_outputs(options: argparse.Namespace) -> None:
    """Fails now rather than after an hour where nothing could be written.

    Raises:
        OSError: naming what cannot be written.
    """
    if options.output:
        if options.output.exists() and not options.output.is_dir():
            raise NotADirectoryError(f'--output {options.output} is a file; name a folder')
        options.output.mkdir(parents=True, exist_ok=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.open('a').close()


def _run(estimator: HeadPoseEstimator, options: argparse.Namespace) -> int:
    records: list[dict[str, Any]] = []
    unread = faces = 0
    drawings = _Drawings(options.output) if options.output else None
    last_output = None
    try:
        for frame in frames(options.path, options.output):
            if frame.image is None:
                unread += 1
                _end_line()
                print(f'demo: {frame.name} cannot be read as a picture or video', file=sys.stderr)
                continue
            if frame.stamp_s is not None and frame.output != last_output:
                estimator.reset()
            last_output = frame.output
            poses = estimator.estimate(frame.image, stamp_s=frame.stamp_s)
            faces += len(poses)
            records.append({'image': frame.name, 'faces': [pose_record(p) for p in poses]})
            if drawings:
                drawings.write(frame, draw_poses(frame.image, poses))
            _progress(frame.name, len(records), faces, poses)
    except KeyboardInterrupt:
        print('\nstopped', file=sys.stderr)
    finally:
        if drawings:
            drawings.close()
        _end_line()
    if options.json:
        options.json.write_text(json.dumps(records, indent=1))
    empty = sum(1 for r in records if not r['faces'])
    print(f'{len(records)} images, {faces} faces, {empty} images without a face' + (f', {unread} not readable' if unread else ''))
    if records and not faces:
        print('no face: those seen from behind, mostly covered, smaller than about 20 pixels or lying on their side (a turned camera) are '
              'not found')
    for written in (options.json, options.output):
        if written:
            print(f'wrote {written}')
    if not options.json and not options.output:
        print('to keep the results: --json FILE, --output DIR')
    return 0 if not unread else 1 if records else 2


def _end_line() -> None:
    """Ends the line that renews itself."""
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _progress(name: str, images: int, faces: int, poses: list[HeadPose]) -> None:
    """One line that renews itself on a terminal; a line every hundred images elsewhere."""
    angles = '  '.join('yaw {:+.0f} pitch {:+.0f} roll {:+.0f}'.format(*p.yaw_pitch_roll_deg) for p in poses[:2]) or 'nobody'
    if sys.stderr.isatty():
        print(f'\r\x1b[K{images} images, {faces} faces  {Path(name).name}: {angles}'[:120], end='', file=sys.stderr, flush=True)
    elif images % 100 == 0:
        print(f'{images} images, {faces} faces', file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
