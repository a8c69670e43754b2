"""Things in front of the face: a hand, a phone, a bar (a steering wheel, a pole), a sheet. Placed in the camera's frame."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..people import shapes
from ..people.appearance import Look
from ..people.heads import HeadModel, normals
from .drawables import Part, pack

_ONLY_HEAD = np.array([0.0, 0, 0, 1])
_PLAIN = {'roughness': 0.5, 'shine': 1.0, 'weave': (0.0, 0.0, 0.0, 0.0)}


def occlude(rng: np.random.Generator, kind: str, model: HeadModel, look: Look, landmarks_m: np.ndarray) -> list[Part]:
    """Makes the parts of one thing that hides a part of a face.

    Args:
        rng: random generator.
        kind: 'hand', 'phone', 'bar' or 'rectangle'.
        model: the head model, for its hand.
        look: the person's appearance, for the hand's skin.
        landmarks_m: (68, 3) camera frame.
    """
    target = landmarks_m[rng.integers(68)].copy()
    distance = np.linalg.norm(target)
    if kind == 'hand':
        parts = []
        for _ in range(1 + int(rng.random() < 0.25)):
            target = landmarks_m[rng.integers(68)]
            nearest = landmarks_m[np.argmin(landmarks_m[:, 2]), 2]
            at = target * (1 - (rng.uniform(0.015, 0.05) + max(target[2] - nearest, 0) * rng.uniform(0.2, 1.0)) / distance)
            parts.append(_hand(rng, model, look, at, len(parts)))
        return parts
    if kind == 'phone':
        ear = landmarks_m[rng.choice([0, 1, 15, 16])]
        outward = ear - landmarks_m[[0, 1, 15, 16]].mean(0)
        down = landmarks_m[8] - landmarks_m[27]
        R = _frame(down / np.linalg.norm(down) + rng.normal(0, 0.15, 3), outward + rng.normal(0, 0.01, 3))
        at = ear + 0.022 * outward / np.linalg.norm(outward) + 0.02 * down / np.linalg.norm(down)
        colour = tuple(float(v) for v in rng.choice([0.01, 0.05, 0.5]) * rng.uniform(0.5, 1, 3))
        return [
            _solid('phone', shapes.box(np.array([0.150, 0.009, 0.072])), R, at, colour),
            _hand(rng, model, look, at + 0.03 * outward / np.linalg.norm(outward) + 0.03 * down / np.linalg.norm(down), 0, -down),
        ]
    at = target * (1 - rng.uniform(0.05, 0.3))
    R = _frame(rng.normal(0, 1, 3) * [1, 1, 0.3], np.array([0.0, 0, 1]) + rng.normal(0, 0.3, 3))
    colour = tuple(float(v) for v in np.clip(rng.uniform(0.005, 0.7) * (1 + rng.uniform(-0.5, 0.5, 3)), 0.004, 0.9))
    if kind == 'bar':
        bend = rng.choice([0.0, rng.uniform(1, 5)])
        s = np.linspace(-0.6, 0.6, 25)
        pieces = shapes.tube(np.stack([s, np.zeros(25), -bend * s**2 * 0.5], 1), rng.uniform(0.006, 0.022), 8)
        return [_solid('bar', pieces, R, at, colour)]
    size = np.array([rng.uniform(0.04, 0.14), 0.002, rng.uniform(0.04, 0.14)])
    return [_solid('rectangle', shapes.box(np.array([1.0, 1.0, 1.0])), R * size, at, colour)]


def _frame(along: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(3, 3) columns: along, the normal made perpendicular, their product."""
    x = along / np.linalg.norm(along)
    y = normal - x * (normal @ x)
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _solid(key: str, piece: shapes.Triangulated, R: np.ndarray, at: np.ndarray, colour: tuple[float, ...]) -> Part:
    points, triangles = piece
    packed = pack(points, normals(points, triangles), np.zeros((len(points), 2)), 1.0, 0.0, _ONLY_HEAD)
    return Part(key, 'plain', packed, triangles, {**_PLAIN, 'tint': colour}, pose=np.concatenate([R, at[:, None]], 1))


def _hand(rng: np.random.Generator, model: HeadModel, look: Look, at: np.ndarray, number: int, fingers: np.ndarray | None = None) -> Part:
    """A flat hand with its forearm; the palm towards the face, the fingers upwards more often than not."""
    packed = _hand_points(model)
    if fingers is None:
        angle = rng.normal(np.pi / 2, 0.9)
        fingers = np.array([np.cos(angle), -np.sin(angle), rng.normal(0, 0.25)])
    R = _frame(fingers, np.array([0.0, 0, 1]) + rng.normal(0, 0.35, 3))
    if rng.random() < 0.5:
        R = R * [1, 1, -1]  # the other hand
    pose = np.concatenate([R * rng.uniform(0.9, 1.1), at[:, None]], 1)
    # Near the wrist the sleeve would begin: the arm is left as it is.
    uniforms = {k: v for k, v in look.skin.items() if not k.startswith('cloth')}
    return Part(
        f'hand{number}',
        'skin',
        packed,
        model.hand_mesh.triangles,
        {**uniforms, 'beard': (0.0, 0.0)},
        {'picture': look.skin_picture, 'picture2': look.skin_picture2, 'lips': 'lips.png'},
        pose=pose,
    )


@lru_cache(maxsize=1)
def _hand_points(model: HeadModel) -> np.ndarray:
    """The hand in its own axes: x to the fingertips, y out of the palm's side nearest to the face, origin in the palm."""
    raw = model.hand_vertices.astype(float)
    along = raw[:, 0] > raw[:, 0].max() - 0.17  # the hand without its forearm
    centre = raw[along].mean(0)
    _, _, vt = np.linalg.svd(raw[along] - centre)
    x, y = vt[0] * np.sign(vt[0, 0]), vt[2]
    axes = np.stack([x, y, np.cross(x, y)])
    points = (raw - centre) @ axes.T
    n = normals(points, model.hand_mesh.triangles)
    return pack(points, n, model.hand_mesh.uv, 1.0, 0.0, _ONLY_HEAD)
