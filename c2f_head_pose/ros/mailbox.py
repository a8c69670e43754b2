"""Runs a worker thread behind a mailbox of one slot: it processes the newest item only, so that queues add no latency."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar('Item')


class NewestWorker(Generic[Item]):
    """A thread that works on the newest item; an item that arrives while another waits replaces it."""

    def __init__(self, work: Callable[[Item], None], name: str, failed: Callable[[Exception], object]) -> None:
        """Starts the thread.

        Args:
            work: called in the thread with each item taken.
            name: the thread's name.
            failed: told what `work` raises; the thread then goes on with the next item.
        """
        self._work = work
        self._failed = failed
        self._changed = threading.Condition()
        self._waiting: list[Item] = []
        self._closed = False
        self._taken_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> Item | None:
        """Hands over an item without waiting; returns the waiting item that it replaced, None if there was none."""
        with self._changed:
            replaced = self._waiting.pop() if self._waiting else None
            self._waiting.append(item)
            self._changed.notify()
        return replaced

    def offer(self, item: Item) -> None:
        """Hands over an item unless another waits: for work that the waiting item does anyway."""
        with self._changed:
            if not self._waiting:
                self._waiting.append(item)
                self._changed.notify()

    @property
    def busy_s(self) -> float:
        """Seconds since the item in work was taken; 0 while there is none."""
        taken_s = self._taken_s
        return 0.0 if taken_s is None else time.monotonic() - taken_s

    def close(self, limit_s: float | None = None) -> bool:
        """Lets the item in work finish, drops the waiting one and ends the thread; may be called twice.

        Args:
            limit_s: longest time to wait for the item in work, seconds; None without a limit.

        Returns:
            Whether the thread has ended; otherwise it ends with its item, or with the process.
        """
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                item = self._waiting.pop()
            self._taken_s = time.monotonic()
            try:
                self._work(item)
            except Exception as error:  # the thread's end would be the end of all answers
                self._failed(error)
            self._taken_s = None
            del item  # not kept alive while the thread waits
