"""An ensemble: the mean of several networks' estimates for one crop, weighted by the precision that each states.

Networks that learnt from different data err independently, so their mean errs less than the best of them (Dietterich 2000, Ensemble
methods in machine learning).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .area import AreaReduction
from .rotations import mixture, tilt

PREFIX = 'members.'
UPRIGHT_WITHIN_DEG = 8.0
"""Deviation of the first estimate, degrees, beyond which the crops that it turns upright are not to be relied on: heads in those that
`face_points` learns from are tilted by as much (`roll_sd_deg`)."""


class Ensemble(nn.Module):
    """Wraps networks of the model contract.

    Args:
        members: the networks; each reads crops of its own size.
        size: side of the ensemble's crops, pixels, at least that of every member; smaller members read the crop reduced.
        upright: whether the members after the first read the crop turned upright, by the first one's estimate; the less sure that is, the
            less they count.
    """

    def __init__(self, members: list[nn.Module], size: int, upright: bool = False):
        super().__init__()
        if not members or any(member.modality != members[0].modality for member in members):
            raise ValueError('an ensemble needs members, all of one modality')
        if members[0].modality == 'depth' and any(member.size != size for member in members):
            raise ValueError('members that read depth need one size: holes in depth do not shrink as pictures do')
        if members[0].modality == 'depth' and upright:
            raise ValueError('crops of depth are not turned upright: holes in depth do not turn as pictures do')
        self.size, self.modality = size, members[0].modality
        self.members = nn.ModuleList(members)
        self.reductions = nn.ModuleList(nn.Identity() if member.size == size else AreaReduction(size, member.size) for member in members)
        self.register_buffer('grid', _pixel_centres(size) if upright else None, persistent=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The model contract's outputs: the weighted mean rotation, its deviations, and the weighted mean of the categories' chances.

        Where the members after the first read upright crops, the categories are the first one's: turning a picture changes them.
        """
        pixels = crops.float()
        outputs = [self.members[0](self.reductions[0](pixels))]
        if self.grid is None:
            outputs += [member(reduced(pixels)) for member, reduced in zip(self.members[1:], self.reductions[1:], strict=True)]
        else:
            turn, logits = tilt(outputs[0][0]), outputs[0][2]
            pixels = self._turned_back(pixels, turn)
            for member, reduced in zip(self.members[1:], self.reductions[1:], strict=True):
                R, std, _ = member(reduced(pixels))
                outputs.append((turn @ R, std, logits))
        rotations, stds, logits = (torch.stack(values, 1) for values in zip(*outputs, strict=True))
        variance = stds.square().mean(2)
        if self.grid is not None:
            # (B, 1): a head in a crop that an unsure estimate turned may be tilted, and the others do not know
            doubt = 1 + (variance[:, :1] / math.radians(UPRIGHT_WITHIN_DEG) ** 2).square()
            variance = torch.cat([variance[:, :1], variance[:, 1:] * doubt], 1)
        precision = 1 / variance
        weights = precision / precision.sum(1, keepdim=True)
        chance = (weights[:, :, None] * logits.softmax(2)).sum(1)
        return *mixture(weights, rotations, stds), chance.clamp(min=1e-12).log()

    def _turned_back(self, pixels: Tensor, turn: Tensor) -> Tensor:
        """(B, 1, S, S) crops turned about their centre by the inverse of (B, 3, 3) turns about the optical axis.

        The nearest pixel is taken: the estimates are as good as with bilinear weights (on held-out renders and portraits, to 0.1 degrees),
        in half the time.
        """
        at = (self.grid @ turn[:, :2, :2].transpose(1, 2)).reshape(-1, self.size, self.size, 2)
        return functional.grid_sample(pixels, at, mode='nearest', align_corners=False)

    def fuse(self) -> None:
        """Prepares the members for export."""
        for member in self.members:
            member.fuse()


def _pixel_centres(size: int) -> Tensor:
    """(1, size * size, 2) x, y of a picture's pixels, row by row, [-1, 1] from edge to edge."""
    centres = (torch.arange(size) + 0.5) * (2 / size) - 1
    return torch.stack(torch.meshgrid(centres, centres, indexing='xy'), -1).reshape(1, -1, 2)


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
