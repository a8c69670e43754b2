"""Encodes the annotated video in a separate thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...draw import draw_poses
from ...types import Camera, HeadPose

_FIRST_FRAMES = 8
_WAITING = 4


class AnnotatedVideo:
    """Writes an MP4 with the size of the first image and the rate of the first stamps. The file has the suffix .part.mp4 until `close`.

    Args:
        path: the file; replaced if it exists.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_suffix('.part.mp4')
        self._queue: queue.Queue[tuple[np.ndarray, list[HeadPose], Camera | None, float] | None] = queue.Queue(_WAITING)
        self._written = 0
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
            self._queue.put((image, list(poses), camera, stamp_s))

    def close(self) -> None:
        """Finishes the file and renames it."""
        if self._thread.is_alive():
            self._queue.put(None)
        self._thread.join()
        if self._written:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)

    def _encode(self) -> None:
        held: list[tuple[np.ndarray, float]] = []
        writer = None
        size = (0, 0)
        while (item := self._queue.get()) is not None:
            image, poses, camera, stamp_s = item
            drawn = draw_poses(image, poses, camera)
            if writer is None:
                held.append((drawn, stamp_s))
                if len(held) < _FIRST_FRAMES:
                    continue
                writer, size = self._open(held)
            else:
                self._put(writer, drawn, size)
        if writer is None and held:
            writer, size = self._open(held)
        if writer is not None:
            writer.release()

    def _open(self, held: list[tuple[np.ndarray, float]]) -> tuple[cv2.VideoWriter, tuple[int, int]]:
        steps = np.diff([stamp for _, stamp in held])
        period = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1 / 30
        height, width = held[0][0].shape[:2]
        size = width - width % 2, height - height % 2
        writer = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*'mp4v'), float(np.clip(1 / period, 1, 240)), size)
        for drawn, _ in held:
            self._put(writer, drawn, size)
        held.clear()
        return writer, size

    def _put(self, writer: cv2.VideoWriter, drawn: np.ndarray, size: tuple[int, int]) -> None:
        if drawn.shape[1::-1] != size:
            drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
        writer.write(drawn)
        self._written += 1
