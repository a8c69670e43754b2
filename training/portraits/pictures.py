"""Finds the portraits in a folder: its pictures with exactly one face. What is left out is counted by its reason."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2f_head_pose.detect import FaceDetector
from c2f_head_pose.images import ImageError, find_pictures, read_picture
from c2f_head_pose.options import EstimatorOptions


@dataclass(frozen=True, eq=False)
class Found:
    """A portrait with exactly one face.

    Attributes:
        name: the file's name.
        box: (4,) x1 y1 x2 y2 of the detected face.
    """

    name: str
    box: np.ndarray


def pictures_of(folder: Path) -> list[Path]:
    """The pictures in a folder, by name; those in its subfolders are none of it, because names alone tell who a person is."""
    return _with_those_below(folder)[0]


def _with_those_below(folder: Path) -> tuple[list[Path], list[Path]]:
    pictures = find_pictures(folder)[0]
    return [path for path in pictures if path.parent == folder], [path for path in pictures if path.parent != folder]


def find_faces(folder: Path, limit: int | None = None) -> tuple[list[Found], str]:
    """The pictures of a folder with exactly one face, by name, and a line that counts what was left out, '' for nothing.

    Args:
        folder: the pictures.
        limit: only the first so many of them.

    Raises:
        ValueError: if there is none.
    """
    detector, threshold = FaceDetector(), EstimatorOptions().detection_threshold
    pictures, below = _with_those_below(folder)
    found, left_out = [], defaultdict(list)
    for path in pictures[:limit]:
        try:
            boxes = detector.detect_all_sizes(read_picture(path), threshold)
        except ImageError as error:
            left_out[f'that {error}'].append(path)
            continue
        if len(boxes) == 1:
            found.append(Found(path.name, np.array([boxes[0].x1, boxes[0].y1, boxes[0].x2, boxes[0].y2])))
        else:
            left_out['with several faces' if boxes else 'without a face'].append(path)
    if below:
        left_out['in subfolders'] = below
    counts = ', '.join(f'{len(paths)} {reason} ({paths[0].relative_to(folder)})' for reason, paths in left_out.items())
    line = f'left out, with the first of each: {counts}' if counts else ''
    if not found:
        none = f'{folder} has no picture with exactly one face{line and f" ({line})"}'
        raise ValueError(f'{none}: run `python -m training.portraits fetch`, or set PORTRAITS_DIR')
    return found, line
