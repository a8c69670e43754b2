"""An ensemble: the mean of several networks' estimates for one crop, weighted by the precision that each states.

Networks that learnt from different data err independently, so their mean errs less than the best of them (Dietterich 2000, Ensemble
methods in machine learning).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .area import AreaReduction
from .rotations import mixture

PREFIX = 'members.'


class Ensemble(nn.Module):
    """Wraps networks of the model contract.

    Args:
        members: the networks; each reads crops of its own size.
        size: side of the ensemble's crops, pixels, at least that of every member; smaller members read the crop reduced.
    """

    def __init__(self, members: list[nn.Module], size: int):
        super().__init__()
        if not members or any(member.modality != members[0].modality for member in members):
            raise ValueError('an ensemble needs members, all of one modality')
        if members[0].modality == 'depth' and any(member.size != size for member in members):
            raise ValueError('members that read depth need one size: holes in depth do not shrink as pictures do')
        self.size, self.modality = size, members[0].modality
        self.members = nn.ModuleList(members)
        self.reductions = nn.ModuleList(nn.Identity() if member.size == size else AreaReduction(size, member.size) for member in members)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The model contract's outputs: the weighted mean rotation, its deviations, and the weighted mean of the categories' chances."""
        pixels = crops.float()
        outputs = [member(reduced(pixels)) for member, reduced in zip(self.members, self.reductions, strict=True)]
        rotations, stds, logits = (torch.stack(values, 1) for values in zip(*outputs, strict=True))
        precision = 1 / stds.square().mean(2)
        weights = precision / precision.sum(1, keepdim=True)
        chance = (weights[:, :, None] * logits.softmax(2)).sum(1)
        return *mixture(weights, rotations, stds), chance.clamp(min=1e-12).log()

    def fuse(self) -> None:
        """Prepares the members for export."""
        for member in self.members:
            member.fuse()


def joined(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of an ensemble of networks with these weights."""
    return {f'{PREFIX}{i}.{name}': value for i, state in enumerate(states) for name, value in state.items()}


def member(state: dict[str, Tensor], config: dict[str, Any], kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and settings of an ensemble's member of a kind.

    Args:
        state: the ensemble's weights.
        config: its settings.
        kind: kind of the member.

    Raises:
        ValueError: if it has no such member.
    """
    for i, settings in enumerate(config['members']):
        start = f'{PREFIX}{i}.'
        if settings['kind'] == 'symmetric':
            start, settings = f'{start}network.', settings['network']
        if settings['kind'] == kind:
            return {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}, settings
    raise ValueError(f'the ensemble has no member of the kind {kind}')
