"""Exponential moving average (EMA) of a network's weights; it generalises better than the last step's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class ExponentialMovingAverage:
    """EMA of the parameters; buffers (batch statistics) are copied.

    Args:
        network: initial weights.
        decay: per step; early steps use (1 + step) / (10 + step) if that is less, so that the initial weights soon have no influence.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.network = copy.deepcopy(network).eval()
        self.decay = decay
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Updates the average after a step.

        Args:
            network: weights after the step.
            step: number of the step, from 0.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        self.copy_buffers(network)

    @torch.no_grad()
    def copy_buffers(self, network: nn.Module) -> None:
        """Copies the network's batch statistics."""
        for mine, theirs in zip(self.network.buffers(), network.buffers(), strict=True):
            mine.copy_(theirs)
