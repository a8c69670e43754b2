"""Measures how well a network agrees with itself over the turns of portraits, which needs no label of theirs.

The pictures of a portrait differ by exactly known turns D. The network's estimates, each turned back, should therefore be one rotation: the
portrait's own pose. Their mean stands for it, so an error that the network makes on all pictures of a person is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from c2f_head_pose import geometry

from ..data.augment import plain
from ..data.crops import Crops, SyntheticCrops
from ..data.portrait_turns import read_turns
from .model_file import Model

BINS_DEG = (0, 10, 25, 45, 65, 90)
HELD_OUT = ('val', 'test')
NO_PORTRAITS = '{} is no dataset of turned portraits: make one with `python -m training.portraits turn`'
_NEAR_DEG = 25.0  # standard deviation of the weight of a picture over its turn: estimates of far turns err more
_BACKGROUNDS = (60.0, 140.0)
_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class SelfConsistency:
    """Estimates of turned portraits beside what their turns say.

    Attributes:
        person: (N,) identity of each picture.
        angle_deg: (N,) its turn.
        apart_deg: (N,) its estimate from D times the person's own pose.
    """

    person: np.ndarray
    angle_deg: np.ndarray
    apart_deg: np.ndarray

    def by_turn(self) -> list[tuple[str, int, float]]:
        """Name, pictures and mean distance in degrees of each range of turns."""
        rows = []
        for low, high in zip(BINS_DEG, (*BINS_DEG[1:-1], 181), strict=False):
            among = (self.angle_deg >= low) & (self.angle_deg < high)
            name = f'{low}-{high}' if high <= 90 else f'{low}-'
            rows.append((name, int(among.sum()), float(self.apart_deg[among].mean()) if among.any() else float('nan')))
        return rows

    @property
    def mean_deg(self) -> float:
        """Mean over the ranges of turns that have pictures; each range counts alike, however many pictures it has."""
        return float(np.nanmean([apart for _, _, apart in self.by_turn()]))


def estimates(model: Model, crops: SyntheticCrops) -> np.ndarray:
    """(N, 3, 3) R_cam_head that a network estimates on each sample, clean and centred."""
    out = []
    for start in range(0, len(crops), _AT_ONCE):
        batch = crops.gather(np.arange(start, min(start + _AT_ONCE, len(crops))))
        R = np.sum([_infer(model, batch, background) for background in _BACKGROUNDS], 0)
        for one, K, box in zip(geometry.nearest_rotation(R), batch.K.double().numpy(), batch.box.numpy(), strict=True):
            centre = (box[:2] + box[2:]) / 2 - 0.5  # K counts from the first pixel's centre
            out.append(geometry.ray_rotation(np.linalg.solve(K, [*centre, 1.0])) @ one)
    return np.stack(out)


def _infer(model: Model, batch: Crops, background: float) -> np.ndarray:
    with torch.no_grad():
        crops = plain(batch, model.size, model.margin('landmarks'), background).crops
    return model.infer(crops.numpy()).rotation.astype(float)


def own_poses(R: np.ndarray, D: np.ndarray, person: np.ndarray, people: int) -> np.ndarray:
    """(P, 3, 3) own poses: the mean of D^T R over each person's samples, near turns counting more.

    Args:
        R: (N, 3, 3) estimates.
        D: (N, 3, 3) turns.
        person: (N,) 0..P-1.
        people: P.
    """
    weight = np.exp(-0.5 * (geometry.geodesic_deg(np.eye(3), D) / _NEAR_DEG) ** 2)
    total = np.zeros((people, 3, 3))
    np.add.at(total, person, weight[:, None, None] * np.einsum('nji,njk->nik', D, R))
    return geometry.nearest_rotation(total)


def compare(R: np.ndarray, D: np.ndarray, person: np.ndarray) -> SelfConsistency:
    """Compares estimates with the turns.

    Args:
        R: (N, 3, 3) estimates.
        D: (N, 3, 3) turns.
        person: (N,) identities.
    """
    names, number = np.unique(person, return_inverse=True)
    labels = D @ own_poses(R, D, number, len(names))[number]
    return SelfConsistency(person, geometry.geodesic_deg(np.eye(3), D), geometry.geodesic_deg(labels, R))


def of_people(model: Model, folder: Path, splits: tuple[str, ...] = HELD_OUT) -> SelfConsistency:
    """The self-consistency of a network on people of a dataset of portraits: those who are held out of training, or other splits.

    Raises:
        ValueError: for a dataset that is no set of turned portraits, or has nobody in a split.
    """
    found = []
    for split in splits:
        crops = SyntheticCrops([folder], split)
        if crops.rendered:
            raise ValueError(NO_PORTRAITS.format(folder))
        turns = {int(shard): read_turns(folder, int(shard))['D'] for shard in np.unique(crops.where[:, 1])}
        D = np.stack([turns[int(shard)][row] for _, shard, row in crops.where])
        found.append((estimates(model, crops), D, crops.table['identity']))
    return compare(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
