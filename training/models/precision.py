"""The precision of the layers: bfloat16 where a training says so. All that is computed of their outputs, as rotations, stays fp32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any

import torch
from torch import Tensor

_bf16: ContextVar[bool] = ContextVar('_bf16', default=False)


@contextmanager
def layers_in(precision: str) -> Iterator[None]:
    """Inside of it, all networks' layers compute in 'bf16' (by autocast) or 'fp32'."""
    before = _bf16.set(precision == 'bf16')
    try:
        yield
    finally:
        _bf16.reset(before)


def runs_layers(method: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """Decorates a network's method that runs layers, and no geometry: it computes as `layers_in` says.

    bfloat16 has 8 bits: products of rotations in it are a third of a degree off, and are no rotations.
    """

    @wraps(method)
    def run(network: Any, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16) if _bf16.get() else nullcontext():
            return method(network, x)

    return run
