"""Makes simple geometry: spheres, tubes, grids, boxes. Points are in metres, triangles are indices."""

from __future__ import annotations

import numpy as np

Triangulated = tuple[np.ndarray, np.ndarray]
"""(n, 3) float64 points and (m, 3) int32 triangles."""


def sphere(columns: int = 24, rows: int = 16) -> Triangulated:
    """Makes the unit sphere with its poles on z."""
    turn, tilt = np.meshgrid(np.linspace(0, 2 * np.pi, columns + 1), np.linspace(0, np.pi, rows + 1))
    points = np.stack([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)], -1).reshape(-1, 3)
    return points, grid_triangles(rows + 1, columns + 1)


def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """Makes (m, 3) triangles of a (rows, columns) grid of points."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    below = first + columns
    return np.concatenate([np.stack([first, below, first + 1], 1), np.stack([first + 1, below, below + 1], 1)]).astype(np.int32)


def tube(path: np.ndarray, radius: float, sides: int = 6, closed: bool = False) -> Triangulated:
    """Makes a tube along (n, 3) points."""
    path = np.asarray(path, float)
    ahead = (np.roll(path, -1, 0) - np.roll(path, 1, 0)) if closed else np.gradient(path, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    across = np.cross(ahead, np.where(np.abs(ahead[:, :1]) < 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    other = np.cross(ahead, across)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[None, :, None] * across[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    points = path[:, None] + radius * ring
    if closed:
        points = np.concatenate([points, points[:1]])
    return points.reshape(-1, 3), grid_triangles(len(points), sides + 1)


def box(size: np.ndarray) -> Triangulated:
    """Makes a box about the origin; its faces do not share corners, so that edges stay sharp."""
    points, triangles = [], []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for side in (-0.5, 0.5):
            corner = np.full((4, 3), side)
            corner[:, u], corner[:, v] = [-0.5, 0.5, 0.5, -0.5], [-0.5, -0.5, 0.5, 0.5]
            start = 4 * len(points)
            points.append(corner * size)
            triangles += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
    return np.concatenate(points), np.array(triangles, np.int32)


def fan(outline: np.ndarray) -> Triangulated:
    """Makes a disc over a closed (n, 3) outline."""
    n = len(outline)
    points = np.concatenate([outline, outline.mean(0, keepdims=True)])
    return points, np.array([(i, (i + 1) % n, n) for i in range(n)], np.int32)


def join(*pieces: Triangulated) -> Triangulated:
    """Joins several pieces."""
    offsets = np.cumsum([0] + [len(p) for p, _ in pieces[:-1]])
    return (
        np.concatenate([p for p, _ in pieces]),
        np.concatenate([t + offset for (_, t), offset in zip(pieces, offsets)]).astype(np.int32),
    )
