"""Finds faces with YuNet on ONNX Runtime, whatever the OpenCV version.

Source: Wu, Peng, Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"; model file: opencv_zoo, MIT.
"""
from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from .engine.onnxruntime_engine import open_session
from .models.registry import ModelError, detector_path
from .types import FaceBox

_STRIDES = (8, 16, 32)
_OVERLAP = 0.3
_OUTPUTS = [f'{kind}_{stride}' for kind in ('cls', 'obj', 'bbox') for stride in _STRIDES]


class FaceDetector:
    """Detects faces in an image of any size.

    Args:
        path: the detector's file; the fetched one by default.
        threads: CPU threads, at least 1.

    Raises:
        ModelError: when the file is missing or damaged, with the remedy.
    """

    def __init__(self, path: Path | None = None, threads: int = 1) -> None:
        path = path or detector_path()
        try:
            self._session = open_session(path, threads)
        except ModelError as error:
            raise ModelError(f'the face detector: {error}; fetch_models leaves a file that is there alone, so delete it first') from None

    def detect(self, image: np.ndarray, threshold: float, long_side: int) -> list[FaceBox]:
        """Faces of an image, best first.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            threshold: least score, in (0, 1).
            long_side: the image's longer side is resized to this many pixels first; a face is found from about 10 pixels there.

        Returns:
            Boxes in pixels of `image`.
        """
        scale = long_side / max(image.shape[:2])
        image, steps = _whole_steps(image, long_side)
        height, width = image.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(steps, size, interpolation=cv2.INTER_LINEAR)
        padded = np.zeros((1, 3, -(-size[1] // 32) * 32, -(-size[0] // 32) * 32), np.float32)
        for plane, channel in zip(padded[0], cv2.split(small) if small.ndim == 3 else 3 * [small]):
            plane[:size[1], :size[0]] = channel
        boxes = _decode(self._session.run(_OUTPUTS, {'input': padded}), padded.shape[2], padded.shape[3], threshold)
        boxes[:, [0, 2]] *= width / size[0]
        boxes[:, [1, 3]] *= height / size[1]
        return suppress_overlaps([FaceBox(*map(float, box)) for box in boxes])

    def detect_all_sizes(self, image: np.ndarray, threshold: float) -> list[FaceBox]:
        """Faces of an image that stands alone, large and small: searched at two resolutions."""
        return suppress_overlaps(self.detect(image, threshold, 320) + self.detect(image, threshold, 640))

    def detect_near(self, image: np.ndarray, box: FaceBox, threshold: float) -> list[FaceBox]:
        """Faces around a place where one was just seen, on a patch of 160 x 160 pixels: about half a full search's time."""
        side = round(2.5 * max(box.width, box.height))
        x, y = box.centre
        left, top = max(0, round(x - side / 2)), max(0, round(y - side / 2))
        patch = image[top:top + side, left:left + side]
        if min(patch.shape[:2]) < 2:
            return []
        return [FaceBox(b.x1 + left, b.y1 + top, b.x2 + left, b.y2 + top, b.score) for b in self.detect(patch, threshold, 160)]


def suppress_overlaps(boxes: list[FaceBox]) -> list[FaceBox]:
    """Keeps the best of boxes that overlap (greedy non-maximum suppression), best first."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(box.iou(other) < _OVERLAP for other in kept):
            kept.append(box)
    return kept


def _whole_steps(image: np.ndarray, long_side: int) -> tuple[np.ndarray, np.ndarray]:
    """An image without the last rows and columns that a whole factor leaves over, and that averaged by the factor.

    The factor is the largest that leaves at least `long_side`. What remains to be shrunk is less than twofold, which bilinear does
    without losing a pixel. OpenCV averages by whole factors several times faster than by others.
    """
    height, width = image.shape[:2]
    factor = max(1, min(max(height, width) // long_side, height, width))
    if factor == 1:
        return image, image
    rows, columns = height // factor, width // factor
    image = image[:rows * factor, :columns * factor]
    return image, cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)


def _decode(outputs: list[np.ndarray], height: int, width: int, threshold: float) -> np.ndarray:
    """(N, 5) x1 y1 x2 y2 score in pixels of the network's input, from YuNet's anchor-free maps at three strides."""
    classes, objects, offsets = (np.concatenate([output[0] for output in outputs[first:first + 3]]) for first in (0, 3, 6))
    score = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
    seen = np.flatnonzero(score >= threshold)
    corner, stride = (array[seen] for array in _cells(height, width))
    centre = corner + offsets[seen, :2] * stride
    half = np.exp(np.clip(offsets[seen, 2:4], -10, 10)) * stride / 2
    return np.column_stack([centre - half, centre + half, score[seen]])


@lru_cache(maxsize=64)
def _cells(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) x, y in pixels and (N, 1) stride of every cell of the three maps, row by row."""
    corners = []
    for stride in _STRIDES:
        y, x = np.divmod(np.arange((height // stride) * (width // stride)), width // stride)
        corners.append(np.column_stack([x, y]) * stride)
    strides = np.repeat(_STRIDES, [len(corner) for corner in corners])
    return np.concatenate(corners).astype(np.float32), strides[:, None].astype(np.float32)
