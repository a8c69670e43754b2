"""Collects thumbnails of a recording's worst frames during the evaluation."""

from __future__ import annotations

import base64
import heapq
from dataclasses import dataclass

import cv2
import numpy as np

from ...draw import draw_poses
from ...types import Camera, HeadPose

_WIDTH = 320
_QUALITY = 72
_APART_S = 0.5


@dataclass(frozen=True, order=True)
class Thumbnail:
    """A picture of one of the worst frames.

    Attributes:
        score: error, difference between models, or stated uncertainty, degrees; the highest is the worst.
        frame: number of the image message.
        stamp_s: the image's stamp, seconds.
        caption: text that names the score.
        jpeg_base64: the picture.
    """

    score: float
    frame: int
    stamp_s: float
    caption: str
    jpeg_base64: str


class WorstFrames:
    """Keeps the frames with the highest scores, at most one in half a second.

    Args:
        size: largest number of frames.
    """

    def __init__(self, size: int = 12) -> None:
        self._size = size
        self._heap: list[Thumbnail] = []

    def offer(
        self, score: float, frame: int, stamp_s: float, caption: str, image: np.ndarray, pose: HeadPose, camera: Camera | None
    ) -> None:
        """Adds a frame if it is among the worst.

        Args:
            score: the higher, the worse; a NaN is ignored.
            frame: number of the image message.
            stamp_s: the image's stamp, seconds.
            caption: text that names the score.
            image: (H, W) gray or (H, W, 3) BGR uint8.
            pose: the pose to draw.
            camera: the image's camera; None unknown.
        """
        if not np.isfinite(score) or self._size < 1:
            return
        near = next((t for t in self._heap if abs(t.stamp_s - stamp_s) < _APART_S), None)
        if near is not None:
            if near.score >= score:
                return
            self._heap.remove(near)
            heapq.heapify(self._heap)
        elif len(self._heap) >= self._size:
            if self._heap[0].score >= score:
                return
            heapq.heappop(self._heap)
        heapq.heappush(self._heap, Thumbnail(float(score), frame, stamp_s, caption, _picture(image, pose, camera)))

    def sorted(self) -> list[Thumbnail]:
        """Returns the thumbnails, the worst first."""
        return sorted(self._heap, reverse=True)


def _picture(image: np.ndarray, pose: HeadPose, camera: Camera | None) -> str:
    """The part of the image around the face with the pose drawn in, as base64 of a JPEG."""
    drawn = draw_poses(image, [pose], camera)
    if pose.box is not None:
        side = 1.9 * max(pose.box.width, pose.box.height)
        x, y = pose.box.centre
        left, top = int(max(0, min(x - side / 2, drawn.shape[1] - side))), int(max(0, min(y - side / 2, drawn.shape[0] - side)))
        drawn = drawn[top : top + max(2, int(side)), left : left + max(2, int(side))]
    scale = _WIDTH / drawn.shape[1]
    small = cv2.resize(
        drawn, (_WIDTH, max(1, round(drawn.shape[0] * scale))), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    data = cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return base64.b64encode(data.tobytes()).decode()
