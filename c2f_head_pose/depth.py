"""Computes a head's position from depth or from the size of its face, cuts crops for a depth model, and combines both models' estimates."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .crop import CropSquare
from .geometry import ray_rotation, rotation_from_vector, rotation_vector
from .sight import sight_of
from .types import CATEGORIES, FACE_EXTENT_M, SELLION_FROM_BOX_M, SELLION_FROM_MIDDLE_M, Camera, FaceBox, HeadPose

_FACE_EXTENT_STD = 0.15
"""Relative spread of `FACE_EXTENT_M`, twice the 7 % of the people and poses that it is measured on: children are not among them."""
_DEPTH_STD_M = 0.03
"""The measured surface is the nose or a cheek, a few centimetres in front of or behind the sellion."""
_SIZES = (0.5, 1.5)
"""Of heads over an average adult's; depth beyond is of something before or behind the head."""
_RATIO_KEPT_S = 5.0
"""After this time what depth told of a face's size is known to 1/e. On sample/head_motion the range from size, divided by the true one, has
changed by 3 % after 0.1 s, 5 % after 0.5 s and 6.5 % after 1 s, which are 4 to 5 s at the 15 % above."""
_MIDDLE_STD_M = 0.015
"""Standard deviation of each axis; python -m training.studies.depth_heads measures a median of 1.8 cm over all three."""
_LEAST_VALID = 0.1
_LEAST_EXTENT = 1e-6
"""A face that seems this small is at 165 km: the calibration is impossible."""


Placed = tuple[np.ndarray, np.ndarray]
"""(3,) position, metres, and its (3, 3) covariance, m^2, in the camera's optical frame."""


def position_from_depth(box: FaceBox, camera: Camera, depth_m: np.ndarray, rotation_deg: int = 0) -> Placed | None:
    """Computes a head's position from the depth inside its face box.

    Args:
        box: the face, pixels.
        camera: camera of the image that the depth is registered to.
        depth_m: (H, W) float32 metres along the optical axis, NaN or 0 unknown.
        rotation_deg: clockwise turn that makes the image upright: 0, 90, 180 or 270.

    Returns:
        (3,) position, metres, and its (3, 3) covariance, m^2, in the camera's optical frame; None if too few pixels have depth. Wrong depth
        moves the head along the ray, a wrong centre moves it in the plane of that depth.
    """
    x, y = box.centre
    half_width, half_height = 0.25 * box.width, 0.25 * box.height
    height, width = depth_m.shape
    # Both ends are clipped: a negative one would count from the far edge.
    top, bottom = np.clip([int(y - half_height), int(y + half_height) + 1], 0, height)
    left, right = np.clip([int(x - half_width), int(x + half_width) + 1], 0, width)
    patch = depth_m[top:bottom, left:right]
    known = patch[np.isfinite(patch) & (patch > 0)]
    if known.size == 0 or known.size < _LEAST_VALID * patch.size:
        return None
    sight = sight_of(box, camera, rotation_deg)
    ray = sight.ray
    if ray[2] < 1e-3:
        return None
    range_m = float(np.median(known)) / ray[2]
    return ray * range_m, np.outer(ray, ray) * (_DEPTH_STD_M / ray[2]) ** 2 + np.diag([*(range_m * sight.across) ** 2, 0.0])


def sellion_from_box(placed: Placed, by_size: Placed | None, R_cam_head: np.ndarray) -> Placed:
    """Moves a position from the ray through the middle of the face's box to the sellion, square to that ray.

    Args:
        placed: `position_from_depth`, `position_from_size`, or what `DistanceRatio` makes of both.
        by_size: `position_from_size` of the face; None where that is unknown, which takes the head for an average adult's.
        R_cam_head: (3, 3) orientation of the head.

    Returns:
        (3,) position, metres, and its (3, 3) covariance, m^2, in the camera's optical frame.
    """
    t_cam_head_m, cov_m2 = placed
    range_m = float(np.linalg.norm(t_cam_head_m))
    size = 1.0 if by_size is None else float(np.clip(range_m / np.linalg.norm(by_size[0]), *_SIZES))
    ray, offset_m = t_cam_head_m / range_m, size * (R_cam_head @ SELLION_FROM_BOX_M)
    return t_cam_head_m + offset_m - (offset_m @ ray) * ray, cov_m2


def position_from_middle(middle_m: np.ndarray, R_cam_head: np.ndarray) -> Placed:
    """Computes the position of a head's origin, the sellion, from the head's middle and orientation.

    Args:
        middle_m: (3,) middle of the head in the camera's optical frame, metres, as `depth_head_finder` finds it.
        R_cam_head: (3, 3) orientation of the head.

    Returns:
        (3,) position, metres, and its (3, 3) covariance, m^2, in the camera's optical frame.
    """
    return middle_m + R_cam_head @ SELLION_FROM_MIDDLE_M, _MIDDLE_STD_M**2 * np.eye(3)


def position_from_size(box: FaceBox, camera: Camera, rotation_deg: int = 0) -> Placed | None:
    """Computes a head's position from the size of its face, which is assumed to be an average adult's.

    A face of extent e that subtends the angle a is at range e / (2 tan(a / 2)), along the ray through its middle; see `sight_of`.

    Args:
        box: the face, pixels.
        camera: camera of the image.
        rotation_deg: clockwise turn that makes the image upright: 0, 90, 180 or 270.

    Returns:
        (3,) position, metres, and its (3, 3) covariance, m^2, in the camera's optical frame: that of the range along the ray, that of the
        face's middle across it. None for a box without extent.
    """
    sight = sight_of(box, camera, rotation_deg)
    if sight.extent < _LEAST_EXTENT:
        return None
    range_m = FACE_EXTENT_M / sight.extent
    R_cam_ray, std_m = ray_rotation(sight.ray), range_m * np.array([*sight.across, _FACE_EXTENT_STD])
    return sight.ray * range_m, R_cam_ray @ np.diag(std_m**2) @ R_cam_ray.T


class DistanceRatio:
    """The ratio of a tracked face's measured range to that from its size, by which it is placed in the images between depth.

    Depth comes less often than images, or has holes: without the ratio the head would jump between both ranges, by the 15 % and more by
    which a face is smaller or larger than an average adult's. A ratio that no head has is not kept: it is of a hand before the face, or of
    the wall seen through holes.
    """

    def __init__(self) -> None:
        self._ratio: float | None = None
        self._relative_variance = 0.0
        self._stamp_s = 0.0

    def place(self, measured: Placed | None, by_size: Placed | None, stamp_s: float) -> Placed | None:
        """Returns the position in an image: as measured where it is, else that from size by the ratio of the last depth.

        Args:
            measured: `position_from_depth` of the image; None without depth.
            by_size: `position_from_size` of the image.
            stamp_s: the image's stamp, seconds, not before the last one.

        Returns:
            (3,) position, metres, and its (3, 3) covariance, m^2. Along the ray the variance grows from that of the last depth to that of
            a position from size. None where both are.
        """
        if measured is None:
            return by_size if by_size is None or self._ratio is None else self._scaled(*by_size, stamp_s)
        if by_size is not None:
            range_m = float(np.linalg.norm(measured[0]))
            ratio = range_m / float(np.linalg.norm(by_size[0]))
            if _SIZES[0] <= ratio <= _SIZES[1]:
                self._ratio, self._relative_variance, self._stamp_s = ratio, _variance_along(*measured) / range_m**2, stamp_s
        return measured

    def _scaled(self, t_cam_head_m: np.ndarray, cov_m2: np.ndarray, stamp_s: float) -> Placed:
        assert self._ratio is not None
        t_cam_head_m, cov_m2 = self._ratio * t_cam_head_m, self._ratio**2 * cov_m2
        range_m = float(np.linalg.norm(t_cam_head_m))
        known = math.exp(-(stamp_s - self._stamp_s) / _RATIO_KEPT_S)
        surplus_m2 = max(0.0, _variance_along(t_cam_head_m, cov_m2) - self._relative_variance * range_m**2)
        return t_cam_head_m, cov_m2 - known * surplus_m2 * np.outer(t_cam_head_m, t_cam_head_m) / range_m**2


def _variance_along(t_m: np.ndarray, cov_m2: np.ndarray) -> float:
    """Variance along the ray to a position, m^2."""
    return float(t_m @ cov_m2 @ t_m / (t_m @ t_m))


def depth_crop(depth_m: np.ndarray, square: CropSquare, size: int, range_m: float) -> np.ndarray:
    """Cuts a head out of a depth image in the form that a depth model reads; training and evaluation use the same crop.

    Args:
        depth_m: (H, W) float metres; NaN or 0 unknown.
        square: the square, in the image's pixels; it may extend beyond the image.
        size: output side in pixels.
        range_m: the model's depth_range_m.

    Returns:
        (size, size) uint8, see `encode_depth`.
    """
    # Takes the nearest pixel, because interpolation across an edge would make a surface that does not exist.
    steps = np.floor((np.arange(size) + 0.5) * (square.side / size)).astype(int)
    rows, columns = square.top + steps, square.left + steps
    height, width = depth_m.shape
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    crop = depth_m[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)]
    return encode_depth(np.where(inside, crop, np.nan), range_m)


def encode_depth(depth_m: np.ndarray, range_m: float) -> np.ndarray:
    """Encodes depth around a head as bytes.

    Args:
        depth_m: (S, S) float metres; NaN or 0 unknown.
        range_m: metres mapped to 1..255.

    Returns:
        (S, S) uint8: 0 where depth is unknown or more than half the range behind the head; else 1 (far) to 255 (near), linear about
        the head's depth, which is the median of the known depth in the middle half.
    """
    size = depth_m.shape[0]
    valid = np.isfinite(depth_m) & (depth_m > 0)
    middle = slice(size // 4, size - size // 4)
    measured = depth_m[middle, middle][valid[middle, middle]]
    if measured.size == 0:
        return np.zeros(depth_m.shape, np.uint8)
    nearness = 0.5 - (np.where(valid, depth_m, 0) - np.median(measured)) / range_m
    return np.where(valid & (nearness >= 0), np.clip(1 + 254 * nearness + 0.5, 1, 255), 0).astype(np.uint8)


def enough_depth(crop: np.ndarray) -> bool:
    """Returns whether depth is known in more than a third of the middle half of an encoded crop, which a network needs."""
    middle = slice(crop.shape[0] // 4, crop.shape[0] - crop.shape[0] // 4)
    return float(np.mean(crop[middle, middle] > 0)) > 1 / 3


def fuse(a: HeadPose, b: HeadPose) -> HeadPose:
    """Combines two independent estimates of one head's orientation, weighted by the inverse of their variances.

    In head axes about `a`, `b` lies at d = log(R_a^T R_b), and the best estimate at P_b d / (P_a + P_b) with the precisions
    P = 1 / s^2. If the difference exceeds the stated deviations, the result's deviation is increased by the same ratio (Birge's
    ratio): otherwise two contradictory estimates would give a result that is more certain than either.

    Args:
        a: estimate from the image, in the camera's frame.
        b: estimate from depth, in the same frame.

    Returns:
        `a` with the rotation, deviation and category of the combination.
    """
    precision_a, precision_b = (1 / np.square(np.maximum(pose.rotation_std_deg, 1e-3)) for pose in (a, b))
    apart_rad = rotation_vector(a.R_cam_head.T @ b.R_cam_head)
    R_cam_head = a.R_cam_head @ rotation_from_vector(apart_rad * precision_b / (precision_a + precision_b))
    contradiction = float(np.mean(np.square(np.degrees(apart_rad)) / (1 / precision_a + 1 / precision_b)))
    std_deg = np.sqrt(max(1.0, contradiction) / (precision_a + precision_b))
    probabilities = np.maximum(a.category_probabilities, 1e-6) * np.maximum(b.category_probabilities, 1e-6)
    probabilities = probabilities / probabilities.sum()
    return replace(
        a,
        R_cam_head=R_cam_head,
        rotation_std_deg=std_deg,
        category=CATEGORIES[int(np.argmax(probabilities))],
        category_probabilities=probabilities,
    )
