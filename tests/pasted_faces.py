"""Scenes of the tests' rendered face, pasted anywhere at any size before several kinds of background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

_CENTRE, _HEIGHT = (0.483, 0.472), 0.796
"""Of the face in its picture: centre and height of the detector's box, in parts of the picture's side."""


@dataclass(frozen=True)
class Paste:
    """A face in a scene: its height, and its centre, pixels."""

    height: float
    x: float
    y: float


@lru_cache(maxsize=1)
def face() -> np.ndarray:
    """(300, 300, 3) BGR."""
    return cv2.imread(str(Path(__file__).parent / 'data' / 'face.jpg'))


def paste(image: np.ndarray, place: Paste) -> None:
    """Puts the face's picture into an image."""
    side = round(place.height / _HEIGHT)
    x, y = round(place.x - _CENTRE[0] * side), round(place.y - _CENTRE[1] * side)
    image[y : y + side, x : x + side] = cv2.resize(face(), (side, side), interpolation=cv2.INTER_AREA)


def background(width: int, height: int, kind: str, seed: int) -> np.ndarray:
    """(height, width, 3) BGR uint8: 'gray', 'soft', 'blocks' (hard contrasts) or 'noise' (of a sensor)."""
    chance = np.random.default_rng(seed)
    if kind == 'gray':
        return np.full((height, width, 3), 120, np.uint8)
    if kind == 'blocks':
        return cv2.resize(chance.integers(20, 235, (max(1, height // 48), max(1, width // 48), 3), dtype=np.uint8), (width, height))
    image = cv2.resize(chance.integers(60, 180, (6, 8, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(image, chance.integers(0, 40, image.shape, dtype=np.uint8)) if kind == 'noise' else image


def tilted(tilt_deg: float, side: int) -> np.ndarray:
    """(480, 640, 3) gray with the face's picture, `side` pixels square from (200, 150) on, its face turned counterclockwise."""
    turn = cv2.getRotationMatrix2D((150, 150), tilt_deg, 1)
    picture = cv2.warpAffine(face(), turn, (300, 300), borderValue=(120, 120, 120))
    image = background(640, 480, 'gray', 0)
    image[150 : 150 + side, 200 : 200 + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return image


def scene(width: int, height: int, heights: list[float], kind: str, seed: int) -> tuple[np.ndarray, list[Paste]]:
    """An image and its faces of given heights, apart from each other; a face's place does not depend on the smaller ones after it."""
    chance = np.random.default_rng(seed)
    image, places = background(width, height, kind, seed), list[Paste]()
    for size in heights:
        margin = size / _HEIGHT * 0.54 + 1
        for _ in range(10000):
            place = Paste(size, chance.uniform(margin, width - margin), chance.uniform(margin, height - margin))
            if all(max(abs(place.x - p.x), abs(place.y - p.y)) > 0.68 * (size + p.height) for p in places):
                places.append(place)
                break
        else:
            raise RuntimeError(f'no room for a face of {size} pixels')
        paste(image, place)
    return image, places
