"""Writes the files of the command `demo`: drawings of pictures and videos, and the list of all records as JSON."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np

from .draw import draw_poses
from .files import written_whole
from .images.inputs import Frame
from .images.video_file import VideoFile
from .types import HeadPose

_LONGEST_PAUSE_S = 60.0
_LONGEST_LEAD_S = 0.5


class Drawings:
    """Writes drawings: of pictures into one file each, of a video's frames into one video.

    The video has a constant rate. A drawing is repeated until the next frame's stamp, so that the video plays as fast as the original;
    frames that come faster than the rate are drawn until the video is half a second behind them, and then left out.

    Args:
        folder: the folder of the drawings.
        report: called with the reason of each file that cannot be written.

    Attributes:
        folder: the folder of the drawings.
        files: number of files that were written.
        lost: number of files that could not be written.
    """

    def __init__(self, folder: Path, report: Callable[[Exception], None]) -> None:
        self.folder, self._report = folder, report
        self.files = self.lost = 0
        self._video: VideoFile | None = None
        self._video_path = Path()
        self._written = 0
        self._last_s = 0.0
        self._last: np.ndarray | None = None

    def write(self, frame: Frame, image: np.ndarray, poses: list[HeadPose]) -> None:
        """Draws the poses in a frame's image and writes it; the frames after one of a video that cannot be written are left out."""
        path = self.folder / frame.output
        try:
            drawing = draw_poses(image, poses)
            path.parent.mkdir(parents=True, exist_ok=True)
            if frame.stamp_s is None:
                content = _encoded(path, drawing)
                with written_whole(path) as part:
                    part.write_bytes(content)
                self.files += 1
                return
            if path != self._video_path:
                self.close()
                self._video_path, self._written, self._last, self._last_s = path, 0, None, frame.stamp_s
                self._video = VideoFile(path, frame.fps, drawing.shape[1::-1])
            if self._video is not None:
                self._add(self._video, frame.stamp_s, frame.fps, drawing)
        except (OSError, cv2.error) as error:
            self._lose(error)

    def _add(self, video: VideoFile, stamp_s: float, fps: float, drawing: np.ndarray) -> None:
        missing = round(stamp_s * fps) - self._written
        if -missing > _LONGEST_LEAD_S * fps:
            return
        if self._last is not None and stamp_s - self._last_s <= _LONGEST_PAUSE_S:
            for _ in range(missing):
                video.write(self._last)
        self._written = self._written + max(missing, 0) + 1
        self._last, self._last_s = drawing, stamp_s
        video.write(drawing)

    def close(self) -> None:
        """Finishes the video that is being written."""
        video, self._video = self._video, None
        if video is not None:
            try:
                video.close()
                self.files += 1
            except OSError as error:
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        self.lost += 1
        self._report(error)


class Records:
    """Writes a JSON list record by record, into a part file that is renamed when it is closed. Without a record there is no file.

    Args:
        path: the file; one that is no regular file, such as /dev/stdout, is written directly.

    Attributes:
        path: the file.
        written: whether it is complete.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.written = path, False
        special = path.exists() and not path.is_file()
        self._target = path if special else path.resolve()  # a link stays a link
        self._part = path if special else self._target.with_name(f'{self._target.name}.part')
        self._stream: TextIO | None = None

    def check(self) -> None:
        """Opens the files and leaves none behind.

        Raises:
            OSError: naming the file that cannot be written.
        """
        for file in {self._target, self._part}:
            existed = file.exists()
            file.open('a').close()
            if not existed:
                file.unlink()

    def add(self, record: dict[str, Any]) -> None:
        """Writes a record.

        Raises:
            OSError: naming the file that cannot be written; the part file is removed.
        """
        text = textwrap.indent(json.dumps(record, indent=1), ' ')
        with self._naming_file():
            if self._stream is None:
                self._stream = self._part.open('w')
                self._stream.write(f'[\n{text}')
            else:
                self._stream.write(f',\n{text}')

    def close(self) -> None:
        """Completes the file.

        Raises:
            OSError: as `add`.
        """
        if self._stream is None:
            return
        with self._naming_file():
            self._stream.write('\n]')
            self._stream.close()
            if self._part != self._target:
                self._complete()
        self._stream, self.written = None, True

    def _complete(self) -> None:
        try:
            self._part.replace(self._target)
        except OSError:  # a file that is mounted by itself can be written, but not replaced
            shutil.copyfile(self._part, self._target)
            self._part.unlink()

    @contextmanager
    def _naming_file(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._stream is not None:
                with suppress(OSError):  # it tries once more to write
                    self._stream.close()
                self._stream = None
            if self._part != self._target:
                self._part.unlink(missing_ok=True)
            raise OSError(f'{self.path} cannot be written ({error.strerror or error})') from error


def _encoded(path: Path, drawing: np.ndarray) -> bytes:
    try:
        encoded, data = cv2.imencode(path.suffix, drawing)
    except cv2.error:  # raised by OpenCV 4.5 where newer ones return False
        encoded = False
    if not encoded:
        raise OSError(f'{path} cannot be written')
    return data.tobytes()
