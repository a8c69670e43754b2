"""Whether a compiled engine says what the reference says."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .contract import Engine

LIMITS_DEG = {'fp32': 0.1, 'fp16': 0.5, 'int8': 1.0}
"""Largest rotation between an engine and the fp32 reference that is still the same network."""

_COUNT = 24


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
    return Parity(len(crops), float(angles.max()), float(angles.mean()),
                  float(np.degrees(np.abs(expected.rotation_std_rad - got.rotation_std_rad).max())),
                  float((expected.category_logits.argmax(1) == got.category_logits.argmax(1)).mean()))


def sample_crops(size: int, modality: str = 'rgb') -> np.ndarray:
    """(24, 1, size, size) uint8 drawn heads: shaded ovals with brows, eyes, nose and mouth, turned, lit and soiled at random.

    The same for everybody. Enough like faces to keep a network within its range, which is what parity needs; not for accuracy.
    """
    random = np.random.default_rng(20261122)
    return np.stack([_drawn_head(random, size, modality) for _ in range(_COUNT)])[:, None]


def _drawn_head(random: np.random.Generator, size: int, modality: str) -> np.ndarray:
    v, u = np.mgrid[0:size, 0:size].astype(np.float32) * (2 / size) - 1
    yaw, pitch, roll = random.uniform(-1, 1, 3) * (0.6, 0.4, 0.4)
    x, y = u * np.cos(roll) + v * np.sin(roll), v * np.cos(roll) - u * np.sin(roll)
    height = 1 - (x / 0.62) ** 2 - (y / 0.82) ** 2
    z = np.sqrt(np.maximum(height, 0))
    if modality == 'depth':
        image = np.where(height > 0, 100 + 90 * z + 15 * np.exp(-((x - yaw / 2) ** 2 + (y - pitch / 2) ** 2) / 0.02), 0)
        return np.clip(image, 0, 255).astype(np.uint8)
    light = random.uniform(-0.6, 0.6, 2)
    image = random.uniform(20, 160) + 20 * cv2.GaussianBlur(random.normal(0, 6, (size, size)).astype(np.float32), (0, 0), size / 14)
    skin = random.uniform(70, 200) * (0.55 + 0.45 * z + light[0] * x * 0.4 + light[1] * y * 0.4)
    for (dx, dy), (wide, high), dark in [((-0.26, -0.15), (0.1, 0.05), 0.7), ((0.26, -0.15), (0.1, 0.05), 0.7),
                                         ((-0.26, -0.3), (0.16, 0.03), 0.5), ((0.26, -0.3), (0.16, 0.03), 0.5),
                                         ((0, 0.12), (0.07, 0.12), 0.25), ((0, 0.4), (0.2, 0.04), 0.5)]:
        skin *= 1 - dark * np.exp(-((x - dx - yaw / 2) / wide) ** 2 - ((y - dy + pitch / 2) / high) ** 2)
    image = np.where(height > 0, skin, image) + random.normal(0, 3, (size, size))
    return np.clip(cv2.GaussianBlur(image.astype(np.float32), (0, 0), random.uniform(0.4, 1.2) * size / 112), 0, 255).astype(np.uint8)


def _angles_deg(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """(B,) geodesic angles; from the difference's norm, which is exact for small angles: |A - B| = sqrt(8) sin(angle / 2)."""
    distance = np.linalg.norm(A.astype(float) - B.astype(float), axis=(1, 2))
    return np.degrees(2 * np.arcsin(np.clip(distance / np.sqrt(8), 0, 1)))

