"""Runs an attention monitor on live input, where the time between two frames is only estimated.

The decision at a frame must not depend on that estimate, so that a live run and a replay decide alike.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from ..types import HeadPose
from .monitor import AttentionMonitor
from .settings import Attention, Motion

_BEHIND_S = 0.25
"""Seconds by which a report is dated back, so that the next frame is newer even if its delivery is faster."""


class LiveMonitor:
    """Decides at each frame, and between frames from reports that no face is found or that the camera is blind.

    A report has no stamp of a frame. Its time is the last frame's stamp plus the time that has passed since, which is too late if a
    recording is replayed slower than real time. Therefore a copy of the monitor processes the reports. If the next frame is newer than
    the copy's time, the copy replaces the monitor; if it is older, the copy is deleted and the reports have no effect.

    Args:
        monitor: a monitor without frames.
    """

    def __init__(self, monitor: AttentionMonitor) -> None:
        self._monitor = monitor
        self._reported: AttentionMonitor | None = None
        self._reported_s = 0.0

    @property
    def monitor(self) -> AttentionMonitor:
        """The monitor with all frames and the valid reports."""
        return self._reported or self._monitor

    def frame(self, stamp_s: float, heads: Sequence[HeadPose] | None, motion: Motion | None = None) -> Attention:
        """Processes a frame; see `AttentionMonitor.update` for arguments and result."""
        if self._reported is not None and stamp_s > self._reported_s:
            self._monitor = self._reported
        self._reported = None
        return self._monitor.update(stamp_s, heads, motion)

    def report(self, now_s: float, heads: Sequence[HeadPose] | None, motion: Motion | None = None) -> Attention:
        """Processes a report at an estimated time.

        Args:
            now_s: estimated time on the stamps' clock, seconds.
            heads: empty if no face is found; None if no search is possible.
            motion: the car's motion; None where it is unknown.
        """
        if self._reported is None:
            self._reported = copy.deepcopy(self._monitor)
        self._reported_s = now_s - _BEHIND_S
        return self._reported.update(self._reported_s, heads, motion)

    def at(self, now_s: float) -> Attention:
        """Returns the decision at a time without a frame or report; see `AttentionMonitor.at`."""
        return self.monitor.at(now_s)
