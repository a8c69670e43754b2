"""Decides whether a figure grows, by its slope over time, so that single values have little effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .samples import Sample

WATCHED = {'own_mb': 'memory of its own, MB', 'mapped_mb': 'shared memory mapped, MB', 'threads': 'threads', 'handles': 'file handles'}
"""What may not grow, and its name in words."""
SHOWN = {'memory_mb': 'resident memory in all, MB', 'latency_median_ms': 'latency, ms (median)'}
"""Shown beside them. Resident memory counts pages of Fast DDS's shared memory once they are touched, the more the longer images wait: a
high-water mark of a pool of fixed size, in steps, whose size `mapped_mb` watches. Latency moves with whatever else the machine does."""
LIMIT_PERCENT = 2.0
WARM_UP_S = 300.0
LEAST_S = 1200.0
"""A shorter stretch after the warm-up is too short to measure growth."""
_MOST_POINTS = 500


@dataclass(frozen=True)
class Growth:
    """How one figure moved during a run, after the warm-up.

    Attributes:
        what: a column of Sample.
        run: the run's number.
        hours: the length looked at.
        level: the fitted line's value at its beginning.
        slope_per_hour: the line's rise per hour.
        percent: the line's rise from beginning to end, per cent of the level.
    """

    what: str
    run: int
    hours: float
    level: float
    slope_per_hour: float
    percent: float

    @property
    def too_much(self) -> bool:
        """Whether it is beyond the limit."""
        return self.percent > LIMIT_PERCENT


def growths(
    samples: Sequence[Sample], what: Sequence[str] = tuple(WATCHED), warm_up_s: float = WARM_UP_S, least_s: float = LEAST_S
) -> list[Growth]:
    """Computes the growth of each figure in each run that is long enough.

    Only samples count that were taken while nothing else happened: a node without its models needs less, one whose picture is
    watched needs more.

    Args:
        samples: samples of all runs.
        what: columns of Sample.
        warm_up_s: left out at the beginning of each run.
        least_s: shorter runs, without the warm-up, are left out.
    """
    found = []
    for run in sorted({sample.run for sample in samples}):
        of_run = [sample for sample in samples if sample.run == run]
        kept = [sample for sample in of_run if not sample.action and sample.at_s - of_run[0].at_s >= warm_up_s]
        if len(kept) < 3 or kept[-1].at_s - kept[0].at_s < least_s:
            continue
        for name in what:
            known = [(sample.at_s / 3600, getattr(sample, name)) for sample in kept if np.isfinite(getattr(sample, name))]
            if len(known) < 3:
                continue
            hours, values = np.array(known).T
            level, slope = fit(hours - hours[0], values)
            length = float(hours[-1] - hours[0])
            found.append(Growth(name, run, length, level, slope, 100 * slope * length / level))
    return found


def fit(times: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Fits a line through most of the points, so that single peaks have no effect; returns its value at time 0 and its slope.

    Source: Theil 1950, Sen 1968: the median of the slopes of all pairs. Many points are first merged to medians of neighbours.

    Args:
        times: (N,) ascending.
        values: (N,).
    """
    if len(times) > _MOST_POINTS:
        parts = np.array_split(np.arange(len(times)), _MOST_POINTS)
        times, values = (np.array([np.median(array[part]) for part in parts]) for array in (times, values))
    first, second = np.triu_indices(len(times), 1)
    apart = times[second] > times[first]
    slope = float(np.median((values[second] - values[first])[apart] / (times[second] - times[first])[apart]))
    return float(np.median(values - slope * times)), slope
