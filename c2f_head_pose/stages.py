"""Where the time of one image goes."""

from __future__ import annotations

import time


class StageClock:
    """Splits the work on one image into named stages.

    Attributes:
        wall_ms: milliseconds that each stage took.
        cpu_ms: milliseconds of processor time that this thread spent on it; what a network's further threads spend is not in it.
    """

    def __init__(self) -> None:
        """Starts the first stage."""
        self.wall_ms: dict[str, float] = {}
        self.cpu_ms: dict[str, float] = {}
        self._wall_s = time.perf_counter()
        self._cpu_s = time.thread_time()

    def end(self, stage: str) -> None:
        """Ends a stage and starts the next; a stage that ends twice adds up."""
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        self.wall_ms[stage] = self.wall_ms.get(stage, 0.0) + 1e3 * (wall_s - self._wall_s)
        self.cpu_ms[stage] = self.cpu_ms.get(stage, 0.0) + 1e3 * (cpu_s - self._cpu_s)
        self._wall_s, self._cpu_s = wall_s, cpu_s

    def add(self, other: StageClock) -> None:
        """Takes over the stages of a part that kept its own clock, and starts the next stage."""
        self.wall_ms |= other.wall_ms
        self.cpu_ms |= other.cpu_ms
        self._wall_s, self._cpu_s = time.perf_counter(), time.thread_time()
