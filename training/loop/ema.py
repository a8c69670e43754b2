"""Moving average of a network's weights: smoother than the last step's."""

from __future__ import annotations

import copy

import torch
from torch import nn


class ExponentialMovingAverage:
    """Exponential moving average of parameters; buffers (batch statistics) are copied.

    Args:
        network: to start from.
        decay: per step; early steps use (1 + step) / (10 + step) if that is less, so that the start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.network = copy.deepcopy(network).eval()
        self.decay = decay
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes one step of the network into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        self.copy_buffers(network)

    @torch.no_grad()
    def copy_buffers(self, network: nn.Module) -> None:
        """Copies the network's batch statistics."""
        for mine, theirs in zip(self.network.buffers(), network.buffers(), strict=True):
            mine.copy_(theirs)
