"""Reads the Biwi Kinect Head Pose Database: RGB, depth, calibration and pose of 24 sequences of 20 people.

Source: Fanelli, Dantone, Gall, Fossati, Van Gool 2013, Random Forests for Real Time 3D Face Analysis, IJCV 101, and the readme
of the data set. Its poses are in the depth camera's frame (x right, y down, z forward, millimetres); a face looking straight into
that camera has the identity, so they are R_cv without conversion. Axes projected into the picture confirm it (README).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.types import FaceBox

from .base import Face, read_picture

TEST_SEQUENCES = (1, 12)
"""The authors' own test set (Fanelli et al. 2011, DAGM): all frames of two people."""
HEAD_BOX_M = 0.2
"""Side of the projected box about the head's centre, a head's size, because the set has no face boxes."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A .cal file.

    Attributes:
        K: (3, 3) intrinsics, pixels.
        R: (3, 3) rotation from the depth camera to this one.
        t_m: (3,) translation, metres: X_this = R X_depth + t.
        width: width of the image, pixels.
        height: height of the image, pixels.
    """

    K: np.ndarray
    R: np.ndarray
    t_m: np.ndarray
    width: int
    height: int


def read_calibration(path: Path) -> Calibration:
    """Reads rgb.cal or depth.cal: K, 4 zeros of distortion, R, t (mm), size.

    Raises:
        ValueError: for a file of another form.
    """
    numbers = [float(word) for word in path.read_text().split()]
    if len(numbers) != 27:
        raise ValueError(f'{path} has {len(numbers)} numbers, a Biwi calibration has 27: K, distortion, R, t, width and height')
    return Calibration(
        np.array(numbers[:9]).reshape(3, 3),
        np.array(numbers[13:22]).reshape(3, 3),
        np.array(numbers[22:25]) / 1000,
        int(numbers[25]),
        int(numbers[26]),
    )


def read_depth_m(path: Path) -> np.ndarray:
    """Reads a compressed depth picture: (H, W) float32 metres, nan if unknown.

    The file has width and height (int32), then runs: the number of empty pixels (int32), the number of measured pixels (int32), and
    those in millimetres (int16).

    Raises:
        ValueError: for a file that ends early or has too many pixels.
    """
    content = path.read_bytes()
    if len(content) < 8:
        raise ValueError(f'{path} is no Biwi depth picture: only {len(content)} bytes')
    width, height = np.frombuffer(content, '<i4', 2)
    out = np.zeros(int(width) * int(height), np.int16)
    place, offset = 0, 8
    while place < len(out):
        if offset + 8 > len(content):
            raise ValueError(f'{path} ends after {place} of {len(out)} pixels: unpack the data set again')
        empty, full = (int(v) for v in np.frombuffer(content, '<i4', 2, offset))
        if min(empty, full) < 0 or place + empty + full > len(out) or offset + 8 + 2 * full > len(content):
            raise ValueError(f'{path} is damaged at byte {offset}: unpack the data set again')
        out[place + empty : place + empty + full] = np.frombuffer(content, '<i2', full, offset + 8)
        place, offset = place + empty + full, offset + 8 + 2 * full
    metres = out.reshape(int(height), int(width)).astype(np.float32) / 1000
    metres[metres <= 0] = np.nan
    return metres


def read_pose(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads R_cam_head (3, 3) and the head's centre (3,) in metres, both in the depth camera's frame."""
    numbers = np.array([float(word) for word in path.read_text().split()])
    if len(numbers) != 12:
        raise ValueError(f'{path} has {len(numbers)} numbers, a Biwi pose has 12')
    return numbers[:9].reshape(3, 3) @ geometry.HEAD_AXES, numbers[9:] / 1000


def box_about(centre_m: np.ndarray, K: np.ndarray) -> FaceBox:
    """Returns the square of `HEAD_BOX_M` about a point in the camera's frame, in its pixels."""
    x, y = (float(v) for v in (K @ centre_m / centre_m[2])[:2] + 0.5)
    half = float(K[0, 0] * HEAD_BOX_M / centre_m[2]) / 2
    return FaceBox(x - half, y - half, x + half, y + half)


def read_biwi(folder: Path, sequences: tuple[int, ...] | None = None) -> Iterator[Face]:
    """Reads every frame: rotation and box in the RGB camera's frame, depth in the depth camera's.

    Args:
        folder: folder with the sequences' folders 01 ... 24, or one folder of frames with its calibration.
        sequences: numbers of the sequences; `TEST_SEQUENCES` is the authors' test set; None for all.
    """
    for path in sorted(folder.glob('**/*_pose.txt')):
        sequence = path.parent.name
        if sequences is not None and (not sequence.isdigit() or int(sequence) not in sequences):
            continue
        rgb = read_calibration(path.parent / 'rgb.cal')
        R_depth, centre_m = read_pose(path)
        R = rgb.R @ R_depth
        picture, depth = (path.with_name(path.name.replace('_pose.txt', end)) for end in ('_rgb.png', '_depth.bin'))
        yield Face(
            f'{sequence}/{path.stem[:-5]}',
            geometry.ypr_deg_from_rotation(R),
            read_picture(picture),
            box=box_about(rgb.R @ centre_m + rgb.t_m, rgb.K),
            R_cam_head=R,
            K=rgb.K,
            read_depth_m=(lambda p=depth: read_depth_m(p)) if depth.exists() else None,
            sequence=sequence,
        )


@lru_cache(maxsize=1)
def _sequences(folder: Path) -> dict[str, Path]:
    """Folders of the sequences by name, at any depth."""
    return {path.parent.name: path.parent for path in folder.glob('**/depth.cal')}


def depth_face(face: Face, folder: Path) -> Face:
    """Converts a frame to the depth camera's view: pose, box and calibration."""
    sequence, frame = face.name.split('/')
    place = _sequences(folder)[sequence]
    depth = read_calibration(place / 'depth.cal')
    R, centre_m = read_pose(place / f'{frame}_pose.txt')
    return Face(
        face.name,
        geometry.ypr_deg_from_rotation(R),
        face.read,
        box=box_about(centre_m, depth.K),
        R_cam_head=R,
        K=depth.K,
        read_depth_m=face.read_depth_m,
        sequence=face.sequence,
    )


def split_80_20(faces: list[Face], seed: int = 0) -> tuple[list[Face], list[Face]]:
    """Splits by frame as the paper (section 3.4): 80 % to train, 20 % to test. Both contain the same people, so the test is easy."""
    order = np.random.default_rng(seed).permutation(len(faces))
    cut = round(0.8 * len(faces))
    return [faces[i] for i in sorted(order[:cut])], [faces[i] for i in sorted(order[cut:])]


def read_part(folder: Path, part: str) -> list[Face]:
    """Reads a test set of Biwi by name: 'official' is `TEST_SEQUENCES`, '80-20' the paper's, whose frames are not neighbours.

    Raises:
        ValueError: for another name.
    """
    if part == 'official':
        return list(read_biwi(folder, TEST_SEQUENCES))
    if part == '80-20':
        return [replace(face, sequence='') for face in split_80_20(list(read_biwi(folder)))[1]]
    raise ValueError(f"Biwi's part {part!r} is neither 'official' nor '80-20'")
