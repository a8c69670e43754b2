"""Reads the user's own labelled pictures from a csv file."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from c2f_head_pose.images import ImageError, read_picture
from c2f_head_pose.types import FaceBox

from .base import DETECTOR_EXTENT, Face

ANGLES = ('yaw_deg', 'pitch_deg', 'roll_deg')
CSV_COLUMNS = ('image', 'x1', 'y1', 'x2', 'y2', *ANGLES)
CAMERA_COLUMNS = ('fx', 'fy', 'cx', 'cy')
"""Optional: the calibration of the picture's camera, for labels in that camera's frame."""
LEAST_BOX_PX = 8
"""Smallest width and height of a box; normalised boxes are below it."""
LARGEST_BOX = 2
"""Largest side of a box over the larger side of its picture: a face may reach beyond the picture, but not so far."""


def user_csv(path: Path) -> Iterator[Face]:
    """Reads the user's own pictures from a csv file with columns image, x1, y1, x2, y2, yaw_deg, pitch_deg, roll_deg (empty: unknown).

    Paths are relative to the file; signs are 300W-LP's. Angles are relative to the ray through the crop's centre, or in the camera's frame
    where the columns fx, fy, cx, cy give its calibration, pixels of an undistorted picture. Look at `python -m training.evaluate --axes
    csv:FILE` before training. A line on the error output warns of angles that look like radians.

    Raises:
        ValueError: for a file that is no UTF-8, has no faces or lacks a column; for an impossible value, with its line.
    """
    rows = csv.DictReader(io.StringIO(_text(path), newline=''))
    if missing := [name for name in CSV_COLUMNS if name not in (rows.fieldnames or ())]:
        if ';' in (rows.fieldnames or [''])[0]:
            raise ValueError(f'{path} is separated by semicolons: save it with commas between the columns and points in the numbers')
        raise ValueError(f'{path} lacks the columns {", ".join(missing)}')
    camera = [name for name in CAMERA_COLUMNS if name in rows.fieldnames]
    if camera and len(camera) < len(CAMERA_COLUMNS):
        raise ValueError(f'{path} has {", ".join(camera)} of a camera: it needs all of {", ".join(CAMERA_COLUMNS)}, or none')
    largest = []
    for row in rows:
        where = f'{path}, line {rows.line_num}'
        if None in row.values() or any(row.get(None, ())):
            raise ValueError(f'{where}: has other columns than the header')
        try:
            numbers = {name: float(row[name]) if row[name].strip() else np.nan for name in (*CSV_COLUMNS[1:], *camera)}
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        x1, y1, x2, y2, *ypr_deg = (numbers[name] for name in CSV_COLUMNS[1:])
        if not np.isfinite([x1, y1, x2, y2]).all() or x2 <= x1 or y2 <= y1:
            raise ValueError(f'{where}: the box needs x1 < x2 and y1 < y2')
        if min(x2 - x1, y2 - y1) < LEAST_BOX_PX:
            raise ValueError(
                f'{where}: the box has {x2 - x1:.3g} x {y2 - y1:.3g} pixels, of which no pose can be read; the columns are pixels of the '
                'picture, not shares of its width and height'
            )
        for name, angle, limit in zip(ANGLES, ypr_deg, (180, 90, 180)):
            if abs(angle) > limit:
                raise ValueError(f'{where}: {name} {angle:g} is beyond {limit}')
        largest.append(np.nanmax(np.abs([0, *ypr_deg])))
        box = FaceBox(x1, y1, x2, y2)
        picture = _own_picture(path.parent / row['image'], box, where)
        K = _intrinsics([numbers[name] for name in camera], where)
        yield Face(row['image'], np.array(ypr_deg), picture, box=box, box_extent=DETECTOR_EXTENT, K=K)
    if not largest:
        raise ValueError(f'{path} has no faces, only its header')
    if 0 < max(largest) < 2:
        print(f'{path}: no angle reaches 2 degrees: if they are radians, the file needs degrees', file=sys.stderr)


def _intrinsics(values: list[float], where: str) -> np.ndarray | None:
    """Returns (3, 3) K of fx, fy, cx, cy; None where the file or the line has none."""
    if np.isnan(values).all():
        return None
    fx, fy, cx, cy = values
    if not np.isfinite(values).all() or fx <= 0 or fy <= 0:
        raise ValueError(f'{where}: a camera needs fx and fy above 0, cx and cy; leave all four empty where it is unknown')
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _text(path: Path) -> str:
    """Reads a UTF-8 file without the byte order mark that Excel writes."""
    content = path.read_bytes()
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content.count(b'\n', 0, error.start) + 1
        raise ValueError(f'{path}, line {line}: is no UTF-8: save the file as "CSV UTF-8"') from error


def _own_picture(path: Path, box: FaceBox, where: str) -> Callable[[], np.ndarray]:
    """Returns a function that reads a picture named in a line of the user's file, of 8 to 16 bits as in estimating.

    Raises (when called):
        ValueError: with the line, for a file that is no picture, or a box that is outside of it or far larger.
    """

    def read() -> np.ndarray:
        if not path.exists():
            raise ValueError(f'{where}: {path} does not exist')
        try:
            image = read_picture(path)
        except ImageError as error:
            raise ValueError(f'{where}: {path} is no picture: it {error}') from error
        height, width = image.shape[:2]
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= width or box.y1 >= height:
            raise ValueError(f'{where}: the box is outside the picture, which has {width} x {height} pixels')
        if max(box.width, box.height) > LARGEST_BOX * max(width, height):
            raise ValueError(
                f'{where}: the box has {box.width:.0f} x {box.height:.0f} pixels, the picture {width} x {height}: x2 and y2 are the '
                "box's far corner, in pixels of this picture"
            )
        return image

    return read
