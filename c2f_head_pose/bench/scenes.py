"""Makes images with a given number of faces for timing: rendered heads from the shipped sheet, or drawn dolls in depth."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..crop import resize
from ..engine.parity import sample_crops
from ..types import Camera

_CROP_OVER_FACE = 1.5
_SHEET_SIDE = 144
_FACING = (4, 11, 16, 0)
"""Indices of the sheet's crops that the detector finds at any place in an image."""
_FACE_SHARE = 0.3
_WALL_M = 3.5
_NEAREST_M = 1.0


def picture(faces: int, width: int = 640, height: int = 480) -> np.ndarray:
    """Draws rendered heads in rows before a smooth background.

    Args:
        faces: number of heads; one or two have faces of 0.3 of the image's height, more are as large as fits.
        width: image width, pixels.
        height: image height, pixels.

    Returns:
        (height, width, 3) BGR uint8.
    """
    chance = np.random.default_rng(0)
    soft = chance.integers(70, 140, (6, 8, 3), np.uint8)
    image = cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC)
    crops = sample_crops(_SHEET_SIDE)[:, 0]
    columns = max(1, math.ceil(math.sqrt(faces * width / height)))
    rows = max(1, math.ceil(faces / columns))
    side = int(min(_CROP_OVER_FACE * _FACE_SHARE * height, width / columns, height / rows))
    for i in range(faces):
        x = int((i % columns + 0.5) * width / columns - side / 2)
        y = int((i // columns + 0.5) * height / rows - side / 2)
        image[y : y + side, x : x + side] = resize(crops[_FACING[i % len(_FACING)]], side)[:, :, None]
    return image


def camera(width: int = 640, height: int = 480) -> Camera:
    """Returns a pinhole camera with a horizontal field of view of 63 degrees, as most webcams have."""
    focal = width / (2 * math.tan(math.radians(31.5)))
    return Camera(width, height, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]))


def dolls(faces: int, width: int = 640, height: int = 480) -> np.ndarray:
    """Draws the depth of dolls side by side before a wall: heads of 15 x 23 x 19 cm on shoulders.

    Args:
        faces: number of dolls; many stand farther away, so that all fit.
        width: image width, pixels.
        height: image height, pixels.

    Returns:
        (height, width) float32 metres along the optical axis; the wall is at 3.5 m or 1.5 m behind the dolls.
    """
    focal = camera(width, height).K[0, 0]
    z_m = max(_NEAREST_M, 0.55 * faces * focal / width)
    depth_m = np.full((height, width), max(_WALL_M, z_m + 1.5), np.float32)
    v, u = np.mgrid[:height, :width]
    for i in range(faces):
        dx = (u - (i + 0.5) * width / faces) / focal * z_m
        dy = (v - 0.4 * height) / focal * z_m
        radius = (dx / 0.075) ** 2 + (dy / 0.115) ** 2
        head = np.where(radius < 1, z_m - 0.095 * np.sqrt(np.maximum(1 - radius, 0)), np.inf)
        neck = np.where((np.abs(dx) < 0.055) & (dy > 0) & (dy < 0.2), z_m, np.inf)
        shoulders = np.where((np.abs(dx) < 0.2) & (dy > 0.17), z_m - 0.03, np.inf)
        depth_m = np.minimum(depth_m, np.minimum(np.minimum(head, neck), shoulders)).astype(np.float32)
    return depth_m
