"""Times a driver's glances away from the road and on it, and applies the rules on long and short distractions to these times."""

from __future__ import annotations

import collections
from dataclasses import dataclass

from .settings import AttentionSettings, Motion, Reason
from .zones import ZoneMass

TICK_S = 1e-3
"""Tolerance when times are compared: stamps are sums of rounded frame times."""


@dataclass
class _Glance:
    """Duration of the current glance away from the road, seconds: in total, into zones of kind `away`, and into the EU's area 3."""

    off_s: float = 0.0
    away_s: float = 0.0
    area_3_s: float = 0.0


class GlanceTimers:
    """The timers of the rules, which run on the stamps of frames with a head.

    Attributes:
        road_run_s: time of continuous gaze on the road.
    """

    def __init__(self, settings: AttentionSettings) -> None:
        """Starts with all timers at 0.

        Args:
            settings: times of the rules.
        """
        self._settings = settings
        self._glance = _Glance()
        self._short: collections.deque[tuple[float, float, float]] = collections.deque()
        self._off_run_s = 0.0
        self.road_run_s = 0.0

    @property
    def off_road_s(self) -> float:
        """Duration of the current glance away from the road, seconds; 0 on the road."""
        return self._glance.off_s

    def add_off_road(self, from_s: float, seconds: float, mass: ZoneMass) -> None:
        """Adds time off the road to the current glance.

        Args:
            from_s: stamp at which the time begins.
            seconds: length of the time.
            mass: zones of the head in this time.
        """
        glance, s = self._glance, self._settings
        away = mass.away >= mass.driving
        counted_from_s = from_s
        if not away:
            counted_from_s += max(0.0, s.driving_allowance_s - glance.off_s)
        glance.off_s += seconds
        glance.away_s += seconds * away
        glance.area_3_s += seconds * (mass.addw_area_3 >= 0.5)
        counted_s = from_s + seconds - counted_from_s
        if counted_s > 0:
            if self._short and counted_from_s - self._short[-1][1] <= s.gap_s:
                counted_from_s, _, counted_before_s = self._short.pop()
                counted_s += counted_before_s
            self._short.append((counted_from_s, from_s + seconds, counted_s))
        self._off_run_s += seconds
        # One or two noisy frames off the road subtract their own time; a longer glance resets the time on the road.
        self.road_run_s = 0.0 if reached(self._off_run_s, s.gap_s) else max(0.0, self.road_run_s - seconds)

    def see_road(self, step_s: float, continuous: bool) -> None:
        """Adds time on the road, only between two frames that are both evidence of it; a gap between them adds none.

        The glance away ends with it even across a gap: two frames in a row on the road are no 'out, in, out' however rare images are.

        Args:
            step_s: time since the last frame on the road; infinite at the first.
            continuous: the last evidence was on the road too.
        """
        s = self._settings
        if step_s > s.max_step_s + TICK_S:
            self.road_run_s = 0.0
        elif continuous:
            self.road_run_s += step_s
        self._off_run_s = 0.0
        if reached(self.road_run_s, s.gap_s) or (continuous and reached(step_s, s.gap_s)):
            self._glance = _Glance()
        if reached(self.road_run_s, s.short_reset_s):
            self._short.clear()

    def short_glances_s(self, stamp_s: float) -> float:
        """Returns the time of short glances away within the window that ends at a stamp, seconds."""
        start_s = stamp_s - self._settings.short_window_s
        while self._short and self._short[0][1] <= start_s:
            self._short.popleft()
        return float(sum(counted * (end - max(begin, start_s)) / (end - begin) for begin, end, counted in self._short))

    def broken_rule(self, stamp_s: float, motion: Motion) -> Reason | None:
        """Returns the rule that the glances break at a stamp; None if they break none.

        Args:
            stamp_s: the present stamp, seconds.
            motion: the car's motion; the EU's times depend on the speed.
        """
        s, glance = self._settings, self._glance
        if reached(glance.off_s, s.unresponsive_s):
            return Reason.UNRESPONSIVE
        if reached(glance.away_s, s.long_away_s) or reached(glance.off_s, s.long_driving_s):
            return Reason.LONG
        fast = motion.speed_mps is None or motion.speed_mps >= s.addw_fast_mps
        if s.addw and reached(glance.area_3_s, s.addw_fast_s if fast else s.addw_slow_s):
            return Reason.ADDW
        if reached(self.short_glances_s(stamp_s), s.short_total_s):
            return Reason.SHORT
        return None


def reached(elapsed_s: float, limit_s: float) -> bool:
    """Whether a time has reached a limit, within TICK_S."""
    return elapsed_s >= limit_s - TICK_S
