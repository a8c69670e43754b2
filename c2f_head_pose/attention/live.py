"""An attention monitor for live input: between two frames, time is only estimated, and the decision must not depend on the estimate."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from ..types import HeadPose
from .monitor import AttentionMonitor
from .settings import Attention, Motion

_BEHIND_S = 0.25
"""Reports count as so much older than the estimated time, so that the next frame, whose delivery may vary, is still newer."""


class LiveMonitor:
    """Decides at each frame, and in between from reports that nobody is there or that the camera is blind.

    A report has no stamp of a frame. Its time is the last frame's plus what passed since, which is too late where a recording is replayed
    slower than real time. So a copy of the monitor takes the reports. A frame that is newer than the copy's time confirms it, and the copy
    goes on. A frame that is older refutes it; the copy is then dropped and the frames follow one another as if nothing had been reported.

    Args:
        monitor: fresh.
    """

    def __init__(self, monitor: AttentionMonitor) -> None:
        self._monitor = monitor
        self._reported: AttentionMonitor | None = None
        self._reported_s = 0.0

    @property
    def monitor(self) -> AttentionMonitor:
        """The monitor with everything that counts by now."""
        return self._reported or self._monitor

    def frame(self, stamp_s: float, heads: Sequence[HeadPose] | None, motion: Motion | None = None) -> Attention:
        """Takes a frame into account; arguments and result as of `AttentionMonitor.update`."""
        if self._reported is not None and stamp_s > self._reported_s:
            self._monitor = self._reported
        self._reported = None
        return self._monitor.update(stamp_s, heads, motion)

    def report(self, now_s: float, heads: Sequence[HeadPose] | None, motion: Motion | None = None) -> Attention:
        """Takes into account that nobody is there (`heads` empty), or that nobody can look (None), at an estimated time."""
        if self._reported is None:
            self._reported = copy.deepcopy(self._monitor)
        self._reported_s = now_s - _BEHIND_S
        return self._reported.update(self._reported_s, heads, motion)

    def at(self, now_s: float) -> Attention:
        """The decision as it stands at a time without a frame or report: see `AttentionMonitor.at`."""
        return self.monitor.at(now_s)
