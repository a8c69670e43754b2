"""Reads Pointing'04 (Gourier, Hall, Crowley 2004): people looking at markers on a grid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from c2f_head_pose.types import FaceBox

from .base import Face, read_picture

MAX_PAN_DEG, MAX_TILT_DEG = 60.0, 30.0
"""Default limits of Pointing'04's angles."""


def pointing04(
    folder: Path, max_pan_deg: float = MAX_PAN_DEG, max_tilt_deg: float = MAX_TILT_DEG, people: tuple[int, ...] | None = None
) -> Iterator[Face]:
    """Reads Pointing'04: pan and tilt in steps of 15 (tilt also 30) degrees, from the marker that a person looks at; no roll.

    Args:
        folder: folder with Person01, Person02, ...
        max_pan_deg: largest pan.
        max_tilt_deg: largest tilt.
        people: numbers of the persons; None for all.
    """
    for path in sorted(folder.glob('Person*/*.jpg')):
        match = re.match(r'person(\d\d)\d\d\d([+-]\d+)([+-]\d+)\.jpg', path.name)
        if match is None:
            continue
        person, tilt, pan = int(match[1]), float(match[2]), float(match[3])
        if abs(pan) > max_pan_deg or abs(tilt) > max_tilt_deg or (people is not None and person not in people):
            continue
        x, y, width, height = map(float, path.with_suffix('.txt').read_text().split()[-4:])
        yield Face(
            path.name,
            np.array([pan, tilt, np.nan]),
            read_picture(path),
            box=FaceBox(x - width / 2, y - height / 2, x + width / 2, y + height / 2),
            sequence=f'person{person:02d}',
        )
