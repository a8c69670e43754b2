"""Loss functions of our coarse-to-fine network, the paper's network and the baselines."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data.augment import Batch, shrink
from ..models.baselines import Classifier, Regressor
from ..models.coarse_to_fine import CoarseToFine
from ..models.paper_network import PaperNetwork
from ..models.rotations import category_of, euler_distance_rad, geodesic_rad, rotation_from_ypr, rotation_vector, ypr_from_rotation
from ..models.subspaces import membership, subspace_of
from .loss_settings import LossWeights, PaperWeights, loss_settings
from .teacher import Targets, Teacher

DISTANCES = {'geodesic': geodesic_rad, 'euler': euler_distance_rad}


def coarse_to_fine_loss(
    network: CoarseToFine, batch: Batch, weights: LossWeights, teacher: Teacher | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Our loss on a batch.

    Args:
        network: a network with `raw` and `mix`.
        batch: a batch with landmarks, if the network predicts them; crops of the network's size or larger.
        weights: weights of the terms.
        teacher: gives further targets on the same crops.

    Returns:
        The loss, and named figures to log (detached scalars).
    """
    R = batch.rotation
    raw = network.raw(shrink(batch.crops, network.size))
    rotation, std = network.mix(raw)
    distance = DISTANCES[weights.distance]
    answer = distance(rotation, R).mean()
    nll = likelihood_loss(rotation, std, R, weights.likelihood_moves_rotation)
    loss = weights.answer * answer + weights.likelihood * nll
    if network.gating != 'single':
        belongs = membership(R, network.cells, weights.overlap_deg)
        total = belongs.sum().clamp(min=1)
        errors = distance(raw.rotations, R[:, None])
        own = (belongs * errors).sum() / total
        truth = R[:, None].expand_as(raw.rotations)
        own_nll = likelihood_loss(raw.rotations, raw.stds, truth, weights.likelihood_moves_rotation, belongs)
        loss = loss + weights.experts * (own + weights.likelihood * own_nll)
    target = subspace_of(R, network.cells)
    category = functional.cross_entropy(raw.logits, target)
    loss = loss + weights.category * category
    if raw.landmarks is not None and batch.landmarks is not None:
        apart = torch.where(batch.landmarks.isfinite(), raw.landmarks - batch.landmarks, 0.0)  # nan: no landmarks
        loss = loss + weights.landmarks * apart.square().sum(-1).add(1e-6).sqrt().mean()
    logits, distilled = network.category_logits(raw.logits), {}
    if teacher is not None:
        further, distilled = distillation_loss(rotation, std, logits, teacher.targets(batch.crops, weights.teacher_mirror), weights)
        loss = loss + further
    with torch.no_grad():
        right = (logits.argmax(1) == category_of(R)).float().mean()
    return loss, {
        'loss': loss.detach(),
        'error_deg': answer.detach() * (180 / math.pi),
        'nll': nll.detach(),
        'category_loss': category.detach(),
        'coarse_accuracy': right,
        **distilled,
    }


def distillation_loss(
    rotation: Tensor, std: Tensor, logits: Tensor, targets: Targets, weights: LossWeights
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted terms that pull a network's outputs towards a teacher's, and the mean angle between both rotations to log.

    Args:
        rotation: (B, 3, 3) R_crop_head of the mixture.
        std: (B, 3) standard deviations, rad.
        logits: (B, 4) logits of the categories.
        targets: the teacher's estimates for the same crops.
        weights: weights of the terms.
    """
    apart = geodesic_rad(rotation, targets.rotation).mean()
    category = functional.kl_div(logits.log_softmax(1), targets.logits.log_softmax(1), reduction='batchmean', log_target=True)
    loss = weights.teacher_rotation * apart + weights.teacher_category * category
    if weights.teacher_std:
        loss = loss + weights.teacher_std * (std.log() - targets.std.log()).abs().mean()
    return loss, {'teacher_deg': apart.detach() * (180 / math.pi)}


def likelihood_loss(rotation: Tensor, std: Tensor, R: Tensor, moves_rotation: bool, belongs: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood of d in R = rotation exp([d]x), d ~ N(0, diag(std^2)), without its constant.

    Args:
        rotation: (..., 3, 3) estimated rotations.
        std: (..., 3) standard deviations, rad.
        R: (..., 3, 3) true rotations.
        moves_rotation: whether the rotation gets a gradient.
        belongs: (...) weights of the samples in the mean.
    """
    estimate = rotation if moves_rotation else rotation.detach()
    d = rotation_vector(estimate.transpose(-1, -2) @ R)
    # errors beyond 60 degrees are outliers and must not widen the spread
    d = d.clamp(-1, 1)
    nll = (0.5 * (d / std).square() + std.log()).sum(-1)
    if belongs is None:
        return nll.mean()
    return (belongs * nll).sum() / belongs.sum().clamp(min=1)


def paper_loss(network: PaperNetwork, batch: Batch, category_share: float = 0.5) -> tuple[Tensor, dict[str, Tensor]]:
    """The paper's joint loss: softmax loss on the first half of a batch, Euclidean loss on the second (sections 3.1, 3.2, 3.4).

    The first half trains the classifier only, the second half the regressors only: each pose the regressor of its
    true sub-space. The Euclidean loss, eq. 3, is half the squared distance of angles as parts of their ranges.
    """
    crops, R = batch.crops, batch.rotation
    n = round(category_share * len(crops))
    features = network.features(crops)
    ypr = ypr_from_rotation(R)
    zero = features.new_zeros(())
    category = functional.cross_entropy(network.classify(features[:n]), category_of(R[:n])) if n else zero
    pose, error = zero, zero
    if n < len(crops):
        own = network.regress(features[n:])[torch.arange(len(crops) - n, device=R.device), category_of(R[n:])]
        pose = 0.5 * (own - network.normalised(ypr[n:])).square().sum(1).mean()
        error = geodesic_rad(rotation_from_ypr(network.angles(own.detach())), R[n:]).mean()
    loss = category + pose
    return loss, {'loss': loss.detach(), 'error_deg': error * (180 / math.pi), 'category_loss': category.detach()}


def classifier_loss(network: Classifier, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Softmax loss of a classifier's own categories."""
    target = network.target(ypr_from_rotation(batch.rotation))
    logits = network.classify(batch.crops)
    loss = functional.cross_entropy(logits, target)
    return loss, {'loss': loss.detach(), 'category_loss': loss.detach(), 'coarse_accuracy': (logits.argmax(1) == target).float().mean()}


def angle_loss(network: Regressor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Euclidean loss of a single regressor, eq. 3."""
    R = batch.rotation
    estimate = network.regress(batch.crops)
    loss = 0.5 * (estimate - network.normalised(ypr_from_rotation(R))).square().sum(1).mean()
    ypr = (2 * estimate.detach() - 1) * network.ranges_rad
    return loss, {'loss': loss.detach(), 'error_deg': geodesic_rad(rotation_from_ypr(ypr), R).mean() * (180 / math.pi)}


def make_loss(config: dict[str, Any], teacher: Teacher | None = None) -> LossFunction:
    """Builds the loss function of a configuration's `loss` part.

    Args:
        config: the part, as `loss_settings` reads it.
        teacher: gives further targets.

    Raises:
        ValueError: for an unknown kind or setting, or a teacher for a loss that takes none.
    """
    settings = loss_settings(config)
    if isinstance(settings, LossWeights):
        return partial(coarse_to_fine_loss, weights=settings, teacher=teacher)
    if teacher is not None:
        raise ValueError(f'loss {config["kind"]!r} takes no teacher: only coarse_to_fine does')
    if isinstance(settings, PaperWeights):
        return partial(paper_loss, category_share=settings.category_share)
    return classifier_loss if config['kind'] == 'classifier' else angle_loss


LossFunction = Callable[[nn.Module, Batch], tuple[Tensor, dict[str, Tensor]]]
