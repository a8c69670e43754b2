"""Measures the time of each stage of an image."""

from __future__ import annotations

import time


class StageClock:
    """Splits the work on one image into named stages.

    Attributes:
        wall_ms: elapsed milliseconds of each stage.
        cpu_ms: milliseconds of this thread's processor time in each stage; a network's further threads are not included.
    """

    def __init__(self) -> None:
        """Starts the first stage."""
        self.wall_ms: dict[str, float] = {}
        self.cpu_ms: dict[str, float] = {}
        self._wall_s = time.perf_counter()
        self._cpu_s = time.thread_time()

    def end(self, stage: str) -> None:
        """Ends a stage and starts the next. The times of a stage that ends twice are added."""
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        self.wall_ms[stage] = self.wall_ms.get(stage, 0.0) + 1e3 * (wall_s - self._wall_s)
        self.cpu_ms[stage] = self.cpu_ms.get(stage, 0.0) + 1e3 * (cpu_s - self._cpu_s)
        self._wall_s, self._cpu_s = wall_s, cpu_s

    def add(self, other: StageClock) -> None:
        """Copies the stages of another clock, and starts the next stage."""
        self.wall_ms |= other.wall_ms
        self.cpu_ms |= other.cpu_ms
        self._wall_s, self._cpu_s = time.perf_counter(), time.thread_time()
