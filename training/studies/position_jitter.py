"""Measures jitter and lag of positions before and after smoothing: `python -m training.studies.position_jitter [BAG]`.

The recording, by default sample/head_motion, holds images, a calibration and the true position (a pose topic with `truth` in its name).
Jitter is the root mean square of the error's change between neighbouring images, divided by sqrt(2): for independent errors it equals
their standard deviation, and a constant error has no effect. Lag is the delay of the true positions that fits the estimates best, with an
offset and a scale for each axis, because positions are computed with an average face's size.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.evaluation.truth.heads import TruthHead
from c2f_head_pose.evaluation.truth.read import read_truth
from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.recordings.reader import Notes, UnreadableImage, read_frames
from c2f_head_pose.recordings.topics import choose_topics

from ..command import exits_with_message

_SAMPLE = Path(__file__).parents[2] / 'sample' / 'head_motion'
_DELAYS_S = np.arange(-0.1, 0.301, 0.001)


def true_positions(head: TruthHead, at_s: np.ndarray) -> np.ndarray:
    """Interpolates the (N, 3) true positions linearly at (N,) times, metres."""
    assert head.t_cam_head_m is not None
    return np.stack([np.interp(at_s, head.stamps_s, axis) for axis in np.asarray(head.t_cam_head_m, float).T], axis=1)


def jitter_mm(t_m: np.ndarray, t_true_m: np.ndarray) -> float:
    """Computes the jitter of (N, 3) positions in order of time, given the (N, 3) true ones."""
    change = np.diff(t_m - t_true_m, axis=0)
    return float(1e3 * np.sqrt((change**2).sum(1).mean() / 2))


def lag_ms(t_m: np.ndarray, at_s: np.ndarray, head: TruthHead) -> float:
    """Computes the lag of (N, 3) positions with (N,) stamps of their images."""

    def residual(delay_s: float) -> float:
        found = 0.0
        for measured, true in zip(t_m.T, true_positions(head, at_s - delay_s).T):
            line = np.stack([true, np.ones_like(true)], axis=1)
            found += float(np.square(measured - line @ np.linalg.lstsq(line, measured, rcond=None)[0]).sum())
        return found

    return float(1e3 * _DELAYS_S[np.argmin([residual(delay_s) for delay_s in _DELAYS_S])])


def positions(path: Path, model: str) -> tuple[TruthHead, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the true head, the (N,) stamps of the images with a face, and its (N, 3) position before and after smoothing.

    Raises:
        ValueError: for a recording without a true position, or in which no face has a position.
    """
    estimator = HeadPoseEstimator.load(model, device='cpu')
    stamps_s, unsmoothed, smoothed = [], [], []
    with BagFile(path) as bag:
        choice = choose_topics(bag)
        truth = read_truth(bag, (), '')
        if truth is None or truth.heads[0].t_cam_head_m is None:
            raise ValueError(f'{path} holds no true position; record a PoseStamped topic with truth in its name')
        for frame in read_frames(bag, choice, Notes()):
            if isinstance(frame, UnreadableImage):
                continue
            for pose in estimator.estimate(frame.image, frame.camera, frame.depth_m, frame.stamp_s)[:1]:
                if pose.t_cam_head_m is not None and pose.t_cam_head_m_unsmoothed is not None:
                    stamps_s.append(frame.stamp_s)
                    unsmoothed.append(pose.t_cam_head_m_unsmoothed)
                    smoothed.append(pose.t_cam_head_m)
    if len(stamps_s) < 3:
        raise ValueError(f'{path}: {len(stamps_s)} positions were found; it needs a calibration and a face')
    return truth.heads[0], np.array(stamps_s), np.array(unsmoothed), np.array(smoothed)


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.position_jitter', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('bag', nargs='?', type=Path, default=_SAMPLE, help='recording (default sample/head_motion)')
    parser.add_argument('--model', default='c2f_edge', help='shipped name or .onnx file (default %(default)s)')
    args = parser.parse_args(arguments)
    head, stamps_s, unsmoothed, smoothed = positions(args.bag, args.model)
    for name, t_m in (('before smoothing', unsmoothed), ('after smoothing', smoothed)):
        jitter = jitter_mm(t_m, true_positions(head, stamps_s))
        print(f'{name}: jitter {jitter:.1f} mm, lag {lag_ms(t_m, stamps_s, head):.0f} ms ({len(stamps_s)} images)')


if __name__ == '__main__':
    sys.exit(main())
