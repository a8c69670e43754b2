"""Cuts faces out of images. Training, evaluation, replay and the node use these functions, so that a network sees the same crops."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .types import FaceBox


@dataclass(frozen=True)
class CropSquare:
    """A square on whole pixels of an image, which may extend beyond the image.

    Attributes:
        left: pixels from the image's left edge.
        top: pixels from the image's top edge.
        side: pixels, at least 1.
    """

    left: int
    top: int
    side: int

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) in continuous pixels; the crop's ray passes through it."""
        return self.left + self.side / 2, self.top + self.side / 2


def square_about(box: FaceBox, margin: float) -> CropSquare:
    """Returns the square about a box's centre whose side is `margin` times the box's longer side, rounded to whole pixels."""
    side = max(1, round(margin * max(box.width, box.height)))
    x, y = box.centre
    return CropSquare(round(x - side / 2), round(y - side / 2), side)


def cut(image: np.ndarray, square: CropSquare, size: int) -> np.ndarray:
    """Cuts a square out of an image and resizes it; pixels beyond the image are black (0).

    Args:
        image: (H, W) or (H, W, C), any dtype that OpenCV can resize.
        square: the square, in the image's pixels.
        size: output side in pixels.

    Returns:
        (size, size) or (size, size, C), the image's dtype.
    """
    height, width = image.shape[:2]
    left, top = max(square.left, 0), max(square.top, 0)
    right, bottom = min(square.left + square.side, width), min(square.top + square.side, height)
    if left >= right or top >= bottom:
        return np.zeros((size, size, *image.shape[2:]), image.dtype)
    patch = image[top:bottom, left:right]
    if patch.shape[:2] != (square.side, square.side):
        patch = cv2.copyMakeBorder(
            patch,
            top - square.top,
            square.top + square.side - bottom,
            left - square.left,
            square.left + square.side - right,
            cv2.BORDER_CONSTANT,
            value=0,
        )
    return resize(patch, size)


def gray(image: np.ndarray) -> np.ndarray:
    """Returns the (H, W) gray image of a gray or BGR image; a gray one is not copied."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def cut_gray(image: np.ndarray, square: CropSquare, size: int) -> np.ndarray:
    """Cuts a face out of an image in the form that a network reads. Only the square is converted to gray, before it is resized.

    Args:
        image: (H, W) gray or (H, W, 3) BGR uint8.
        square: the square, in the image's pixels.
        size: output side in pixels.

    Returns:
        (size, size) uint8 gray.
    """
    left, top = max(square.left, 0), max(square.top, 0)
    patch = image[top : max(0, square.top + square.side), left : max(0, square.left + square.side)]
    if patch.size == 0:
        return np.zeros((size, size), np.uint8)
    return cut(gray(patch), CropSquare(square.left - left, square.top - top, square.side), size)


def resize(patch: np.ndarray, size: int) -> np.ndarray:
    """Resizes a patch of any shape to (size, size): by averaging where it shrinks, bilinearly where it grows."""
    return _resized(patch, size, size)


def fit(patch: np.ndarray, size: int) -> np.ndarray:
    """Resizes a patch to fit into a black (size, size) square without stretching, because stretching changes a face's apparent angles."""
    scale = size / max(patch.shape[:2])
    height, width = (max(1, round(side * scale)) for side in patch.shape[:2])
    top, left = (size - height) // 2, (size - width) // 2
    fitted = _resized(patch, height, width)
    return cv2.copyMakeBorder(fitted, top, size - height - top, left, size - width - left, cv2.BORDER_CONSTANT, value=0)


def _resized(patch: np.ndarray, height: int, width: int) -> np.ndarray:
    shrinks = patch.shape[0] > height or patch.shape[1] > width
    return cv2.resize(patch, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
