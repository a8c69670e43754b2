"""Prepares the report's data: thinned curves, samples and histograms, whose size does not grow with the recording's length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...geometry import geodesic_deg, ypr_deg_from_rotation
from ..rotations import rotations_from_quaternions
from ..series import STAGES, Series
from ..summary import Scored
from .worst import Thumbnail

_POINTS = 1500
_CURVES = 6
_SCATTER = 1500
_BINS = 60
_BREAK = 3.0


def drawn(scored: Scored, worst: Sequence[Thumbnail], seed: int = 0) -> dict[str, Any]:
    """Returns one recording's data for the report's script.

    Args:
        scored: the recording's results.
        worst: thumbnails, the worst first.
        seed: seed of the random sample in the scatter plot.
    """
    series = scored.series
    start_s = float(series.images['stamp_s'].min()) if len(series.images) else 0.0
    return {
        'name': scored.name,
        'duration': float(np.ptp(series.images['stamp_s'])) if len(series.images) else 0.0,
        'curves': list(_curves(scored, start_s)),
        'scatter': _scatter(scored, seed),
        'histograms': _histograms(scored),
        'latency': _latency(series),
        'worst': [{'t': _rounded(t.stamp_s - start_s, 3), 'frame': t.frame, 'caption': t.caption, 'jpeg': t.jpeg_base64} for t in worst],
    }


def _curves(scored: Scored, start_s: float) -> Iterator[dict[str, Any]]:
    """Angles over time: of each true head, then of the faces without a true head by track, the longest first."""
    series = scored.series
    matched = series.matched
    for k, name in enumerate(series.heads):
        mine = matched['head'] == k
        if mine.any():
            aligned = None if scored.aligned_true is None else scored.aligned_true[mine]
            yield _curve(name, matched[mine], start_s, aligned)
    rest = series.found[series.found['head'] < 0]
    tracks, counts = np.unique(rest['track'], return_counts=True)
    for track in tracks[np.argsort(-counts)][:_CURVES]:
        yield _curve('faces' if track < 0 else series.tracks[track], rest[rest['track'] == track], start_s, None)


def _curve(name: str, rows: np.ndarray, start_s: float, aligned: np.ndarray | None) -> dict[str, Any]:
    order = np.argsort(rows['stamp_s'], kind='stable')
    order = order[:: max(1, -(-len(order) // _POINTS))]
    rows = rows[order]
    R, known = rotations_from_quaternions(rows['q']), bool(np.isfinite(rows['q_true']).all())
    R_true = rotations_from_quaternions(rows['q_true']) if known else None
    step = float(np.median(np.diff(rows['stamp_s']))) if len(rows) > 1 else 0.1
    curve: dict[str, Any] = {
        'name': name,
        't': _rounded(rows['stamp_s'] - start_s, 3),
        'gap': _rounded(_BREAK * max(step, 0.03), 3),
        'angles': _rounded(ypr_deg_from_rotation(R)),
        'unsmoothed': _rounded(ypr_deg_from_rotation(rotations_from_quaternions(rows['q_unsmoothed']))),
        'std': _rounded(rows['std_deg'][:, ::-1]),  # about head x, y, z: roll, pitch, yaw
    }
    if R_true is not None:
        curve |= {'truth': _rounded(ypr_deg_from_rotation(R_true)), 'error': _rounded(geodesic_deg(R_true, R))}
    if aligned is not None:
        curve |= {'aligned': _rounded(ypr_deg_from_rotation(aligned[order])), 'aligned_error': _rounded(geodesic_deg(aligned[order], R))}
    return curve


def _scatter(scored: Scored, seed: int) -> dict[str, Any] | None:
    rows = scored.series.matched
    if not len(rows):
        return None
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_SCATTER])
    R_true, R = rotations_from_quaternions(rows['q_true'][chosen]), rotations_from_quaternions(rows['q'][chosen])
    out = {'angles': _rounded(ypr_deg_from_rotation(R_true), 1), 'error': _rounded(geodesic_deg(R_true, R))}
    if scored.aligned_true is not None:
        out['aligned_error'] = _rounded(geodesic_deg(scored.aligned_true[chosen], R))
    return out


def _histograms(scored: Scored) -> dict[str, Any]:
    """Histograms of the errors up to their 99.5th percentile; the last bin holds all larger ones."""
    rows = scored.series.matched
    if not len(rows):
        return {}
    R = rotations_from_quaternions(rows['q'])
    errors = {'raw': geodesic_deg(rotations_from_quaternions(rows['q_true']), R)}
    if scored.aligned_true is not None:
        errors['aligned'] = geodesic_deg(scored.aligned_true, R)
    errors = {name: values[np.isfinite(values)] for name, values in errors.items()}
    top = max(float(np.percentile(values, 99.5)) for values in errors.values() if len(values))
    edges = np.linspace(0, max(np.ceil(top), 1.0), _BINS + 1)
    return {'edges': _rounded(edges, 3)} | {
        name: np.histogram(np.minimum(values, edges[-1]), edges)[0].tolist() for name, values in errors.items()
    }


def _latency(series: Series) -> dict[str, Any]:
    """Histogram of each stage from 0 to its 99.5th percentile."""
    known = {stage: series.images[stage][np.isfinite(series.images[stage])] for stage in STAGES}
    known = {stage: values for stage, values in known.items() if len(values)}
    out: dict[str, Any] = {}
    for stage, values in known.items():
        edges = np.linspace(0, max(float(np.percentile(values, 99.5)), 0.1), _BINS // 2 + 1)
        out[stage] = {'edges': _rounded(edges, 3), 'counts': np.histogram(np.minimum(values, edges[-1]), edges)[0].tolist()}
    return out


def _rounded(values: Any, digits: int = 2) -> Any:
    """Converts to plain numbers with few digits; None for numbers that are not finite."""
    array = np.asarray(values, float)
    plain = np.where(np.isfinite(array), np.round(array, digits), np.nan).tolist()
    return _none_for_nan(plain)


def _none_for_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_none_for_nan(v) for v in value]
    return value if value == value else None  # NaN is not itself
