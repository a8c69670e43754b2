"""Where in a recording a replay is: it advances with the time, and stands still while paused."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Playhead:
    """A position in a recording, asked and paused by one thread while another waits for it.

    Attributes:
        stopped: set by `stop`.
        paused_s: how long it has been paused since `begin`, without a pause that still lasts.
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
        self._zero_s: float | None = None  # when it was, or would have been, at the recording's first entry
        self._paused_since_s: float | None = None

    @property
    def at_s(self) -> float | None:
        """The position in seconds since the recording's first entry; None before `begin` and after `end`."""
        with self._changed:
            return self._position_s()

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused_since_s is not None

    def begin(self, at_s: float) -> None:
        """Plays from a position on; from the end of the pause, if it is paused."""
        with self._changed:
            now_s = self._now_s()
            self._zero_s, self.paused_s = now_s - at_s / self._rate, 0.0
            self._paused_since_s = now_s if self.paused else None

    def end(self) -> None:
        """Plays no more, until the next `begin`."""
        with self._changed:
            self._zero_s = None

    def stop(self) -> None:
        """Has every `reach` return, now and later."""
        with self._changed:
            self.stopped.set()
            self._changed.notify_all()

    def pause(self, paused: bool) -> None:
        """Stands still, or goes on from where it was. Once this returns, nothing of `reach` or `while_playing` runs in a pause."""
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

    def reach(self, at_s: float, then: Callable[[], Any]) -> bool:
        """Waits until it is at a position, and calls; returns False, without a call, once it is stopped."""
        with self._changed:
            while not self.stopped.is_set():
                wait_s = None if self.paused else (at_s - (self._position_s() or 0.0)) / self._rate
                if wait_s is not None and wait_s <= 0:
                    then()
                    return True
                self._changed.wait(wait_s)
            return False

    def while_playing(self, then: Callable[[], Any]) -> None:
        """Calls now, unless it is paused or not playing."""
        with self._changed:
            if self._zero_s is not None and not self.paused:
                then()

    def _position_s(self) -> float | None:
        if self._zero_s is None:
            return None
        now_s = self._now_s() if self._paused_since_s is None else self._paused_since_s
        return (now_s - self._zero_s) * self._rate
