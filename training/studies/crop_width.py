"""Measures the sensitivity to the width of the crop: `python -m training.studies.crop_width [MODEL ...] [--peers FOLDER]`.

For each network, set of real faces and width of the square crop: the slope of the estimated over the labelled angle (1 without
compression) and the mean absolute error, for yaw and pitch. Pointing'04's marks are directions from the head, so its pan and tilt are
compared with the azimuth and elevation of the face's direction, which yaw and pitch are not: a head at pan 60, tilt 30 has yaw 49,
pitch 49. A slope that all networks share comes from the labels. The sets are opened as by `python -m training.evaluate`. Figures go to
training/results/crop_width.csv.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose import crop, geometry
from c2f_head_pose.attention import zones
from c2f_head_pose.models.registry import ModelError

from ..command import exits_with_message, positive_int
from ..datasets.base import Face, MissingDataError
from ..datasets.face_crops import box_square, landmark_square
from ..datasets.registry import open_faces, spread
from ..evaluation import results
from ..loop.checkpoint import commit
from .peer_networks import HeadPoseNetwork, add_network_arguments, networks, rotations

Square = Callable[[Face, float], crop.CropSquare]
Angles = Callable[[np.ndarray], np.ndarray]


def yaw_pitch_deg(R_cam_head: np.ndarray) -> np.ndarray:
    """Returns (N, 2) yaw and pitch of (N, 3, 3) rotations, degrees."""
    return geometry.ypr_deg_from_rotation(R_cam_head)[:, :2]


def azimuth_elevation_deg(R_cam_head: np.ndarray) -> np.ndarray:
    """Returns (N, 2) azimuth and elevation of the faces' directions, degrees, with the signs of yaw and pitch.

    Args:
        R_cam_head: (N, 3, 3), maps head axes to the camera's optical axes.
    """
    forward_right_down = R_cam_head[:, [2, 0, 1], 0]  # of the face; its opposite has vehicle axes, x forward, y left, z up
    return np.array([zones.azimuth_elevation_deg(-direction) for direction in forward_right_down])


SETS: dict[str, tuple[Square, Angles, float, float]] = {
    'aflw2000': (landmark_square, yaw_pitch_deg, 60.0, 40.0),
    'pointing04': (box_square, azimuth_elevation_deg, 60.0, 30.0),
}
"""The square to cut, the angles of the labels, and the largest of them: beyond, yaw, pitch and roll mix, and a slope does not describe
the errors."""
WIDTHS = (0.75, 0.85, 1.0, 1.15, 1.3)
"""Widths of the crop over the network's own."""
LINE = '{set:10} {network:24} margin {margin:.2f}  yaw {yaw_slope:.2f}, {yaw_error:4.1f}  pitch {pitch_slope:.2f}, {pitch_error:4.1f}'
FIELDS = ('set', 'network', 'margin', 'n', 'yaw_slope', 'yaw_error', 'pitch_slope', 'pitch_error', 'command', 'commit')


def rows(
    network: HeadPoseNetwork, faces: Sequence[Face], square: Square, angles_deg: Angles = yaw_pitch_deg, widths: Sequence[float] = WIDTHS
) -> Iterator[dict[str, object]]:
    """Makes one row for each width of the square: FIELDS without set, command and commit."""
    truth = np.array([face.ypr_deg[:2] for face in faces])
    images = [face.read() for face in faces]
    for width in widths:
        margin = network.margin * width
        found = angles_deg(rotations(network, images, [square(face, margin) for face in faces]))
        error = np.abs(found - truth).mean(0)
        slope = [np.polyfit(truth[:, axis], found[:, axis], 1)[0] for axis in (0, 1)]
        yield {
            'network': network.name,
            'margin': margin,
            'n': len(faces),
            'yaw_slope': float(slope[0]),
            'yaw_error': float(error[0]),
            'pitch_slope': float(slope[1]),
            'pitch_error': float(error[1]),
        }


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 1 if a model or every set is missing."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.crop_width', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_network_arguments(parser)
    parser.add_argument('--limit', type=positive_int, default=500, help='faces of each set, spread over it')
    parser.add_argument('--results', type=Path, default=results.FOLDER / 'crop_width.csv')
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    command = f'python -m training.studies.crop_width {" ".join(args.models)}{" --peers PEERS" if args.peers else ""} --limit {args.limit}'
    kept: list[dict[str, object]] = []
    try:
        opened = networks(args.models, args.peers, 1)
        for name, (square, angles_deg, yaw, pitch) in SETS.items():
            try:
                faces = [f for f in open_faces(name) if abs(f.ypr_deg[0]) <= yaw and abs(f.ypr_deg[1]) <= pitch]
            except MissingDataError as error:
                print(f'{name}: {error}', file=sys.stderr)
                continue
            faces = spread(faces, args.limit)
            for network in opened:
                for row in rows(network, faces, square, angles_deg):
                    kept.append({'set': name, **row, 'command': command, 'commit': commit()})
                    print(LINE.format(**kept[-1]), flush=True)
    except ModelError as error:
        print(f'crop_width: {error}', file=sys.stderr)
        return 1
    if not kept:
        return 1
    results.write_rows(args.results, FIELDS, kept)
    return 0


if __name__ == '__main__':
    sys.exit(main())
