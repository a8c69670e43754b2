"""Times several functions in turns, so that other work on the machine affects all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Milliseconds of many runs of one function.

    Attributes:
        median_ms: median.
        p99_ms: 99th percentile.
        best_ms: shortest run.
        runs: number of runs.
    """

    median_ms: float
    p99_ms: float
    best_ms: float
    runs: int

    @classmethod
    def of(cls, times_ms: Sequence[float] | np.ndarray) -> Timing:
        """Computes the figures of a list of times, milliseconds."""
        return cls(float(np.median(times_ms)), float(np.percentile(times_ms, 99)), float(np.min(times_ms)), len(times_ms))


@dataclass(frozen=True, eq=False)
class Turns:
    """The times of several jobs that took turns.

    Attributes:
        wall_ms: elapsed milliseconds of each round, by job.
        cpu_ms: milliseconds of this process's processor time in each round, by job; time of other processes is not included.
    """

    wall_ms: Mapping[str, np.ndarray]
    cpu_ms: Mapping[str, np.ndarray]

    def timing(self, job: str) -> Timing:
        """Returns the figures of a job's elapsed times."""
        return Timing.of(self.wall_ms[job])

    def ratio(self, job: str, other: str) -> float:
        """Returns the median over rounds of one job's elapsed time divided by another's."""
        return float(np.median(self.wall_ms[job] / self.wall_ms[other]))


def take_turns(jobs: Mapping[str, Callable[[], object]], seconds: float, least: int = 5, most: int = 5000, seed: int = 0) -> Turns:
    """Runs every job once a round, in a new order each round, after two rounds to warm up.

    Args:
        jobs: functions by name.
        seconds: approximate time for all rounds.
        least: smallest number of rounds.
        most: largest number of rounds.
        seed: seed of the random orders.
    """
    names = list(jobs)
    chance = np.random.default_rng(seed)
    for name in 2 * names:
        jobs[name]()
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < least or (rounds < most and time.perf_counter() < end):
        for name in chance.permutation(names).tolist():
            start, cpu_start = time.perf_counter(), time.process_time()
            jobs[name]()
            cpu[name].append(1e3 * (time.process_time() - cpu_start))
            wall[name].append(1e3 * (time.perf_counter() - start))
        rounds += 1
    return Turns({name: np.array(times) for name, times in wall.items()}, {name: np.array(times) for name, times in cpu.items()})


def measure(run: Callable[[], object], seconds: float, most: int = 5000) -> Timing:
    """Times a function after three runs that warm it up.

    Args:
        run: the function.
        seconds: approximate time; at least five runs are made.
        most: largest number of runs.
    """
    for _ in range(3):
        run()
    times_ms: list[float] = []
    end = time.perf_counter() + seconds
    while len(times_ms) < 5 or (time.perf_counter() < end and len(times_ms) < most):
        start = time.perf_counter()
        run()
        times_ms.append(1e3 * (time.perf_counter() - start))
    return Timing.of(times_ms)
