"""Error measures of head orientation, shared by training's evaluation and by that of recordings. Numpy only.

Nothing is aligned or forgiven: errors are plain differences, wrapped to 180 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .. import geometry
from .rotations import rotation_vectors

AXES = ('yaw', 'pitch', 'roll')


@dataclass(frozen=True, eq=False)
class AngleErrors:
    """Errors of many poses.

    Attributes:
        absolute_deg: (N, 3) yaw, pitch, roll; nan where the truth lacks the angle.
        geodesic_deg: (N,) angle between the rotations; nan where the truth lacks an angle.
    """

    absolute_deg: np.ndarray
    geodesic_deg: np.ndarray

    def summary(self) -> dict[str, float]:
        """n, and per axis `yaw`, `yaw_std`, ..., `mae` (mean of the axes there are) and `geodesic`, degrees.

        The standard deviation is that of the absolute error, as the paper's tables have it.
        """
        out: dict[str, float] = {'n': len(self.absolute_deg)}
        known = [axis for i, axis in enumerate(AXES) if np.isfinite(self.absolute_deg[:, i]).any()]
        for i, axis in enumerate(AXES):
            if axis in known:
                out[axis] = float(np.nanmean(self.absolute_deg[:, i]))
                out[f'{axis}_std'] = float(np.nanstd(self.absolute_deg[:, i]))
        out['mae'] = float(np.mean([out[axis] for axis in known])) if known else float('nan')
        if np.isfinite(self.geodesic_deg).any():
            out['geodesic'] = float(np.nanmean(self.geodesic_deg))
        return out

    def percentiles(self, percents: tuple[float, ...] = (50, 68, 90, 95, 99)) -> dict[str, dict[str, float]]:
        """Percentiles in degrees by axis, and of the geodesic error where it is known."""
        columns = {axis: self.absolute_deg[:, i] for i, axis in enumerate(AXES)} | {'geodesic': self.geodesic_deg}
        return {
            name: {f'p{p:g}': float(np.nanpercentile(values, p)) for p in percents}
            for name, values in columns.items()
            if np.isfinite(values).any()
        }


def wrapped_deg(difference_deg: np.ndarray) -> np.ndarray:
    """Differences of angles brought to [-180, 180)."""
    return (np.asarray(difference_deg, float) + 180) % 360 - 180


def angle_errors(truth_ypr_deg: np.ndarray, R_estimated: np.ndarray) -> AngleErrors:
    """Errors against Euler angles.

    Args:
        truth_ypr_deg: (N, 3) yaw, pitch, roll in degrees, 300W-LP signs; nan for an angle the data set does not have.
        R_estimated: (N, 3, 3) R_cam_head, or R_crop_head where nothing is known of the camera.
    """
    truth = np.asarray(truth_ypr_deg, float).reshape(-1, 3)
    estimated = geometry.ypr_deg_from_rotation(np.asarray(R_estimated, float).reshape(-1, 3, 3))
    whole = np.isfinite(truth).all(1)
    geodesic = np.full(len(truth), np.nan)
    if whole.any():
        geodesic[whole] = geometry.geodesic_deg(geometry.rotation_from_ypr_deg(truth[whole]), np.asarray(R_estimated, float)[whole])
    return AngleErrors(np.abs(wrapped_deg(truth - estimated)), geodesic)


def rotation_errors(R_true: np.ndarray, R_estimated: np.ndarray) -> AngleErrors:
    """Errors against rotations (N, 3, 3); Euler errors are counted only where |yaw| of the truth is below 90 (elsewhere nan)."""
    R_true, R_estimated = np.asarray(R_true, float), np.asarray(R_estimated, float)
    absolute = np.abs(wrapped_deg(geometry.ypr_deg_from_rotation(R_true) - geometry.ypr_deg_from_rotation(R_estimated)))
    absolute[R_true[:, 2, 0] > 0] = np.nan
    return AngleErrors(absolute, geometry.geodesic_deg(R_true, R_estimated))


def by_bin(values: np.ndarray, errors: np.ndarray, edges: np.ndarray) -> list[dict[str, float]]:
    """Mean error by bins of a value: dicts of `low`, `high`, `n`, `mean` (nan where the bin is empty).

    Args:
        values: (N,) what to bin by, such as the true yaw in degrees.
        errors: (N,) errors; nan are left out.
        edges: (M + 1,) rising; a bin holds low <= value < high, the last one its high edge too.
    """
    values, errors, edges = (np.asarray(a, float) for a in (values, errors, edges))
    rows = []
    for i, (low, high) in enumerate(pairwise(edges)):
        last = i == len(edges) - 2
        inside = (values >= low) & ((values <= high) if last else (values < high)) & np.isfinite(errors)
        rows.append(
            {
                'low': float(low),
                'high': float(high),
                'n': int(inside.sum()),
                'mean': float(errors[inside].mean()) if inside.any() else float('nan'),
            }
        )
    return rows


def boundary_distance_deg(R: np.ndarray) -> np.ndarray:
    """(N,) how far a pose is from the nearest border between categories: the lesser of |yaw| and |pitch|, degrees."""
    return np.abs(geometry.ypr_deg_from_rotation(R)[..., :2]).min(-1)


def coarse_accuracy(R_true: np.ndarray, category_logits: np.ndarray, beyond_deg: tuple[float, ...] = (0, 1, 3, 5, 10)) -> dict[str, float]:
    """Share of right categories among poses at least so far from a border: `beyond_0`, `beyond_3`, ... (nan where none is)."""
    right = np.asarray(category_logits).argmax(1) == geometry.category_index(R_true)
    distance = boundary_distance_deg(R_true)
    return {f'beyond_{d:g}': float(right[distance >= d].mean()) if (distance >= d).any() else float('nan') for d in beyond_deg}


def std_calibration(R_true: np.ndarray, R_estimated: np.ndarray, std_rad: np.ndarray) -> dict[str, float]:
    """How honest the stated standard deviations are.

    Of d in R_true = R_estimated exp([d]x): the share of its components within 1 and 2 of their standard deviations (a Gaussian
    has 0.683 and 0.954), by axis of the head and together, and the root mean square of d / std (1 is right).
    """
    d = rotation_vectors(np.swapaxes(R_estimated, 1, 2) @ np.asarray(R_true, float))
    ratio = np.abs(d) / np.asarray(std_rad, float)
    out = {'within_1': float((ratio <= 1).mean()), 'within_2': float((ratio <= 2).mean()), 'rms_ratio': float(np.sqrt((ratio**2).mean()))}
    for i, axis in enumerate('xyz'):
        out[f'within_1_{axis}'], out[f'within_2_{axis}'] = float((ratio[:, i] <= 1).mean()), float((ratio[:, i] <= 2).mean())
    return out


def jitter_deg(R: np.ndarray, R_true: np.ndarray | None = None) -> float:
    """Frame-to-frame unrest of a sequence, degrees.

    Root mean square of the change of the error between neighbouring frames, over sqrt(2): for independent errors their own
    standard deviation, while a constant error counts nothing. Without a truth the head is taken to turn evenly over
    three frames, and the second difference is used (over sqrt(6)).

    Args:
        R: (N, 3, 3) estimates in order.
        R_true: (N, 3, 3), or None.
    """
    R = np.asarray(R, float)
    if R_true is not None:
        error = rotation_vectors(np.asarray(R_true, float) @ np.swapaxes(R, 1, 2))
        change = np.diff(error, axis=0)
        return float(np.degrees(np.sqrt((change**2).sum(1).mean() / 2))) if len(change) else float('nan')
    step = rotation_vectors(R[1:] @ np.swapaxes(R[:-1], 1, 2))
    change = np.diff(step, axis=0)
    return float(np.degrees(np.sqrt((change**2).sum(1).mean() / 6))) if len(change) else float('nan')
