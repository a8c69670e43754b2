"""Measures where the detector's box lies about a head, and how large it is: `python -m training.studies.face_box [--pictures FOLDER]`.

On rendered recordings with truth the sellion is compared with the ray through the middle of the box. A point of the head that is the same
in every pose explains the difference: `types.SELLION_FROM_BOX_M` is its least-squares estimate, in head axes. The larger extent of the box
at the sellion's range is `types.FACE_EXTENT_M`, its height over its width `types.FACE_ASPECT`.

Portraits tell no range, but a length: the eyes of adults are 63 mm apart on the mean, so where a face looks into
the camera the extent of its box is known, if only on the mean of many people.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.camera import pixel_ray
from c2f_head_pose.crop import cut, square_about
from c2f_head_pose.depth import position_from_size
from c2f_head_pose.engine.onnxruntime_engine import open_session
from c2f_head_pose.images import find_pictures, read_picture
from c2f_head_pose.models.registry import detector_path
from c2f_head_pose.types import FACE_ASPECT, FACE_EXTENT_M, SELLION_FROM_BOX_M, FaceBox

from ..command import exits_with_message, positive_float
from ..synthetic.recordings.sequence import render_sequence

RATE_HZ = 10.0
"""Frames a second; neighbours hardly differ."""
EYES_APART_M = 0.063
"""Mean of adults. Source: Dodgson 2004, "Variation and extrema of human interpupillary distance"."""
FRONTAL_DEG = 12.0
"""Yaw and pitch up to which a face looks into the camera: the eyes then seem 1 % nearer to each other on the mean."""
REACH, SIZE_PX = 2.25, 128
"""The square about a face in which its eyes are searched: its side in sizes of the box, and in pixels of the detector's input."""


@dataclass(frozen=True, eq=False)
class SeenFaces:
    """Faces in recordings of a person each.

    Attributes:
        person: (N,) number of the recording.
        rays: (N, 3) unit rays through the middles of the boxes.
        R_cam_head: (N, 3, 3) the network's orientations.
        t_cam_head_m: (N, 3) true positions of the sellion.
        extent_m: (N,) larger extents of the boxes at the sellion's range.
        aspect: (N,) heights of the boxes over their widths.
    """

    person: np.ndarray
    rays: np.ndarray
    R_cam_head: np.ndarray
    t_cam_head_m: np.ndarray
    extent_m: np.ndarray
    aspect: np.ndarray


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


def measured(seeds: Sequence[int], seconds: float) -> SeenFaces:
    """The faces that are found in recordings of a person each.

    Raises:
        ValueError: where no face is found.
    """
    estimator, found = HeadPoseEstimator.load('c2f_edge', device='cpu'), []
    for seed in seeds:
        for frame in render_sequence(seconds, RATE_HZ, seed, motion='random', depth_model=None):
            poses = estimator.estimate(frame.image_bgr, camera=frame.camera)
            if not poses:
                continue
            pose = max(poses, key=lambda pose: pose.box.iou(frame.box))
            by_size = position_from_size(pose.box, frame.camera)
            assert by_size is not None
            extent_m = FACE_EXTENT_M * np.linalg.norm(frame.t_cam_head_m) / np.linalg.norm(by_size[0])
            ray = pixel_ray(frame.camera, *pose.box.centre)
            found.append((seed, ray, pose.R_cam_head, frame.t_cam_head_m, extent_m, pose.box.height / pose.box.width))
    if not found:
        raise ValueError('no face was found')
    return SeenFaces(*(np.array(values) for values in zip(*found)))


def measured_by_eyes(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The boxes about the frontal faces of a folder of portraits: larger extents with eyes `EYES_APART_M` apart, and heights over widths.

    Returns:
        (N,) metres, (N,).

    Raises:
        ValueError: where no face looks into the camera.
    """
    estimator, session = HeadPoseEstimator.load('c2f_edge', device='cpu'), open_session(detector_path(), 1)

    def eyes_apart_px(image: np.ndarray, box: FaceBox) -> float:
        """Distance of the landmarks of both eyes, the first two, by the detector's best cell; its place in the map drops out."""
        square, best = square_about(box, REACH), (0.0, 0.0)
        crop = cut(image, square, SIZE_PX).transpose(2, 0, 1)[None].astype(np.float32)
        for stride in (8, 16, 32):
            classes, objects, landmarks = session.run([f'{kind}_{stride}' for kind in ('cls', 'obj', 'kps')], {'input': crop})
            scores = (classes * objects)[0, :, 0]
            right, left = landmarks[0, scores.argmax()].reshape(5, 2)[:2] * stride
            best = max(best, (float(scores.max()), float(np.linalg.norm(right - left))))
        return best[1] * square.side / SIZE_PX

    found = []
    for path in find_pictures(folder)[0]:
        poses = estimator.estimate(image := read_picture(path))
        if len(poses) == 1 and np.abs(poses[0].yaw_pitch_roll_deg[:2]).max() <= FRONTAL_DEG:
            box = poses[0].box
            found.append((EYES_APART_M * max(box.width, box.height) / eyes_apart_px(image, box), box.height / box.width))
    if not found:
        raise ValueError(f'no face in {folder} looks into the camera')
    extent_m, aspect = np.array(found).T
    return extent_m, aspect


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.face_box', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[*range(21, 33)], help='one recording each: person, room and motion')
    parser.add_argument('--seconds', type=positive_float, default=3.0, help=f'length of each recording, at {RATE_HZ:g} frames a second')
    parser.add_argument('--pictures', type=Path, metavar='FOLDER', help='portraits, one face each, to measure the boxes of instead')
    args = parser.parse_args(arguments)
    if args.pictures is not None:
        extent_m, aspect = measured_by_eyes(args.pictures)
        print(f'FACE_EXTENT_M {FACE_EXTENT_M:g}: {_spread(extent_m)} of {len(extent_m)} faces, if their eyes are {EYES_APART_M:g} m apart')
        print(f'FACE_ASPECT {FACE_ASPECT:g}: {_spread(aspect)}')
        return
    seen = measured(args.seeds, args.seconds)
    offset_m = across(seen.rays, seen.t_cam_head_m)
    for name, point_m in (('middle of the box', np.zeros(3)), ('SELLION_FROM_BOX_M', SELLION_FROM_BOX_M)):
        error_cm = 100 * np.linalg.norm(offset_m - across(seen.rays, seen.R_cam_head @ point_m), axis=1)
        print(
            f'{name}: sellion off by {error_cm.mean():.2f} cm across the ray on the mean of {len(error_cm)} images, '
            f'worst {error_cm.max():.2f}'
        )
    print('fitted here:', ', '.join(f'{value:.3f}' for value in fit(seen.rays, seen.R_cam_head, seen.t_cam_head_m)), 'm')
    people = [seen.person == person for person in np.unique(seen.person)]
    for name, constant, values in (('FACE_EXTENT_M', FACE_EXTENT_M, seen.extent_m), ('FACE_ASPECT', FACE_ASPECT, seen.aspect)):
        means = ' '.join(f'{values[person].mean():.3f}' for person in people)
        print(f'{name} {constant:g}: {_spread(values)} of all images; of each of {len(people)} people {means}')


def _spread(values: np.ndarray) -> str:
    return f'mean {values.mean():.3f}, deviation {values.std():.3f},'


if __name__ == '__main__':
    sys.exit(main())
