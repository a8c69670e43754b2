"""Writes videos, and finds out whether they were written: OpenCV reports no error where the disk is full."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .containers import missing_part

_HIGHEST_FPS = 240.0
"""MPEG-4 cannot state the rate of stamps that are nanoseconds apart."""


class VideoFile:
    """Writes an MP4. The file has the suffix .part.mp4 until `close`.

    Args:
        path: the file; replaced if it exists.
        fps: images a second; 240 if it is more.
        size: width and height of the images, pixels.

    Raises:
        OSError: when the file cannot be written, naming it.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self._path, self._part = path, path.with_suffix('.part.mp4')
        self._video = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*'mp4v'), min(fps, _HIGHEST_FPS), size)
        if not self._video.isOpened():
            raise OSError(f'{path} cannot be written')

    def write(self, image: np.ndarray) -> None:
        """Adds an image, (H, W, 3) BGR uint8 of the video's size."""
        self._video.write(image)

    def discard(self) -> None:
        """Ends the file and removes it."""
        self._video.release()
        self._part.unlink(missing_ok=True)

    def close(self) -> None:
        """Finishes the file and renames it.

        Raises:
            OSError: when the file cannot be written, or cannot be read again as a video; it is removed then.
        """
        self._video.release()
        try:
            if not _is_whole(self._part):
                raise OSError(f'{self._path} cannot be written whole; look for a full disk')
            self._part.replace(self._path)
        except OSError:
            self._part.unlink(missing_ok=True)
            raise


def _is_whole(path: Path) -> bool:
    video = cv2.VideoCapture(str(path))
    try:
        return bool(video.read()[0]) and missing_part(path) is None
    finally:
        video.release()
