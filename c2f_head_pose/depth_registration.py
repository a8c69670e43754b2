"""Registers a depth image to another camera's image: transforms each measured point into that camera's frame and projects it."""

from __future__ import annotations

import cv2
import numpy as np

from .camera import largest_angle_rad, largest_radius
from .types import Camera

_UNKNOWN_M = np.float32(1e9)
_STEPS = 20
_STEP_M = np.float32(0.1)
"""A cell that is this much farther than all its neighbours is a gap between points of a near surface, which shows the surface behind."""


class DepthRegistration:
    """Registers depth images of one camera to the images of another. Computes the rays of the depth camera once."""

    def __init__(self, depth_camera: Camera, camera: Camera) -> None:
        """Computes the rays.

        Args:
            depth_camera: camera of the depth images.
            camera: camera of the images.
        """
        self._depth_camera = depth_camera
        self._camera = camera
        self._rays = _rays(depth_camera)
        self._R: np.ndarray | None = None
        self._turned = self._rays
        # If the image is finer than depth, a point covers several of its pixels: the side of such a cell in pixels.
        finer = max(camera.K[0, 0] / depth_camera.K[0, 0], camera.K[1, 1] / depth_camera.K[1, 1])
        self._cell = int(np.clip(np.ceil(finer - 0.05), 1, max(camera.width, camera.height)))

    def register(self, depth_m: np.ndarray, R_cam_depth: np.ndarray, t_cam_depth_m: np.ndarray) -> np.ndarray:
        """Computes depth as the other camera would measure it.

        Args:
            depth_m: (H, W) float32 metres along the depth camera's optical axis, NaN unknown.
            R_cam_depth: (3, 3) rotation from the depth camera's axes to the camera's.
            t_cam_depth_m: (3,) origin of the depth camera in the camera's frame, metres.

        Returns:
            (H, W) float32 metres along the camera's optical axis, with the camera's image size, NaN unknown. If several points fall
            into one pixel, the nearest is taken, because it hides the others.
        """
        if self._R is None or not np.array_equal(R_cam_depth, self._R):
            self._R, self._turned = np.array(R_cam_depth), (R_cam_depth @ self._rays).astype(np.float32)
        z_depth = depth_m.ravel()
        with np.errstate(invalid='ignore'):
            measured = np.flatnonzero(z_depth > 0)
        z_depth = z_depth[measured]
        x, y, z = (axis[measured] * z_depth + np.float32(origin) for axis, origin in zip(self._turned, t_cam_depth_m))
        columns, rows, z = _project(self._camera, x, y, z)
        cell, width, height = self._cell, -(-self._camera.width // self._cell), -(-self._camera.height // self._cell)
        nearest = np.full(width * height, _UNKNOWN_M, np.float32)
        np.minimum.at(nearest, rows // cell * width + columns // cell, z)
        grid = _without_gaps(nearest.reshape(height, width))
        if cell > 1:
            grid = grid.repeat(cell, 0).repeat(cell, 1)[: self._camera.height, : self._camera.width]
        return grid


def _rays(camera: Camera) -> np.ndarray:
    """(3, H * W) float32 directions with z = 1 through each pixel; NaN where a fisheye's ray does not point forward."""
    columns, rows = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
    y = (rows.ravel() - camera.K[1, 2]) / camera.K[1, 1]
    points = shown = np.stack([(columns.ravel() - camera.K[0, 2] - camera.K[0, 1] * y) / camera.K[0, 0], y], 1)
    if camera.distortion_model == 'equidistant':
        points = cv2.fisheye.undistortPoints(shown[:, None], np.eye(3), camera.D).reshape(-1, 2)
    elif camera.D.size:
        points = cv2.undistortPoints(shown[:, None], np.eye(3), camera.D).reshape(-1, 2)
        for _ in range(_STEPS):  # OpenCV's own five are too few for strong distortion
            points = points + shown - np.stack(_distort(camera, *points.T), 1)
    return np.vstack([points.T, np.ones(len(points))]).astype(np.float32)


def _project(camera: Camera, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns and rows (int) of the points that fall into the image, and their z (float32)."""
    before = z > 1e-3
    if not before.all():
        x, y, z = x[before], y[before], z[before]
    x, y = x / z, y / z
    if camera.D.size:
        x, y = _distort(camera, x, y)
    fx, skew, cx = camera.K[0].astype(np.float32)
    fy, cy = camera.K[1, 1:].astype(np.float32)
    columns = np.rint(fx * x + skew * y + cx)
    rows = np.rint(fy * y + cy)
    with np.errstate(invalid='ignore'):
        inside = (columns >= 0) & (columns < camera.width) & (rows >= 0) & (rows < camera.height)
    return columns[inside].astype(np.intp), rows[inside].astype(np.intp), z[inside]


def _distort(camera: Camera, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distorts normalised image points; NaN where the polynomial of a lens is no longer monotonic.

    Source: sensor_msgs/distortion_models.hpp: OpenCV's models (calib3d, 'Detailed Description'; fisheye: theta_d = theta (1 + ...)).
    """
    r2 = x * x + y * y
    k = camera.D.astype(np.float32)
    if camera.distortion_model == 'equidistant':
        r = np.sqrt(r2)
        theta = np.arctan(r)
        t2 = theta * theta
        scale = theta * (1 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3])))) / np.maximum(r, np.float32(1e-9))
        scale = np.where(theta <= largest_angle_rad(camera.D), scale, np.float32(np.nan))
        return np.where(r > 1e-9, x * scale, x), np.where(r > 1e-9, y * scale, y)
    k = np.concatenate([k, np.zeros(14 - k.size, np.float32)])
    numerator = 1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))
    radial = numerator / (1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7]))) if k[5:8].any() else numerator
    distorted_x, distorted_y = x * radial, y * radial
    if k[2] or k[3]:
        distorted_x = distorted_x + 2 * k[2] * x * y + k[3] * (r2 + 2 * x * x)
        distorted_y = distorted_y + k[2] * (r2 + 2 * y * y) + 2 * k[3] * x * y
    if k[8:12].any():
        distorted_x = distorted_x + r2 * (k[8] + r2 * k[9])
        distorted_y = distorted_y + r2 * (k[10] + r2 * k[11])
    if k[12:].any():
        distorted_x, distorted_y = _tilted(distorted_x, distorted_y, *k[12:].tolist())
    # Beyond the angle at which the radius stops growing the polynomial is not valid; such points are not in the image.
    reach = largest_radius(camera.D)
    if reach < np.inf:
        distorted_x = np.where(r2 < reach * reach, distorted_x, np.float32(np.nan))
    return distorted_x, distorted_y


def _tilted(x: np.ndarray, y: np.ndarray, tau_x: float, tau_y: float) -> tuple[np.ndarray, np.ndarray]:
    """Points as a sensor sees them that is tilted by tau_x and tau_y, radians (OpenCV's calib3d, tilted sensor)."""
    (sx, cx), (sy, cy) = ((np.sin(tau), np.cos(tau)) for tau in (tau_x, tau_y))
    R = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    tilt = np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, 1]]) @ R
    (a, b, c), (d, e, f), (g, h, i) = tilt.astype(np.float32)
    w = g * x + h * y + i
    return (a * x + b * y + c) / w, (d * x + e * y + f) / w


def _without_gaps(nearest_m: np.ndarray) -> np.ndarray:
    """Closes gaps of one or two cells in a z-buffer; unknown cells become NaN.

    An opening (minimum, then maximum, over 3 x 3 cells) removes areas that are farther than all their neighbours and narrower than 3
    cells. It is applied in such areas only, because elsewhere it would select the nearest of noisy values.
    """
    opened = cv2.morphologyEx(nearest_m, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = np.where(nearest_m - opened > _STEP_M, opened, nearest_m)
    return np.where(closed < _UNKNOWN_M, closed, np.float32(np.nan))
