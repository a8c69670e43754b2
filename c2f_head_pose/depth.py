"""Where a head is: from a registered depth image, or from the size of its face in the image."""
from __future__ import annotations

import numpy as np

from .camera import pixel_ray
from .types import Camera, FaceBox

_FACE_EXTENT_M = 0.165
"""The detector's box about an adult's face, larger extent: 1.3 times the 68 landmarks' height of 0.127 m."""
_FACE_EXTENT_STD = 0.15
"""Relative spread of that extent over people, poses and the detector's box: adult face heights alone vary by 6 %."""
_DEPTH_STD_M = 0.03
"""The measured surface is the nose or a cheek, a few centimetres before or behind the sellion."""
_CENTRE_STD = 0.1
"""The sellion lies within about a tenth of the box's size beside its centre."""
_LEAST_VALID = 0.1


def position_from_depth(box: FaceBox, camera: Camera, depth_m: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Position of a head from the depth inside its face box.

    Args:
        box: the face, pixels.
        camera: of the image that the depth is registered to.
        depth_m: (H, W) float32 metres along the optical axis, NaN unknown.

    Returns:
        (3,) position and (3,) standard deviation in the camera's optical frame, metres; None where too little depth is known.
    """
    x, y = box.centre
    half_width, half_height = 0.25 * box.width, 0.25 * box.height
    height, width = depth_m.shape
    patch = depth_m[max(0, int(y - half_height)):min(height, int(y + half_height) + 1),
                    max(0, int(x - half_width)):min(width, int(x + half_width) + 1)]
    known = patch[np.isfinite(patch)]
    if known.size == 0 or known.size < _LEAST_VALID * patch.size:
        return None
    return _along_ray(box, camera, float(np.median(known)), _DEPTH_STD_M)


def position_from_size(box: FaceBox, camera: Camera) -> tuple[np.ndarray, np.ndarray] | None:
    """Position of a head from the size of its face, as if it were an average adult's.

    Returns:
        (3,) position and (3,) standard deviation in the camera's optical frame, metres; None for an empty box.
    """
    extent = max(box.width / camera.K[0, 0], box.height / camera.K[1, 1])
    if extent <= 0:
        return None
    z = _FACE_EXTENT_M / extent
    return _along_ray(box, camera, z, _FACE_EXTENT_STD * z)


def _along_ray(box: FaceBox, camera: Camera, z_m: float, z_std_m: float) -> tuple[np.ndarray, np.ndarray] | None:
    ray = pixel_ray(camera, *box.centre)
    if ray[2] < 1e-3:
        return None
    position = ray * (z_m / ray[2])
    across = _CENTRE_STD * max(box.width / camera.K[0, 0], box.height / camera.K[1, 1]) * z_m
    return position, np.hypot(np.abs(position / z_m) * z_std_m, [across, across, 0.0])
