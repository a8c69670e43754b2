"""Draws labels on faces, to check a data set by eye."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose import crop, geometry

from .base import Face
from .face_crops import SQUARES, ray_of
from .registry import spread


def draw_axes(image: np.ndarray, R: np.ndarray, thickness: int = 1) -> np.ndarray:
    """Draws the head's axes from the centre of a crop; BGR. x (out of the face) is blue, y (the person's left) green, z (up) red."""
    out = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    size = out.shape[0]
    for axis, colour in enumerate(((255, 120, 0), (0, 200, 0), (0, 0, 255))):
        end = size / 2 + R[:2, axis] * size * 0.35
        cv2.line(out, (size // 2, size // 2), (round(float(end[0])), round(float(end[1]))), colour, thickness, cv2.LINE_AA)
    return out


def sheet(tiles: list[np.ndarray], columns: int = 8) -> np.ndarray:
    """Joins equal tiles, gray or BGR, to one picture, row by row."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)])


def axis_sheet(faces: list[Face], path: Path, count: int = 24) -> None:
    """Writes a sheet of faces with the axes of their labels, as the crops show them: relative to the ray where the camera is known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tiles = []
    for face in spread(faces, count):
        image, R = face.read(), geometry.rotation_from_ypr_deg(np.nan_to_num(face.ypr_deg))
        if face.landmarks is not None or face.box is not None:
            square = SQUARES['landmarks' if face.landmarks is not None else 'box'](face, 1.6)
            image = cv2.cvtColor(crop.cut_gray(image, square, 160), cv2.COLOR_GRAY2BGR)
            R = ray_of(face, square).T @ R
        tile = draw_axes(cv2.resize(image, (160, 160)), R, 2)
        words = ' '.join(name + ('-' if np.isnan(angle) else f'{angle:.0f}') for name, angle in zip('ypr', face.ypr_deg))
        cv2.putText(tile, words, (3, 156), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    cv2.imwrite(str(path), sheet(tiles, 6))
