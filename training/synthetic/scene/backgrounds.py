"""Makes the backgrounds behind people: procedural scenes without any rights, or the user's own pictures."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.images import PICTURE_SUFFIXES

_KINDS = ('plain', 'gradient', 'clouds', 'shapes', 'room', 'stripes')


def list_photographs(folder: Path) -> list[Path]:
    """Lists the pictures in the user's folder.

    Raises:
        ValueError: if it has none.
    """
    found = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise ValueError(f'{folder} has no .jpg or .png pictures for backgrounds')
    return found


def background(rng: np.random.Generator, width: int, height: int, photographs: list[Path] | None = None) -> np.ndarray:
    """Makes a (height, width, 3) uint8 BGR background: a part of one of the photographs if there are any, or a procedural scene."""
    if photographs and rng.random() < 0.7:
        return _photograph(rng, width, height, photographs[rng.integers(len(photographs))])
    return procedural(rng, width, height, str(rng.choice(_KINDS)))


def procedural(rng: np.random.Generator, width: int, height: int, kind: str) -> np.ndarray:
    """Makes a scene of a given kind: one of 'plain', 'gradient', 'clouds', 'shapes', 'room', 'stripes'."""
    one, two = _tone(rng), _tone(rng)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if kind == 'room':
        return room(rng, width, height)
    if kind == 'plain':
        image = np.tile(one, (height, width, 1))
    elif kind in ('gradient', 'stripes'):
        angle = rng.uniform(0, 2 * np.pi)
        t = (np.cos(angle) * x + np.sin(angle) * y) / max(width, height)
        t = (
            (t - t.min()) / max(np.ptp(t), 1e-6)
            if kind == 'gradient'
            else (np.sin(t * rng.uniform(8, 60)) * rng.uniform(1, 6)).clip(-1, 1) / 2 + 0.5
        )
        image = one + (two - one) * t[..., None]
    else:
        image = (one + two) / 2 + clouds(rng, width, height) * rng.uniform(15, 60)
        if kind == 'shapes':
            image = np.ascontiguousarray(np.clip(image, 0, 255).astype(np.uint8))
            for _ in range(rng.integers(4, 18)):
                colour = tuple(int(v) for v in _tone(rng))
                a, b = (tuple(int(v) for v in rng.uniform(-0.2, 1.2, 2) * [width, height]) for _ in range(2))
                if rng.random() < 0.6:
                    cv2.rectangle(image, a, b, colour, -1)
                else:
                    cv2.circle(image, a, int(rng.uniform(0.03, 0.3) * width), colour, -1)
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 0.02 * width + 1))
    return np.clip(image, 0, 255).astype(np.uint8)


def room(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Makes an indoor scene out of focus: a wall, a window or a lamp, a door, shelves with books, a picture."""
    wall = _tone(rng, 0.25) * 0.4 + 110
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = 1.1 - 0.5 * np.hypot(x / width - rng.uniform(0, 1), y / height - rng.uniform(-0.2, 0.4))
    image = np.ascontiguousarray(np.clip(wall * light[..., None], 0, 255).astype(np.uint8))
    floor = int(height * rng.uniform(0.75, 1.1))
    cv2.rectangle(image, (0, floor), (width, height), tuple(int(v) for v in _tone(rng) * 0.5), -1)
    for thing in rng.choice(['window', 'shelf', 'picture', 'door', 'lamp'], rng.integers(2, 5), replace=False):
        left = int(rng.uniform(-0.1, 0.8) * width)
        if thing == 'window':
            w, h = int(rng.uniform(0.2, 0.45) * width), int(rng.uniform(0.35, 0.7) * height)
            top = int(rng.uniform(0.02, 0.2) * height)
            cv2.rectangle(image, (left - 6, top - 6), (left + w + 6, top + h + 6), (205, 205, 205), -1)
            sky = np.linspace(1, 0.75, h)[:, None, None] * np.array([250, 235, 215]) + clouds(rng, max(w, 8), max(h, 8)) * 12
            _paste(image, sky, left, top)
            cv2.line(image, (left + w // 2, top), (left + w // 2, top + h), (200, 200, 200), 5)
        elif thing == 'shelf':
            w, top = int(rng.uniform(0.25, 0.5) * width), int(rng.uniform(0.05, 0.3) * height)
            for row in range(rng.integers(2, 5)):
                base = top + (row + 1) * int(0.16 * height)
                at = left
                while at < left + w:
                    thick, tall = int(rng.uniform(0.008, 0.03) * width) + 2, int(rng.uniform(0.08, 0.14) * height)
                    cv2.rectangle(image, (at, base - tall), (at + thick, base), tuple(int(v) for v in _tone(rng, 0.9)), -1)
                    at += thick + 1
                cv2.rectangle(image, (left - 4, base), (left + w, base + max(3, height // 90)), (60, 90, 120), -1)
        elif thing == 'picture':
            w, h, top = (int(rng.uniform(0.1, 0.25) * width), int(rng.uniform(0.12, 0.3) * height), int(rng.uniform(0.05, 0.3) * height))
            cv2.rectangle(image, (left - 5, top - 5), (left + w + 5, top + h + 5), (40, 40, 45), -1)
            _paste(image, 120 + clouds(rng, max(w, 8), max(h, 8)) * 60, left, top)
        elif thing == 'door':
            w, top = int(rng.uniform(0.18, 0.3) * width), int(rng.uniform(0.0, 0.15) * height)
            cv2.rectangle(image, (left, top), (left + w, height), tuple(int(v) for v in _tone(rng, 0.3)), -1)
            cv2.rectangle(image, (left, top), (left + w, height), (90, 90, 95), 3)
        else:
            cv2.circle(image, (left, int(rng.uniform(0.05, 0.35) * height)), int(rng.uniform(0.02, 0.07) * width), (225, 245, 255), -1)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.004, 0.014) * width + 0.5)
    return np.clip(image + clouds(rng, width, height) * 3, 0, 255).astype(np.uint8)


def clouds(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Makes (height, width, 3) float32 smooth noise about 0 with deviation near 1."""
    out = np.zeros((height, width, 3), np.float32)
    mixing = (np.eye(3) * 0.4 + 0.2).astype(np.float32)
    for cells in (3, 6, 12, 30, 80):
        grid = rng.standard_normal((cells, cells + 2, 3)).astype(np.float32) @ mixing
        out += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.5
    return out


def _paste(image: np.ndarray, patch: np.ndarray, left: int, top: int) -> None:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + patch.shape[1], width), min(top + patch.shape[0], height)
    if x0 < x1 and y0 < y1:
        image[y0:y1, x0:x1] = np.clip(patch[y0 - top : y1 - top, x0 - left : x1 - left], 0, 255)


def _tone(rng: np.random.Generator, colourful: float = 0.6) -> np.ndarray:
    grey = rng.uniform(10, 245)
    return np.clip(grey + colourful * rng.uniform(-80, 80, 3), 0, 255)


@lru_cache(maxsize=64)
def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'{path} is no picture that OpenCV reads: remove it from the folder of backgrounds')
    return image


def _photograph(rng: np.random.Generator, width: int, height: int, path: Path) -> np.ndarray:
    image = _read(path)
    share = rng.uniform(0.3, 1.0)
    h, w = max(2, int(image.shape[0] * share)), max(2, int(image.shape[1] * share))
    y, x = rng.integers(0, image.shape[0] - h + 1), rng.integers(0, image.shape[1] - w + 1)
    return cv2.resize(image[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_AREA)
