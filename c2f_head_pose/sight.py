"""Computes the ray to a face and the angle that it subtends, also of a face that the image's edge cuts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .camera import pixel_rays
from .types import FACE_ASPECT, Camera, FaceBox

_CENTRE_STD = 0.05
"""Standard deviation across the ray over the box's size, 9 mm: twice that of training.studies.face_box, whose heads are rendered."""
_NEAR_EDGE = 0.04
"""A box that ends within this part of its larger side from the image's edge, or beyond it, is of a face that the edge may cut."""
_HIDDEN_IN_CORNER = 0.3
"""Part of width and height that may be hidden where two edges meet in a face: neither side tells the other's length there."""
_WIDEST_RAD = math.radians(170)
"""The limit keeps the tangent finite; no face is as wide."""
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Sight:
    """How a camera sees a face.

    Attributes:
        ray: (3,) unit ray through the face's middle, in the camera's optical frame.
        extent: the face's larger extent, square to the ray, over its range: 2 tan(a / 2) for the angle a.
        across: (2,) standard deviations of the middle along the image's x and y, over the range.
    """

    ray: np.ndarray
    extent: float
    across: np.ndarray


def sight_of(box: FaceBox, camera: Camera, rotation_deg: int = 0) -> Sight:
    """Returns how a camera sees a face.

    Angles are measured between the rays through the middles of the box's opposite edges, which is correct off the axis and for any lens.

    The detector's box of a face that the image's edge cuts ends about there. It is completed beyond the edge, or on both sides of a face
    between two edges, as its other side and the aspect of faces tell it; half of what is added counts as deviation of the middle. Where a
    face is in a corner, neither side tells the other's length: the deviation is larger, and the face may be nearer than it seems.

    Args:
        box: the face, pixels.
        camera: camera of the image.
        rotation_deg: clockwise turn that makes the image upright: 0, 90, 180 or 270.
    """
    aspect = FACE_ASPECT if rotation_deg in (0, 180) else 1 / FACE_ASPECT
    reach_px = max(_NEAR_EDGE * max(box.width, box.height), _TINY)
    x1, x2, near_x = _whole_side(box.x1, box.x2, box.height / aspect, camera.width, reach_px)
    y1, y2, near_y = _whole_side(box.y1, box.y2, box.width * aspect, camera.height, reach_px)
    x, y = middle = (x1 + x2) / 2, (y1 + y2) / 2
    # The calibration is valid inside the image only: of what reaches beyond, the part inside is measured, and enlarged in proportion.
    left, x, right = (min(max(value, 0.0), camera.width) for value in (x1, x, x2))
    top, y, bottom = (min(max(value, 0.0), camera.height) for value in (y1, y, y2))
    ray, *edges = pixel_rays(camera, [middle, (left, y), (right, y), (x, top), (x, bottom)]).tolist()
    width = _extent(*edges[:2]) * (x2 - x1) / max(right - left, _TINY)
    height = _extent(*edges[2:]) * (y2 - y1) / max(bottom - top, _TINY)
    in_corner = _HIDDEN_IN_CORNER * min(near_x, near_y)
    hidden_x = width * max(1 - box.width / max(x2 - x1, _TINY), in_corner)
    hidden_y = height * max(1 - box.height / max(y2 - y1, _TINY), in_corner)
    extent = max(width, height)
    return Sight(np.array(ray), extent, np.hypot(_CENTRE_STD * extent, [0.5 * hidden_x, 0.5 * hidden_y]))


def _whole_side(start: float, end: float, whole: float, image: int, reach: float) -> tuple[float, float, float]:
    """One side of a face's box, completed where an edge of the image is near: the nearer the more, so that no moving face jumps.

    Args:
        start: where the side begins, pixels.
        end: where it ends.
        whole: its length by that of the box's other side.
        image: the image's length.
        reach: within this distance an edge counts in full, beyond twice that not at all.

    Returns:
        Where the whole side begins and ends, and how near an edge is, from 0 to 1.
    """
    before, after = (min(max(2 - gap / reach, 0.0), 1.0) for gap in (start, image - end))
    missing = max(0.0, whole - (end - start)) / max(1.0, before + after)
    return start - before * missing, end + after * missing, max(before, after)


def _extent(a: list[float], b: list[float]) -> float:
    """Extent of what lies between two unit vectors, square to their middle, over its range; exact for small angles too."""
    (ax, ay, az), (bx, by, bz) = a, b
    angle = math.atan2(math.hypot(ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), ax * bx + ay * by + az * bz)
    return 2 * math.tan(min(angle, _WIDEST_RAD) / 2)
