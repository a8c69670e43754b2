"""Rectifies depth images: a lens with distortion is replaced by a pinhole camera at its place, in which a head has its size everywhere."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np

from .camera import pixel_ray, pixel_rays, pixels_of
from .types import Camera, FaceBox

_FIELD_DEG = 65.0
"""A pinhole camera's image ends so far to each side of the axis: beyond, it would grow without end."""


class Rectification:
    """Rectifies the depth images of one camera. Computes for each pixel of the pinhole camera once where the lens shows it.

    Attributes:
        camera: the pinhole camera; its axes and origin are those of the lens, so depth along the axis and positions are the same in both.
    """

    def __init__(self, lens: Camera, focal_px: float) -> None:
        """Computes the table.

        Args:
            lens: camera of the depth images.
            focal_px: focal length of the pinhole camera, pixels.
        """
        self._lens = lens
        along = np.linspace(0, 1, 33)
        low, high = np.zeros_like(along), np.ones_like(along)
        border = np.column_stack([np.r_[along, along, low, high] * lens.width, np.r_[low, high, along, along] * lens.height])
        rays = pixel_rays(lens, border.tolist())
        edge = math.tan(math.radians(_FIELD_DEG))
        flat = np.clip(rays[:, :2] / np.maximum(rays[:, 2:], 1e-3), -edge, edge)
        left, top = np.floor(focal_px * flat.min(0))
        width, height = np.maximum(np.ceil(focal_px * flat.max(0)) - (left, top), 1).astype(int).tolist()
        self.camera = Camera(width, height, np.array([[focal_px, 0, -left - 0.5], [0, focal_px, -top - 0.5], [0, 0, 1]]))
        columns, rows = np.meshgrid((left + 0.5 + np.arange(width)) / focal_px, (top + 0.5 + np.arange(height)) / focal_px)
        seen = pixels_of(lens, np.stack([columns, rows, np.ones_like(rows)], -1)) - 0.5  # OpenCV counts from the first pixel's centre
        seen = np.nan_to_num(seen, nan=-9.0).clip(-9, 32000).astype(np.float32)  # OpenCV's limit of a table
        self._x, self._y = np.ascontiguousarray(seen.T).reshape(2, height, width)

    def rectify(self, image: np.ndarray, unknown: int) -> np.ndarray:
        """The image as the pinhole camera has it, each pixel from the nearest one of the lens.

        Args:
            image: (H, W) of the lens.
            unknown: value of pixels that the lens does not show.
        """
        return cv2.remap(image, self._x, self._y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=unknown)

    def box_back(self, box: FaceBox) -> FaceBox | None:
        """A box of the pinhole camera's image in pixels of the lens' image; None where the lens does not show its middle."""
        x, y = box.centre
        rays = np.array([pixel_ray(self.camera, *at) for at in ((x, y), (x - 0.5, y), (x + 0.5, y), (x, y - 0.5), (x, y + 0.5))])
        centre, left, right, above, below = pixels_of(self._lens, rays)
        half = np.array([np.linalg.norm(right - left) * box.width, np.linalg.norm(below - above) * box.height]) / 2
        (x1, y1), (x2, y2) = (centre - half).tolist(), (centre + half).tolist()
        return FaceBox(x1, y1, x2, y2, box.score) if np.isfinite([x1, y1, x2, y2]).all() else None


def rectification(lens: Camera, focal_px: float) -> Rectification | None:
    """The rectification of a lens, computed once; None for a pinhole camera, which needs none.

    Args:
        lens: camera of the depth images.
        focal_px: as of `Rectification`.
    """
    if lens.D.size == 0:
        return None
    return _rectification(lens.width, lens.height, lens.K.tobytes(), lens.D.tobytes(), lens.distortion_model, focal_px)


@functools.lru_cache(maxsize=8)
def _rectification(width: int, height: int, K: bytes, D: bytes, model: str, focal_px: float) -> Rectification:
    return Rectification(Camera(width, height, np.frombuffer(K).reshape(3, 3), np.frombuffer(D), model), focal_px)
