"""Settings of the losses, checked when a configuration is read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from typing import Any

from ..models.settings import check_ranges, checked


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of our loss.

    Attributes:
        answer: geodesic error of the mixture's rotation.
        experts: geodesic error of each regressor on the poses of its sub-space and its overlap.
        likelihood: negative log-likelihood of the predicted standard deviations, both the mixture's and each regressor's.
        category: cross-entropy of the sub-space.
        landmarks: mean distance of the landmarks, in half sides of the crop, for a network that predicts them.
        overlap_deg: angle beyond its sub-space in which a regressor still trains.
        distance: 'geodesic', or 'euler': the Euclidean distance of yaw, pitch and roll, in place of both geodesic errors.
        likelihood_moves_rotation: whether the likelihood's gradient also reaches the rotation; otherwise it trains the
            uncertainty and, because that is a mixture's, the mixture's weights, and uncertain samples count as much as others for
            the regressors' rotations.
        teacher_rotation: geodesic distance of the mixture's rotation to a teacher's. This and the next three count only with a teacher.
        teacher_category: Kullback-Leibler divergence of the categories' probabilities from the teacher's.
        teacher_std: mean absolute difference of the logarithms of the standard deviations to the teacher's; 0, because the teacher's
            errors are not the student's.
        teacher_mirror: whether the teacher's targets are means over the crop and its mirror image.
    """

    answer: float = 1.0
    experts: float = 0.5
    likelihood: float = 0.05
    category: float = 0.1
    landmarks: float = 1.0
    overlap_deg: float = 15.0
    distance: str = 'geodesic'
    likelihood_moves_rotation: bool = False
    teacher_rotation: float = 0.5
    teacher_category: float = 0.05
    teacher_std: float = 0.0
    teacher_mirror: bool = True

    def __post_init__(self):
        check_ranges(self, {row.name: (0, inf) for row in fields(self) if row.type == 'float'}, 'loss.')
        if self.distance not in ('geodesic', 'euler'):
            raise ValueError(f"loss.distance {self.distance!r} is neither 'geodesic' nor 'euler'")


@dataclass(frozen=True)
class PaperWeights:
    """Settings of the paper's joint loss.

    Attributes:
        category_share: share of a batch that trains the classifier, 0..1; the rest trains the regressors.
    """

    category_share: float = 0.5

    def __post_init__(self):
        check_ranges(self, {'category_share': (0, 1)}, 'loss.')


@dataclass(frozen=True)
class NoWeights:
    """For a loss of one term."""


SETTINGS = {'coarse_to_fine': LossWeights, 'paper': PaperWeights, 'classifier': NoWeights, 'angles': NoWeights}


def loss_settings(config: dict[str, Any]) -> LossWeights | PaperWeights | NoWeights:
    """The settings of a configuration's `loss` part: `kind` and the settings of that kind.

    Raises:
        ValueError: for an unknown kind, or a setting that is unknown, of another type or out of range.
    """
    settings = dict(config)
    kind = settings.pop('kind', None)
    if kind not in SETTINGS:
        raise ValueError(f'loss kind {kind!r} is none of {sorted(SETTINGS)}')
    taker = SETTINGS[kind]
    return taker(**checked(settings, 'loss', taker))
