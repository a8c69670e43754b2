"""Measures the time from the start of a process to its first head pose, and its memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CHILD = """
import json, sys, time
steps = {'interpreter': time.monotonic()}
from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.bench import process_memory, scenes
steps['import'] = time.monotonic()
estimator = HeadPoseEstimator.load(sys.argv[1], 'cpu')
steps['load'] = time.monotonic()
depth = estimator.reads_depth
poses = estimator.estimate(None if depth else scenes.picture(1), camera=scenes.camera(), depth_m=scenes.dolls(1) if depth else None)
steps['first answer'] = time.monotonic()
print(json.dumps([steps, len(poses), *process_memory.memory_bytes()]))
"""

_Start = tuple[dict[str, float], float | None, float | None]
"""Seconds by step, resident memory and its peak in MiB."""


@dataclass(frozen=True)
class StartUp:
    """Medians over several starts of a process.

    Attributes:
        seconds: duration of each step: interpreter, import, load, first answer.
        whole_s: duration of all steps, seconds.
        resident_mb: resident memory after the first answer, MiB; None where the system does not state it (outside of Linux).
        peak_mb: largest resident memory until then, MiB; None likewise (Windows).
        starts: number of starts.
    """

    seconds: dict[str, float]
    whole_s: float
    resident_mb: float | None
    peak_mb: float | None
    starts: int


def measure_start_up(models: Sequence[str], starts: int = 5) -> dict[str, StartUp]:
    """Starts a process for each model, in turns.

    Raises:
        RuntimeError: when a process fails, with the last line that it printed.
    """
    found: dict[str, list[_Start]] = {model: [] for model in models}
    for _ in range(starts):
        for model in models:
            found[model].append(_start(model))
    return {model: _medians(rows) for model, rows in found.items()}


def _start(model: str) -> _Start:
    begun = time.monotonic()  # one clock for all processes on Linux and macOS
    child = subprocess.run([sys.executable, '-c', _CHILD, model], capture_output=True, text=True)
    if child.returncode:
        raise RuntimeError(f'a process with {model} failed: {child.stderr.strip().splitlines()[-1]}')
    steps, poses, *memory_bytes = json.loads(child.stdout)
    if poses != 1:
        raise RuntimeError(
            f'a process with {model} found {poses} faces in a scene with one face; fetch the shipped detector again with fetch_models'
        )
    times = [begun, *steps.values()]
    resident_mb, peak_mb = (None if count is None else count / 2**20 for count in memory_bytes)
    return {step: after - before for step, before, after in zip(steps, times, times[1:])}, resident_mb, peak_mb


def _medians(rows: list[_Start]) -> StartUp:
    seconds = {step: float(np.median([row[0][step] for row in rows])) for step in rows[0][0]}
    whole_s = float(np.median([sum(row[0].values()) for row in rows]))
    resident_mb, peak_mb = (None if None in memory else float(np.median(memory)) for memory in zip(*(row[1:] for row in rows)))
    return StartUp(seconds, whole_s, resident_mb, peak_mb, len(rows))
