"""Measures what a network's mean error on real faces does not show: `python -m training.studies.real_faces [MODEL ...] [--peers FOLDER]`.

For each network: yaw, pitch and roll of AFLW2000's faces within yaw 60; the mean of the angles' errors and that of the rotation within and
beyond a yaw of 60 and a roll of 45 degrees; its error on faces that are rolled, over that on upright ones; in squares off centre, over that
in centred ones; and Pointing'04 in squares of other widths, as other detectors' boxes give them, the worst width's error over the
best one's. The sets are found as `python -m training.evaluate` finds them. Figures go to training/results/real_faces.csv.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose import crop, geometry
from c2f_head_pose.evaluation import metrics
from c2f_head_pose.models.registry import ModelError

from ..command import exits_with_message, positive_int
from ..datasets.base import Face, MissingDataError
from ..datasets.face_crops import landmark_square
from ..datasets.registry import open_faces, spread
from ..evaluation import results
from ..loop.checkpoint import commit
from .peer_networks import HeadPoseNetwork, add_network_arguments, networks, rotations

FRONTAL_DEG = 60.0
ROLLED_DEG = 45.0
ROLLS_DEG = ((0.0, 10.0), (10.0, 30.0), (30.0, 60.0))
"""From and below which absolute roll faces are taken together; the first are upright."""
WIDTHS = (1.25, 1.36, 1.5, 1.65)
"""Sides of the square over the larger extent of Pointing'04's own box."""
SHIFT = 0.1
"""How far a square is moved, over its side."""
FIELDS = ('set', 'network', 'measure', 'n', 'value', 'command', 'commit')
Measure = tuple[str, int, float]


def landmark_measures(network: HeadPoseNetwork, faces: Sequence[Face]) -> Iterator[Measure]:
    """Yields name, faces and value of each measure on faces with landmarks, each in its landmarks' square."""
    truth = np.array([face.ypr_deg for face in faces])
    images, squares = [face.read() for face in faces], [landmark_square(face, network.margin) for face in faces]
    R = rotations(network, images, squares)
    yield from angle_measures(truth, R)
    yield from pose_measures(truth, R)
    yield from roll_measures(truth, R)
    yield from shift_measures(network, truth, R, images, squares)


def angle_measures(truth_ypr_deg: np.ndarray, R: np.ndarray) -> Iterator[Measure]:
    """Yields the mean absolute error of each angle within `FRONTAL_DEG` of yaw.

    Args:
        truth_ypr_deg: (N, 3).
        R: (N, 3, 3) estimates.
    """
    near = np.abs(truth_ypr_deg[:, 0]) <= FRONTAL_DEG
    if not near.any():
        return
    difference = geometry.ypr_deg_from_rotation(R[near]) - truth_ypr_deg[near]
    error = np.abs((difference + 180) % 360 - 180).mean(0)
    for name, value in zip(('yaw', 'pitch', 'roll'), error, strict=True):
        yield f'{name} within yaw {FRONTAL_DEG:g}', int(near.sum()), float(value)


def pose_measures(truth_ypr_deg: np.ndarray, R: np.ndarray) -> Iterator[Measure]:
    """Yields the mean of the angles' absolute errors and the mean geodesic error of turned and rolled faces, and of the others.

    Near a yaw of 90 degrees yaw, pitch and roll of the same small turn differ widely, so the two grow differently.

    Args:
        truth_ypr_deg: (N, 3).
        R: (N, 3, 3) estimates.
    """
    of_angles = np.abs(metrics.wrapped_deg(geometry.ypr_deg_from_rotation(R) - truth_ypr_deg)).mean(1)
    geodesic = geometry.geodesic_deg(geometry.rotation_from_ypr_deg(truth_ypr_deg), R)
    turned, rolled = np.abs(truth_ypr_deg[:, 0]) > FRONTAL_DEG, np.abs(truth_ypr_deg[:, 2]) > ROLLED_DEG
    yaw, roll = f'yaw {FRONTAL_DEG:g}', f'roll {ROLLED_DEG:g}'
    parts = {
        f'within {yaw}': ~turned,
        f'beyond {yaw}': turned,
        f'within {roll}': ~rolled,
        f'beyond {roll}': rolled,
        f'within {roll} and {yaw}': ~rolled & ~turned,
        f'beyond {roll} within {yaw}': rolled & ~turned,
    }
    for where, among in parts.items():
        for name, error in (('MAE', of_angles), ('geodesic', geodesic)):
            yield f'{name} {where}', int(among.sum()), float(error[among].mean()) if among.any() else float('nan')


def roll_measures(truth_ypr_deg: np.ndarray, R: np.ndarray) -> Iterator[Measure]:
    """Yields the mean geodesic error of each range of roll, and the last range's over the first's.

    Args:
        truth_ypr_deg: (N, 3).
        R: (N, 3, 3) estimates.
    """
    error = geometry.geodesic_deg(geometry.rotation_from_ypr_deg(truth_ypr_deg), R)
    roll = np.abs(truth_ypr_deg[:, 2])
    means = []
    for low, high in ROLLS_DEG:
        among = (roll >= low) & (roll < high)
        means.append(float(error[among].mean()) if among.any() else float('nan'))
        yield f'geodesic at roll {low:g} to {high:g}', int(among.sum()), means[-1]
    yield 'geodesic of rolled over upright', int(among.sum()), means[-1] / means[0]


def shift_measures(
    network: HeadPoseNetwork, truth_ypr_deg: np.ndarray, R: np.ndarray, images: Sequence[np.ndarray], squares: Sequence[crop.CropSquare]
) -> Iterator[Measure]:
    """Yields the mean geodesic error in squares moved by `SHIFT` to the left, right, top and bottom, and over that where they are.

    Args:
        network: the network.
        truth_ypr_deg: (N, 3).
        R: (N, 3, 3) estimates in the squares.
        images: N pictures.
        squares: N squares about the faces.
    """
    truth = geometry.rotation_from_ypr_deg(truth_ypr_deg)
    errors = []
    for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        moved = [replace(s, left=s.left + round(x * SHIFT * s.side), top=s.top + round(y * SHIFT * s.side)) for s in squares]
        errors.append(float(geometry.geodesic_deg(truth, rotations(network, images, moved)).mean()))
    shifted = float(np.mean(errors))
    yield f'geodesic shifted by {SHIFT:g} of the side', len(images), shifted
    yield 'geodesic of shifted over centred', len(images), shifted / float(geometry.geodesic_deg(truth, R).mean())


def width_measures(network: HeadPoseNetwork, faces: Sequence[Face]) -> Iterator[Measure]:
    """Yields the mean of yaw's and pitch's error at each of `WIDTHS` of faces with a box, and the worst over the best."""
    truth = np.array([face.ypr_deg[:2] for face in faces])
    images = [face.read() for face in faces]
    errors = []
    for width in WIDTHS:
        squares = [crop.square_about(face.box, width) for face in faces]
        found = geometry.ypr_deg_from_rotation(rotations(network, images, squares))[:, :2]
        errors.append(float(np.abs(found - truth).mean()))
        yield f'MAE at {width:g} times the box', len(faces), errors[-1]
    yield 'worst over best width', len(faces), max(errors) / min(errors)


MEASURES = {'aflw2000': landmark_measures, 'pointing04': width_measures}


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 1 if a model or every set is missing."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.real_faces', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_network_arguments(parser)
    parser.add_argument('--limit', type=positive_int, help='faces of each set, spread over it')
    parser.add_argument('--results', type=Path, default=results.FOLDER / 'real_faces.csv')
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    command = ' '.join(['python -m training.studies.real_faces', *args.models, *(['--peers PEERS'] if args.peers else [])])
    kept: list[dict[str, object]] = []
    try:
        opened = networks(args.models, args.peers, 1)
    except ModelError as error:
        print(f'real_faces: {error}', file=sys.stderr)
        return 1
    for name, measures in MEASURES.items():
        try:
            faces = open_faces(name)
        except MissingDataError as error:
            print(f'{name}: {error}', file=sys.stderr)
            continue
        faces = spread(faces, args.limit or len(faces))
        for network in opened:
            for measure, count, value in measures(network, faces):
                kept.append(
                    {
                        'set': name,
                        'network': network.name,
                        'measure': measure,
                        'n': count,
                        'value': round(value, 4),
                        'command': command,
                        'commit': commit(),
                    }
                )
                print(f'{name:10} {network.name:24} {measure:32} {value:7.3f}  of {count}', flush=True)
    if not kept:
        return 1
    results.write_rows(args.results, FIELDS, kept)
    return 0


if __name__ == '__main__':
    sys.exit(main())
