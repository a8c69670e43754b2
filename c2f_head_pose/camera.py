"""Camera calibration: from CameraInfo's fields to the ray through a pixel."""
from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .types import Camera

_COEFFICIENTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,), 'fisheye': (4,), '': (0, 4, 5)}


def camera_from_info(info: Any, rectified: bool = False) -> Camera | None:
    """The camera that a CameraInfo message describes, for the pixels of the image published beside it.

    Args:
        info: anything with CameraInfo's fields: sensor_msgs (k, d, p ...), or ROS 1's capitals (K, D, P ...).
        rectified: the image is rectified (image_rect): use P without distortion; otherwise K and D.

    Returns:
        The camera with binning and region of interest applied; None for an uncalibrated camera (K[0] = 0, by
        CameraInfo's own definition).

    Raises:
        ValueError: naming the field, for intrinsics that are not a camera's or a distortion model that is not known.

    Source: sensor_msgs/CameraInfo: K and P are for the full, unbinned resolution; the ROI is in full-resolution pixels.
    """
    K = _matrix(info, 'k', 9).reshape(3, 3)
    P = _matrix(info, 'p', 12).reshape(3, 4)
    intrinsics = P[:, :3].copy() if rectified else K.copy()
    if intrinsics[0, 0] == 0:
        return None
    if not np.isfinite(intrinsics).all() or intrinsics[0, 0] < 0 or intrinsics[1, 1] <= 0:
        raise ValueError(f"CameraInfo.{'p' if rectified else 'k'} is no camera's: focal lengths must be finite and positive, got "
                         f'{intrinsics[0, 0]:g} and {intrinsics[1, 1]:g}; calibrate with camera_calibration')
    if intrinsics[1, 0] != 0 or not np.array_equal(intrinsics[2], [0, 0, 1]):
        raise ValueError(f"CameraInfo.{'p' if rectified else 'k'} is no camera's: its second row must begin with 0 and its third "
                         f'be 0, 0, 1, got {intrinsics[1:].tolist()}; calibrate with camera_calibration')
    D = np.zeros(0) if rectified else np.asarray(_field(info, 'd'), float).ravel()
    model = info.distortion_model
    if not rectified:
        if model not in _COEFFICIENTS:
            raise ValueError(f'CameraInfo.distortion_model {model!r} is not known; use one of '
                             f"{', '.join(m for m in _COEFFICIENTS if m)}, or rectify the image (image_proc) and set rectified")
        if D.size not in (0, *_COEFFICIENTS[model]) or not np.isfinite(D).all():
            raise ValueError(f'CameraInfo.d has {D.size} values, {model!r} needs {" or ".join(map(str, _COEFFICIENTS[model]))} finite ones')
    roi = info.roi
    binning = np.array([max(info.binning_x, 1), max(info.binning_y, 1)], float)
    intrinsics[:2, 2] -= [roi.x_offset, roi.y_offset]
    intrinsics[:2] /= binning[:, None]
    width, height = (roi.width or info.width) / binning[0], (roi.height or info.height) / binning[1]
    model = 'plumb_bob' if rectified or not model else 'equidistant' if model == 'fisheye' else model
    if not np.any(D):  # an equidistant lens without coefficients is still a fisheye: angle = radius / f
        D = np.zeros(4 if model == 'equidistant' else 0)
    camera = Camera(int(width), int(height), intrinsics, D, model)
    for x, y in ((0, 0), (width, height)):
        pixel_ray(camera, x, y)
    return camera


def pixel_ray(camera: Camera, x: float, y: float) -> np.ndarray:
    """The viewing direction through a pixel.

    Args:
        camera: the calibrated camera.
        x: pixels from the image's left edge, continuous (the first pixel covers [0, 1)).
        y: pixels from the top edge, likewise.

    Returns:
        (3,) float64 unit vector in the camera's optical frame.

    Raises:
        ValueError: for a camera that sees nothing through this pixel, as one whose numbers are beyond reason.

    K's principal point counts from the first pixel's centre (OpenCV), hence the half pixel.
    """
    pixel = np.array([x - 0.5, y - 0.5])
    with np.errstate(all='ignore'):
        if camera.distortion_model == 'equidistant' and camera.D.size:
            ray = _equidistant_ray(camera, pixel)
        else:
            ray = np.array([*(_pinhole(camera, pixel) if camera.D.size == 0 else _undistorted(camera, pixel)), 1.0])
        ray = ray / np.sqrt(ray @ ray)
    if not 0.5 < ray @ ray < 2:  # of length 1, unless it was none
        raise ValueError(f'the camera has no ray through pixel {x:g}, {y:g}: its calibration (CameraInfo.k, d) is beyond reason; '
                         'calibrate again')
    return ray


def _pinhole(camera: Camera, pixel: np.ndarray) -> np.ndarray:
    """(2,) normalised image point of a pixel, without distortion."""
    (fx, skew, cx), (_, fy, cy), _ = camera.K
    v = (pixel[1] - cy) / fy
    return np.array([(pixel[0] - cx - skew * v) / fx, v])


def _undistorted(camera: Camera, pixel: np.ndarray) -> np.ndarray:
    """(2,) normalised image point of a pixel: OpenCV's five fixed-point steps, then Newton's, for strong distortion."""
    point = cv2.undistortPoints(pixel.reshape(1, 1, 2), camera.K, camera.D).reshape(2)
    step = 1e-6
    for _ in range(8):
        around = np.array([[*point, 1.0], [point[0] + step, point[1], 1.0], [point[0], point[1] + step, 1.0]])
        seen = cv2.projectPoints(around, np.zeros(3), np.zeros(3), camera.K, camera.D)[0].reshape(3, 2)
        slope = (seen[1:] - seen[0]).T / step
        if not abs(np.linalg.det(slope)) >= 1e-9:  # a NaN, too
            break
        point = point + np.linalg.solve(slope, pixel - seen[0])
        if np.linalg.norm(pixel - seen[0]) < 1e-7:
            break
    return point


def _equidistant_ray(camera: Camera, pixel: np.ndarray) -> np.ndarray:
    """Beyond 90 degrees off the axis there is no (u, v, 1), so the angle itself is solved for.

    Source: Kannala and Brandt 2006, as in OpenCV's fisheye model.
    """
    x, y = _pinhole(camera, pixel)
    distorted = float(np.hypot(x, y))
    theta = distorted
    k1, k2, k3, k4 = camera.D
    for _ in range(20):
        t2 = theta * theta
        value = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) - distorted
        slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        if abs(slope) < 1e-9:
            break
        theta -= value / slope
    theta = float(np.clip(theta, 0, np.pi))
    if distorted < 1e-12:
        return np.array([0.0, 0.0, 1.0])
    return np.array([np.sin(theta) * x / distorted, np.sin(theta) * y / distorted, np.cos(theta)])


def _field(info: Any, name: str) -> Any:
    return getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())


def _matrix(info: Any, name: str, size: int) -> np.ndarray:
    values = np.asarray(_field(info, name), float).ravel()
    if values.size != size:
        raise ValueError(f'CameraInfo.{name} has {values.size} values, not {size}')
    return values
