"""Places the 68 landmarks on our mesh, and computes the zero of head pose that they define.

Zero pose. 300W-LP's angles are those of a 3D morphable face model fitted to 68 landmarks, so 0/0/0 means "as that model's mean
face looks in its own frame". That model may not be used for a shipped product. We use the published mean face that may:
MediaPipe's canonical face model (Apache-2.0). The mean of our identities, by 26 landmarks that both meshes have, is laid onto it
rigidly with scale (Procrustes); the rotation found is the zero for every identity, each of which is laid rigidly onto our
mean face in turn (`heads.py`). Nothing is fitted to a labelled picture. How well it agrees with 300W-LP is measured, on
landmarks that 300W-LP's own fits give, in docs/training_data.md.

Frames: mesh axes are x to the person's left, y to the scalp, z out of the face; head axes are REP-155's.
"""

from __future__ import annotations

import numpy as np

HEAD_FROM_MESH = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""(3, 3) mesh axes -> head axes, for a face in its zero pose."""

SELLION = 27
"""Index among the 68 of the head's origin (REP-155: sellion)."""

VERTICES = (
    5736,
    5728,
    738,
    997,
    763,
    927,
    995,
    913,
    732,
    7615,
    7689,
    7629,
    7482,
    7691,
    7458,
    12325,
    12333,  # jaw
    255,
    207,
    206,
    205,
    208,
    6983,
    6980,
    6981,
    6982,
    7024,  # brows
    133,
    5063,
    201,
    5054,
    360,
    359,
    343,
    7120,
    7121,  # nose
    24,
    6,
    54,
    4869,
    47,
    36,
    11487,
    6838,
    6790,
    6808,
    6820,
    6831,  # eyes
    3735,
    410,
    456,
    455,
    7215,
    7170,
    10403,
    7166,
    7244,
    496,
    489,
    406,  # lips, outside
    416,
    470,
    474,
    7226,
    7176,
    7242,
    493,
    487,  # lips, inside
)
"""Vertex of MakeHuman's hm08 base mesh for each of the 68 (iBUG) landmarks, chosen by eye on the wire frame; symmetric."""

_CANONICAL_MIDDLE = {
    8: (-9.403378, 4.264492),
    27: (3.271027, 5.236015),
    28: (1.728369, 6.316750),
    29: (0.365669, 7.242870),
    30: (-1.126865, 7.475604),
    33: (-2.089024, 6.058267),
    51: (-3.406404, 5.979507),
    57: (-5.365123, 5.535441),
    62: (-3.994436, 5.219482),
    66: (-4.542400, 5.404754),
}
_CANONICAL_RIGHT = {
    17: (-5.720968, 4.254584, 2.830852),
    18: (-4.985894, 4.802461, 3.751977),
    19: (-3.986562, 5.109487, 4.466315),
    20: (-2.760292, 5.100971, 5.015990),
    21: (-1.395634, 5.011963, 5.316032),
    36: (-4.445859, 2.663991, 3.173422),
    39: (-1.856432, 2.585245, 3.757904),
    48: (-2.456206, -4.342621, 4.283884),
}
_MIRRORED = {17: 26, 18: 25, 19: 24, 20: 23, 21: 22, 36: 45, 39: 42, 48: 54}


def canonical_face() -> tuple[np.ndarray, np.ndarray]:
    """Returns the landmarks of MediaPipe's canonical face model.

    Returns:
        (26,) indices among the 68, and (26, 3) float64 points in centimetres, mesh axes.

    Source: mediapipe/modules/face_geometry/data/canonical_face_model.obj, Apache-2.0, Copyright The MediaPipe Authors.
    """
    points = {index: (0.0, y, z) for index, (y, z) in _CANONICAL_MIDDLE.items()}
    for index, (x, y, z) in _CANONICAL_RIGHT.items():
        points[index] = (x, y, z)
        points[_MIRRORED[index]] = (-x, y, z)
    indices = sorted(points)
    return np.array(indices), np.array([points[i] for i in indices])


def rigid_alignment(points: np.ndarray, onto: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Computes the rotation of the similarity that maps points to others with the smallest squared distance.

    Args:
        points: (N, 3).
        onto: (N, 3), the same points of another shape.
        weights: (N,) of the squared distances; None for equal ones.

    Returns:
        (3, 3) float64 R; R @ (points - mean) ~ (onto - mean) / scale.

    Source: Umeyama 1991; the rotation does not depend on the scale.
    """
    w = np.full(len(points), 1 / len(points)) if weights is None else np.asarray(weights, float) / np.sum(weights)
    a, b = points - w @ points, onto - w @ onto
    u, _, vt = np.linalg.svd((a * w[:, None]).T @ b)
    d = np.sign(np.linalg.det(u @ vt))
    return vt.T @ np.diag([1, 1, d]) @ u.T


def similarity(points: np.ndarray, onto: np.ndarray) -> tuple[np.ndarray, float]:
    """Computes the rotation, as `rigid_alignment`, and the scale that map points to others: onto - mean ~ scale * (points - mean) @ R.T."""
    R = rigid_alignment(points, onto)
    turned = (points - points.mean(0)) @ R.T
    return R, (turned * (onto - onto.mean(0))).sum() / (turned**2).sum()


def zero_rotation(mean_landmarks: np.ndarray) -> np.ndarray:
    """Computes the rotation of our mean face, in mesh axes, into the zero pose.

    Args:
        mean_landmarks: (68, 3) of the mean over identities, neutral expression, mesh axes, any unit.

    Returns:
        (3, 3) float64; about the x axis only: our mean face is symmetric, so what is left is chance.
    """
    indices, canonical = canonical_face()
    R = rigid_alignment(mean_landmarks[indices], canonical)
    angle = np.arctan2(R[2, 1] - R[1, 2], R[1, 1] + R[2, 2])
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
