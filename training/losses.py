"""Losses of our coarse-to-fine network and of the paper's."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .network import CoarseToFine
from .rotations import category_of, geodesic_rad, rotation_vector
from .subspaces import membership, subspace_of


@dataclass(frozen=True)
class LossWeights:
    """Weights of our loss's terms.

    Attributes:
        answer: geodesic error of the handed-over rotation.
        experts: geodesic error of each regressor on the poses of its sub-space and its overlap.
        likelihood: negative log-likelihood of the stated standard deviations, of both.
        category: cross-entropy of the sub-space.
        overlap_deg: how far beyond its sub-space a regressor still trains.
        likelihood_moves_rotation: whether the likelihood's gradient also reaches the rotation; otherwise it only teaches
            the uncertainty, and an uncertain sample is not learnt less.
    """

    answer: float = 1.0
    experts: float = 0.5
    likelihood: float = 0.05
    category: float = 0.1
    overlap_deg: float = 15.0
    likelihood_moves_rotation: bool = False


def coarse_to_fine_loss(network: CoarseToFine, crops: Tensor, R: Tensor, weights: LossWeights) -> tuple[Tensor, dict[str, Tensor]]:
    """Our loss on a batch.

    Args:
        network: with `raw` and `hand_over`.
        crops: (B, 1, S, S) uint8.
        R: (B, 3, 3) true R_crop_head.
        weights: of the terms.

    Returns:
        The loss, and named figures to log (detached scalars).
    """
    raw = network.raw(crops)
    rotation, std = network.hand_over(raw)
    error = geodesic_rad(rotation, R)
    answer = error.mean()
    nll = likelihood_loss(rotation, std, R, weights.likelihood_moves_rotation)
    loss = weights.answer * answer + weights.likelihood * nll
    if network.handover != 'single':
        belongs = membership(R, network.cells, weights.overlap_deg)
        total = belongs.sum().clamp(min=1)
        errors = geodesic_rad(raw.rotations, R[:, None])
        own = (belongs * errors).sum() / total
        truth = R[:, None].expand_as(raw.rotations)
        own_nll = likelihood_loss(raw.rotations, raw.stds, truth, weights.likelihood_moves_rotation, belongs)
        loss = loss + weights.experts * (own + weights.likelihood * own_nll)
    target = subspace_of(R, network.cells)
    category = F.cross_entropy(raw.logits, target)
    loss = loss + weights.category * category
    with torch.no_grad():
        right = (network.category_logits(raw.logits).argmax(1) == category_of(R)).float().mean()
    return loss, {'loss': loss.detach(), 'error_deg': answer.detach() * (180 / math.pi), 'nll': nll.detach(),
                  'category_loss': category.detach(), 'coarse_accuracy': right}


def likelihood_loss(rotation: Tensor, std: Tensor, R: Tensor, moves_rotation: bool, belongs: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood of d in R = rotation exp([d]x), d ~ N(0, diag(std^2)), without its constant.

    Args:
        rotation: (..., 3, 3) estimate.
        std: (..., 3) rad.
        R: (..., 3, 3) truth.
        moves_rotation: whether the rotation gets a gradient.
        belongs: (...) weights of a weighted mean.
    """
    estimate = rotation if moves_rotation else rotation.detach()
    d = rotation_vector(estimate.transpose(-1, -2) @ R)
    # a 60-degree miss says nothing about the spread of ordinary errors
    d = d.clamp(-1, 1)
    nll = (0.5 * (d / std).square() + std.log()).sum(-1)
    if belongs is None:
        return nll.mean()
    return (belongs * nll).sum() / belongs.sum().clamp(min=1)


def make_loss(config: dict) -> LossFunction:
    """The loss function that a configuration's `loss` part names by `kind`; the rest are that kind's settings.

    Raises:
        ValueError: for an unknown kind or setting.
    """
    settings = dict(config)
    kind = settings.pop('kind', None)
    if kind not in LOSSES:
        raise ValueError(f'loss kind {kind!r} is none of {sorted(LOSSES)}')
    try:
        return LOSSES[kind](**settings)
    except TypeError as error:
        raise ValueError(f'loss {kind!r}: {error}') from error


def _coarse_to_fine(**settings: float) -> LossFunction:
    weights = LossWeights(**settings)
    return lambda network, crops, R: coarse_to_fine_loss(network, crops, R, weights)


LossFunction = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]
LOSSES = {'coarse_to_fine': _coarse_to_fine}
