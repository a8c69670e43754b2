"""Measures the time that passes for the poses: on /clock under use_sim_time, else on this machine's steady clock."""

from __future__ import annotations

import time
from collections.abc import Callable

_RUNNING_S = 1.0
"""/clock stands still once it has not moved for so long of real time; silence is then measured by the steady clock again."""


class PlayTime:
    """Seconds that pass as fast as a recording is replayed, so that a slow replay does not look like input that stopped.

    While /clock stands still (paused, ended, not yet published) the steady clock counts: input that stopped must become `stale` even if
    the clock stopped with it.

    Args:
        ros_s: ROS time, seconds; None where it is not /clock's.
        steady_s: seconds, steady.
    """

    def __init__(self, ros_s: Callable[[], float | None], steady_s: Callable[[], float] = time.monotonic) -> None:
        self._ros_s, self._steady_s = ros_s, steady_s
        self._last_ros_s, self._last_steady_s = ros_s(), steady_s()
        self._moved_s = float('-inf')
        self._passed_s = 0.0

    def now_s(self) -> float:
        """Seconds that have passed; never falls. To be asked a few times a second."""
        ros_s, steady_s = self._ros_s(), self._steady_s()
        step_s = steady_s - self._last_steady_s
        if ros_s is not None and self._last_ros_s is not None:
            if steady_s - self._moved_s <= _RUNNING_S:
                step_s = max(0.0, ros_s - self._last_ros_s)
            if ros_s != self._last_ros_s:
                self._moved_s = steady_s
        self._passed_s += step_s
        self._last_ros_s, self._last_steady_s = ros_s, steady_s
        return self._passed_s
