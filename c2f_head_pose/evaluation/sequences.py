"""Computes measures over time: jitter at rest, the smoothing's lag, identity switches, and confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from .metrics import jitter_deg, student_t95
from .rotations import interpolate, rotations_from_quaternions
from .series import Series, runs

_REST_DEG_S = 8.0
"""A head that rotates slower than this is at rest; a natural still head drifts by a few degrees a second."""
_REST_LEAST = 8
_REST_WINDOW_S = 0.25
_LAG_LARGEST_S = 0.5
_LAG_STEP_S = 0.01
_LAG_LEAST_SPEED_DEG_S = 10.0
_LAG_SAMPLE = 4000
_CONFIDENCE = 0.95
_LEAST_BLOCKS = 2
_REPLICATES = 1000
BLOCK_S = 2.0
"""Length of a block, seconds. Errors of neighbouring frames are correlated; those of blocks of two seconds are nearly independent."""


def rest_jitter(series: Series, column: str, truth: bool) -> tuple[float, int]:
    """Computes the high-pass noise of resting heads.

    The speed of a head is that of the truth, or without a truth that of the estimate over a quarter of a second.

    Args:
        series: results of a recording.
        column: 'q' (as published) or 'q_unsmoothed'.
        truth: use q_true for the speed.

    Returns:
        The root mean square in degrees, NaN without resting frames, and their number.
    """
    squares, count = 0.0, 0
    for rows in runs(series.matched if truth else series.found, series.max_gap_s):
        if len(rows) < _REST_LEAST:
            continue
        resting = _speed_deg_s(rows, 'q_true' if truth else 'q') < _REST_DEG_S
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(resting)) + 1):
            if resting[part[0]] and len(part) >= _REST_LEAST:
                jitter = jitter_deg(rotations_from_quaternions(rows[column][part]))
                squares += jitter**2 * len(part)
                count += len(part)
    return (float(np.sqrt(squares / count)) if count else float('nan')), count


def _speed_deg_s(rows: np.ndarray, column: str) -> np.ndarray:
    """(n,) speed of rotation over a window about each row, degrees a second."""
    stamps = rows['stamp_s']
    half = max(1, round(_REST_WINDOW_S / 2 / max(float(np.median(np.diff(stamps))), 1e-3)))
    low, high = np.maximum(np.arange(len(rows)) - half, 0), np.minimum(np.arange(len(rows)) + half, len(rows) - 1)
    cosine = np.abs(np.sum(rows[column][low].astype(float) * rows[column][high], axis=1))
    return np.degrees(2 * np.arccos(np.clip(cosine, 0, 1))) / np.maximum(stamps[high] - stamps[low], 1e-6)


def smoothing_lag_s(series: Series) -> float:
    """Computes the delay of the published rotation against the unsmoothed one, seconds; NaN if no head moves enough.

    It is the shift with the smallest sum of squared chordal distances between the two, at which their cross-correlation peaks.
    """
    shifts = np.arange(-0.1, _LAG_LARGEST_S, _LAG_STEP_S)
    cost, weight = np.zeros(len(shifts)), np.zeros(len(shifts))
    for rows in runs(series.found, series.max_gap_s):
        if len(rows) < 3 * _REST_LEAST:
            continue
        moving = rows[_speed_deg_s(rows, 'q_unsmoothed') > _LAG_LEAST_SPEED_DEG_S]
        inside = (moving['stamp_s'] > rows['stamp_s'][0] + 0.1) & (moving['stamp_s'] < rows['stamp_s'][-1] - _LAG_LARGEST_S)
        moving = moving[inside]
        if not len(moving):
            continue
        moving = moving[:: max(1, len(moving) // _LAG_SAMPLE)]
        for k, shift in enumerate(shifts):
            q, known = interpolate(rows['stamp_s'], rows['q'], moving['stamp_s'] + shift, series.max_gap_s)
            cosine = np.abs(np.sum(q[known] * moving['q_unsmoothed'][known], axis=1))
            cost[k] += np.sum(1 - cosine**2)
            weight[k] += known.sum()
    if not weight.all():
        return float('nan')
    mean = cost / weight
    k = int(np.clip(np.argmin(mean), 1, len(shifts) - 2))
    curvature = mean[k - 1] - 2 * mean[k] + mean[k + 1]
    vertex = 0.5 * (mean[k - 1] - mean[k + 1]) / curvature if curvature > 0 else 0.0
    return float(shifts[k] + _LAG_STEP_S * np.clip(vertex, -1, 1))


def id_switches(series: Series) -> int:
    """Counts how often a true head's track changes (MOTA's identity switches)."""
    rows = series.matched
    return sum(int(np.count_nonzero(np.diff(rows['track'][rows['head'] == head]))) for head in np.unique(rows['head']))


def calibration_curve(sigmas: np.ndarray) -> list[list[float]]:
    """Compares stated with actual confidence.

    Args:
        sigmas: (n, 3) absolute errors of the rotation vector's components divided by their stated standard deviations.

    Returns:
        Pairs of a probability and the share of errors inside its interval; empty without errors.
    """
    levels = [p / 20 for p in range(1, 20)]
    return [[p, float((sigmas <= NormalDist().inv_cdf(0.5 + p / 2)).mean())] for p in levels] if sigmas.size else []


def blocks(stamps_s: np.ndarray, images_s: np.ndarray) -> np.ndarray:
    """Numbers a recording's blocks of two seconds from 0 on. Only blocks with an image count, as a clock that jumps skips millions.

    Args:
        stamps_s: (n,) stamps of some of the images, seconds.
        images_s: (m,) stamps of all images, seconds, m > 0.

    Returns:
        (n,) number of the block of each stamp.
    """
    some, every = (np.floor((s - images_s.min()) / BLOCK_S) for s in (stamps_s, images_s))
    return np.searchsorted(np.unique(every), some)


def bootstrap(
    recordings: Sequence[Mapping[str, tuple[np.ndarray, np.ndarray]]], seed: int = 0, resample_recordings: bool = True
) -> dict[str, list[float]]:
    """Computes 95 % confidence intervals of means by resampling blocks of time, and recordings if there are several.

    Args:
        recordings: for each recording, (k,) sums and (k,) counts over its blocks by figure.
        seed: seed of the resampling.
        resample_recordings: whether the intervals are to hold for other recordings of the same kind, and not for these alone.

    Returns:
        [low, high] by figure; figures with fewer than two blocks are omitted, and of these recordings alone those with one block in each.

    Source: Kuensch 1989 (blocks); Davison and Hinkley 1997, section 3.8 (two levels).
    """
    names = sorted({name for recording in recordings for name in recording})
    rng = np.random.default_rng(seed)
    drawn = np.tile(np.arange(len(recordings)), (_REPLICATES, 1))
    if resample_recordings:
        drawn = rng.integers(len(recordings), size=drawn.shape)
    sums, counts = np.zeros((_REPLICATES, len(names))), np.zeros((_REPLICATES, len(names)))
    whole, known_blocks, known_in = np.zeros((2, len(names))), np.zeros(len(names), int), np.zeros(len(names), int)
    for k, recording in enumerate(recordings):
        n = max((len(c) for _, c in recording.values()), default=0)
        if n == 0:
            continue
        table = np.zeros((2, n, len(names)))
        for name, parts in recording.items():
            for row, values in zip(table, parts):
                row[: len(values), names.index(name)] = values
        whole += table.sum(axis=1)
        known_blocks += (table[1] > 0).sum(axis=0)
        known_in += (table[1] > 0).any(axis=0)
        times = (drawn == k).sum(axis=1)
        for turn in range(int(times.max(initial=0))):
            chosen = rng.multinomial(n, np.full(n, 1 / n), size=_REPLICATES) * (times > turn)[:, None]
            sums += chosen @ table[0]
            counts += chosen @ table[1]
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    intervals = {}
    for j, name in enumerate(names):
        if known_blocks[j] >= _LEAST_BLOCKS:
            middle = whole[0, j] / whole[1, j]
            low, high = np.nanquantile(means[:, j], [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
            n, spent = (known_in[j], 1) if resample_recordings and known_in[j] > 1 else (known_blocks[j], known_in[j])
            if n == spent:
                continue
            widened = _small_sample_factor(int(n), int(n - spent))
            intervals[name] = [float(middle - widened * (middle - low)), float(middle + widened * (high - middle))]
    return intervals


def _small_sample_factor(n: int, degrees: int) -> float:
    """Factor that widens the bootstrap's interval of n blocks or recordings: Student's t for the normal quantile, and `degrees` for n.

    Args:
        n: number of blocks or recordings that are resampled.
        degrees: degrees of freedom: n less one for each mean about which they are resampled.

    Source: Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 3.2 (expanded percentile interval).
    """
    return float(student_t95(degrees) / NormalDist().inv_cdf((1 + _CONFIDENCE) / 2) * np.sqrt(n / degrees))
