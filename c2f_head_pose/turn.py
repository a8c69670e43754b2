"""Cameras mounted sideways or upside down: turns their images upright for the networks, and the results back.

`rotation_deg` is the clockwise turn that makes the image upright: 0, 90, 180 or 270. Pixels (x, y) are continuous and in the image as the
camera gives it, of width w and height h; a turn of 90 takes (x, y) to (h - y, x) of the upright image.
"""

from __future__ import annotations

import numpy as np

ROTATIONS_DEG = (0, 90, 180, 270)


def turn_upright(image: np.ndarray, rotation_deg: int) -> np.ndarray:
    """An image turned clockwise; of (H, W) or (H, W, C), a view where the rotation is not 0."""
    return np.rot90(image, -(rotation_deg // 90)) if rotation_deg else image


def turn_boxes_back(boxes: np.ndarray, rotation_deg: int, width: int, height: int) -> np.ndarray:
    """Boxes found in the upright image, in pixels of the camera's image.

    Args:
        boxes: (N, 4 or more) x1 y1 x2 y2 in pixels of the upright image, and what else belongs to a box.
        rotation_deg: 0, 90, 180 or 270.
        width: of the camera's image, pixels.
        height: of the camera's image, pixels.
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
    """The (3, 3) R_cam_head of a head whose rotation was estimated in the upright image.

    Turning the image clockwise turns its optical axes by Rz(rotation): x goes to y. So R_upright = Rz(rotation) R_cam_head, and the
    inverse swaps rows and signs exactly.
    """
    x, y, z = R
    if rotation_deg == 90:
        return np.stack([y, -x, z])
    if rotation_deg == 180:
        return np.stack([-x, -y, z])
    if rotation_deg == 270:
        return np.stack([-y, x, z])
    return R
