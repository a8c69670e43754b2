"""Converts the network's output to head poses: rotations, standard deviations and the paper's four sub-spaces."""

from __future__ import annotations

import numpy as np

from .engine.contract import NetworkOutput
from .geometry import nearest_rotation
from .types import CATEGORIES, HeadPose


def decode(output: NetworkOutput) -> list[HeadPose]:
    """Converts the output for a batch of crops to one HeadPose for each, relative to the ray through the crop's centre.

    Args:
        output: the network's output for B crops.

    Returns:
        B poses with rotation, standard deviation (degrees), category and its probabilities; no box, position or track.

    Raises:
        ValueError: when a number in the output is not finite.
    """
    rotations = output.rotation.astype(float)
    stds_deg = np.degrees(output.rotation_std_rad.astype(float))
    logits = output.category_logits.astype(float)
    if not (np.isfinite(rotations).all() and np.isfinite(stds_deg).all() and np.isfinite(logits).all()):
        raise ValueError(
            'the network gave numbers that are not finite; the model file is damaged or its precision overflows; fetch it again or use fp32'
        )
    probabilities = softmax(logits)
    categories = [CATEGORIES[i] for i in probabilities.argmax(-1).tolist()]
    return [
        HeadPose(R, std_deg, category=category, category_probabilities=p)
        for R, std_deg, category, p in zip(nearest_rotation(rotations), stds_deg, categories, probabilities)
    ]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Computes the softmax of (..., K) logits over the last axis. Source: paper, eq. 1."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
