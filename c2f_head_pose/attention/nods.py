"""Counts nods: slow falls of the head with the return."""

from __future__ import annotations

import collections
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NodSettings:
    """Settings for counting nods. Nods are a cue, not a measure of fatigue.

    No regulation defines nodding; these are engineering estimates. The head alone does not tell a nod from a slow look down. The regulated
    signs of fatigue (eye closure: Euro NCAP microsleep and sleep; the Karolinska scale: Regulation (EU) 2021/1341) need the eyes.

    Attributes:
        depth_deg: smallest depth of the fall, degrees.
        return_deg: largest difference between the elevations before and after, degrees.
        min_fall_s: smallest duration of the fall's middle half, seconds; a glance at the cluster is faster.
        max_nod_s: largest duration of the whole nod, seconds.
        window_s: length of the window in which nods are counted, seconds.
        cue_count: number of nods in the window that gives the cue 'nodding'.
        smoothing_s: time constant of the low-pass filter that is applied first, seconds.
    """

    depth_deg: float = 12.0
    return_deg: float = 5.0
    min_fall_s: float = 0.3
    max_nod_s: float = 3.0
    window_s: float = 60.0
    cue_count: int = 3
    smoothing_s: float = 0.15


class NodCounter:
    """Counts nods in a head's elevation over time."""

    def __init__(self, settings: NodSettings | None = None) -> None:
        self.settings = settings or NodSettings()
        self._trace: collections.deque[tuple[float, float]] = collections.deque(maxlen=512)
        self._nods: collections.deque[float] = collections.deque(maxlen=64)

    def update(self, stamp_s: float, elevation_deg: float) -> None:
        """Processes one measurement.

        Args:
            stamp_s: seconds; must not decrease.
            elevation_deg: elevation of the face, degrees, > 0 up.
        """
        s = self.settings
        if self._trace and stamp_s - self._trace[-1][0] > 0.5:
            self._trace.clear()
        if self._trace:
            last_s, last_deg = self._trace[-1]
            share = 1 - np.exp(-(stamp_s - last_s) / s.smoothing_s)
            elevation_deg = float(last_deg + share * (elevation_deg - last_deg))
        self._trace.append((stamp_s, elevation_deg))
        while stamp_s - self._trace[0][0] > s.max_nod_s:
            self._trace.popleft()
        if self._ends_a_nod():
            self._nods.append(stamp_s)
            self._trace.clear()

    def count(self, stamp_s: float) -> int:
        """Returns the number of nods in the window that ends at a time."""
        while self._nods and stamp_s - self._nods[0] > self.settings.window_s:
            self._nods.popleft()
        return len(self._nods)

    def nodding(self, stamp_s: float) -> bool:
        """Whether the number of nods in the window reaches `cue_count`."""
        return self.count(stamp_s) >= self.settings.cue_count

    def _ends_a_nod(self) -> bool:
        s = self.settings
        times, angles = np.array(self._trace).T
        bottom = int(angles.argmin())
        if bottom == 0 or angles[-1] - angles[bottom] < s.depth_deg - s.return_deg:
            return False
        top = int(angles[:bottom].argmax())
        depth = angles[top] - angles[bottom]
        if depth < s.depth_deg or angles[-1] < angles[top] - s.return_deg:
            return False
        fall = angles[top : bottom + 1]
        quarter, three_quarters = ((fall > angles[top] - share * depth).nonzero()[0][-1] for share in (0.25, 0.75))
        return bool(times[top + three_quarters] - times[top + quarter] >= s.min_fall_s)
