"""The turns of a dataset of portraits: each sample's exact turn, each portrait's own pose by its fit and by its labels, and its person."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..synthetic.layout import finished_shards, read_manifest, shard_path


def person_of(name: str) -> str:
    """The person that a picture shows, who may have several: its name up to the first `_`."""
    return name.partition('_')[0]


def turns_folder(folder: Path) -> Path:
    """Returns the folder of a dataset's turns."""
    return folder / 'turns'


def read_turns(folder: Path, shard: int) -> dict[str, np.ndarray]:
    """D, (N, 3, 3) turn of each sample of a shard in the camera frame, and R_fit, (P, 3, 3) R_cam_head of its portraits by their fit."""
    with np.load(turns_folder(folder) / f'{shard_path(folder, shard).name}.npz') as z:
        return {name: z[name] for name in z.files}


def labels_of_the_fit(folder: Path, identity: np.ndarray, R_cam_head: np.ndarray) -> np.ndarray:
    """(N, 3, 3) labels with each portrait's own pose by its fit in place of the labels' own one: D R_fit for D R_base.

    The fit does not depend on the network that labelled the portraits, so its labels are independent of the dataset's.

    Args:
        folder: dataset of portraits.
        identity: (N,) identity of each sample.
        R_cam_head: (N, 3, 3) labels of the samples.

    Raises:
        ValueError: for a sample of a shard without turns.
    """
    change: dict[int, np.ndarray] = {}
    for shard in finished_shards(folder, read_manifest(folder)):
        turns = read_turns(folder, shard)
        with np.load(shard_path(folder, shard) / 'samples.npz') as samples:
            people, labels = samples['identity'], samples['R_cam_head']
        first = np.unique(people, return_index=True)
        for person, row, R_fit in zip(*first, turns['R_fit'], strict=True):
            # the label is D R_base, so R_base is D^T label
            change[int(person)] = (turns['D'][row].T @ labels[row]).T @ R_fit
    if missing := sorted({int(person) for person in identity} - set(change)):
        raise ValueError(f'{folder} has no turns of portrait {missing[0]}: turn the portraits again')
    return np.stack([R @ change[int(person)] for R, person in zip(R_cam_head, identity, strict=True)])
