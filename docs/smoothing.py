"""Measures what smoothing costs and brings on sample/head_motion: python docs/smoothing.py prints the table of docs/tuning.md and draws
docs/images/smoothing.png. Each image is estimated once; then the filter runs with each setting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.evaluation.metrics import jitter_deg
from c2f_head_pose.evaluation.rotations import interpolate, quaternions_from_rotations, rotations_from_quaternions
from c2f_head_pose.evaluation.truth.read import read_truth
from c2f_head_pose.geometry import geodesic_deg
from c2f_head_pose.options import EstimatorOptions
from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.recordings.reader import Notes, read_frames
from c2f_head_pose.recordings.topics import choose_topics
from c2f_head_pose.smooth import PoseFilter
from c2f_head_pose.types import HeadPose

ROOT = Path(__file__).parents[1]
SHIFTS_S = np.arange(0.0, 0.3, 0.005)
MAX_GAP_S = 0.2
"""Courses are not interpolated over longer gaps."""
CUTOFFS_HZ, BETAS = (0.5, 1.0, 1.5, 3.0, 6.0), (0.0, 1.0, 3.0, 10.0)
POSITION_CUTOFFS_HZ, POSITION_BETAS = (0.5, 1.0, 2.0), (0.0, 3.0, 20.0)


@dataclass(frozen=True, eq=False)
class Track:
    """A head over time.

    Attributes:
        stamps_s: (N,).
        R: (N, 3, 3) R_cam_head.
        t_m: (N, 3) position in the camera's frame.
    """

    stamps_s: np.ndarray
    R: np.ndarray
    t_m: np.ndarray


@dataclass(frozen=True)
class Unrest:
    """What one setting gives.

    Attributes:
        jitter: root mean square of the course's second differences, over sqrt(6): the standard deviation of independent noise.
        lag_ms: by how much the smoothed course comes later than the unsmoothed one.
        error: mean, against the truth.
    """

    jitter: float
    lag_ms: float
    error: float


def recorded() -> tuple[Track, list[HeadPose]]:
    """The true course, and the unsmoothed estimate of each image."""
    estimator = HeadPoseEstimator.load('c2f_edge', device='cpu')
    estimator.options = replace(estimator.options, smoothing=False)
    stamps, poses = [], []
    with BagFile(ROOT / 'sample' / 'head_motion') as bag:
        truth = read_truth(bag, (), '').heads[0]
        for frame in read_frames(bag, choose_topics(bag), Notes()):
            for pose in estimator.estimate(frame.image, frame.camera, stamp_s=frame.stamp_s)[:1]:
                stamps.append(frame.stamp_s)
                poses.append(pose)
    stamps_s = np.array(stamps)
    R = rotations_from_quaternions(truth.at(stamps_s, MAX_GAP_S)[0])
    return Track(stamps_s, R, np.array([truth.position_at(stamp_s, MAX_GAP_S) for stamp_s in stamps])), poses


def smoothed(stamps_s: np.ndarray, poses: list[HeadPose], options: EstimatorOptions) -> Track:
    """The course that the filter gives."""
    filter_ = PoseFilter()
    done = [filter_.update(pose, float(stamp_s), options) for stamp_s, pose in zip(stamps_s, poses)]
    return Track(stamps_s, np.array([pose.R_cam_head for pose in done]), np.array([pose.t_cam_head_m for pose in done]))


def lag_ms(distances: list[float]) -> float:
    """The shift at which two courses agree best."""
    return float(1e3 * SHIFTS_S[int(np.argmin(distances))])


def rotation_unrest(track: Track, raw: Track, truth: Track) -> Unrest:
    """Of the rotation, degrees."""
    inside = track.stamps_s[track.stamps_s < track.stamps_s[-1] - SHIFTS_S[-1]]
    distances = []
    for shift_s in SHIFTS_S:
        q, known = interpolate(track.stamps_s, quaternions_from_rotations(track.R), inside + shift_s, MAX_GAP_S)
        distances.append(float(geodesic_deg(raw.R[: len(inside)][known], rotations_from_quaternions(q[known])).mean()))
    return Unrest(jitter_deg(track.R), lag_ms(distances), float(geodesic_deg(track.R, truth.R).mean()))


def position_unrest(track: Track, raw: Track, truth: Track) -> Unrest:
    """Of the position, millimetres."""
    inside = track.stamps_s[track.stamps_s < track.stamps_s[-1] - SHIFTS_S[-1]]
    distances = []
    for shift_s in SHIFTS_S:
        moved = np.column_stack([np.interp(inside + shift_s, track.stamps_s, track.t_m[:, axis]) for axis in range(3)])
        distances.append(float(np.linalg.norm(raw.t_m[: len(inside)] - moved, axis=1).mean()))
    change = np.diff(track.t_m, n=2, axis=0)
    error = float(np.linalg.norm(track.t_m - truth.t_m, axis=1).mean())
    return Unrest(1e3 * float(np.sqrt((change**2).sum(1).mean() / 6)), lag_ms(distances), 1e3 * error)


def main() -> None:
    """Prints two tables and draws the figure."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    truth, poses = recorded()
    default = EstimatorOptions()
    raw = smoothed(truth.stamps_s, poses, replace(default, smoothing=False))
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.6), dpi=110)
    for plot, unit, measure, low, high, names in (
        (axes[0], 'degrees', rotation_unrest, CUTOFFS_HZ, BETAS, ('smoothing_min_cutoff_hz', 'smoothing_beta')),
        (
            axes[1],
            'mm',
            position_unrest,
            POSITION_CUTOFFS_HZ,
            POSITION_BETAS,
            ('smoothing_position_min_cutoff_hz', 'smoothing_position_beta'),
        ),
    ):
        print(f'\n| `{names[0]}` | `{names[1]}` | jitter, {unit} | lag, ms | mean error, {unit} |\n|---|---|---|---|---|')
        alone = measure(raw, raw, truth)
        print(f'| no smoothing | | {alone.jitter:.2f} | 0 | {alone.error:.2f} |')
        plot.plot(0, alone.jitter, 'k*', markersize=10, label='no smoothing')
        for beta in high:
            course = []
            for cutoff_hz in low:
                options = replace(default, **{names[0]: cutoff_hz, names[1]: beta})
                unrest = measure(smoothed(truth.stamps_s, poses, options), raw, truth)
                course.append(unrest)
                print(f'| {cutoff_hz:g} | {beta:g} | {unrest.jitter:.2f} | {unrest.lag_ms:.0f} | {unrest.error:.2f} |')
                if options == default:
                    plot.plot(unrest.lag_ms, unrest.jitter, 'ro', markersize=11, fillstyle='none', label='default')
            plot.plot([one.lag_ms for one in course], [one.jitter for one in course], 'o-', label=f'beta {beta:g}')
        plot.set(
            xlabel='lag, ms',
            ylabel=f'jitter, {unit}',
            title=f'{"rotation" if plot is axes[0] else "position"}: cutoffs {low[0]:g} to {low[-1]:g} Hz',
        )
        plot.set_ylim(bottom=0)
        plot.grid(alpha=0.3)
        plot.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(ROOT / 'docs' / 'images' / 'smoothing.png')


if __name__ == '__main__':
    main()
