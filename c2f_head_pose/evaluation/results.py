"""Builds, writes and reads metrics.json (schema: docs/evaluation.md), and stores a recording's results beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..files import written_whole
from ..geometry import geodesic_deg
from .attention.timeline import Span
from .evaluate import Evaluated
from .gate import Change
from .report.worst import Thumbnail
from .series import Series
from .summary import Scored, summarise
from .truth.alignment import Alignment

SCHEMA = 'c2f_head_pose.evaluation/1'
_SERIES, _ALIGNED, _WORST = 'series.npz', 'aligned.npy', 'worst.json'


class ResultError(ValueError):
    """A folder or file does not hold the result of an evaluation."""


def recording_record(evaluated: Evaluated) -> dict[str, Any]:
    """Builds a recording's entry in `recordings`."""
    record: dict[str, Any] = {
        'name': evaluated.name,
        'path': evaluated.path,
        'complete': not evaluated.errors,
        'errors': list(evaluated.errors),
        'notes': dict(evaluated.notes),
        'topics': list(evaluated.topics),
        'truth': evaluated.truth,
        'alignment': None if evaluated.alignment is None else alignment_record(evaluated.alignment),
        'likelier_convention': None if evaluated.likelier is None else dict(zip(('axes', 'parent'), evaluated.likelier)),
    }
    if evaluated.scored is not None:
        record['figures'] = summarise([evaluated.scored])
        if evaluated.attention is not None:
            record['attention'] = attention_record(evaluated.attention, float(evaluated.scored.series.images['stamp_s'].min()))
    return record


def attention_record(spans: Sequence[Span], start_s: float) -> list[dict[str, Any]]:
    """Converts spans to plain values, with times from a recording's first stamp."""
    return [
        {
            'begin_s': round(span.begin_s - start_s, 6),
            'end_s': round(span.end_s - start_s, 6),
            'state': span.state.value,
            'reason': span.reason.value,
            'zone': span.zone,
        }
        for span in spans
    ]


def alignment_record(alignment: Alignment) -> dict[str, Any]:
    """Converts an alignment to plain numbers."""
    return {
        'time_offset_s': alignment.time_offset_s,
        'time_offset_std_s': alignment.time_offset_std_s,
        'time_offset_found': alignment.time_offset_found,
        'side': alignment.side,
        'rotation_deg': alignment.rotation_deg,
        'rotations': {side: R.tolist() for side, R in alignment.rotations.items()},
        'residuals_deg': dict(alignment.residuals_deg),
        'residual_raw_deg': alignment.residual_raw_deg,
        'samples': alignment.samples,
        'curve': alignment.curve.tolist(),
    }


def alignment_change(now: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Computes the change of an alignment from the baseline's. A model's constant bias is in both, so it cancels out.

    Args:
        now: an alignment record; None unknown.
        before: the baseline's alignment record, of the same recording or set-up; None unknown.

    Returns:
        Changes of the time offset (seconds) and of the rotation (degrees); None if an alignment is unknown.
    """
    if not now or not before:
        return None
    R_before, R_now = np.array(before['rotations'][now['side']]), np.array(now['rotations'][now['side']])
    return {'time_offset_s': now['time_offset_s'] - before['time_offset_s'], 'rotation_deg': float(geodesic_deg(R_before, R_now))}


def result_record(
    command: Sequence[str],
    environment: Mapping[str, Any],
    recordings: Sequence[Mapping[str, Any]],
    overall: Mapping[str, Any],
    changes: Sequence[Change] | None,
    gate: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Builds the content of metrics.json."""
    return {
        'schema': SCHEMA,
        'complete': all(r['complete'] for r in recordings),
        'command': list(command),
        'environment': dict(environment),
        'overall': dict(overall),
        'recordings': list(recordings),
        'comparison': None if changes is None else [asdict(c) for c in changes],
        'gate': list(gate),
    }


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes strict JSON, with null for NaN, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(json.dumps(plain(record), indent=1, allow_nan=False))


def keep_results(folder: Path, evaluated: Evaluated) -> dict[str, Any]:
    """Stores a recording's results in its folder and builds its entry; where they cannot be stored, that is an error of the recording."""
    if evaluated.scored is not None:
        try:
            save_series(folder, evaluated.scored, evaluated.worst)
        except OSError as error:
            evaluated.errors.append(f'the results cannot be stored in {folder} ({error.strerror or error})')
    return recording_record(evaluated)


def save_series(folder: Path, scored: Scored, worst: Sequence[Thumbnail]) -> None:
    """Stores a recording's results, so that results of several machines can be combined."""
    scored.series.save(folder / _SERIES)
    write_json(folder / _WORST, {'worst': [asdict(t) for t in worst]})
    if scored.aligned_true is not None:
        np.save(folder / _ALIGNED, scored.aligned_true.astype(np.float32))
    else:
        (folder / _ALIGNED).unlink(missing_ok=True)


def is_result(path: Path) -> bool:
    """Whether evaluate_bag wrote a folder for one recording; a rosbag with results among its own files is a recording."""
    return (path / _SERIES).is_file() and (path / 'metrics.json').is_file() and not (path / 'metadata.yaml').exists()


def load_result(folder: Path) -> tuple[dict[str, Any], Scored, list[Thumbnail]]:
    """Reads the result of an earlier evaluation of one recording.

    Returns:
        The entry of `recordings`, the stored results, and the thumbnails.

    Raises:
        ResultError: for a folder with damaged or other files.
    """
    record = read_metrics(folder / 'metrics.json')
    try:
        entry = record['recordings'][0]
        entry.pop('alignment_change', None)  # against the baseline of that evaluation, not of this one
        aligned = np.load(folder / _ALIGNED, allow_pickle=False).astype(float) if (folder / _ALIGNED).is_file() else None
        wall_s = (entry.get('figures') or {}).get('images', {}).get('wall_s') or 0.0
        stored = json.loads((folder / _WORST).read_text())['worst'] if (folder / _WORST).is_file() else []
        scored = Scored(str(entry['name']), Series.load(folder / _SERIES), aligned, float(wall_s))
        return entry, scored, [Thumbnail(**t) for t in stored]
    except Exception as error:  # numpy, zipfile and json raise a dozen classes for damaged files
        raise ResultError(f'{folder} holds a damaged result ({type(error).__name__}: {error}); evaluate the recording again') from error


def read_metrics(path: Path) -> dict[str, Any]:
    """Reads a metrics.json, or that of a folder.

    Raises:
        ResultError: for a file that is missing, not JSON, or of another schema.
    """
    if path.is_dir():
        path = path / 'metrics.json'
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f'{path} cannot be read as metrics.json ({error}); name a folder or file that evaluate_bag wrote') from None
    if not isinstance(record, dict) or record.get('schema') != SCHEMA:
        raise ResultError(f'{path} is not a result of this version: its schema is not {SCHEMA}; evaluate the recording again')
    return record


def plain(value: Any) -> Any:
    """Converts a record for JSON: numpy's numbers to Python's, NaN and infinities to None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    return int(value) if isinstance(value, np.integer) else value
