"""Runs batches of any size on an engine that is compiled for a few batch sizes ("buckets")."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .contract import NetworkOutput

BUCKETS = (1, 2, 4, 8, 16, 32, 64)

RunBucket = Callable[[np.ndarray, int], NetworkOutput]
"""Function that runs n crops, (n, 1, S, S) uint8, in a bucket of n or more; the first n rows of its output belong to the crops."""


def split(count: int, buckets: tuple[int, ...] = BUCKETS) -> list[tuple[int, int]]:
    """Splits a number of crops over buckets: as many full largest buckets as possible, then the smallest bucket that holds the rest.

    Args:
        count: number of crops.
        buckets: batch sizes, ascending.

    Returns:
        Pairs of the number of crops and their bucket, in the order of the crops.
    """
    largest = buckets[-1]
    parts = [(largest, largest)] * (count // largest)
    if rest := count % largest:
        parts.append((rest, next(b for b in buckets if b >= rest)))
    return parts


def run_in_buckets(run: RunBucket, crops: np.ndarray, buckets: tuple[int, ...] = BUCKETS) -> NetworkOutput:
    """Runs the network on all crops, bucket by bucket, and removes the padding of each bucket.

    Args:
        run: runs one bucket.
        crops: (B, 1, S, S) uint8, B >= 1.
        buckets: batch sizes that `run` supports, ascending.

    Returns:
        The network's output for the B crops, in their order.
    """
    outputs, first = [], 0
    for count, bucket in split(len(crops), buckets):
        output = run(crops[first : first + count], bucket)
        outputs.append((output.rotation[:count], output.rotation_std_rad[:count], output.category_logits[:count]))
        first += count
    if len(outputs) == 1:
        return NetworkOutput(*outputs[0])
    return NetworkOutput(*(np.concatenate(parts) for parts in zip(*outputs)))
