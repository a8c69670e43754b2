"""Reads a camera's calibration from CameraInfo's fields, and computes the ray through a pixel."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.polynomial import Polynomial

from .topic_names import is_rectified
from .types import Camera, checked_calibration

_NO_TURN, _UNIT = np.zeros(3), np.eye(3)
_COS_BEHIND = math.cos(math.radians(179.9))
"""The largest angle off a fisheye's axis, beyond which a ray has no smallest rotation from the axis."""
_FAR_PX = 0.5
"""A ray that is seen farther from its pixel is not the pixel's."""


def camera_from_info(info: Any, rectified: bool = False) -> Camera | None:
    """Returns the camera of a CameraInfo message, for the pixels of the image that is published with it.

    Args:
        info: object with the fields of sensor_msgs/CameraInfo (k, d, p ...) or of ROS 1's message (K, D, P ...).
        rectified: True for a rectified image (image_rect), to which P without distortion applies; False for K and D.

    Returns:
        The camera with binning and region of interest applied; None for an uncalibrated camera, which CameraInfo defines by
        K[0] = 0.

    Raises:
        ValueError: for impossible intrinsics or an unknown distortion model, naming the field and the remedy.

    Source: sensor_msgs/CameraInfo: K and P are for the full, unbinned resolution; the ROI is in full-resolution pixels.
    """
    K = _matrix(info, 'k', 9).reshape(3, 3)
    P = _matrix(info, 'p', 12).reshape(3, 4)
    intrinsics = P[:, :3].copy() if rectified else K.copy()
    if intrinsics[0, 0] == 0:
        return None
    D, model = (np.zeros(0), '') if rectified else (_field(info, 'd'), info.distortion_model)
    names = f'CameraInfo.{"p" if rectified else "k"}', 'CameraInfo.d', 'CameraInfo.distortion_model'
    intrinsics, D, model = checked_calibration(intrinsics, D, model, names)
    roi = info.roi
    binning = np.array([max(info.binning_x, 1), max(info.binning_y, 1)], float)
    intrinsics[:2, 2] -= [roi.x_offset, roi.y_offset]
    intrinsics[:2] /= binning[:, None]
    width, height = (roi.width or info.width) / binning[0], (roi.height or info.height) / binning[1]
    camera = Camera(int(width), int(height), intrinsics, D, model)
    pixel_rays(camera, [(0, 0), (width, height)])
    return camera


def depth_is_rectified(info: Any, topic: str) -> bool:
    """Whether P of a CameraInfo describes depth images, as the name of their topic says it; a driver that leaves P zero has K alone."""
    return bool(is_rectified(topic)) and bool(_matrix(info, 'p', 12)[0])


def calibration_of(info: Any) -> tuple[Any, ...]:
    """What of a CameraInfo the camera depends on: equal for messages that differ in their stamps only."""
    roi = info.roi
    arrays = (tuple(_field(info, name)) for name in ('k', 'p', 'd'))
    return (
        info.width,
        info.height,
        info.distortion_model,
        info.binning_x,
        info.binning_y,
        roi.x_offset,
        roi.y_offset,
        roi.width,
        roi.height,
        *arrays,
    )


def pixel_ray(camera: Camera, x: float, y: float) -> np.ndarray:
    """Returns the viewing direction through a pixel, (3,) float64; see `pixel_rays` for arguments and errors."""
    return pixel_rays(camera, [(x, y)])[0]


def pixel_rays(camera: Camera, points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Returns the viewing directions through pixels.

    Args:
        camera: the calibrated camera.
        points: x, y in pixels from the image's left and top edge, continuous (the first pixel covers [0, 1) x [0, 1)).

    Returns:
        (N, 3) float64 unit vectors in the camera's optical frame. A pixel that the lens' polynomial does not reach has the
        outermost ray in its direction.

    Raises:
        ValueError: for a calibration with impossible numbers, which has no ray through one of the pixels.

    The half pixel that is subtracted exists because OpenCV counts K's principal point from the first pixel's centre.
    """
    pixels = [(float(x) - 0.5, float(y) - 0.5) for x, y in points]
    if camera.D.size == 0:
        rays = [_unit(u, v, 1.0) for u, v in _pinhole(camera, pixels)]
    elif camera.distortion_model == 'equidistant':
        rays = [_equidistant_ray(camera, u, v) for u, v in _pinhole(camera, pixels)]
    else:
        with np.errstate(all='ignore'):
            rays = [_unit(u, v, 1.0) for u, v in _undistorted(camera, np.array(pixels)).tolist()]
    for (x, y), ray in zip(points, rays):
        if not all(math.isfinite(part) for part in ray):
            raise ValueError(
                f'the camera has no ray through pixel {x:g}, {y:g}: its calibration (CameraInfo.k, d) is impossible; calibrate again'
            )
    return np.array(rays)


def pixels_of(camera: Camera, points_m: np.ndarray) -> np.ndarray:
    """Returns the pixels in which points are seen, the inverse of `pixel_rays`.

    Args:
        camera: the calibrated camera.
        points_m: (N, 3) in the camera's optical frame; their distance has no influence.

    Returns:
        (N, 2) float64 x, y in pixels as `pixel_rays` takes them, in the image or outside; NaN for a point that the camera cannot see:
        see `may_see`, and beyond the last ray of the lens' polynomial.
    """
    points = np.asarray(points_m, float).reshape(-1, 3)
    with np.errstate(all='ignore'):
        if camera.distortion_model == 'equidistant':
            off_axis = np.hypot(points[:, 0], points[:, 1])
            theta = np.arctan2(off_axis, points[:, 2])
            scale = _fisheye_radius(camera.D.tolist(), theta) / np.maximum(off_axis, 1e-12)
            pixels, reached = _on_sensor(camera, points[:, :2] * scale[:, None]), theta <= largest_angle_rad(camera.D)
        else:
            flat = points[:, :2] / points[:, 2:]
            pixels, reached = _seen(camera, flat), np.hypot(*flat.T) <= largest_radius(camera.D)
    return np.where((reached & may_see(camera, points))[:, None], pixels + 0.5, np.nan)


def in_image(camera: Camera, points_m: np.ndarray) -> np.ndarray:
    """Whether points (N, 3) in the camera's optical frame are seen in the image, (N,) bool."""
    x, y = pixels_of(camera, points_m).T
    return (x >= 0) & (x <= camera.width) & (y >= 0) & (y <= camera.height)  # False for NaN


def may_see(camera: Camera | None, points_m: np.ndarray) -> np.ndarray:
    """Whether points are on a side that a camera may see: before it; of a fisheye all around, but not straight behind it.

    Args:
        camera: None unknown, which is taken for a camera that is no fisheye.
        points_m: (..., 3) in the camera's optical frame.

    Returns:
        (...) bool; False for the camera's own place.
    """
    points_m = np.asarray(points_m, float)
    if camera is not None and camera.distortion_model == 'equidistant':
        return points_m[..., 2] > _COS_BEHIND * np.linalg.norm(points_m, axis=-1)
    return points_m[..., 2] > 0


def reaches_corners(camera: Camera) -> bool:
    """Whether the polynomial of a lens reaches the image's corners; always for a fisheye, whose corners are often dark."""
    if camera.D.size == 0 or camera.distortion_model == 'equidistant':
        return True
    corners = np.array([(x, y) for x in (0.0, camera.width) for y in (0.0, camera.height)])
    rays = pixel_rays(camera, corners.tolist())
    return bool((np.abs(_seen(camera, rays[:, :2] / rays[:, 2:]) + 0.5 - corners) < _FAR_PX).all())


def largest_radius(D: np.ndarray) -> float:
    """The distance from the optical axis at z = 1 up to which a lens' radial polynomial grows; infinite if it always does.

    Args:
        D: (n,) coefficients of 'plumb_bob' or 'rational_polynomial'. Beyond the radius a second point is seen in the same pixel, so the
            polynomial is not valid there.
    """
    return _largest_radius(tuple(D.tolist()))


@functools.lru_cache(maxsize=16)
def _largest_radius(D: tuple[float, ...]) -> float:
    k1, k2, _, _, k3, k4, k5, k6 = (*D, *8 * [0.0])[:8]
    squared, above, below = Polynomial([0, 1]), Polynomial([1, k1, k2, k3]), Polynomial([1, k4, k5, k6])
    slope = (above + 2 * squared * above.deriv()) * below - 2 * squared * above * below.deriv()  # of r above / below, times below^2
    return math.sqrt(_least_root(slope, below))


def largest_angle_rad(D: np.ndarray) -> float:
    """The angle from the optical axis up to which a fisheye's polynomial grows, radians, at most pi.

    Args:
        D: (4,) coefficients of 'equidistant'.
    """
    return _largest_angle_rad(tuple(D.tolist()))


@functools.lru_cache(maxsize=16)
def _largest_angle_rad(D: tuple[float, ...]) -> float:
    return min(math.pi, math.sqrt(_least_root(Polynomial([1, *(k * power for k, power in zip(D, (3, 5, 7, 9)))]))))


def _least_root(*polynomials: Polynomial) -> float:
    """The least positive real root; infinite without any, or where the numbers are impossible."""
    if not all(np.isfinite(polynomial.coef).all() for polynomial in polynomials):
        return math.inf
    with np.errstate(all='ignore'):
        roots = np.concatenate([polynomial.trim().roots() for polynomial in polynomials])
    return min((root.real for root in roots if abs(root.imag) < 1e-9 * abs(root) and root.real > 0), default=math.inf)


def _unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    length = math.hypot(x, y, z)
    return (x / length, y / length, z / length) if length < math.inf else (math.nan, math.nan, math.nan)


def _pinhole(camera: Camera, pixels: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Normalised image points of pixels, without distortion. Python's numbers are several times faster here than numpy's."""
    (fx, skew, cx), (_, fy, cy), _ = camera.K.tolist()
    return [((x - cx - skew * (y - cy) / fy) / fx, (y - cy) / fy) for x, y in pixels]


def _undistorted(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """(N, 2) normalised image points of (N, 2) pixels: OpenCV's five fixed-point steps, then Newton's method for strong distortion."""
    shown = np.array(_pinhole(camera, pixels.tolist()))
    points = cv2.undistortPoints(shown[:, None], _UNIT, camera.D).reshape(-1, 2)
    step, converged = 1e-6, False
    for _ in range(8):
        around = np.array([points, points + [step, 0], points + [0, step]]).reshape(-1, 2)
        seen = _seen(camera, around).reshape(3, -1, 2)
        off = pixels - seen[0]
        (a, c), (b, d) = ((seen[1:] - seen[0]) / step).transpose(0, 2, 1)  # columns of each point's 2x2 slope
        determinant = a * d - b * c
        good = np.abs(determinant) >= 1e-9  # False for a NaN
        if not good.any():
            break
        determinant = np.where(good, determinant, np.inf)
        points = points + np.column_stack([d * off[:, 0] - b * off[:, 1], a * off[:, 1] - c * off[:, 0]]) / determinant[:, None]
        if not (np.abs(off).max(1) >= 1e-7)[good].any():
            converged = bool(good.all())
            break
    limit = largest_radius(camera.D)
    if limit == math.inf:
        return points
    reached = np.hypot(*points.T) <= limit
    if not converged:
        reached &= np.abs(_seen(camera, points) - pixels).max(1) < _FAR_PX
    if reached.all():
        return points
    return np.where(reached[:, None], points, limit * shown / np.linalg.norm(shown, axis=1, keepdims=True))


def _seen(camera: Camera, points: np.ndarray) -> np.ndarray:
    """(N, 2) pixels in which (N, 2) normalised image points are seen. K is applied here, because OpenCV ignores its skew."""
    distorted = cv2.projectPoints(np.column_stack([points, np.ones(len(points))]), _NO_TURN, _NO_TURN, _UNIT, camera.D)[0]
    return _on_sensor(camera, distorted.reshape(-1, 2))


def _on_sensor(camera: Camera, points: np.ndarray) -> np.ndarray:
    """(N, 2) pixels, counted as K does, of (N, 2) normalised image points after distortion."""
    return points @ camera.K[:2, :2].T + camera.K[:2, 2]


def _equidistant_ray(camera: Camera, x: float, y: float) -> tuple[float, float, float]:
    """The ray of a normalised image point (x, y). The angle is solved for, because a ray beyond 90 degrees has no form (u, v, 1).

    Newton's method alone fails near the limit, where the slope may be 0: where it leaves the interval of the angle, the interval is halved.

    Source: Kannala and Brandt 2006, the model of OpenCV's fisheye functions.
    """
    distorted = math.hypot(x, y)
    if distorted < 1e-12:
        return 0.0, 0.0, 1.0
    k1, k2, k3, k4 = k = camera.D.tolist()
    low, high = 0.0, largest_angle_rad(camera.D)
    theta = min(distorted, high) if distorted < _fisheye_radius(k, high) else high
    for _ in range(60):
        value = _fisheye_radius(k, theta) - distorted
        if not math.isfinite(value):
            return math.nan, math.nan, math.nan
        low, high = (theta, high) if value < 0 else (low, theta)
        if abs(value) < 1e-14 or low == high:
            break
        t2 = theta * theta
        slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        step = theta - value / slope if slope > 1e-9 else math.inf
        theta = step if low < step < high else (low + high) / 2
    return math.sin(theta) * x / distorted, math.sin(theta) * y / distorted, math.cos(theta)


def _fisheye_radius(k: Sequence[float], theta: Any) -> Any:
    """The distance from the principal point, in focal lengths, at which a ray theta off the optical axis is seen."""
    k1, k2, k3, k4 = k
    t2 = theta * theta
    return theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))


def _field(info: Any, name: str) -> Any:
    return getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())


def _matrix(info: Any, name: str, size: int) -> np.ndarray:
    values = np.asarray(_field(info, name), float).ravel()
    if values.size != size:
        raise ValueError(f'CameraInfo.{name} has {values.size} values, not {size}')
    return values
