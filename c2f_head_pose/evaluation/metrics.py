"""Computes errors of head orientation, for the evaluation of networks and of recordings.

Estimates are not aligned with the truth: errors are differences, wrapped to 180 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from .. import geometry
from .rotations import rotation_vectors

AXES = ('yaw', 'pitch', 'roll')
_STUDENT_T95 = {1: 12.706, 2: 4.303, 3: 3.182}


@dataclass(frozen=True, eq=False)
class AngleErrors:
    """Errors of many poses.

    Attributes:
        absolute_deg: (N, 3) absolute errors of yaw, pitch, roll, degrees; nan where the truth lacks the angle, and for a head turned away.
        geodesic_deg: (N,) angle between the rotations, degrees; nan where the truth lacks an angle.
    """

    absolute_deg: np.ndarray
    geodesic_deg: np.ndarray

    def summary(self) -> dict[str, float]:
        """Summarises the errors in degrees.

        Returns:
            `n`, the mean `yaw` and standard deviation `yaw_std` of the absolute error for each known axis, as in the paper's tables,
            `mae` (mean of the known axes), and the mean `geodesic` where it is known.
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
        """Returns percentiles in degrees for each known axis, and of the geodesic error where it is known."""
        columns = {axis: self.absolute_deg[:, i] for i, axis in enumerate(AXES)} | {'geodesic': self.geodesic_deg}
        return {
            name: {f'p{p:g}': float(np.nanpercentile(values, p)) for p in percents}
            for name, values in columns.items()
            if np.isfinite(values).any()
        }


def wrapped_deg(difference_deg: np.ndarray) -> np.ndarray:
    """Wraps differences of angles to [-180, 180) degrees."""
    return (np.asarray(difference_deg, float) + 180) % 360 - 180


def turned_away(truth_ypr_deg: np.ndarray) -> np.ndarray:
    """Whether true heads, (N, 3) yaw, pitch, roll in degrees, have a |yaw| beyond 90, where angles do not hold; (N,) bool."""
    return np.abs(wrapped_deg(np.asarray(truth_ypr_deg, float)[:, 0])) > 90


def angle_errors(truth_ypr_deg: np.ndarray, R_estimated: np.ndarray) -> AngleErrors:
    """Computes errors against true Euler angles. Errors of angles are nan where the true |yaw| exceeds 90 degrees.

    Args:
        truth_ypr_deg: (N, 3) yaw, pitch, roll in degrees, 300W-LP signs; nan for an angle that the data set lacks.
        R_estimated: (N, 3, 3) R_cam_head, or R_crop_head where the camera is unknown.
    """
    truth = np.asarray(truth_ypr_deg, float).reshape(-1, 3)
    estimated = geometry.ypr_deg_from_rotation(np.asarray(R_estimated, float).reshape(-1, 3, 3))
    whole = np.isfinite(truth).all(1)
    geodesic = np.full(len(truth), np.nan)
    if whole.any():
        geodesic[whole] = geometry.geodesic_deg(geometry.rotation_from_ypr_deg(truth[whole]), np.asarray(R_estimated, float)[whole])
    absolute = np.abs(wrapped_deg(truth - estimated))
    absolute[turned_away(truth)] = np.nan
    return AngleErrors(absolute, geodesic)


def rotation_errors(R_true: np.ndarray, R_estimated: np.ndarray) -> AngleErrors:
    """Computes errors against true rotations. Errors of Euler angles are nan where the true |yaw| exceeds 90 degrees.

    Args:
        R_true: (N, 3, 3) true R_cam_head.
        R_estimated: (N, 3, 3) estimated R_cam_head.
    """
    R_true, R_estimated = np.asarray(R_true, float), np.asarray(R_estimated, float)
    absolute = np.abs(wrapped_deg(geometry.ypr_deg_from_rotation(R_true) - geometry.ypr_deg_from_rotation(R_estimated)))
    absolute[R_true[:, 2, 0] > 0] = np.nan
    return AngleErrors(absolute, geometry.geodesic_deg(R_true, R_estimated))


def nearer_errors(errors: AngleErrors, truth_ypr_deg: np.ndarray, R_estimated: np.ndarray) -> tuple[AngleErrors, int]:
    """Computes errors with the nearer to the truth of the two triples of angles that every rotation has.

    The triples are (yaw, pitch, roll) and (180 - yaw, 180 + pitch, 180 + roll). Near |yaw| = 90, an estimate that is beyond 90 by
    a degree differs from a truth within 90 by almost 180 in pitch and roll with the first, and by a few degrees with the second.

    Args:
        errors: errors with the first triple, of `angle_errors` or `rotation_errors`.
        truth_ypr_deg: (N, 3) true yaw, pitch, roll in degrees.
        R_estimated: (N, 3, 3) estimated rotations.

    Returns:
        The errors, and the number of estimates whose second triple is the nearer one.
    """
    truth = np.asarray(truth_ypr_deg, float).reshape(-1, 3)
    ypr = geometry.ypr_deg_from_rotation(np.asarray(R_estimated, float).reshape(-1, 3, 3))
    other = 180 + np.array([-1, 1, 1]) * ypr
    absolute = np.where(np.isnan(errors.absolute_deg), np.nan, np.abs(wrapped_deg(truth - other)))
    nearer = np.nansum(absolute, 1) < np.nansum(errors.absolute_deg, 1)
    return AngleErrors(np.where(nearer[:, None], absolute, errors.absolute_deg), errors.geodesic_deg), int(nearer.sum())


def by_bin(values: np.ndarray, errors: np.ndarray, edges: np.ndarray) -> list[dict[str, float]]:
    """Computes the mean error in bins of a value.

    Args:
        values: (N,) values that select the bin, such as the true yaw in degrees.
        errors: (N,) errors; nan are ignored.
        edges: (M + 1,) edges, increasing; a bin holds low <= value < high, and the last one its upper edge too.

    Returns:
        M dicts of `low`, `high`, `n` and `mean`, which is nan for an empty bin.
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
    """Computes the (N,) distance of poses (N, 3, 3) from the nearest border between categories: the smaller of |yaw|, |pitch|, degrees."""
    return np.abs(geometry.ypr_deg_from_rotation(R)[..., :2]).min(-1)


def coarse_accuracy(R_true: np.ndarray, category_logits: np.ndarray, beyond_deg: tuple[float, ...] = (0, 1, 3, 5, 10)) -> dict[str, float]:
    """Computes the share of correct categories among poses with a minimum distance from the borders.

    Args:
        R_true: (N, 3, 3) true rotations.
        category_logits: (N, 4) estimates; the largest is the category.
        beyond_deg: minimum distances, degrees.

    Returns:
        `beyond_0`, `beyond_1`, ..., each 0 to 1; nan without such poses.
    """
    right = np.asarray(category_logits).argmax(1) == geometry.category_index(R_true)
    distance = boundary_distance_deg(R_true)
    return {f'beyond_{d:g}': float(right[distance >= d].mean()) if (distance >= d).any() else float('nan') for d in beyond_deg}


def std_ratios(R_true: np.ndarray, R_estimated: np.ndarray, std_rad: np.ndarray) -> np.ndarray:
    """Computes (N, 3) |d| / std for d in R_true = R_estimated exp([d]x): errors about the head's axes over their standard deviations.

    Args:
        R_true: (N, 3, 3) true rotations.
        R_estimated: (N, 3, 3) estimated rotations.
        std_rad: (N, 3) stated standard deviations about the head's axes, radians.
    """
    d = rotation_vectors(np.swapaxes(R_estimated, 1, 2) @ np.asarray(R_true, float))
    return np.abs(d) / np.asarray(std_rad, float)


def std_calibration(R_true: np.ndarray, R_estimated: np.ndarray, std_rad: np.ndarray) -> dict[str, float]:
    """Compares the stated standard deviations with the errors.

    Args:
        R_true: (N, 3, 3) true rotations.
        R_estimated: (N, 3, 3) estimated rotations.
        std_rad: (N, 3) stated standard deviations about the head's axes, radians.

    Returns:
        The share of the errors' components within 1 and 2 standard deviations (0.683 and 0.954 for a normal distribution), together and
        by axis of the head, and the root mean square of `std_ratios` (ideally 1).
    """
    ratio = std_ratios(R_true, R_estimated, std_rad)
    out = {'within_1': float((ratio <= 1).mean()), 'within_2': float((ratio <= 2).mean()), 'rms_ratio': float(np.sqrt((ratio**2).mean()))}
    for i, axis in enumerate('xyz'):
        out[f'within_1_{axis}'], out[f'within_2_{axis}'] = float((ratio[:, i] <= 1).mean()), float((ratio[:, i] <= 2).mean())
    return out


def student_t95(degrees: int) -> float:
    """Student's t for 95 %: the half width of a mean's interval over the standard error that is estimated from `degrees` + 1 values.

    Source: Abramowitz and Stegun 26.7.5, whose error is below 2 % from 4 degrees of freedom on, and their table 26.10 below.
    """
    if degrees in _STUDENT_T95:
        return _STUDENT_T95[degrees]
    z = NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def jitter_deg(R: np.ndarray, R_true: np.ndarray | None = None) -> float:
    """Computes the frame-to-frame noise of a sequence, degrees.

    This is the root mean square of the error's change between neighbouring frames, divided by sqrt(2): for independent errors it
    equals their standard deviation, and a constant error has no effect. Without a truth, the head is assumed to rotate uniformly over
    three frames, and the second difference is divided by sqrt(6).

    Args:
        R: (N, 3, 3) estimates in order of time.
        R_true: (N, 3, 3) true rotations, or None.
    """
    R = np.asarray(R, float)
    if R_true is not None:
        error = rotation_vectors(np.asarray(R_true, float) @ np.swapaxes(R, 1, 2))
        change = np.diff(error, axis=0)
        return float(np.degrees(np.sqrt((change**2).sum(1).mean() / 2))) if len(change) else float('nan')
    step = rotation_vectors(R[1:] @ np.swapaxes(R[:-1], 1, 2))
    change = np.diff(step, axis=0)
    return float(np.degrees(np.sqrt((change**2).sum(1).mean() / 6))) if len(change) else float('nan')
