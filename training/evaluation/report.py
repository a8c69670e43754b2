"""Writes the results of an evaluation: a printed line, a csv row, a csv of every face, plots, and a sheet of the worst cases."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics
from c2f_head_pose.files import written_whole

from ..datasets.label_sheet import draw_axes, sheet
from . import plots

FIELDS = (
    'model',
    'set',
    'crop',
    'n',
    'turned_away',
    'beyond_90',
    'nearer_yaw',
    'nearer_pitch',
    'nearer_roll',
    'detected',
    'yaw',
    'yaw_std',
    'pitch',
    'pitch_std',
    'roll',
    'roll_std',
    'mae',
    'geodesic',
    'p50',
    'p90',
    'p99',
    'coarse',
    'coarse_beyond_1',
    'coarse_beyond_3',
    'coarse_beyond_5',
    'coarse_beyond_10',
    'within_1',
    'within_2',
    'jitter',
    'ms',
    'threads',
    'command',
    'commit',
    'trained_by',
    'data_hash',
    'seed',
    'files',
)


@dataclass(frozen=True, eq=False)
class Result:
    """A model's estimates on a set and their figures.

    Attributes:
        row: the row of summary.csv, by FIELDS.
        names: the faces' names.
        truth_ypr_deg: (N, 3), nan if unknown.
        R: (N, 3, 3) estimated rotations.
        std_rad: (N, 3) estimated standard deviations.
        errors: errors of each face.
        crops: (N, S, S) uint8, the network's input.
        R_crop_true: (N, 3, 3) true R_crop_head; an unknown roll counts as 0; nan if yaw or pitch is unknown.
    """

    row: dict[str, object]
    names: list[str]
    truth_ypr_deg: np.ndarray
    R: np.ndarray
    std_rad: np.ndarray
    errors: metrics.AngleErrors
    crops: np.ndarray = field(repr=False)
    R_crop_true: np.ndarray = field(repr=False)


def line(row: dict[str, object]) -> str:
    """Formats a row as one line of text."""

    def shown(*keys: str, joint: str = '±', digits: int = 2, factor: float = 1, unit: str = '') -> str:
        values = [row.get(key) for key in keys]
        if any(value is None or np.isnan(value) for value in values):
            return '-'
        return joint.join(f'{value * factor:.{digits}f}' for value in values) + unit

    share = {'joint': '/', 'digits': 1, 'factor': 100, 'unit': ' %'}
    away = f' ({row["turned_away"]} turned beyond 90 degrees: without angles)' if 'turned_away' in row else ''
    beyond = ''
    if 'beyond_90' in row:
        angles = ' '.join(f'{axis} {shown(f"nearer_{axis}")}' for axis in metrics.AXES)
        beyond = f'  ({row["beyond_90"]} estimated beyond a yaw of 90 degrees, where pitch and roll jump by 180; without jumps {angles})'
    detected = f' detected {shown("detected", **share)}' if 'detected' in row else ''
    return (
        f'{row["model"]} {row["set"]} @{row["crop"]}: n {row["n"]}{away}{detected}  yaw {shown("yaw", "yaw_std")} pitch '
        f'{shown("pitch", "pitch_std")} roll {shown("roll", "roll_std")} MAE {shown("mae")} geodesic {shown("geodesic")} '
        f'(p50 {shown("p50")}, p90 {shown("p90")})  coarse {shown("coarse", **share)} ({shown("coarse_beyond_3", **share)} beyond 3)  '
        f'within 1/2 std {shown("within_1", "within_2", **share)}  {shown("ms", unit=" ms")}{beyond}'
    )


def files_of(row: dict[str, object], *what: object) -> str:
    """Returns the prefix of a result's file names: model, set and crop, and 8 hex digits of a hash over `what` (weights, options)."""
    words = re.sub(r'[^\w.+-]+', '_', f'{row["model"]}_{row["set"]}_{row["crop"]}')
    return f'{words[:100]}_{hashlib.sha256(repr(what).encode()).hexdigest()[:8]}'


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Appends rows to a csv of FIELDS and replaces rows with the same `files`; an older file keeps its own columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names, kept = list(FIELDS), []
    if path.exists():
        with open(path, newline='') as file:
            before = csv.DictReader(file)
            names = before.fieldnames or names
            kept = [old for old in before if not old.get('files') or old['files'] not in [row.get('files') for row in rows]]
    with written_whole(path, path.with_suffix(f'.part{os.getpid()}')) as part, open(part, 'w', newline='') as file:
        writer = csv.DictWriter(file, names, extrasaction='ignore')
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in row.items()} for row in (*kept, *rows))


def _cell(value: object) -> object:
    """A number with five digits, empty if it is not known; anything else as it is."""
    return value if not isinstance(value, float) else '' if np.isnan(value) else f'{value:.5g}'


def write_report(folder: Path, result: Result) -> None:
    """Writes a csv of every face, plots of error by pose and of calibration, and a sheet of the 32 worst faces; `files` is their prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = result.row.setdefault('files', files_of(result.row))
    estimated = geometry.ypr_deg_from_rotation(result.R)
    with open(folder / f'{stem}.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                'name',
                *(f'{kind}_{axis}_deg' for kind in ('true', 'estimated') for axis in metrics.AXES),
                'geodesic_deg',
                'std_x_deg',
                'std_y_deg',
                'std_z_deg',
            ]
        )
        for i, name in enumerate(result.names):
            writer.writerow(
                [
                    name,
                    *(
                        f'{v:.3f}'
                        for v in (*result.truth_ypr_deg[i], *estimated[i], result.errors.geodesic_deg[i], *np.degrees(result.std_rad[i]))
                    ),
                ]
            )
    plots.error_by_pose(folder / f'{stem}_bins.png', result.truth_ypr_deg, result.errors)
    plots.calibration(folder / f'{stem}_std.png', result.errors, result.std_rad)
    worst = np.argsort(-_severity_deg(result.errors))[:32]
    tiles = []
    for i in worst:
        truth = geometry.rotation_from_ypr_deg(np.nan_to_num(result.truth_ypr_deg[i]))
        pair = [cv2.resize(draw_axes(result.crops[i], R, 2), (128, 128)) for R in (truth, result.R[i])]
        tile = np.concatenate(pair, 1)
        cv2.putText(tile, result.names[i][-24:], (3, 124), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    cv2.imwrite(str(folder / f'{stem}_worst.png'), sheet(tiles, 4))


def _severity_deg(errors: metrics.AngleErrors) -> np.ndarray:
    """(N,) geodesic errors, which are defined for all poses; where unknown, the mean error of the known angles, or 0."""
    known = np.isfinite(errors.absolute_deg)
    mean = np.where(known, errors.absolute_deg, 0).sum(1) / np.maximum(known.sum(1), 1)
    return np.where(np.isfinite(errors.geodesic_deg), errors.geodesic_deg, mean)
