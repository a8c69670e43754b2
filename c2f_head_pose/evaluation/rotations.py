"""Computes with arrays of rotations: quaternions, interpolation and averages on SO(3)."""

from __future__ import annotations

import numpy as np

from ..geometry import nearest_rotation

GAP_ROUNDING_S = 1e-3
"""Samples count as within the largest gap up to this much beyond it: stamps are rounded, to 240 ns as seconds since 1970."""


def quaternions_from_rotations(R: np.ndarray) -> np.ndarray:
    """Computes the (n, 4) float64 unit quaternions x, y, z, w, with w >= 0, of (n, 3, 3) rotations.

    Source: Shepperd 1978: the largest component is solved for first, here as a row of the matrix 4 q q^T.
    """
    R = np.asarray(R, float).reshape(-1, 3, 3)
    trace = np.trace(R, axis1=1, axis2=2)
    outer = np.empty((len(R), 4, 4))
    for i in range(3):
        outer[:, i, i] = 1 + 2 * R[:, i, i] - trace
        j, k = (i + 1) % 3, (i + 2) % 3
        outer[:, i, j] = outer[:, j, i] = R[:, j, i] + R[:, i, j]
        outer[:, i, 3] = outer[:, 3, i] = R[:, k, j] - R[:, j, k]
    outer[:, 3, 3] = 1 + trace
    largest = np.argmax(np.diagonal(outer, axis1=1, axis2=2), axis=1)
    q = outer[np.arange(len(R)), largest]
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    return np.where(q[:, 3:] < 0, -q, q)


def rotations_from_quaternions(quaternions_xyzw: np.ndarray) -> np.ndarray:
    """Computes the (n, 3, 3) float64 rotations of (n, 4) quaternions, which need not have unit length; NaN for length zero."""
    q = np.asarray(quaternions_xyzw, float).reshape(-1, 4)
    with np.errstate(invalid='ignore', divide='ignore'):
        x, y, z, w = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    return np.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y - w * z),
            2 * (x * z + w * y),
            2 * (x * y + w * z),
            1 - 2 * (x * x + z * z),
            2 * (y * z - w * x),
            2 * (x * z - w * y),
            2 * (y * z + w * x),
            1 - 2 * (x * x + y * y),
        ],
        axis=-1,
    ).reshape(-1, 3, 3)


def rotation_vectors(R: np.ndarray) -> np.ndarray:
    """Computes the (n, 3) float64 rotation vectors (axis times angle, radians) of (n, 3, 3) rotations, as geometry.rotation_vector."""
    q = quaternions_from_rotations(R)
    sine = np.linalg.norm(q[:, :3], axis=1)
    factor = np.divide(2 * np.arctan2(sine, q[:, 3]), sine, out=np.full(len(q), 2.0), where=sine > 1e-12)
    return q[:, :3] * factor[:, None]


def slerp(q_a: np.ndarray, q_b: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Interpolates between rotations along the shortest geodesics.

    Args:
        q_a: (n, 4) unit quaternions.
        q_b: (n, 4) unit quaternions.
        fraction: (n,) 0 at a, 1 at b.

    Returns:
        (n, 4) unit quaternions.

    Source: Shoemake 1985; linear interpolation is used where the sine of the angle is too small to divide by.
    """
    cosine = np.sum(q_a * q_b, axis=1)
    q_b = np.where(cosine[:, None] < 0, -q_b, q_b)
    half = np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine = np.sin(half)
    small = sine < 1e-6
    sine = np.where(small, 1.0, sine)
    weight_a = np.where(small, 1 - fraction, np.sin((1 - fraction) * half) / sine)
    weight_b = np.where(small, fraction, np.sin(fraction * half) / sine)
    q = weight_a[:, None] * q_a + weight_b[:, None] * q_b
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def interpolate(stamps_s: np.ndarray, quaternions: np.ndarray, at_s: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolates a sequence of rotations at other times. Nothing is extrapolated.

    Args:
        stamps_s: (n,) stamps of the samples, seconds, increasing.
        quaternions: (n, 4) unit quaternions at these stamps.
        at_s: (m,) times at which the rotation is wanted, seconds.
        max_gap_s: largest distance between two samples, seconds; the rotation is unknown between samples that are farther apart.

    Returns:
        (m, 4) float64 quaternions, NaN where unknown, and (m,) bool, True where known.
    """
    at_s = np.asarray(at_s, float)
    result = np.full((len(at_s), 4), np.nan)
    after, fraction, known = bracket(stamps_s, at_s, max_gap_s)
    if known.any():
        before = np.maximum(after - 1, 0)
        result[known] = slerp(np.asarray(quaternions[before[known]], float), np.asarray(quaternions[after[known]], float), fraction[known])
    return result, known


def bracket(stamps_s: np.ndarray, at_s: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the samples before and after given times; see `interpolate` for the arguments.

    Returns:
        (m,) index of the sample at or after each time, (m,) position between the sample before (0) and that one (1), and (m,) bool,
        True where both exist and are near enough.
    """
    at_s = np.asarray(at_s, float)
    if len(stamps_s) == 0:
        return np.zeros(len(at_s), int), np.zeros(len(at_s)), np.zeros(len(at_s), bool)
    after = np.clip(np.searchsorted(stamps_s, at_s), 0, len(stamps_s) - 1)
    before = np.maximum(after - 1, 0)
    exact = stamps_s[after] == at_s
    gap = stamps_s[after] - stamps_s[before]
    inside = (stamps_s[before] <= at_s) & (at_s <= stamps_s[after]) & (gap <= max_gap_s + GAP_ROUNDING_S)
    fraction = np.where(exact, 1.0, np.divide(at_s - stamps_s[before], gap, out=np.ones(len(at_s)), where=gap > 0))
    return after, fraction, exact | inside


def mean_rotation(R: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Computes the (3, 3) rotation with the smallest sum of squared chordal distances to (n, 3, 3) rotations.

    Args:
        R: (n, 3, 3) rotations.
        weights: (n,) weights; None for equal ones.

    Source: Hartley et al. 2013, Rotation Averaging, section 5.3.
    """
    return nearest_rotation(np.average(R, axis=0, weights=weights))


def median_rotation(R: np.ndarray, iterations: int = 12) -> np.ndarray:
    """Computes the (3, 3) rotation with the smallest sum of chordal distances to (n, 3, 3) rotations, which outliers affect little.

    Args:
        R: (n, 3, 3) rotations.
        iterations: steps of Weiszfeld's method.
    """
    centre = mean_rotation(R)
    for _ in range(iterations):
        distance = np.linalg.norm(R - centre, axis=(1, 2))
        centre = mean_rotation(R, 1 / np.maximum(distance, 1e-4))
    return centre
