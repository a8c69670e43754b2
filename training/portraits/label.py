"""Labels turned portraits by a network: a portrait's own pose is the one that agrees best with the network over all its turns.

A sample's label is D R_base: the turn D is exact, so the network's estimates of one portrait's pictures must differ by the turns alone.
Their mean, turned back, is better than any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from c2f_head_pose import geometry
from training.data.augment import plain
from training.data.crops import Crops, SyntheticCrops
from training.data.portrait_turns import read_turns
from training.evaluation.model_file import Model
from training.synthetic.layout import Manifest, finished_shards, read_manifest, shard_path
from training.synthetic.scene.crops import crop_rotation

SETTLED_DEG = 0.2
"""Own poses that move less than this on the mean are settled: the network need not be trained on them again."""

OWN_POSES = 'own_poses.npz'

BINS_DEG = (0, 10, 25, 45, 65, 90)
_NEAR_DEG = 25.0  # standard deviation of the weight of a picture over its turn: estimates of far turns err more
_BACKGROUNDS = (60.0, 140.0)
_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Labels:
    """What a labelling found.

    Attributes:
        R_base: (P, 3, 3) own poses.
        moved_deg: (P,) from the ones before.
        angle_deg: (N,) turn of each sample.
        apart_deg: (N,) estimate of each sample from its label.
    """

    R_base: np.ndarray
    moved_deg: np.ndarray
    angle_deg: np.ndarray
    apart_deg: np.ndarray

    @property
    def settled(self) -> bool:
        """Whether the own poses moved less than `SETTLED_DEG` on the mean."""
        return float(self.moved_deg.mean()) < SETTLED_DEG

    def consistency(self) -> list[tuple[str, int, float]]:
        """Name, samples and mean distance in degrees of each range of turns."""
        rows = []
        for low, high in zip(BINS_DEG, (*BINS_DEG[1:-1], 181), strict=False):
            among = (self.angle_deg >= low) & (self.angle_deg < high)
            name = f'{low}-{high}' if high <= 90 else f'{low}-'
            rows.append((name, int(among.sum()), float(self.apart_deg[among].mean()) if among.any() else float('nan')))
        return rows


def estimates(model: Model, folder: Path) -> np.ndarray:
    """(N, 3, 3) R_cam_head that a network reads off each sample, all splits, in the shards' order."""
    crops = SyntheticCrops([folder], None)
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


def label(model: Model, folder: Path) -> Labels:
    """Labels the finished shards of a dataset anew, in place."""
    manifest = read_manifest(folder)
    shards = finished_shards(folder, manifest)
    parts = [read_turns(folder, shard) for shard in shards]
    D = np.concatenate([part['D'] for part in parts])
    of_shard = [np.load(shard_path(folder, s) / 'samples.npz')['identity'] for s in shards]
    person = np.concatenate(of_shard)
    people = int(person.max()) + 1
    before = np.tile(np.eye(3), (people, 1, 1))
    for who, part in zip(of_shard, parts, strict=True):
        before[np.unique(who)] = part['R_fit']
    if (folder / OWN_POSES).exists():
        known = np.load(folder / OWN_POSES)['R_base']
        before[: len(known)] = known
    R = estimates(model, folder)
    R_base = before.copy()
    there = np.unique(person)
    R_base[there] = own_poses(R, D, person, people)[there]
    labels = D @ R_base[person]
    start = 0
    for shard in shards:
        count = manifest.shard_count(shard)
        _relabel(folder, manifest, shard, labels[start : start + count])
        start += count
    np.savez(folder / OWN_POSES, R_base=R_base)
    angle = geometry.geodesic_deg(np.eye(3), D)
    return Labels(R_base, geometry.geodesic_deg(before, R_base)[there], angle, geometry.geodesic_deg(labels, R))


def _relabel(folder: Path, manifest: Manifest, shard: int, R_cam_head: np.ndarray) -> None:
    path = shard_path(folder, shard) / 'samples.npz'
    with np.load(path) as z:
        columns = {name: z[name] for name in z.files}
    columns['R_cam_head'] = R_cam_head
    columns['R_crop_head'] = np.stack([crop_rotation(K, R, manifest.crop_size) for K, R in zip(columns['K_crop'], R_cam_head, strict=True)])
    part = path.with_name('samples.part.npz')
    np.savez(part, **columns)
    part.replace(path)
