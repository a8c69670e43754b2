"""Reads AFLW2000-3D and 300W-LP (Zhu et al. 2016, Face Alignment Across Large Poses): photographs labelled by a fitted 3D face model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .base import Face, read_picture


def aflw2000(folder: Path) -> Iterator[Face]:
    """Reads AFLW2000-3D without faces with an angle beyond 99 degrees, as in the literature (FSA-Net, Hopenet).

    The .mat files hold pitch, yaw, roll in Pose_Para (radians), 68 fitted landmarks in pt3d_68, and AFLW's 21 in pt2d.
    """
    from scipy.io import loadmat

    for path in sorted(folder.glob('*.mat')):
        content = loadmat(path)
        pitch, yaw, roll = np.degrees(content['Pose_Para'][0][:3])
        if max(abs(pitch), abs(yaw), abs(roll)) > 99:
            continue
        yield Face(
            path.stem,
            np.array([yaw, pitch, roll]),
            read_picture(path.with_suffix('.jpg')),
            landmarks=content['pt3d_68'][:2].T.astype(float),
            points21=content['pt2d'].T.astype(float),
        )


def w300lp(folder: Path, flipped: bool = True) -> Iterator[Face]:
    """Reads 300W-LP: AFW, HELEN, IBUG and LFPW rotated synthetically to profile, and their mirror images.

    Args:
        folder: folder with AFW, HELEN, ...
        flipped: whether to read the `*_Flip` folders too.
    """
    from scipy.io import loadmat

    for path in sorted(folder.glob('*/*.mat')):
        if path.parent.name in ('landmarks', 'Code') or (not flipped and path.parent.name.endswith('_Flip')):
            continue
        content = loadmat(path)
        pitch, yaw, roll = np.degrees(content['Pose_Para'][0][:3])
        if max(abs(pitch), abs(yaw), abs(roll)) > 99:
            continue
        yield Face(
            f'{path.parent.name}/{path.stem}',
            np.array([yaw, pitch, roll]),
            read_picture(path.with_suffix('.jpg')),
            landmarks=content['pt2d'].T.astype(float),
        )
