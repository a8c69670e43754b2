"""Errors on held-out rendered crops, during training and after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics

from ..data.modalities import CROP_FUNCTIONS
from ..models.baselines import Classifier
from ..models.rotations import ypr_from_rotation
from .config import RunConfig
from .sources import TrainingCrops

IN_USE_DEG = (60.0, 35.0)
"""Largest yaw and pitch of a pose that occurs in use."""


def in_use(R: np.ndarray) -> np.ndarray:
    """(N,) bool: whether (N, 3, 3) rotations face the camera within `IN_USE_DEG`, as heads in use do."""
    yaw_pitch = np.abs(geometry.ypr_deg_from_rotation(R)[:, :2])
    return (yaw_pitch <= IN_USE_DEG).all(1) & (R[:, 2, 0] < 0)


@torch.no_grad()
def estimate(network: nn.Module, crops: torch.Tensor, batch: int = 128) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs a network on (N, 1, S, S) uint8 crops: rotation (N, 3, 3), standard deviations (N, 3) rad, category logits (N, 4), float32."""
    network.eval()
    device = next(network.parameters()).device
    parts = [network(part.to(device)) for part in crops.split(batch)]
    return tuple(torch.cat([p[i].float().cpu() for p in parts]).numpy() for i in range(3))


def held_out(
    data: TrainingCrops, config: RunConfig, disturbed: bool = True, seed: int = 1234, limit: int | None = None
) -> tuple[torch.Tensor, np.ndarray]:
    """Held-out crops (N, 1, S, S) uint8 and their R_crop_head (N, 3, 3); the same on every call.

    Args:
        data: a split.
        config: gives size, modality and the strengths of the augmentation.
        disturbed: whether to augment as in training; otherwise crops are centred, clean and over a flat background.
        seed: seed of the augmentation.
        limit: largest number of crops, spread evenly over the split.
    """
    rows = np.arange(len(data))
    if limit is not None and limit < len(rows):
        rows = np.linspace(0, len(rows) - 1, limit).astype(int)
    crops, rotations = [], []
    make, how = CROP_FUNCTIONS[config.modality], config.augmentation()
    for start in range(0, len(rows), 128):
        part = data.gather(rows[start : start + 128])
        generator = torch.Generator(part.image.device)
        generator.manual_seed(seed + start)
        batch = make.augment(part, config.size, how, generator) if disturbed else make.plain(part, config.size, how.centred_margin)
        crops.append(batch.crops.cpu())
        rotations.append(batch.rotation.cpu())
    return torch.cat(crops), torch.cat(rotations).numpy()


def validate(network: nn.Module, crops: torch.Tensor, truth: np.ndarray) -> dict[str, float]:
    """The `val_` columns of the log, on crops and rotations of `held_out`."""
    R, std, logits = estimate(network, crops)
    if isinstance(network, Classifier):
        return {'val_coarse': category_accuracies(network, crops, truth, [network.by])[0]}
    summary = metrics.rotation_errors(truth, R).summary()
    return {
        'val_geodesic': summary['geodesic'],
        'val_mae': summary['mae'],
        'val_yaw': summary['yaw'],
        'val_pitch': summary['pitch'],
        'val_roll': summary['roll'],
        'val_coarse': metrics.coarse_accuracy(truth, logits)['beyond_0'],
        'val_within_1': metrics.std_calibration(truth, R, std)['within_1'],
    }


@torch.no_grad()
def category_accuracies(network: Classifier, crops: torch.Tensor, truth: np.ndarray, strategies: Sequence[Sequence[str]]) -> list[float]:
    """Shares of crops, 0..1, for which a classifier predicts the right category by each of several choices of its angles.

    Args:
        network: the classifier.
        crops: (N, 1, S, S) uint8.
        truth: (N, 3, 3) R_crop_head.
        strategies: choices of angles, each some of the network's own; the signs of the others do not count.
    """
    network.eval()
    device = next(network.parameters()).device
    logits = torch.cat([network.classify(part.to(device)).cpu() for part in crops.split(128)])
    ypr_rad = ypr_from_rotation(torch.from_numpy(truth))
    guesses = ((network.probabilities(logits, angles).argmax(1), network.target(ypr_rad, angles)) for angles in strategies)
    return [float((guessed == target).float().mean()) for guessed, target in guesses]


def measure_std(network: nn.Module, crops: torch.Tensor, truth: np.ndarray) -> None:
    """Sets the constant uncertainty of a network that predicts none: the root mean square of d on crops and rotations of `held_out`."""
    R = estimate(network, crops)[0]
    d = np.array([geometry.rotation_vector(r) for r in np.swapaxes(R, 1, 2) @ truth])
    network.std_rad.copy_(torch.from_numpy(np.sqrt((d**2).mean(0))))
