"""Reduction of pictures by the mean over each new pixel's area."""

from __future__ import annotations

import torch
from torch import Tensor


def area_weights(side: int, size: int, device: torch.device | str = 'cpu') -> Tensor:
    """(size, side) float32 weights W; W @ picture @ W.T reduces a square picture from `side` to `size` pixels. Each row adds up to 1.

    Raises:
        ValueError: for a size above `side`.
    """
    if size > side:
        raise ValueError(f'crops of {side} pixels cannot shrink to {size}')
    edges = torch.arange(size + 1, device=device, dtype=torch.float32) * (side / size)
    first = torch.arange(side, device=device, dtype=torch.float32)
    covered = torch.minimum(edges[1:, None], first + 1) - torch.maximum(edges[:-1, None], first)
    return covered.clamp(min=0) * (size / side)
