"""A made-up head in ICT-FaceKit's format, egg-shaped with a nose, and MediaPipe's points on it: no file has to be fetched for the tests."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from training.portraits.mediapipe import IBUG68, MESH_POINTS
from training.portraits.variety import MOVEMENTS, SIDED_MOVEMENTS

RADII, MIDDLE = np.array([8.0, 16.0, 10.0]), np.array([0.0, -2.0, 0.0])
VERTICES = 26719
SKIN, EYES = 11248, (21451, 23021, 24591)
RINGS, COLUMNS = 74, 152  # 74 * 152 = 11248


def on_egg(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 3) points of the egg's front, with a nose."""
    z = RADII[2] * np.sqrt(np.maximum(1 - (x / RADII[0]) ** 2 - ((y - MIDDLE[1]) / RADII[1]) ** 2, 0))
    return np.stack([x, y, z + 2.5 * np.exp(-((x / 1.2) ** 2) - ((y - 0.5) / 1.8) ** 2)], -1)


def landmark_places() -> np.ndarray:
    """(68, 2) x to the person's left and y up, in centimetres, in iBUG's order."""
    jaw = np.linspace(-np.pi / 2, np.pi / 2, 17)
    brow = np.linspace(-1, 1, 5)
    eye = np.array([(-1.5, 0), (-0.6, 0.5), (0.6, 0.5), (1.5, 0), (0.6, -0.4), (-0.6, -0.4)])
    lip = np.linspace(0, 2 * np.pi, 13)[:12]
    inner = np.linspace(0, 2 * np.pi, 9)[:8]
    parts = [
        np.stack([6.8 * np.sin(jaw), 1.0 - 8.5 * np.cos(jaw)], -1),
        np.stack([-3.4 + 1.8 * brow, 5.0 - 0.3 * brow**2], -1),
        np.stack([3.4 + 1.8 * brow, 5.0 - 0.3 * brow**2], -1),
        np.stack([np.zeros(4), np.array([3.3, 2.4, 1.4, 0.5])], -1),
        np.stack([np.linspace(-1.2, 1.2, 5), np.full(5, -1.4)], -1),
        eye + [-3.2, 3.3],
        eye + [3.2, 3.3],
        np.stack([-2.5 * np.cos(lip), -4.0 + 0.9 * np.sin(lip)], -1),
        np.stack([-1.8 * np.cos(inner), -4.0 + 0.3 * np.sin(inner)], -1),
    ]
    return np.concatenate(parts)


def canonical() -> np.ndarray:
    """(468, 3) MediaPipe's points on the egg: its 68 landmarks, the others spread over the face."""
    rng = np.random.default_rng(4)
    angle, radius = rng.uniform(0, 2 * np.pi, MESH_POINTS), np.sqrt(rng.uniform(0, 1, MESH_POINTS))
    places = np.stack([6.5 * radius * np.cos(angle), -0.5 + 7.5 * radius * np.sin(angle)], -1)
    places[list(IBUG68)] = landmark_places()
    return on_egg(*places.T)


def write_ball_head(path: Path) -> Path:
    """Writes the head as `training.portraits fetch` does."""
    elevation = np.linspace(-np.pi / 2, np.pi / 2, RINGS)[:, None] + np.zeros(COLUMNS)
    azimuth = np.zeros((RINGS, 1)) + np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    sphere = np.stack([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], -1).reshape(-1, 3)
    skin = sphere * RADII + MIDDLE
    front = skin[:, 2] > 0
    skin[front] = on_egg(skin[front, 0], skin[front, 1])
    order = np.argsort(-skin[:, 2], kind='stable')  # ICT's face comes first
    rank = np.argsort(order)
    grid = np.arange(SKIN).reshape(RINGS, COLUMNS)
    right = np.roll(grid, -1, 1)
    quads = np.stack([grid[:-1], right[:-1], right[1:], grid[1:]], -1).reshape(-1, 4)
    vertices = np.tile(np.array([0.0, 1.0, 0.0]), (VERTICES, 1))  # everything that a head has inside, unseen
    vertices[:SKIN] = skin[order]
    faces = [rank[quads]]
    for side, (first, end) in zip((1, -1), pairwise(EYES), strict=True):
        n = np.arange(end - first)
        spiral = np.stack([np.cos(n * 2.4), 1 - 2 * (n + 0.5) / len(n), np.sin(n * 2.4)], -1)
        vertices[first:end] = [3.2 * side, 3.3, 6.5] + spiral
        faces.append(np.stack([first + n[:-2], first + n[1:-1], first + n[2:], np.full(len(n) - 2, -1)], -1))
    # identity: long, smooth waves over the egg
    rng = np.random.default_rng(5)
    waves = rng.normal(0, 0.15, (100, 3, 3))
    identity = np.zeros((100, VERTICES, 3))
    strength = 0.25 / np.sqrt(1 + np.arange(100))[:, None, None]
    identity[:, :SKIN] = strength * np.sin(vertices[:SKIN] @ waves + rng.uniform(0, 6, (100, 1, 3)))
    names = ['jawOpen', *(f'eye{name}_{side}' for side in 'LR' for name in ('Blink', 'LookUp', 'LookDown', 'LookIn', 'LookOut'))]
    names += [*MOVEMENTS, *(f'{name}_{side}' for name in SIDED_MOVEMENTS for side in 'LR')]
    expression = {name: np.zeros((VERTICES, 3)) for name in names}
    for name, side in (('eyeBlink_L', 1), ('eyeBlink_R', -1)):
        d = vertices[:SKIN] - on_egg(np.array([3.2 * side]), np.array([3.3]))
        expression[name][:SKIN, 1] = -0.9 * np.exp(-(d**2).sum(1) / 1.0**2)
    lower = np.clip((-4.0 - vertices[:SKIN, 1]) / 2, 0, 1) * np.clip(vertices[:SKIN, 2] / 4, 0, 1)
    expression['jawOpen'][:SKIN, 1] = -3.0 * lower
    corner = np.exp(-(((np.abs(vertices[:SKIN, 0]) - 2.5) / 1.0) ** 2) - ((vertices[:SKIN, 1] + 4.0) / 1.0) ** 2) * (vertices[:SKIN, 2] > 0)
    for side, sign in (('L', 1), ('R', -1)):
        expression[f'mouthSmile_{side}'][:SKIN, 1] = corner * (sign * vertices[:SKIN, 0] > 0)
    landmarks = on_egg(*landmark_places().T)
    nearest = ((landmarks[:, None] - vertices[None, :9409]) ** 2).sum(-1).argmin(1)
    np.savez(
        path,
        neutral=vertices.astype(np.float32),
        faces=np.concatenate(faces).astype(np.int32),
        identity=identity.astype(np.float16),
        expression=np.stack(list(expression.values())).astype(np.float16),
        expression_names=np.array(list(expression)),
        landmarks68=nearest.astype(np.int32),
    )
    return path
