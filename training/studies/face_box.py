"""Measures which point of the head lies in the middle of the detector's box: `python -m training.studies.face_box`.

On rendered recordings with truth the sellion is compared with the ray through the middle of the box. A point of the head that is the same
in every pose explains the difference: `types.SELLION_FROM_BOX_M` is its least-squares estimate, in head axes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.camera import pixel_ray
from c2f_head_pose.types import SELLION_FROM_BOX_M

from ..command import exits_with_message, positive_float
from ..synthetic.recordings.sequence import render_sequence

EVERY = 3
"""Frames from one that is measured to the next; neighbours hardly differ."""


def across(rays: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The part of (N, 3) vectors that is square to (N, 3) unit rays."""
    return vectors - (vectors * rays).sum(1, keepdims=True) * rays


def fit(rays: np.ndarray, R_cam_head: np.ndarray, t_cam_head_m: np.ndarray) -> np.ndarray:
    """Fits the offset of the sellion from the rays, (3,) metres in head axes.

    Args:
        rays: (N, 3) unit rays through the middles of the boxes.
        R_cam_head: (N, 3, 3) orientations of the heads.
        t_cam_head_m: (N, 3) positions of the sellion.
    """
    square = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    return np.linalg.lstsq((square @ R_cam_head).reshape(-1, 3), across(rays, t_cam_head_m).reshape(-1), rcond=None)[0]


def measured(seeds: Sequence[int], seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rays, the network's orientations and the true positions, as `fit` takes them, in recordings of a person each.

    Raises:
        ValueError: where no face is found.
    """
    estimator, found = HeadPoseEstimator.load('c2f_edge', device='cpu'), []
    for seed in seeds:
        for number, frame in enumerate(render_sequence(seconds, seed=seed, motion='random', depth_model=None)):
            if number % EVERY == 0 and (poses := estimator.estimate(frame.image_bgr, camera=frame.camera)):
                pose = max(poses, key=lambda pose: pose.box.iou(frame.box))
                found.append((pixel_ray(frame.camera, *pose.box.centre), pose.R_cam_head, frame.t_cam_head_m))
    if not found:
        raise ValueError('no face was found')
    rays, R_cam_head, t_cam_head_m = (np.array(values) for values in zip(*found))
    return rays, R_cam_head, t_cam_head_m


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.face_box', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--seeds', type=int, nargs='+', default=[21, 22, 23, 24, 25, 26], help='one recording each: person, room and motion'
    )
    parser.add_argument('--seconds', type=positive_float, default=3.0, help='length of each recording, at 30 frames a second')
    args = parser.parse_args(arguments)
    rays, R_cam_head, t_cam_head_m = measured(args.seeds, args.seconds)
    offset_m = across(rays, t_cam_head_m)
    for name, point_m in (('middle of the box', np.zeros(3)), ('SELLION_FROM_BOX_M', SELLION_FROM_BOX_M)):
        error_cm = 100 * np.linalg.norm(offset_m - across(rays, R_cam_head @ point_m), axis=1)
        print(
            f'{name}: sellion off by {error_cm.mean():.2f} cm across the ray on the mean of {len(rays)} images, worst {error_cm.max():.2f}'
        )
    print('fitted here:', ', '.join(f'{value:.3f}' for value in fit(rays, R_cam_head, t_cam_head_m)), 'm')


if __name__ == '__main__':
    sys.exit(main())
