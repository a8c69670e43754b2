"""An ensemble: the mean of several networks' estimates for one crop, weighted by the precision that each states.

Networks that learnt from different data err independently, so their mean errs less than the best of them (Dietterich 2000, Ensemble
methods in machine learning).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from .alignment import cut, pixel_centres, square_about
from .area import AreaReduction
from .rotations import mixture, tilt

PREFIX = 'members.'
ALIGNED_WITHIN_DEG = 4.0
"""Deviation of the first estimate, degrees, at which what the others read in the crops that it aligns counts for half: it may have turned
them wrongly, and they do not know. Of 8, 6, 4 and 3, 4 is best on held-out renders and portraits together.
"""


class Ensemble(nn.Module):
    """Wraps networks of the model contract.

    Args:
        members: the networks; each reads crops of its own size.
        size: side of the ensemble's crops, pixels, at least that of every member; smaller members read the crop reduced.
        aligned_margin: None for members that all read the crop as it is. Else those after the first read it turned upright, centred and
            scaled by the first one's estimate: the square about its landmarks' box in the upright picture, this many times the box's
            larger extent. The less sure the first one's rotation is, the less they count.
    """

    def __init__(self, members: list[nn.Module], size: int, aligned_margin: float | None = None):
        super().__init__()
        if not members or any(member.modality != members[0].modality for member in members):
            raise ValueError('an ensemble needs members, all of one modality')
        if members[0].modality == 'depth' and any(member.size != size for member in members):
            raise ValueError('members that read depth need one size: holes in depth do not shrink as pictures do')
        if members[0].modality == 'depth' and aligned_margin is not None:
            raise ValueError('crops of depth are not aligned: holes in depth do not turn as pictures do')
        self.size, self.modality, self.aligned_margin = size, members[0].modality, aligned_margin
        self.members = nn.ModuleList(members)
        self.reductions = nn.ModuleList(nn.Identity() if member.size == size else AreaReduction(size, member.size) for member in members)
        self.register_buffer('centres', None if aligned_margin is None else pixel_centres(size), persistent=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The model contract's outputs: the weighted mean rotation, its deviations, and the weighted mean of the categories' chances.

        Where the members after the first read aligned crops, the categories are the first one's: turning a picture changes them.
        """
        pixels = crops.float()
        if self.aligned_margin is None:
            outputs = [member(reduced(pixels)) for member, reduced in zip(self.members, self.reductions, strict=True)]
        else:
            leading, landmarks = self.members[0].with_landmarks(self.reductions[0](pixels))
            outputs, turn = [leading], tilt(leading[0])
            middle, extent = square_about(landmarks, turn)
            pixels = cut(pixels, self.centres, turn, middle, extent * self.aligned_margin, self.size)
            for member, reduced in zip(self.members[1:], self.reductions[1:], strict=True):
                R, std, _ = member(reduced(pixels))
                outputs.append((turn @ R, std, leading[2]))
        rotations, stds, logits = (torch.stack(values, 1) for values in zip(*outputs, strict=True))
        variance = stds.square().mean(2)
        if self.aligned_margin is not None:
            doubt = 1 + (variance[:, :1] / math.radians(ALIGNED_WITHIN_DEG) ** 2).square()
            variance = torch.cat([variance[:, :1], variance[:, 1:] * doubt], 1)
        precision = 1 / variance
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
