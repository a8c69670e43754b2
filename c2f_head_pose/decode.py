"""From the network's numbers to rotations, uncertainties and the paper's four sub-spaces."""

from __future__ import annotations

import numpy as np

from .engine.contract import NetworkOutput
from .geometry import nearest_rotation
from .types import CATEGORIES, HeadPose


def decode(output: NetworkOutput) -> list[HeadPose]:
    """One HeadPose a crop, relative to the ray through the crop's centre.

    Raises:
        ValueError: when the network gave a number that is not finite.
    """
    rotations = output.rotation.astype(float)
    stds_deg = np.degrees(output.rotation_std_rad.astype(float))
    logits = output.category_logits.astype(float)
    if not (np.isfinite(rotations).all() and np.isfinite(stds_deg).all() and np.isfinite(logits).all()):
        raise ValueError('the network gave numbers that are not finite; the model file is damaged or its precision overflows')
    probabilities = softmax(logits)
    categories = [CATEGORIES[i] for i in probabilities.argmax(-1).tolist()]
    return [
        HeadPose(R, std_deg, category=category, category_probabilities=p)
        for R, std_deg, category, p in zip(nearest_rotation(rotations), stds_deg, categories, probabilities)
    ]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis (paper, eq. 1)."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def category_of(ypr_deg: np.ndarray) -> str:
    """The sub-space of Euler angles: the signs of pitch and yaw, 0 counted as positive (paper, Table 1)."""
    yaw, pitch = float(ypr_deg[0]), float(ypr_deg[1])
    if yaw >= 0:
        return 'L1' if pitch >= 0 else 'L2'
    return 'L4' if pitch >= 0 else 'L3'
