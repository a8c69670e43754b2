"""The optimiser and the arithmetic precision of a run."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import nn

from .config import RunConfig

_CPUINFO = Path('/proc/cpuinfo')


def make_optimiser(network: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """AdamW, without weight decay on biases and normalisation, or SGD, with weight decay on all parameters as in the paper's Caffe."""
    settings = config.optimiser
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if settings['kind'] == 'sgd':
        return torch.optim.SGD(named.values(), settings['lr'], momentum=settings['momentum'], weight_decay=settings['weight_decay'])
    decays = {name: p.ndim > 1 and name.rpartition('.')[2] != 'bias' for name, p in named.items()}  # all regressors' bias is one matrix
    decayed = [p for name, p in named.items() if decays[name]]
    others = [p for name, p in named.items() if not decays[name]]
    return torch.optim.AdamW(
        [{'params': decayed, 'weight_decay': settings['weight_decay']}, {'params': others, 'weight_decay': 0.0}], settings['lr']
    )


def precision_on(device: torch.device, precision: str) -> str:
    """'bf16' or 'fp32': a configuration's precision, where it is 'auto' the device's own."""
    return own_precision(device) if precision == 'auto' else precision


@cache
def own_precision(device: torch.device) -> str:
    """'bf16' if the device has instructions for bfloat16, else 'fp32', which is then up to ten times faster."""
    if device.type == 'cuda':
        return 'bf16' if torch.cuda.get_device_capability(device) >= (8, 0) else 'fp32'
    flags = set(_CPUINFO.read_text().split()) if _CPUINFO.exists() else set()
    return 'bf16' if flags & {'avx512_bf16', 'amx_bf16', 'bf16'} else 'fp32'
