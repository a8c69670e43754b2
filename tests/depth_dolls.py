"""Depth images of dolls in a room."""

import numpy as np

from c2f_head_pose.camera import pixel_rays

FOCAL = 575.0


def doll(depth_m: np.ndarray, at_m) -> np.ndarray:
    """Puts an ellipsoid head (15 x 23 x 19 cm) on a neck and a box of shoulders into a depth image."""
    x, y, z = at_m
    v, u = np.mgrid[:480, :640]
    dx, dy = (u - 319.5) / FOCAL * z - x, (v - 239.5) / FOCAL * z - y
    radius = (dx / 0.075) ** 2 + (dy / 0.115) ** 2
    surface = np.where(radius < 1, z - 0.095 * np.sqrt(np.maximum(1 - radius, 0)), np.inf)
    surface = np.where((np.abs(dx) < 0.055) & (dy > 0) & (dy < 0.2), np.minimum(surface, z), surface)
    surface = np.where((np.abs(dx) < 0.2) & (dy > 0.17), np.minimum(surface, z - 0.03), surface)
    return np.minimum(depth_m, surface)


def room(wall_m=3.5):
    return np.full((480, 640), wall_m)


def seen_by(camera, at_m, wall_m=4.0) -> np.ndarray:
    """Depth of a doll of ellipsoids (head 15 x 23 x 19 cm, neck, shoulders, trunk) along the rays of a camera, lens distortion included."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = pixel_rays(camera, np.stack([x.ravel(), y.ravel()], 1).tolist()).T
    rays = np.where(rays[2] > 1e-3, rays / rays[2], np.nan)
    z = np.full(rays.shape[1], wall_m)
    for down, deeper, radii in (
        (0, 0, (0.075, 0.115, 0.095)),
        (0.16, 0.02, (0.058, 0.14, 0.058)),
        (0.36, 0.02, (0.22, 0.15, 0.12)),
        (0.62, 0.02, (0.19, 0.36, 0.13)),
    ):
        origin = -(np.array(at_m, float) + [0, down, deeper]) / radii
        d = rays / np.array(radii)[:, None]
        a, b, c = (d * d).sum(0), origin @ d, origin @ origin - 1
        root = b * b - a * c
        z = np.where(root > 0, np.fmin(z, (-b - np.sqrt(np.maximum(root, 0))) / a), z)
    return np.where(np.isfinite(rays[0]), z, np.nan).reshape(camera.height, camera.width)
