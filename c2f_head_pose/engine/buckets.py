"""Any number of crops through engines that are compiled for a few batch sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .contract import NetworkOutput

BUCKETS = (1, 2, 4, 8, 16, 32, 64)

RunBucket = Callable[[np.ndarray, int], NetworkOutput]
"""Runs n crops in a bucket of n or more: (n, 1, S, S) uint8 and the bucket to the outputs of at least those n, first."""


def split(count: int, buckets: tuple[int, ...] = BUCKETS) -> list[tuple[int, int]]:
    """How many crops go into which bucket, in order: the largest bucket as often as it is filled, then the smallest that holds the rest."""
    largest = buckets[-1]
    parts = [(largest, largest)] * (count // largest)
    if rest := count % largest:
        parts.append((rest, next(b for b in buckets if b >= rest)))
    return parts


def run_in_buckets(run: RunBucket, crops: np.ndarray, buckets: tuple[int, ...] = BUCKETS) -> NetworkOutput:
    """The network's output for all crops, padding cut off.

    Args:
        run: runs one bucket.
        crops: (B, 1, S, S) uint8, B >= 1.
        buckets: batch sizes that `run` is ready for, ascending.
    """
    outputs, first = [], 0
    for count, bucket in split(len(crops), buckets):
        output = run(crops[first : first + count], bucket)
        outputs.append((output.rotation[:count], output.rotation_std_rad[:count], output.category_logits[:count]))
        first += count
    if len(outputs) == 1:
        return NetworkOutput(*outputs[0])
    return NetworkOutput(*(np.concatenate(parts) for parts in zip(*outputs)))
