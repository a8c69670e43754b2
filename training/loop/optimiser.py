"""The optimiser and the arithmetic precision of a run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from .config import RunConfig


def make_optimiser(network: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """AdamW, without weight decay on biases and normalisation, or SGD, with weight decay on all parameters as in the paper's Caffe."""
    settings = config.optimiser
    parameters = [p for p in network.parameters() if p.requires_grad]
    if settings['kind'] == 'sgd':
        return torch.optim.SGD(parameters, settings['lr'], momentum=settings['momentum'], weight_decay=settings['weight_decay'])
    decayed = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    return torch.optim.AdamW(
        [{'params': decayed, 'weight_decay': settings['weight_decay']}, {'params': others, 'weight_decay': 0.0}], settings['lr']
    )


def precision(name: str, device: torch.device) -> Any:
    """The context that computes in the precision 'bf16' (autocast) or 'fp32'."""
    return torch.autocast(device.type, torch.bfloat16) if name == 'bf16' else nullcontext()
