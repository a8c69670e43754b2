"""Writes frames.csv, a line for each face, missed head or empty image, while the evaluation runs."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..geometry import geodesic_deg, ypr_deg_from_rotation
from ..types import HeadPose
from .rotations import quaternions_from_rotations

_FLUSH_S = 1.0
COLUMNS = (
    'frame',
    'stamp_ns',
    'event',
    'track_id',
    'head',
    'x1',
    'y1',
    'x2',
    'y2',
    'score',
    'category',
    'qx',
    'qy',
    'qz',
    'qw',
    'yaw_deg',
    'pitch_deg',
    'roll_deg',
    'unsmoothed_qx',
    'unsmoothed_qy',
    'unsmoothed_qz',
    'unsmoothed_qw',
    'std_x_deg',
    'std_y_deg',
    'std_z_deg',
    'x_m',
    'y_m',
    'z_m',
    'true_qx',
    'true_qy',
    'true_qz',
    'true_qw',
    'true_yaw_deg',
    'true_pitch_deg',
    'true_roll_deg',
    'true_category',
    'error_deg',
    'unsmoothed_error_deg',
    'other_model_deg',
    'detect_ms',
    'crop_ms',
    'infer_ms',
    'decode_ms',
    'total_ms',
    'publish_ms',
)


class FramesWriter:
    """Writes frames.csv and flushes it every second.

    Args:
        path: the file; replaced if it exists.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open('w', newline='')
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)
        self._flushed = time.monotonic()

    def face(
        self,
        frame: int,
        stamp_ns: int,
        pose: HeadPose,
        head: str,
        R_true: np.ndarray | None,
        true_category: str,
        other_deg: float,
        times_ms: tuple[float, ...],
    ) -> None:
        """Writes a face.

        Args:
            frame: number of the image message.
            stamp_ns: the image's stamp.
            pose: the face's pose.
            head: name of the true head; '' for none.
            R_true: (3, 3) true R_cam_head; None for a face without a true head, which is 'unmatched'.
            true_category: category of the true head as the face's crop shows it; '' without a true head.
            other_deg: angle to the second model's estimate, degrees; NaN without.
            times_ms: milliseconds of the stages, in the order of `series.STAGES`; NaN unknown.
        """
        box, unsmoothed = pose.box, pose.R_cam_head if pose.R_cam_head_unsmoothed is None else pose.R_cam_head_unsmoothed
        errors: tuple[float | None, float | None] = (None, None)
        if R_true is not None:
            errors = float(geodesic_deg(R_true, pose.R_cam_head)), float(geodesic_deg(R_true, unsmoothed))
        track_id = pose.face_id if pose.track_id is None else pose.track_id
        self._write(
            frame,
            stamp_ns,
            'unmatched' if R_true is None else 'matched',
            track_id,
            head,
            *((None,) * 4 if box is None else (f'{v:.2f}' for v in (box.x1, box.y1, box.x2, box.y2))),
            f'{pose.score:.4f}',
            pose.category,
            *_rotation(pose.R_cam_head),
            *(f'{v:.8f}' for v in quaternions_from_rotations(unsmoothed)[0]),
            *(f'{v:.3f}' for v in pose.rotation_std_deg),
            *((None,) * 3 if pose.t_cam_head_m is None else (f'{v:.4f}' for v in pose.t_cam_head_m)),
            *_truth(R_true, true_category),
            *(None if e is None else f'{e:.5f}' for e in errors),
            _number(other_deg),
            *map(_number, times_ms),
        )

    def miss(self, frame: int, stamp_ns: int, head: str, R_true: np.ndarray, times_ms: tuple[float, ...]) -> None:
        """Writes a true head without a face, so without a crop for a category; see `face` for the arguments."""
        self._write(frame, stamp_ns, 'missed', None, head, *(None,) * 23, *_truth(R_true, ''), *(None,) * 3, *map(_number, times_ms))

    def empty(self, frame: int, stamp_ns: int, event: str, times_ms: tuple[float, ...]) -> None:
        """Writes an image without a face or a true head ('nobody'), without a result ('dropped'), or that is 'unreadable'."""
        self._write(frame, stamp_ns, event, None, None, *(None,) * 34, *map(_number, times_ms))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, *values: Any) -> None:
        self._writer.writerow(values)
        if time.monotonic() - self._flushed > _FLUSH_S:
            self._file.flush()
            self._flushed = time.monotonic()


def _rotation(R: np.ndarray) -> list[str]:
    return [f'{v:.8f}' for v in quaternions_from_rotations(R)[0]] + [f'{v:.4f}' for v in ypr_deg_from_rotation(R)]


def _truth(R: np.ndarray | None, category: str) -> list[str | None]:
    return [None] * 8 if R is None else [*_rotation(R), category]


def _number(value: float) -> str | None:
    return f'{value:.3f}' if np.isfinite(value) else None
