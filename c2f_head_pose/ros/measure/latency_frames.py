"""Images to measure with: a recording brought to any size, one face or five in each."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ...images import image_from_message
from .. import messages
from ..replay.recording import Recording

FACES = (0, 1, 5)
_MOST_IMAGES = 200
_COLUMNS, _ROWS = 3, 2
_APART = 37
"""Frames between neighbours in a picture of five, so that each turns another way."""
_GRAY = 90


def load_frames(path: Path, width: int, height: int, faces: int) -> list[tuple[Image, CameraInfo]]:
    """Images with their calibration.

    Args:
        path: a bag or a folder of pictures, each with one face.
        width: width of the images, pixels.
        height: height of the images, pixels.
        faces: 0 for a gray picture that nobody is in, 1 for the recording itself, fitted into the image, 5 for five of its frames
            beside and below each other, each as large as a third of the width and half of the height allow.

    Raises:
        BagError: for a recording that cannot be read.
    """
    if faces == 0:
        return [_frame(np.full((height, width, 3), _GRAY, np.uint8), width)]
    recording = Recording(path, plain_names=True)
    focal = None
    pictures: list[np.ndarray] = []
    for entry in islice((e for e in recording.entries() if e.topic in ('image', 'camera_info')), 2 * _MOST_IMAGES):
        if isinstance(entry.message, CameraInfo):
            focal = entry.message.k[0] / entry.message.width
        else:
            pictures.append(_colour(image_from_message(entry.message)))
    columns, rows = (1, 1) if faces == 1 else (_COLUMNS, _ROWS)
    frames = []
    for number in range(len(pictures)):
        canvas = np.full((height, width, 3), _GRAY, np.uint8)
        for place in range(faces):
            row, column = divmod(place, columns)
            cell = canvas[row * height // rows : (row + 1) * height // rows, column * width // columns : (column + 1) * width // columns]
            scale = _fit(pictures[(number + _APART * place) % len(pictures)], cell)
        frames.append(_frame(canvas, (focal or 1.0) * pictures[number].shape[1] * scale))
    return frames


def _fit(picture: np.ndarray, cell: np.ndarray) -> float:
    """Draws a picture into the middle of a cell, as large as it fits; returns the scale."""
    scale = min(cell.shape[1] / picture.shape[1], cell.shape[0] / picture.shape[0])
    size = int(picture.shape[1] * scale), int(picture.shape[0] * scale)
    left, top = (cell.shape[1] - size[0]) // 2, (cell.shape[0] - size[1]) // 2
    cell[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return scale


def _colour(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture


def _frame(pixels: np.ndarray, focal_px: float) -> tuple[Image, CameraInfo]:
    """Messages of a pinhole with its principal point in the middle: what is measured is time."""
    height, width = pixels.shape[:2]
    header = Header(frame_id='camera')
    k = [float(focal_px), 0.0, width / 2, 0.0, float(focal_px), height / 2, 0.0, 0.0, 1.0]
    info = CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=k,
        p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0],
    )
    return messages.image(header, pixels), info
