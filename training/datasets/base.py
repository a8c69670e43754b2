"""What every data set of labelled faces is made of: the record of one face, of one set, and the error where a set is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.types import FaceBox


@dataclass(frozen=True, eq=False)
class Face:
    """One labelled face of a real data set.

    Attributes:
        name: unique within the set.
        ypr_deg: (3,) yaw, pitch, roll, 300W-LP signs; nan for an angle the set does not label.
        read: reads the picture: (H, W, 3) BGR uint8.
        box: the set's own face box, pixels; None where it has none.
        landmarks: (68, 2) pixels, or None.
        points21: (21, 2) pixels of AFLW's landmarks, <= 0 where hidden, or None.
        R_cam_head: (3, 3) in the camera of the picture, where the set gives a rotation; else None.
        K: (3, 3) intrinsics of the picture, or None.
        read_depth_m: reads the depth picture: (H, W) float32 metres, nan unknown; None without depth.
        sequence: the video it belongs to, '' for single pictures.
    """

    name: str
    ypr_deg: np.ndarray
    read: Callable[[], np.ndarray]
    box: FaceBox | None = None
    landmarks: np.ndarray | None = None
    points21: np.ndarray | None = None
    R_cam_head: np.ndarray | None = None
    K: np.ndarray | None = None
    read_depth_m: Callable[[], np.ndarray] | None = None
    sequence: str = ''


@dataclass(frozen=True)
class Source:
    """How a data set is obtained and under which terms.

    Attributes:
        title: full name.
        variable: environment variable with its folder.
        pattern: a file pattern that its folder must hold.
        steps: how to get it.
        licence: its terms in short.
        read: reads the folder.
        crops: the crops of `protocols` that can be cut of it beside 'detector'; the first is what it is evaluated by unless told otherwise.
        options: what `read` may be told.
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
    """A data set that is not there; the message has the steps to get it."""


def read_picture(path: Path) -> Callable[[], np.ndarray]:
    """A function that reads a picture when it is needed.

    Raises (when called):
        ValueError: for a file that is no picture.
    """

    def read() -> np.ndarray:
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f'{path} is missing or no picture: unpack the data set again')
        return image

    return read
