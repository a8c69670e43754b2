"""Labels turned portraits by a network: a portrait's own pose is the one that agrees best with the network over all its turns.

A sample's label is D R_base: the turn D is exact, so the network's estimates of one portrait's pictures must differ by the turns alone.
Their mean, turned back, is better than any of them.

An error that the network makes on all pictures of a person stays in that mean, and a network trained on such labels confirms it. The
portrait's fit to MediaPipe's points states the own pose independently: it gives the zero, and the own pose may be a mean of both opinions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.files import written_whole
from training.data.crops import SyntheticCrops
from training.data.portrait_turns import read_turns
from training.evaluation.model_file import Model
from training.evaluation.self_consistency import SelfConsistency, estimates, own_poses
from training.synthetic.dataset import read_people
from training.synthetic.layout import finished_shards, read_manifest, shard_path
from training.synthetic.scene.crops import crop_rotation

SETTLED_DEG = 0.2
"""Own poses that move less than this on the mean are settled: the network need not be trained on them again."""

OWN_POSES = 'own_poses.npz'


@dataclass(frozen=True, eq=False)
class Labels:
    """What a labelling found.

    Attributes:
        R_base: (P, 3, 3) own poses.
        moved_deg: (P,) angle between each own pose and the one before.
        consistency: consistency of the estimates with the labels.
    """

    R_base: np.ndarray
    moved_deg: np.ndarray
    consistency: SelfConsistency

    @property
    def settled(self) -> bool:
        """Whether the own poses moved less than `SETTLED_DEG` on the mean."""
        return float(self.moved_deg.mean()) < SETTLED_DEG


def label(model: Model, folder: Path, fit_share: float = 0.0) -> Labels:
    """Labels the finished shards of a dataset anew, in place.

    Args:
        model: the network.
        folder: the dataset.
        fit_share: weight of the fit's own pose, from 0 to 1; the rest is the network's.
    """
    manifest = read_manifest(folder)
    shards = finished_shards(folder, manifest)
    parts = [read_turns(folder, shard) for shard in shards]
    D = np.concatenate([part['D'] for part in parts])
    of_shard = _people_of(folder, shards)
    person = np.concatenate(of_shard)
    people = int(person.max()) + 1
    R_fit = np.tile(np.eye(3), (people, 1, 1))
    for who, part in zip(of_shard, parts, strict=True):
        R_fit[np.unique(who)] = part['R_fit']
    before = R_fit.copy()
    if (folder / OWN_POSES).exists():
        known = np.load(folder / OWN_POSES)['R_base']
        before[: len(known)] = known
    R = estimates(model, SyntheticCrops([folder], None))
    R_base = before.copy()
    there = np.unique(person)
    R_base[there] = between(own_poses(R, D, person, people)[there], R_fit[there], fit_share)
    labels = _relabel(folder, R_base)
    agreement = SelfConsistency(person, geometry.geodesic_deg(np.eye(3), D), geometry.geodesic_deg(labels, R))
    return Labels(R_base, geometry.geodesic_deg(before, R_base)[there], agreement)


def between(R_network: np.ndarray, R_fit: np.ndarray, fit_share: float) -> np.ndarray:
    """(P, 3, 3) own poses between the network's and the fit's, with the fit's zero.

    The fit's zero is a place on its mesh, the same for everybody. A network's moves: over three rounds of training on labels of the network
    before, the portraits' own poses rose by 1.9 degrees on the mean. So the network's poses are first turned about the head's y axis by the
    mean difference. About x and z they need no turn: faces are symmetric.

    Args:
        R_network: (P, 3, 3) own poses by the network.
        R_fit: (P, 3, 3) own poses by the fit.
        fit_share: weight of the fit, from 0 to 1.
    """
    apart = geometry.rotation_vector(geometry.nearest_rotation((np.swapaxes(R_network, 1, 2) @ R_fit).mean(0)))
    anchored = R_network @ geometry.rotation_from_vector(apart * [0, 1, 0])
    return geometry.nearest_rotation((1 - fit_share) * anchored + fit_share * R_fit)


def label_as(other: Path, folder: Path) -> int:
    """Labels a dataset by the own poses of another one of the same portraits; returns the number of pictures.

    Raises:
        ValueError: if the other has not been labelled, lacks somebody, or its portraits are others.
    """
    if not (other / OWN_POSES).exists():
        raise ValueError(f'{other} has no {OWN_POSES}: label it by a network first')
    if read_people(other) != read_people(folder):
        raise ValueError(f'{other} and {folder} are not of the same portraits: their identities.csv differ')
    mine, theirs = (set().union(*_people_of(at, finished_shards(at, read_manifest(at)))) for at in (folder, other))
    if missing := mine - theirs:
        raise ValueError(f'{other} has no pictures of {len(missing)} of the portraits: turn and label all of them there first')
    return len(_relabel(folder, np.load(other / OWN_POSES)['R_base']))


def _people_of(folder: Path, shards: list[int]) -> list[np.ndarray]:
    """(N,) identity of each picture of each shard."""
    return [np.load(shard_path(folder, shard) / 'samples.npz')['identity'] for shard in shards]


def _relabel(folder: Path, R_base: np.ndarray) -> np.ndarray:
    """Writes the labels that follow from (P, 3, 3) own poses; returns them, (N, 3, 3)."""
    manifest = read_manifest(folder)
    labels = []
    for shard in finished_shards(folder, manifest):
        path = shard_path(folder, shard) / 'samples.npz'
        with np.load(path) as z:
            columns = {name: z[name] for name in z.files}
        R = read_turns(folder, shard)['D'] @ R_base[columns['identity']]
        columns['R_cam_head'] = R
        columns['R_crop_head'] = np.stack([crop_rotation(K, R_, manifest.crop_size) for K, R_ in zip(columns['K_crop'], R, strict=True)])
        with written_whole(path, path.with_name('samples.part.npz')) as part:
            np.savez(part, **columns)
        labels.append(R)
    np.savez(folder / OWN_POSES, R_base=R_base)
    return np.concatenate(labels)
