"""Computes the figures of metrics.json from the stored results of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..geometry import category_index, ypr_deg_from_rotation
from ..types import CATEGORIES
from .metrics import AXES, AngleErrors, by_bin, coarse_accuracy, rotation_errors, std_calibration, std_ratios, wrapped_deg
from .rotations import rotations_from_quaternions
from .sequences import blocks, bootstrap, calibration_curve, id_switches, rest_jitter, smoothing_lag_s
from .series import STAGES, Series
from .truth.alignment import Alignment, Pairs
from .truth.heads import Truth

YAW_EDGES_DEG = np.array([-180, -90, -75, -60, -45, -30, -15, 0, 15, 30, 45, 60, 75, 90, 180], float)
PITCH_EDGES_DEG = np.array([-90, -60, -45, -30, -15, 0, 15, 30, 45, 60, 90], float)


@dataclass(frozen=True, eq=False)
class Scored:
    """The results of an evaluated recording.

    Attributes:
        name: the recording's name.
        series: results of faces and images.
        aligned_true: (len(series.matched), 3, 3) truth after alignment, NaN where unknown; None without alignment.
        wall_s: duration of the evaluation, seconds.
    """

    name: str
    series: Series
    aligned_true: np.ndarray | None
    wall_s: float


def pairs_of(series: Series, truth: Truth) -> list[Pairs]:
    """Returns the unsmoothed estimates of each true head that was found."""
    rows = series.matched
    return [
        Pairs(head, part['stamp_s'].copy(), rotations_from_quaternions(part['q_unsmoothed']))
        for k, head in enumerate(truth.heads)
        if len(part := rows[rows['head'] == k])
    ]


def aligned_truth(series: Series, truth: Truth, alignment: Alignment, max_gap_s: float) -> np.ndarray:
    """Computes the (n, 3, 3) aligned truth of the n matched faces, NaN where unknown."""
    rows = series.matched
    R = np.full((len(rows), 3, 3), np.nan)
    for k, head in enumerate(truth.heads):
        mine = rows['head'] == k
        R[mine] = alignment.apply(head, rows['stamp_s'][mine], max_gap_s)[0]
    return R


def summarise(scored: Sequence[Scored]) -> dict[str, Any]:
    """Computes the figures of one recording, or of several together; a figure that cannot be determined is None.

    Means over several recordings are over all their faces, so a long recording has more weight.
    """
    faces = _pooled([s.series.matched for s in scored])
    out: dict[str, Any] = {'images': _images(scored), 'detection': _detection(scored)}
    if len(faces):
        R_true = rotations_from_quaternions(faces['q_true'])
        out |= _error_figures(faces, R_true, 'q')
        out['unsmoothed'] = _error_figures(faces, R_true, 'q_unsmoothed')
        if all(s.aligned_true is not None for s in scored if len(s.series.matched)):
            aligned = np.concatenate([s.aligned_true for s in scored if s.aligned_true is not None])
            known = np.isfinite(aligned).all(axis=(1, 2))
            if known.any():
                out['aligned'] = _error_figures(faces[known], aligned[known], 'q')
                out['aligned']['unsmoothed'] = _error_figures(faces[known], aligned[known], 'q_unsmoothed')
    out['jitter_deg'] = _jitter(scored, 'q')
    out.setdefault('unsmoothed', {})['jitter_deg'] = _jitter(scored, 'q_unsmoothed')
    lags = [lag for s in scored if np.isfinite(lag := smoothing_lag_s(s.series))]
    out['lag_s'] = {'of_smoothing': float(np.mean(lags)) if lags else None}
    out['stated_std_deg'] = _spread(_pooled([s.series.found for s in scored])['std_deg'].mean(axis=1))
    out['latency_ms'] = _latency(scored)
    out['agreement_deg'] = _spread(_pooled([s.series.found for s in scored])['other_deg'])
    block_sums = [_block_sums(s) for s in scored]
    out['ci95'] = bootstrap(block_sums)
    if len(scored) > 1:
        out['ci95_of_these'] = bootstrap(block_sums, resample_recordings=False)
    return out


def _spread(values: np.ndarray) -> dict[str, float] | None:
    """Returns n, mean, std, p50, p90, p95, p99 and max of the finite values; None without any."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    p50, p90, p95, p99 = np.percentile(values, [50, 90, 95, 99])
    return {
        'n': len(values),
        'mean': float(values.mean()),
        'std': float(values.std()),
        'p50': float(p50),
        'p90': float(p90),
        'p95': float(p95),
        'p99': float(p99),
        'max': float(values.max()),
    }


def _error_figures(faces: np.ndarray, R_true: np.ndarray, column: str) -> dict[str, Any]:
    """Figures of the errors of the estimates in one column."""
    R = rotations_from_quaternions(faces[column])
    errors = rotation_errors(R_true, R)
    signed = wrapped_deg(ypr_deg_from_rotation(R) - ypr_deg_from_rotation(R_true))
    true_ypr = ypr_deg_from_rotation(R_true)
    signed[np.isnan(errors.absolute_deg)] = np.nan
    out: dict[str, Any] = {'geodesic_deg': _spread(errors.geodesic_deg)}
    for i, axis in enumerate(AXES):
        out[f'{axis}_deg'] = _axis(errors, signed, i)
    known = [out[f'{axis}_deg']['mae'] for axis in AXES if out[f'{axis}_deg']]
    out['mae_deg'] = float(np.mean(known)) if known else None
    behind = R_true[:, 2, 0] > 0
    yaw = np.where(behind, np.sign(true_ypr[:, 0]) * (180 - np.abs(true_ypr[:, 0])), true_ypr[:, 0])
    pitch = np.degrees(np.arcsin(np.clip(-R_true[:, 1, 0], -1, 1)))
    out['by_yaw'] = by_bin(yaw, errors.geodesic_deg, YAW_EDGES_DEG)
    out['by_pitch'] = by_bin(pitch, errors.geodesic_deg, PITCH_EDGES_DEG)
    out['coarse'] = coarse_accuracy(rotations_from_quaternions(faces['q_crop']) @ R_true, np.eye(len(CATEGORIES))[faces['category']])
    out['calibration'] = _calibration(R_true, R, faces['std_deg'])
    return out


def _axis(errors: AngleErrors, signed_deg: np.ndarray, i: int) -> dict[str, float] | None:
    stats = _spread(errors.absolute_deg[:, i])
    if stats is None:
        return None
    return {'mae': stats.pop('mean'), 'bias': float(np.nanmean(signed_deg[:, i])), **stats}


def _calibration(R_true: np.ndarray, R: np.ndarray, std_deg: np.ndarray) -> dict[str, Any] | None:
    stated = np.isfinite(std_deg).all(axis=1) & (std_deg > 0).all(axis=1)
    if not stated.any():
        return None
    R_true, R, std_rad = R_true[stated], R[stated], np.radians(std_deg[stated].astype(float))
    return std_calibration(R_true, R, std_rad) | {'curve': calibration_curve(std_ratios(R_true, R, std_rad))}


def _images(scored: Sequence[Scored]) -> dict[str, Any]:
    images = [s.series.images for s in scored]
    duration_s = sum(s.series.duration_s for s in scored)
    wall_s = sum(s.wall_s for s in scored)
    unreadable, dropped = (int(sum(i[name].sum() for i in images)) for name in ('unreadable', 'dropped'))
    recorded = sum(len(i) for i in images)
    count, answered = recorded - unreadable, recorded - dropped
    return {
        'n': count,
        'unreadable': unreadable,
        'readable': count / recorded if recorded else None,
        'dropped': dropped,
        'duration_s': duration_s,
        'with_face': int(sum((i['faces'] > 0).sum() for i in images)),
        'coverage': float(sum((i['faces'] > 0).sum() for i in images) / answered) if answered else None,
        'faces': int(sum(i['faces'].sum() for i in images)),
        'tracks': sum(len(s.series.tracks) for s in scored),
        'wall_s': wall_s,
        'per_second': count / wall_s if wall_s else None,
        'times_real_time': duration_s / wall_s if wall_s else None,
    }


def _detection(scored: Sequence[Scored]) -> dict[str, Any]:
    images = _pooled([s.series.images for s in scored])
    heads, missed, unmatched = (int(images[name].sum()) for name in ('heads', 'missed', 'unmatched'))
    false_faces = [s.series.false_faces for s in scored]
    out: dict[str, Any] = {
        'true_heads': heads,
        'missed': missed,
        'rate': (heads - missed) / heads if heads else None,
        'rate_facing': None,
        'unmatched': unmatched,
        'false_faces': None if None in false_faces else sum(filter(None, false_faces)),
        'id_switches': sum(id_switches(s.series) for s in scored) if heads else None,
    }
    faces = _pooled([s.series.faces[s.series.faces['head'] >= 0] for s in scored])
    if len(faces):
        R_true = rotations_from_quaternions(faces['q_true'])
        found = np.isfinite(faces['q'][:, 0])
        facing = R_true[:, 2, 0] <= 0
        out['rate_facing'] = float(found[facing].mean()) if facing.any() else None
        yaw = ypr_deg_from_rotation(R_true)[:, 0]
        out['rate_by_yaw'] = by_bin(np.where(facing, yaw, np.sign(yaw) * (180 - np.abs(yaw))), found.astype(float), YAW_EDGES_DEG)
    return out


def _jitter(scored: Sequence[Scored], column: str) -> dict[str, Any]:
    """Jitter over recordings: the root mean square, weighted by the number of resting frames."""
    parts = [rest_jitter(s.series, column, truth=len(s.series.matched) > 0) for s in scored]
    count = sum(n for _, n in parts)
    squares = sum(value**2 * n for value, n in parts if n)
    return {'rest': float(np.sqrt(squares / count)) if count else None, 'resting_frames': count}


def _latency(scored: Sequence[Scored]) -> dict[str, Any]:
    images = _pooled([s.series.images for s in scored])
    return {stage: stats for stage in STAGES if (stats := _spread(images[stage])) is not None}


def _block_sums(scored: Scored) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Sums and counts in blocks of time for each figure with a confidence interval."""
    series = scored.series
    out: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def add(name: str, stamps_s: np.ndarray, values: np.ndarray) -> None:
        known = np.isfinite(values)
        if known.any():
            number = blocks(stamps_s, series.images['stamp_s'])[known]
            out[name] = np.bincount(number, values[known]), np.bincount(number).astype(float)

    rows = series.matched
    if len(rows):
        truths = {'': rotations_from_quaternions(rows['q_true'])}
        if scored.aligned_true is not None:
            truths['aligned.'] = scored.aligned_true
        for prefix, R_true in truths.items():
            known = np.isfinite(R_true).all(axis=(1, 2))
            for name, column in (('', 'q'), ('unsmoothed.', 'q_unsmoothed')):
                errors = rotation_errors(R_true[known], rotations_from_quaternions(rows[column][known]))
                add(f'{prefix}{name}geodesic_deg.mean', rows['stamp_s'][known], errors.geodesic_deg)
                for i, axis in enumerate(AXES):
                    add(f'{prefix}{name}{axis}_deg.mae', rows['stamp_s'][known], errors.absolute_deg[:, i])
        in_crop = rotations_from_quaternions(rows['q_crop']) @ truths['']
        add('coarse.beyond_0', rows['stamp_s'], (rows['category'] == category_index(in_crop)).astype(float))
    heads = series.faces[series.faces['head'] >= 0]
    add('detection.rate', heads['stamp_s'], np.isfinite(heads['q'][:, 0]).astype(float))
    answered = series.images[~series.images['dropped']]
    add('images.coverage', answered['stamp_s'], (answered['faces'] > 0).astype(float))
    add('agreement_deg.mean', series.found['stamp_s'], series.found['other_deg'])
    for stage in STAGES:
        add(f'latency_ms.{stage}.mean', series.images['stamp_s'], series.images[stage])
    return out


def _pooled(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]
