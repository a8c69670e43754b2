"""Records of a labelled face and of a data set, and the error for a missing set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.types import FaceBox

BOX_EXTENT = 1.41 / 1.25
"""Larger extent of a set's face box over that of the 68 landmarks' box, by the peers' protocol for Pointing'04."""
DETECTOR_EXTENT = 1.3
"""The same of YuNet's box, from the forehead to the chin; it is 1.03 times as wide as the landmarks' box and 1.3 times as high."""


@dataclass(frozen=True, eq=False)
class Face:
    """One labelled face of a real data set.

    Attributes:
        name: name of the face, unique within the set.
        ypr_deg: (3,) yaw, pitch, roll, 300W-LP signs; nan for an angle that the set does not label.
        read: reads the picture: (H, W, 3) BGR uint8.
        box: the set's own face box, pixels, or None.
        box_extent: larger extent of the box over that of the 68 landmarks' box.
        landmarks: (68, 2) pixels, or None.
        points21: (21, 2) pixels of AFLW's landmarks, <= 0 for hidden ones, or None.
        R_cam_head: (3, 3) in the frame of the picture's camera, or None if the set has no rotation.
        K: (3, 3) intrinsics of the picture, or None.
        read_depth_m: reads the depth picture: (H, W) float32 metres, nan unknown; None without depth.
        sequence: name of its video, '' for single pictures.
    """

    name: str
    ypr_deg: np.ndarray
    read: Callable[[], np.ndarray]
    box: FaceBox | None = None
    box_extent: float = BOX_EXTENT
    landmarks: np.ndarray | None = None
    points21: np.ndarray | None = None
    R_cam_head: np.ndarray | None = None
    K: np.ndarray | None = None
    read_depth_m: Callable[[], np.ndarray] | None = None
    sequence: str = ''


@dataclass(frozen=True)
class Source:
    """Where a data set comes from, its terms and its reader.

    Attributes:
        title: full name.
        variable: environment variable with its folder.
        pattern: glob pattern of files that the folder must contain.
        steps: instructions to get it.
        licence: its terms in short.
        read: reads the folder.
        crops: available crops of `face_crops` beside 'detector'; the first is the default.
        options: keyword arguments of `read`.
        parts: test sets within it, for names such as 'biwi:official'.
    """

    title: str
    variable: str
    pattern: str
    steps: str
    licence: str
    read: Callable[..., Iterator[Face]]
    crops: tuple[str, ...]
    options: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


class MissingDataError(ValueError):
    """A data set is missing; the message has the steps to get it."""


def read_picture(path: Path) -> Callable[[], np.ndarray]:
    """Returns a function that reads a picture, so that pictures are read when they are needed.

    Raises (when called):
        ValueError: for a file that is no picture.
    """

    def read() -> np.ndarray:
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f'{path} is missing or no picture: unpack the data set again')
        return image

    return read
