"""Depth images of dolls in a room."""

import numpy as np

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
