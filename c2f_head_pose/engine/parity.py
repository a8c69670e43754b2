"""Whether a compiled engine says what the reference says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..crop import resize
from ..models.registry import ModelError
from .contract import Engine

LIMITS_DEG = {'fp32': 0.1, 'fp16': 0.5, 'int8': 1.0}
"""Largest rotation between an engine and the fp32 reference that is still the same network."""

SHEET = Path(__file__).parents[1] / 'assets' / 'sample_crops.jpg'  # training/exporting/sample_crops.py makes it
SHEET_ROWS, SHEET_COLUMNS = 3, 8


@dataclass(frozen=True)
class Parity:
    """How far an engine is from the reference, on the sample crops.

    Attributes:
        crops: how many.
        worst_deg: largest angle between the two rotations.
        mean_deg: mean angle.
        worst_std_deg: largest difference of the stated standard deviations.
        same_category: share of the crops with the same most likely sub-space.
    """

    crops: int
    worst_deg: float
    mean_deg: float
    worst_std_deg: float
    same_category: float

    def within(self, precision: str) -> bool:
        """True when the engine may be used."""
        return self.worst_deg <= LIMITS_DEG[precision]


def compare(reference: Engine, engine: Engine) -> Parity:
    """Runs both on the sample crops: all at once, and the first three, which the engine pads."""
    crops = sample_crops(reference.contract.input_size, reference.contract.modality)
    expected, got, padded = reference.infer(crops), engine.infer(crops), engine.infer(crops[:3])
    angles = np.concatenate([_angles_deg(expected.rotation, got.rotation), _angles_deg(expected.rotation[:3], padded.rotation)])
    return Parity(
        len(crops),
        float(angles.max()),
        float(angles.mean()),
        float(np.degrees(np.abs(expected.rotation_std_rad - got.rotation_std_rad).max())),
        float((expected.category_logits.argmax(1) == got.category_logits.argmax(1)).mean()),
    )


def sample_crops(size: int, modality: str = 'rgb') -> np.ndarray:
    """(24, 1, size, size) uint8: the shipped sheet of rendered heads; for depth, drawn heads with holes.

    The same for everybody, and within a network's range, which is what parity needs; not for accuracy.
    """
    if modality == 'depth':
        random = np.random.default_rng(20261122)
        return np.stack([_drawn_depth(random, size) for _ in range(SHEET_ROWS * SHEET_COLUMNS)])[:, None]
    sheet = cv2.imread(str(SHEET), cv2.IMREAD_GRAYSCALE)
    if sheet is None:
        raise ModelError(f'{SHEET} is missing; install the package again')
    crops = [crop for row in np.split(sheet, SHEET_ROWS) for crop in np.split(row, SHEET_COLUMNS, axis=1)]
    return np.stack([resize(crop, size) for crop in crops])[:, None]


def _drawn_depth(random: np.random.Generator, size: int) -> np.ndarray:
    """An ellipsoid with a nose, turned at random, nothing measured around it."""
    v, u = np.mgrid[0:size, 0:size].astype(np.float32) * (2 / size) - 1
    yaw, pitch, roll = random.uniform(-1, 1, 3) * (0.6, 0.4, 0.4)
    x, y = u * np.cos(roll) + v * np.sin(roll), v * np.cos(roll) - u * np.sin(roll)
    height = 1 - (x / 0.62) ** 2 - (y / 0.82) ** 2
    nose = np.exp(-((x - yaw / 2) ** 2 + (y - pitch / 2) ** 2) / 0.02)
    image = np.where(height > 0, 100 + 90 * np.sqrt(np.maximum(height, 0)) + 15 * nose + random.normal(0, 2, (size, size)), 0)
    return np.clip(image, 0, 255).astype(np.uint8)


def _angles_deg(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """(B,) geodesic angles; from the difference's norm, which is exact for small angles: |A - B| = sqrt(8) sin(angle / 2)."""
    distance = np.linalg.norm(A.astype(float) - B.astype(float), axis=(1, 2))
    return np.degrees(2 * np.arcsin(np.clip(distance / np.sqrt(8), 0, 1)))
