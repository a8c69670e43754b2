"""Rotates the images of cameras that are mounted sideways or upside down for the networks, and rotates the results back.

`rotation_deg` is the clockwise rotation that makes the image upright: 0, 90, 180 or 270. Pixels (x, y) are continuous and in the camera's
image of width w and height h; a rotation by 90 maps (x, y) to (h - y, x) of the upright image.
"""

from __future__ import annotations

import numpy as np

ROTATIONS_DEG = (0, 90, 180, 270)


def turn_upright(image: np.ndarray, rotation_deg: int) -> np.ndarray:
    """Rotates an image clockwise.

    Args:
        image: (H, W) or (H, W, C), any dtype.
        rotation_deg: 0, 90, 180 or 270.

    Returns:
        The image itself, or a view of it with other strides.
    """
    return np.rot90(image, -(rotation_deg // 90)) if rotation_deg else image


def turn_boxes_back(boxes: np.ndarray, rotation_deg: int, width: int, height: int) -> np.ndarray:
    """Converts boxes in the upright image to pixels of the camera's image.

    Args:
        boxes: (N, 4 or more) x1 y1 x2 y2 in pixels of the upright image; further columns are kept.
        rotation_deg: 0, 90, 180 or 270.
        width: width of the camera's image, pixels.
        height: height of the camera's image, pixels.

    Returns:
        The boxes in pixels of the camera's image, with the same shape.
    """
    if rotation_deg == 0:
        return boxes
    x1, y1, x2, y2 = boxes.T[:4]
    turned = {
        90: (y1, height - x2, y2, height - x1),
        180: (width - x2, height - y2, width - x1, height - y1),
        270: (width - y2, x1, width - y1, x2),
    }
    return np.column_stack([*turned[rotation_deg], boxes[:, 4:]])


def turn_rotation_back(R: np.ndarray, rotation_deg: int) -> np.ndarray:
    """Converts the (3, 3) rotation of a head in the upright image to R_cam_head.

    A clockwise rotation of the image rotates its optical axes by Rz(rotation), which takes x to y. So R_upright = Rz(rotation)
    R_cam_head, and the inverse swaps rows and signs without rounding.
    """
    x, y, z = R
    if rotation_deg == 90:
        return np.stack([y, -x, z])
    if rotation_deg == 180:
        return np.stack([-x, -y, z])
    if rotation_deg == 270:
        return np.stack([-y, x, z])
    return R
