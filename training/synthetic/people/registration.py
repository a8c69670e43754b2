"""Lays one shape onto another: nearest places on a surface, and displacements that are smooth in space."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


class Surface:
    """Nearest points of a triangle mesh."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        self._vertices, self._triangles = vertices, triangles
        self._tree = cKDTree(vertices[triangles].mean(1))

    def nearest(self, points: np.ndarray, among: int = 12) -> tuple[np.ndarray, np.ndarray]:
        """Finds (N, 3) corners and (N, 3) barycentric weights of the nearest point of the nearest triangles' centres."""
        near = self._tree.query(points, among)[1]
        a, b, c = (self._vertices[self._triangles[near][..., k]] for k in range(3))
        u, v, p = b - a, c - a, points[:, None] - a
        uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
        pu, pv = (p * u).sum(-1), (p * v).sum(-1)
        span = np.maximum(uu * vv - uv * uv, 1e-12)
        weights = np.stack([np.zeros_like(uu), (vv * pu - uv * pv) / span, (uu * pv - uv * pu) / span], -1)
        weights[..., 0] = 1 - weights.sum(-1)
        weights = np.clip(weights, 0, None)
        weights /= weights.sum(-1, keepdims=True)
        on = weights[..., :1] * a + weights[..., 1:2] * b + weights[..., 2:] * c
        best = ((on - points[:, None]) ** 2).sum(-1).argmin(1)
        rows = np.arange(len(points))
        return self._triangles[near[rows, best]], weights[rows, best]


def kernel(distance: np.ndarray, reach: float) -> np.ndarray:
    """Wendland's C2 function: 1 at 0, 0 beyond the reach; positive definite in space."""
    q = np.clip(distance / reach, 0, 1)
    return (1 - q) ** 4 * (4 * q + 1)


def smooth_warp(at: np.ndarray, moves: np.ndarray, where: np.ndarray, reach: float, stiffness: float) -> np.ndarray:
    """Displacements at some places that smooth those of others, falling to 0 beyond their reach."""
    between = np.linalg.norm(at[:, None] - at[None], axis=-1)
    solved = np.linalg.solve(kernel(between, reach) + stiffness * np.eye(len(at)), moves)
    return kernel(np.linalg.norm(where[:, None] - at[None], axis=-1), reach) @ solved
