"""Scales a network's standard deviations, by axis, so that they cover held-out errors as a Gaussian's do.

A network learns its deviations on the samples that it learns the rotation on, and both kinds of training labels leave something out:

- A portrait's label is its own pose, as the network's mean over all turns, times the exact turn. An error that the network makes on all
  pictures of a person is in the label too, so deviations against these labels look too large: they cover 80 to 85 % within one.
- A render's label is exact, the person's zero pose included, but no render is a photograph.

The deviations are therefore measured on held-out portraits against a second opinion: the same exact turns of the pose that the portrait's
fit to MediaPipe's points states. That fit is independent of the network, so the error that the network makes on all pictures of a person
counts, and so does the disagreement of two definitions of the zero pose, mostly in pitch, which every user's reference has as well. The
fit's own error counts too, which makes the deviations cautious. Renders may be given as well, with their exact labels; the pooled errors
then decide. Deviations are widened where they are too narrow and never narrowed: held-out portraits are well lit and taken from the front,
easier than pictures in use, and there are few people among them. Nothing is measured on a test set of real faces.

The fit is no second opinion for a network whose labels it took part in (`training.portraits label --fit-share`): the network has learnt
some of the fit's own errors. Such a network keeps at least the scale that was measured before its labels had the fit in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from c2f_head_pose.evaluation.metrics import std_ratios

from ..data.crops import SyntheticCrops
from ..data.portrait_turns import labels_of_the_fit
from ..loop.config import RunConfig
from ..loop.deviations import scaled
from ..loop.validate import estimate, held_out, in_use

WITHIN_ONE = math.erf(math.sqrt(0.5))
"""Share of a Gaussian within one standard deviation, 0.6827."""
LARGEST_SCALE = 4.0
"""A scale beyond this means that the network or the data are wrong."""
ROUNDS = 12
"""Most steps: the regressors' disagreement is part of the variance and is not scaled, so one step does not reach the aim."""
SETTLED = 0.01
FEWEST = 50


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out crops of one dataset in the poses of use, clean and centred.

    Attributes:
        name: the dataset's name, with the kind of its labels.
        crops: (N, 1, S, S) uint8.
        R_true: (N, 3, 3) true R_crop_head.
    """

    name: str
    crops: Tensor
    R_true: np.ndarray


def held_out_faces(folder: str | Path, split: str, config: RunConfig, limit: int = 1500) -> HeldOut:
    """The held-out faces of a dataset; turned portraits with the labels of their fit, renders with their own.

    Raises:
        ValueError: for fewer than 50 faces.
    """
    data = SyntheticCrops([folder], split, config.modality == 'depth', config.pose_limits_deg, limit)
    kind = 'exact labels'
    if not data.rendered:
        data = data.relabelled(labels_of_the_fit(Path(folder), data.table['identity'], data.table['R_cam_head']))
        kind = "the fit's labels"
    crops, truth = held_out(data, config, disturbed=False)
    use = in_use(truth)
    if use.sum() < FEWEST:
        raise ValueError(f'{folder}: {use.sum()} held-out faces of the split {split!r} in the poses of use, {FEWEST} are needed')
    return HeldOut(f'{Path(folder).name}, {split}, {use.sum()} crops, {kind}', crops[torch.from_numpy(use)], truth[use])


def ratios(network: nn.Module, faces: HeldOut) -> np.ndarray:
    """(N, 3) errors about the head's axes x, y, z over the stated standard deviations."""
    R, std, _ = estimate(network, faces.crops)
    return std_ratios(faces.R_true, R, std)


def coverage(ratio: np.ndarray) -> str:
    """Returns a line of text: the shares within 1 and 2 deviations over all axes, and within 1 by axis."""
    axes = ' '.join(f'{name} {share:.3f}' for name, share in zip('xyz', (ratio <= 1).mean(0), strict=True))
    return f'within 1: {(ratio <= 1).mean():.3f} ({axes}), within 2: {(ratio <= 2).mean():.3f}'


def std_scale(
    weights: dict[str, Tensor],
    network_of: Callable[[dict[str, Tensor]], nn.Module],
    faces: list[HeldOut],
    least: Sequence[float] = (1, 1, 1),
) -> np.ndarray:
    """(3,) factors of the deviations about x, y, z with which 68.3 % of the pooled errors or more lie within one.

    Args:
        weights: the network's weights.
        network_of: builds the network to export from its weights; a mirrored network is measured with mirroring.
        faces: the faces to measure on.
        least: smallest factors about x, y, z; those below 1 count as 1.

    Raises:
        ValueError: for a factor beyond `LARGEST_SCALE`.
    """
    total = least = np.maximum(least, 1.0)
    for _ in range(ROUNDS):
        network = network_of(scaled(weights, total))
        before = total
        total = np.maximum(before * np.quantile(np.concatenate([ratios(network, part) for part in faces]), WITHIN_ONE, axis=0), least)
        if (total > LARGEST_SCALE).any():
            raise ValueError(f'scales {total.round(2)} of the standard deviations: these data do not fit the network')
        if (np.abs(total / before - 1) < SETTLED).all():
            break
    return total


def calibrate(
    weights: dict[str, Tensor],
    network_of: Callable[[dict[str, Tensor]], nn.Module],
    config: RunConfig,
    folders: list[str],
    also: list[str] | None = None,
    least: Sequence[float] = (1, 1, 1),
) -> tuple[dict[str, Tensor], np.ndarray]:
    """Weights with calibrated deviations and their scale.

    The scale comes from the people of the split 'val'; the coverage on those of 'test' is printed before and after.

    Args:
        weights: the network's weights.
        network_of: makes the network to export from weights.
        config: gives the crops' size and margin.
        folders: datasets to calibrate on.
        also: further datasets to print the coverage on.
        least: smallest factors about x, y, z; those below 1 count as 1.
    """
    scale = std_scale(weights, network_of, [held_out_faces(folder, 'val', config) for folder in folders], least)
    after = scaled(weights, scale)
    print(f'standard deviations about x, y, z times {_listed(scale)}')
    for folder in dict.fromkeys([*folders, *(also or [])]):
        try:
            faces = held_out_faces(folder, 'test', config)
        except ValueError as error:
            print(f'coverage not measured: {error}', flush=True)
            continue
        for name, network in (('before', network_of(weights)), ('after', network_of(after))):
            print(f'{faces.name}: {name}, {coverage(ratios(network, faces))}', flush=True)
    return after, scale


def note(scale: np.ndarray, folders: list[str]) -> dict[str, Any]:
    """Returns the text on a calibration for the metadata."""
    return {'std_scale': _listed(scale), 'std_scale_data': ', '.join(Path(folder).name for folder in folders)}


def _listed(scale: np.ndarray) -> str:
    return ' '.join(f'{value:.3f}' for value in scale)
