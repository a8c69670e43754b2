"""Tracks a replay's position in its recording, which advances with the time and stops during a pause."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Playhead:
    """A position in a recording, read and paused by one thread while another waits for it.

    Attributes:
        stopped: set by `stop`.
        paused_s: length of all pauses since `begin`, without one that still lasts.
    """

    def __init__(self, rate: float, now_s: Callable[[], float] = time.monotonic) -> None:
        """Not playing yet.

        Args:
            rate: seconds of the recording in a second.
            now_s: the time, in seconds.
        """
        self.stopped = threading.Event()
        self.paused_s = 0.0
        self._rate = rate
        self._now_s = now_s
        self._changed = threading.Condition()
        self._zero_s: float | None = None  # the time at which it was, or would have been, at the recording's first entry
        self._paused_since_s: float | None = None

    @property
    def at_s(self) -> float | None:
        """The position in seconds since the recording's first entry; None before `begin` and after `end`."""
        with self._changed:
            return self._position_s(self._now_s())

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused_since_s is not None

    def begin(self, at_s: float) -> None:
        """Plays from a position on, or from the end of the pause on where it is paused."""
        with self._changed:
            now_s = self._now_s()
            self._zero_s, self.paused_s = now_s - at_s / self._rate, 0.0
            self._paused_since_s = now_s if self.paused else None

    def end(self) -> None:
        """Ends playing until the next `begin`."""
        with self._changed:
            self._zero_s = None

    def stop(self) -> None:
        """Makes every call of `reach` return, now and later."""
        with self._changed:
            self.stopped.set()
            self._changed.notify_all()

    def pause(self, paused: bool) -> float | None:
        """Pauses, or continues from the same position. Once this returns, nothing of `reach` or `while_playing` runs in a pause.

        Returns:
            The position at which it pauses or continues; None while it is not playing.
        """
        with self._changed:
            now_s = self._now_s()
            if paused and not self.paused:
                self._paused_since_s = now_s
            elif not paused and self._paused_since_s is not None:
                pause_s, self._paused_since_s = now_s - self._paused_since_s, None
                if self._zero_s is not None:
                    self._zero_s += pause_s
                    self.paused_s += pause_s
            self._changed.notify_all()
            return self._position_s(now_s)

    def reach(self, at_s: float, then: Callable[[], Any]) -> bool:
        """Waits for a position and calls `then` there; returns False, without a call, once it is stopped."""
        with self._changed:
            while not self.stopped.is_set():
                wait_s = None if self.paused else (at_s - (self._position_s(self._now_s()) or 0.0)) / self._rate
                if wait_s is not None and wait_s <= 0:
                    then()
                    return True
                self._changed.wait(wait_s)
            return False

    def while_playing(self, then: Callable[[], Any]) -> None:
        """Calls `then` now, unless it is paused or not playing."""
        with self._changed:
            if self._zero_s is not None and not self.paused:
                then()

    def _position_s(self, now_s: float) -> float | None:
        if self._zero_s is None:
            return None
        return ((now_s if self._paused_since_s is None else self._paused_since_s) - self._zero_s) * self._rate
