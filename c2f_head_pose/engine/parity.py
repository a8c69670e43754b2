"""Compares a compiled engine with the reference, the same model file on ONNX Runtime, on sample crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..crop import resize
from ..models.registry import ModelError
from .contract import Engine

LIMITS_DEG = {'fp32': 0.1, 'fp16': 0.5, 'int8': 1.0}
"""Largest accepted angle in degrees between an engine's rotation and the reference's, by precision."""

_ASSETS = Path(__file__).parents[1] / 'assets'
SHEETS = {'rgb': _ASSETS / 'sample_crops.jpg', 'depth': _ASSETS / 'sample_depth_crops.png'}
"""Sample crops by modality; training/exporting/sample_crops.py makes them."""

SHEET_ROWS, SHEET_COLUMNS = 3, 8


@dataclass(frozen=True)
class Parity:
    """Difference between an engine and the reference on the sample crops.

    Attributes:
        crops: number of crops.
        worst_deg: largest angle between the two rotations, degrees.
        mean_deg: mean angle, degrees.
        worst_std_deg: largest difference between the two standard deviations, degrees.
        same_category: share of the crops whose most likely sub-space is the same, 0 to 1.
    """

    crops: int
    worst_deg: float
    mean_deg: float
    worst_std_deg: float
    same_category: float

    def within(self, precision: str) -> bool:
        """Whether the largest angle is within the limit for a precision."""
        return self.worst_deg <= LIMITS_DEG[precision]


def compare(reference: Engine, engine: Engine) -> Parity:
    """Compares two engines on the sample crops: on all in one batch, and on the first three, which a compiled engine pads."""
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
    """Returns (24, 1, size, size) uint8 crops: the modality's shipped sheet of rendered heads.

    They are the same on every machine and typical of a network's input, as the comparison requires: where a network cannot tell, small
    numerical differences grow. They have no labels.

    Raises:
        ModelError: when the installed package lacks the sheet.
    """
    sheet = cv2.imread(str(SHEETS[modality]), cv2.IMREAD_GRAYSCALE)
    if sheet is None:
        raise ModelError(f'the sample crops {SHEETS[modality]} are missing; install the package again')
    crops = [crop for row in np.split(sheet, SHEET_ROWS) for crop in np.split(row, SHEET_COLUMNS, axis=1)]
    if modality == 'depth':  # interpolation across an edge would make a surface that does not exist
        return np.stack([cv2.resize(crop, (size, size), interpolation=cv2.INTER_NEAREST) for crop in crops])[:, None]
    return np.stack([resize(crop, size) for crop in crops])[:, None]


def _angles_deg(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """(B,) geodesic angles from |A - B| = sqrt(8) sin(angle / 2), which unlike the arc cosine is exact for small angles."""
    distance = np.linalg.norm(A.astype(float) - B.astype(float), axis=(1, 2))
    return np.degrees(2 * np.arcsin(np.clip(distance / np.sqrt(8), 0, 1)))
