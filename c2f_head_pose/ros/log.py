"""Limits the node's log messages, once each or throttled, so that the log stays readable at 60 images a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Notices:
    """Logs through a ROS logger with limits; thread-safe."""

    def __init__(self, logger: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts without any logged key.

        Args:
            logger: object with the methods info, warning and error.
            clock: steady clock, seconds.
        """
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def once(self, key: str, text: str, level: str = 'warning') -> bool:
        """Logs a text unless one was logged under this key; returns whether it was logged."""
        return self.throttled(key, text, float('inf'), level)

    def throttled(self, key: str, text: str, period_s: float = 5.0, level: str = 'warning') -> bool:
        """Logs a text at most once per period under this key, with the number of suppressed ones; returns whether it was logged."""
        now = self._clock()
        with self._lock:
            if key in self._said and now - self._said[key] < period_s:
                self._held_back[key] = self._held_back.get(key, 0) + 1
                return False
            self._said[key] = now
            held_back = self._held_back.pop(key, 0)
        self.say(text + (f' ({held_back} more like it since)' if held_back else ''), level)
        return True

    def forget(self, key: str) -> bool:
        """Resets a key, so that its next text is logged at once; returns whether one had been logged."""
        with self._lock:
            self._held_back.pop(key, None)
            return self._said.pop(key, None) is not None

    def forget_all(self) -> None:
        """Resets all keys."""
        with self._lock:
            self._said.clear()
            self._held_back.clear()

    def say(self, text: str, level: str = 'info') -> None:
        """Logs a text. Each level has its own line of code, because rclpy refuses two severities from one line."""
        if level == 'error':
            self._logger.error(text)
        elif level == 'warning':
            self._logger.warning(text)
        else:
            self._logger.info(text)
