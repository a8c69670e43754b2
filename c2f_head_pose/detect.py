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
        height, width = image.shape[:2]
        scale = long_side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = _resized(image, size)
        if small.ndim == 2:
            small = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
        padded = np.zeros((-(-size[1] // 32) * 32, -(-size[0] // 32) * 32, 3), np.float32)
        padded[:size[1], :size[0]] = small
        outputs = self._session.run(_OUTPUTS, {'input': np.ascontiguousarray(padded.transpose(2, 0, 1)[None])})
        boxes = _decode(outputs, padded.shape[0], padded.shape[1], threshold)
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


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image brought to (width, height): halved while it can be, then bilinear.

    Finds the same faces as averaging areas by any factor, which took a millisecond an image, a sixth of its whole time.
    """
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        even = image[:image.shape[0] // 2 * 2, :image.shape[1] // 2 * 2]
        image = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return image if image.shape[1::-1] == size else cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def suppress_overlaps(boxes: list[FaceBox]) -> list[FaceBox]:
    """Keeps the best of boxes that overlap (greedy non-maximum suppression), best first."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(box.iou(other) < _OVERLAP for other in kept):
            kept.append(box)
    return kept


def _decode(outputs: list[np.ndarray], height: int, width: int, threshold: float) -> np.ndarray:
    """(N, 5) x1 y1 x2 y2 score in pixels of the network's input, from YuNet's anchor-free maps at three strides."""
    found = []
    for k, stride in enumerate(_STRIDES):
        classes, objects, offsets = (outputs[k + 3 * j][0] for j in range(3))
        score = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        seen = np.flatnonzero(score >= threshold)
        if seen.size == 0:
            continue
        centre = (_grid(height // stride, width // stride)[seen] + offsets[seen, :2]) * stride
        half = np.exp(np.clip(offsets[seen, 2:4], -10, 10)) * stride / 2
        found.append(np.column_stack([centre - half, centre + half, score[seen]]))
    return np.concatenate(found) if found else np.zeros((0, 5))


@lru_cache(maxsize=64)
def _grid(rows: int, columns: int) -> np.ndarray:
    """(rows * columns, 2) x, y of every cell, row by row."""
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.column_stack([x, y]).astype(np.float32)
