"""Compares single frames with filtered ones on rendered recordings with truth: `python -m training.studies.temporal MODEL`.

The paper names temporal context as future work; the package filters by the stamps. Each recording is estimated frame by frame, once as
single pictures and once tracked and smoothed, both with the face detector. Jitter is `metrics.jitter_deg`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from c2f_head_pose import HeadPoseEstimator, geometry
from c2f_head_pose.evaluation import metrics
from c2f_head_pose.types import HeadPose

from ..command import exits_with_message
from ..evaluation.results import command_of, write_rows
from ..loop import checkpoint
from ..synthetic.recordings.sequence import SequenceFrame, render_sequence

FIELDS = ('model', 'seed', 'frames', 'way', 'found', 'geodesic', 'jitter', 'command', 'commit')


def figures(frames: list[SequenceFrame], estimate: Callable[[SequenceFrame], list[HeadPose]]) -> dict[str, float]:
    """Computes the share of frames with an estimate, and the mean geodesic error and jitter of these frames in degrees."""
    R, truth = [], []
    for frame in frames:
        poses = estimate(frame)
        if poses:
            R.append(max(poses, key=lambda p: p.box.iou(frame.box)).R_cam_head)
            truth.append(frame.R_cam_head)
    if not R:
        return {'found': 0.0, 'geodesic': float('nan'), 'jitter': float('nan')}
    return {
        'found': len(R) / len(frames),
        'geodesic': float(geometry.geodesic_deg(np.array(truth), np.array(R)).mean()),
        'jitter': metrics.jitter_deg(np.array(R), np.array(truth)),
    }


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.temporal', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', help='shipped name or .onnx file')
    parser.add_argument('--seeds', type=int, nargs='+', default=[11, 12, 13, 14], help='one recording each: person, room and motion')
    parser.add_argument('--seconds', type=float, default=10.0, help='length of each recording, at 30 frames a second')
    parser.add_argument('--out', type=Path, help='csv to write')
    args = parser.parse_args(arguments)
    if not 0.1 <= args.seconds <= 3600:
        parser.error(f'--seconds {args.seconds:g} is not between 0.1 and 3600')
    rows = []
    for seed in args.seeds:
        single, tracked = HeadPoseEstimator.load(args.model, device='cpu'), HeadPoseEstimator.load(args.model, device='cpu')
        if single.reads_depth:
            raise ValueError(f'{args.model} reads depth: these recordings are colour pictures')
        frames = list(render_sequence(args.seconds, seed=seed, motion='random', depth_model=None))
        ways = {
            'single frame': lambda f, e=single: e.estimate(f.image_bgr, camera=f.camera),
            'filtered': lambda f, e=tracked: e.estimate(f.image_bgr, camera=f.camera, stamp_s=f.stamp_s),
        }
        for way, estimate in ways.items():
            row = figures(frames, estimate)
            print(
                f'seed {seed}, {way}: {100 * row["found"]:.1f} % found, error {row["geodesic"]:.2f}, jitter {row["jitter"]:.2f} degrees',
                flush=True,
            )
            rows.append({'model': Path(args.model).name, 'seed': seed, 'frames': len(frames), 'way': way, **row})
    for way in ('single frame', 'filtered'):
        of = [row for row in rows if row['way'] == way]
        print(f'all, {way}: error {np.mean([r["geodesic"] for r in of]):.2f}, jitter {np.mean([r["jitter"] for r in of]):.2f} degrees')
    if args.out:
        command = command_of('training.studies.temporal', sys.argv[1:] if arguments is None else arguments)
        shared = {'command': command, 'commit': checkpoint.commit()}
        write_rows(args.out, FIELDS, [row | shared for row in rows])


if __name__ == '__main__':
    sys.exit(main())
