"""Reads Boston University head tracking: videos of 200 frames with a magnetic tracker's pose.

Source: La Cascia, Sclaroff, Athitsos 2000, IEEE PAMI 22(4). Columns and signs of the .dat files as OpenFace's evaluation reads them:
frame, x, y, z (inches), roll, yaw, pitch (degrees), each angle the opposite of ours. This reader was written
without access to the data: check `python -m training.evaluate --axes boston` before using a figure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from .base import Face


@lru_cache(maxsize=2)
def _frames(path: Path) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(path))
    frames = []
    while True:
        good, frame = video.read()
        if not good:
            break
        frames.append(frame)
    video.release()
    if not frames:
        raise ValueError(f'{path} cannot be read as a video: this OpenCV may lack its codec; convert it, keeping every frame')
    return frames


def _reader(path: Path, number: int) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        frames = _frames(path)
        if number >= len(frames):
            raise ValueError(f'{path} has {len(frames)} frames, but its .dat file labels frame {number + 1}')
        return frames[number]

    return read


def read_truth(path: Path) -> np.ndarray:
    """Reads a .dat file: (N, 3) yaw, pitch, roll in degrees, with our signs.

    Raises:
        ValueError: for a file without the seven columns.
    """
    table = np.loadtxt(path, ndmin=2)
    if table.shape[1] < 7:
        raise ValueError(f'{path} has {table.shape[1]} columns, expected frame, x, y, z, roll, yaw, pitch')
    roll, yaw, pitch = table[:, 4:7].T
    return -np.stack([yaw, pitch, roll], 1)


def read_boston(folder: Path, light: str | None = None) -> Iterator[Face]:
    """Reads every frame of every video; the set has no face boxes. Prints which .dat files have no video.

    Args:
        folder: the unpacked set.
        light: 'uniform' or 'varying' alone; None for both.
    """
    alone = []
    for path in sorted(folder.glob('**/*.dat')):
        if light is not None and light not in path.parent.name:
            continue
        video = path.with_suffix('.avi')
        if not video.exists():
            alone.append(str(path.relative_to(folder)))
            continue
        for number, ypr in enumerate(read_truth(path)):
            yield Face(f'{path.stem}/{number:03d}', ypr, _reader(video, number), sequence=path.stem)
    if alone:
        print(f'boston: {len(alone)} .dat files left out, without an .avi of their name: {", ".join(alone)}', file=sys.stderr)
