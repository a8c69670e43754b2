"""Encodes the annotated video in a separate thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...draw import draw_poses
from ...images.video_file import VideoFile
from ...types import Camera, HeadPose
from ..handover import Handover

_FIRST_FRAMES = 8
_WAITING = 4


class AnnotatedVideo:
    """Writes an MP4 with the size of the first image and the rate of the first stamps. The file has the suffix .part.mp4 until `close`.

    Args:
        path: the file; replaced if it exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: Handover[tuple[np.ndarray, list[HeadPose], Camera | None, float] | None] = Handover(_WAITING)
        self._held: list[tuple[np.ndarray, float]] = []
        self._video: VideoFile | None = None
        self._size = (0, 0)
        self._error: OSError | cv2.error | None = None
        self._thread = threading.Thread(target=self._encode, name='video', daemon=True)
        self._thread.start()

    def write(self, image: np.ndarray, poses: Sequence[HeadPose], camera: Camera | None, stamp_s: float) -> None:
        """Adds one image; waits while the encoder has four images to encode.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            poses: the poses to draw.
            camera: the image's camera; None unknown.
            stamp_s: the image's stamp, seconds.
        """
        if self._thread.is_alive():
            self._waiting.put((image, list(poses), camera, stamp_s))

    def close(self) -> None:
        """Finishes the file and renames it; without an image there is none.

        Raises:
            OSError: when the file could not be written.
        """
        self._waiting.put_last(None)
        self._thread.join()
        if self._error is not None:
            if self._video is not None:
                self._video.discard()
            raise OSError(f'{self._path}: {self._error}') from self._error
        if self._video is None and self._held:
            self._open()
        if self._video is not None:
            self._video.close()

    def _encode(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is not None:
                continue
            image, poses, camera, stamp_s = item
            try:
                self._add(draw_poses(image, poses, camera), stamp_s)
            except (OSError, cv2.error) as error:
                self._error = error

    def _add(self, drawn: np.ndarray, stamp_s: float) -> None:
        if self._video is not None:
            self._put(self._video, drawn)
            return
        self._held.append((drawn, stamp_s))
        if len(self._held) == _FIRST_FRAMES:
            self._open()

    def _open(self) -> None:
        steps = np.diff([stamp for _, stamp in self._held])
        period = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1 / 30
        height, width = self._held[0][0].shape[:2]
        self._size = width - width % 2, height - height % 2
        self._video = VideoFile(self._path, max(1 / period, 1.0), self._size)
        for drawn, _ in self._held:
            self._put(self._video, drawn)
        self._held.clear()

    def _put(self, video: VideoFile, drawn: np.ndarray) -> None:
        if drawn.shape[1::-1] != self._size:
            drawn = cv2.resize(drawn, self._size, interpolation=cv2.INTER_AREA)
        video.write(drawn)
