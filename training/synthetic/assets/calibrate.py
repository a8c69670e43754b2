"""Calibrates the built assets once: the zero pose, the mean face, and the ambient occlusion of each vertex."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..people import identities, landmarks
from ..people.heads import HeadModel, Shape, normals

_PEOPLE = 300
_SEED = 2018


def calibrate(folder: Path) -> None:
    """Writes calibration.npz beside assets.npz."""
    model = HeadModel(folder)
    people = identities.population(_PEOPLE, 0.5, _SEED)
    mean = np.mean([identities.neutral_shape(model, p).vertices for p in people], axis=0)
    mean_shape = Shape(mean.astype(np.float32), model.template.bone_heads)
    zero = landmarks.zero_rotation(mean[model.landmarks])
    region = face_region(model, mean_shape)
    np.savez(
        folder / 'calibration.npz',
        zero=zero,
        region=region,
        mean_face=mean[region],
        area=vertex_areas(mean, model.body_triangles)[region],
        occlusion=ambient_occlusion(mean_shape.vertices, model.body_triangles, model.landmarks),
    )


def face_region(model: HeadModel, mean: Shape) -> np.ndarray:
    """Returns the vertices of the face's outer skin from chin to brow, in front of the ears."""
    points = mean.vertices[model.landmarks]
    chin, brow = points[8, 1], points[17:27, 1].max()
    side = np.abs(points[[2, 14], 0]).mean()
    back = points[[3, 13], 2].mean()
    v, n = mean.vertices, normals(mean.vertices, model.body_triangles)
    inside = (v[:, 1] > chin) & (v[:, 1] < brow + 0.02) & (np.abs(v[:, 0]) < side) & (v[:, 2] > back) & (n[:, 2] > 0.2)
    mouth = np.linalg.norm((v - points[60:68].mean(0)) / [0.02, 0.006, 1], axis=1) < 1  # the inside of the lips
    body = np.zeros(len(v), bool)
    body[model.parts['body'].vertex] = True
    return np.flatnonzero(inside & body & ~mouth)


def vertex_areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Computes for each of n vertices a third of the area of its triangles."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return sum(np.bincount(triangles[:, k], area, len(vertices)) for k in range(3))


def ambient_occlusion(vertices: np.ndarray, triangles: np.ndarray, landmark_vertices: np.ndarray, directions: int = 160) -> np.ndarray:
    """Computes the share of a uniform sky that is visible from each vertex, with depth maps from many directions.

    Args:
        vertices: (n, 3) metres.
        triangles: (m, 3).
        landmark_vertices: (68,) whose mean gives the middle of the head.
        directions: number of directions.

    Returns:
        (n,) float32 in 0..1, weighted by the cosine to the normal.
    """
    size, half = 512, 0.40
    centre = vertices[landmark_vertices].mean(0) + np.float32([0, -0.05, -0.08])
    n = normals(vertices, triangles)
    seen, whole = np.zeros(len(vertices)), np.full(len(vertices), 1e-6)
    k = np.arange(directions) + 0.5
    height, turn = 1 - 2 * k / directions, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - height**2)
    for light in np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], 1):
        up = np.array([0, 1, 0]) if abs(light[1]) < 0.9 else np.array([1, 0, 0])
        x = np.cross(up, light)
        x /= np.linalg.norm(x)
        axes = np.stack([x, np.cross(light, x), light])
        local = (vertices + 0.0015 * n - centre) @ axes.T
        pixel = np.clip(((local[:, :2] / half * 0.5 + 0.5) * size).astype(int), 0, size - 1)
        nearest = _depth_map((vertices - centre) @ axes.T, triangles, size, half)
        cosine = np.clip(n @ light, 0, 1)
        whole += cosine
        seen += cosine * (nearest[pixel[:, 1], pixel[:, 0]] <= local[:, 2] + 0.0015)
    return (seen / whole).astype(np.float32)


def _depth_map(points: np.ndarray, triangles: np.ndarray, size: int, half: float) -> np.ndarray:
    """(size, size) largest z of densely sampled triangles; the mesh is fine enough for barycentric samples without holes."""
    steps = np.array([(i, j) for i in range(5) for j in range(5 - i)], float) / 4
    weight = np.concatenate([steps, 1 - steps.sum(1, keepdims=True)], 1).astype(np.float32)
    samples = np.einsum('sk,mkd->msd', weight, points[triangles].astype(np.float32)).reshape(-1, 3)
    pixel = ((samples[:, :2] / half * 0.5 + 0.5) * size).astype(np.int64)
    fits = ((pixel >= 0) & (pixel < size)).all(1)
    out = np.full(size * size, -np.inf, np.float32)
    np.maximum.at(out, pixel[fits, 1] * size + pixel[fits, 0], samples[fits, 2])
    return out.reshape(size, size)
