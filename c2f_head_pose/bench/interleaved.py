"""Times things in turns, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Milliseconds of many runs of one thing."""

    median_ms: float
    p99_ms: float
    best_ms: float
    runs: int

    @classmethod
    def of(cls, times_ms: Sequence[float] | np.ndarray) -> Timing:
        """The median and 99th percentile."""
        return cls(float(np.median(times_ms)), float(np.percentile(times_ms, 99)), float(np.min(times_ms)), len(times_ms))


@dataclass(frozen=True, eq=False)
class Turns:
    """The times of several jobs that took turns.

    Attributes:
        wall_ms: by job, milliseconds of each round, by the clock.
        cpu_ms: likewise, processor time of this process: what other processes take in between is left out.
    """

    wall_ms: Mapping[str, np.ndarray]
    cpu_ms: Mapping[str, np.ndarray]

    def timing(self, job: str) -> Timing:
        """A job's figures by the clock."""
        return Timing.of(self.wall_ms[job])

    def ratio(self, job: str, other: str) -> float:
        """How many times longer a job takes than another: the median over rounds, in each of which both ran."""
        return float(np.median(self.wall_ms[job] / self.wall_ms[other]))


def take_turns(jobs: Mapping[str, Callable[[], object]], seconds: float, least: int = 5, most: int = 5000, seed: int = 0) -> Turns:
    """Runs every job once a round, in a new order each round, after two rounds to warm up.

    Args:
        jobs: by name.
        seconds: about how long to go on.
        least: rounds at least.
        most: rounds at most.
        seed: of the orders.
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
    """Times a function for a while, after warming it up."""
    for _ in range(3):
        run()
    times_ms: list[float] = []
    end = time.perf_counter() + seconds
    while len(times_ms) < 5 or (time.perf_counter() < end and len(times_ms) < most):
        start = time.perf_counter()
        run()
        times_ms.append(1e3 * (time.perf_counter() - start))
    return Timing.of(times_ms)
