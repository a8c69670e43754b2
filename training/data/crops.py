"""Rendered crops as batches of tensors, read from memory-mapped shards or from a copy on the training device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..models.rotations import face_direction, tilt, ypr_from_rotation
from ..models.settings import check_ranges
from ..synthetic.dataset import SyntheticDataset, people_of, read_people
from ..synthetic.layout import COLUMNS, PORTRAITS, content_of

AT_ONCE = 4096
"""Samples per copy to the device."""


@dataclass(frozen=True, eq=False)
class Crops:
    """A batch of rendered crops with their labels, before augmentation.

    Attributes:
        image: (B, S, S) uint8 gray, premultiplied by alpha unless it includes the background.
        alpha: (B, S, S) uint8; 255 where the background must not be visible.
        depth_mm: (B, S, S) uint16 or int32, 0 for none; None if only RGB is needed.
        R_cam_head: (B, 3, 3) float32.
        K: (B, 3, 3) float32 intrinsics of the crop's pixels; the principal point counts from the first pixel's centre.
        box: (B, 4) float32 x1 y1 x2 y2 of the 68 landmarks, crop pixels, continuous.
        landmarks: (B, 68, 2) float32, crop pixels.
    """

    image: Tensor
    alpha: Tensor
    depth_mm: Tensor | None
    R_cam_head: Tensor
    K: Tensor
    box: Tensor
    landmarks: Tensor

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, rows: Tensor | slice) -> Crops:
        return replace(self, **{k: None if v is None else v[rows] for k, v in vars(self).items()})

    def to(self, device: torch.device | str) -> Crops:
        """Copies the batch to a device."""
        return replace(self, **{k: None if v is None else v.to(device, non_blocking=True) for k, v in vars(self).items()})


def checked_shares(names: Sequence[str | Path], shares: Sequence[float | None] | None) -> tuple[float | None, ...] | None:
    """Returns the folders' shares of the samples drawn; None if no share is given.

    Raises:
        ValueError: for a share outside of 0..1, or shares that cannot add up to 1.
    """
    given = [share for share in shares or () if share is not None]
    if not given:
        return None
    for name, share in zip(names, shares or ()):
        if share is not None and not 0 < share <= 1:
            raise ValueError(f'{name}={share:g}: a share of the training samples is above 0 and at most 1')
    complete = len(given) == len(names)
    if (complete and abs(sum(given) - 1) > 1e-6) or (not complete and sum(given) >= 1):
        raise ValueError(
            f'shares {", ".join(f"{share:g}" for share in given)} of {", ".join(map(str, names))} '
            + ('do not add up to 1' if complete else 'leave nothing for the folders without a share')
        )
    return tuple(shares or ())


def _held_out_elsewhere(sets: Sequence[SyntheticDataset], which: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """(N,) bool: samples of people whom another of the datasets holds out.

    Args:
        sets: the datasets.
        which: (N,) each sample's dataset.
        identity: (N,) its person there.
    """
    held_out = set().union(*(people_of(s.path, ('val', 'test')) for s in sets))
    ids = [[i for i, person in read_people(s.path).items() if person in held_out] for s in sets]
    return np.concatenate([np.isin(identity[which == number], ids[number]) for number in range(len(sets))])


class SyntheticCrops:
    """A rendered dataset's split as tensors by index.

    Pixels are read from the memory-mapped shards; `hold` copies them to a device once, so that a fast GPU does not wait for the host.

    Args:
        paths: dataset folders; several are joined. A person who is held out in one of them is not trained on from another.
        split: 'train', 'val' or 'test', by identity; None for all.
        depth: whether to read depth too.
        pose_limits_deg: yaw, pitch, roll; samples beyond are excluded (the paper's ranges). None keeps all.
        limit: largest number of samples, spread evenly over the split.
        shares: share of each folder among the samples, 0..1; None for one that shares the rest by its size. Without any, size alone counts.

    Raises:
        ValueError: for folders that do not join, no sample of the split, a folder of which none is trained on, or shares that leave no
            room or do not add up to 1.
    """

    def __init__(
        self,
        paths: list[str | Path],
        split: str | None = 'train',
        depth: bool = False,
        pose_limits_deg: tuple[float, float, float] | None = None,
        limit: int | None = None,
        shares: Sequence[float | None] | None = None,
    ):
        if not paths:
            raise ValueError('no rendered dataset is given')
        self.shares = checked_shares(paths, shares)
        if len({Path(p).resolve() for p in paths}) < len(paths):
            raise ValueError(f'{", ".join(map(str, paths))}: the same folder is given twice')
        self.sets = [SyntheticDataset(p, split) for p in paths]
        names = ', '.join(map(str, paths))
        if not any(map(len, self.sets)):
            count = sum(s.manifest.shard_count(shard) for s in self.sets for shard in s.shards)
            remedy = 'render about 2,000, or evaluate with --split all or val'
            raise ValueError(f'{names}: no people of the split {split!r} in {count} samples: {remedy}')
        self.depth = depth
        self.composited = self.sets[0].manifest.composited
        self.size = self.sets[0].manifest.crop_size
        for other in self.sets[1:]:
            if (other.manifest.composited, other.manifest.crop_size) != (self.composited, self.size):
                raise ValueError(f'{other.path} differs from {self.sets[0].path} in crop_size or composited: train on one kind at a time')
        table = {name: np.concatenate([s.column(name) for s in self.sets]) for name in COLUMNS}
        where = np.concatenate([np.column_stack([np.full(len(s), i), s.index]) for i, s in enumerate(self.sets)])
        keep = np.arange(len(where))
        if split == 'train' and len(self.sets) > 1:
            keep = keep[~_held_out_elsewhere(self.sets, where[:, 0], table['identity'])]
        if pose_limits_deg is not None:
            ypr = torch.rad2deg(ypr_from_rotation(torch.from_numpy(table['R_crop_head']))).numpy()
            keep = keep[(np.abs(ypr) <= np.array(pose_limits_deg)).all(1)]
        if not len(keep):
            raise ValueError(f'{names}: no sample of the split {split!r} is within pose_limits_deg: render more, or widen them')
        if split == 'train':
            remedy = 'its people are held out, here or in another folder, or beyond pose_limits_deg: leave it out, or render more'
            self._check_that_all_give(where[keep, 0], f'no sample to train on: {remedy}')
        if limit is not None and limit < len(keep):
            keep = keep[np.linspace(0, len(keep) - 1, limit).astype(int)]
            if self.shares is not None:
                self._check_that_all_give(where[keep, 0], f'a share, but no sample among the {limit} to train on: raise the limit')
        self.where = where[keep]
        self.table = {name: values[keep] for name, values in table.items()}
        self.R_crop_head = torch.from_numpy(self.table['R_crop_head']).float()
        self._labels = {
            'R_cam_head': torch.from_numpy(self.table['R_cam_head']).float(),
            'K': torch.from_numpy(self.table['K_crop']).float(),
            'box': torch.from_numpy(self.table['box_px']).float(),
            'landmarks': torch.from_numpy(self.table['landmarks68_px']).float(),
        }
        self._held: Crops | None = None

    def _check_that_all_give(self, which: np.ndarray, words: str) -> None:
        """Raises ValueError, with these words, for a folder without a sample; `which` has each sample's folder."""
        without = [str(one.path) for number, one in enumerate(self.sets) if number not in which]
        if without:
            raise ValueError(f'{", ".join(without)}: {words}')

    def __len__(self) -> int:
        return len(self.where)

    def relabelled(self, R_cam_head: np.ndarray) -> SyntheticCrops:
        """The same samples with other labels, (N, 3, 3) R_cam_head, read anew if they are held; `table` keeps the dataset's own."""
        other = copy(self)
        other._held = None
        other._labels = {**self._labels, 'R_cam_head': torch.from_numpy(R_cam_head).float()}
        return other

    def draw_weights(self, focus: Focus | None) -> np.ndarray | None:
        """Computes the (N,) relative frequency of each sample in training; None if all have the same.

        Args:
            focus: weights by pose within each folder; the folders' shares of all samples drawn are exact whatever the poses.
        """
        if focus is None and self.shares is None:
            return None
        weights = np.ones(len(self)) if focus is None else focus.weights(self.R_crop_head)
        if self.shares is None:
            return weights
        sums = np.bincount(self.where[:, 0], weights, len(self.sets))
        rest = np.array([share is None for share in self.shares])
        target = np.array([0.0 if share is None else share for share in self.shares])
        if rest.any():
            target[rest] = (1 - target.sum()) * sums[rest] / sums[rest].sum()
        return weights * (target / sums)[self.where[:, 0]]

    @property
    def rendered(self) -> bool:
        """Whether every sample is a render; turned portraits are not."""
        return all(s.manifest.preset != PORTRAITS for s in self.sets)

    @property
    def data_hash(self) -> str:
        """16 hex digits of a hash over what the manifests say of the data and every label: it changes with the data alone."""
        return self._hash_with(json.dumps(content_of(s.manifest), sort_keys=True).encode() for s in self.sets)

    @property
    def hashes(self) -> tuple[str, ...]:
        """`data_hash`, and what checkpoints had for it before 0.22.0, which is over the manifests' files with their commands."""
        return self.data_hash, self._hash_with((s.path / 'manifest.json').read_bytes() for s in self.sets)

    def _hash_with(self, manifests: Iterable[bytes]) -> str:
        digest = hashlib.sha256()
        for manifest in manifests:
            digest.update(manifest)
        if self.shares is not None:
            digest.update(repr(self.shares).encode())
        digest.update(np.ascontiguousarray(self.table['R_cam_head']).tobytes())
        digest.update(np.ascontiguousarray(self.table['landmarks68_px']).tobytes())
        return digest.hexdigest()[:16]

    def gather(self, rows: np.ndarray) -> Crops:
        """Returns the samples with these row numbers, on the CPU or on the device that holds the copy."""
        if self._held is not None:
            return self._held[torch.from_numpy(rows).to(self._held.image.device)]
        pixels: dict[str, list[np.ndarray]] = {'image': [], 'alpha': []}
        if self.depth:
            pixels['depth_mm'] = []
        for which, shard, row in self.where[rows]:
            arrays = self.sets[which].arrays(int(shard))
            for name, into in pixels.items():
                into.append(arrays[name][row])
        index = torch.from_numpy(rows)
        image = np.stack(pixels['image'])
        if image.ndim == 4:  # BGR to gray, the weights of ITU-R BT.601 as OpenCV uses them
            image = (image @ np.array([0.114, 0.587, 0.299], np.float32) + 0.5).astype(np.uint8)
        alpha = np.stack(pixels['alpha'])
        if self.composited:
            alpha = np.full_like(alpha, 255)
        depth = torch.from_numpy(np.stack(pixels['depth_mm']).astype(np.int32)) if self.depth else None
        return Crops(torch.from_numpy(image), torch.from_numpy(alpha), depth, **{k: v[index] for k, v in self._labels.items()})

    def hold(self, device: torch.device | str, limit_bytes: int) -> bool:
        """Copies all samples to a device, once, if they fit into `limit_bytes`; returns whether they are there."""
        if self._held is not None:
            return True
        if len(self) * self.size**2 * (6 if self.depth else 2) > limit_bytes:
            return False
        whole = {
            name: torch.empty((len(self), *one.shape[1:]), dtype=one.dtype, device=device)
            for name, one in vars(self.gather(np.arange(1))).items()
            if one is not None
        }
        for start in range(0, len(self), AT_ONCE):
            part = self.gather(np.arange(start, min(start + AT_ONCE, len(self))))
            for name, values in whole.items():
                values[start : start + len(part)].copy_(getattr(part, name))
        self._held = Crops(**{'depth_mm': None, **whole})
        return True


@dataclass(frozen=True)
class Focus:
    """Sampling weights by pose: renders are uniform over their range, faces in use are mostly near-upright.

    Attributes:
        elevation_sd_deg: standard deviation of the weights, a Gaussian of the face's elevation.
        azimuth_deg: beyond this azimuth the weights decrease as a Gaussian of standard deviation 10 degrees.
        floor: smallest weight, so that every pose is still trained.
        upright: weighs the pose that the head has once its picture is turned upright, as `augment.roll_of: upright` turns it.
    """

    elevation_sd_deg: float = 35.0
    azimuth_deg: float = 90.0
    floor: float = 0.1
    upright: bool = True

    def __post_init__(self):
        check_ranges(self, {'elevation_sd_deg': (1e-3, inf), 'azimuth_deg': (0, inf), 'floor': (0, 1)}, 'focus.')

    def weights(self, R: Tensor) -> np.ndarray:
        """Computes the (N,) weights of (N, 3, 3) rotations, floor to 1."""
        if self.upright:
            R = tilt(R).transpose(1, 2) @ R
        azimuth, elevation = (torch.rad2deg(a).abs().double().numpy() for a in face_direction(R))
        beyond = np.maximum(azimuth - self.azimuth_deg, 0) / 10
        return self.floor + (1 - self.floor) * np.exp(-0.5 * ((elevation / self.elevation_sd_deg) ** 2 + beyond**2))


class Shuffler:
    """Row numbers of each global step; they depend on the seed and the step alone, so a resumed run gets the same samples.

    An epoch is a permutation of all rows, seeded by (seed, epoch); with weights, as many draws with replacement.
    """

    def __init__(self, count: int, batch: int, seed: int, weights: np.ndarray | None = None):
        self.count, self.batch, self.seed = count, batch, seed
        self.shares = None if weights is None else weights / weights.sum()
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def rows(self, step: int) -> np.ndarray:
        """Draws the (batch,) int64 rows of one step."""
        start = step * self.batch
        return np.array([self._row(i) for i in range(start, start + self.batch)], np.int64)

    def _row(self, position: int) -> int:
        epoch, place = divmod(position, self.count)
        if epoch != self._epoch:
            rng = np.random.default_rng((self.seed, epoch))
            self._epoch = epoch
            self._order = rng.permutation(self.count) if self.shares is None else rng.choice(self.count, self.count, p=self.shares)
        return int(self._order[place])
