"""One worker behind a one-slot mailbox: only the newest item is worked on, so queues never add latency."""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class NewestWorker:
    """A thread that works on the newest item handed over; an item that arrives while one waits replaces it."""

    def __init__(self, work: Callable[[Any], None], name: str) -> None:
        """Starts the thread.

        Args:
            work: called in the thread with each item taken; must not raise.
            name: the thread's name.
        """
        self._work = work
        self._changed = threading.Condition()
        self._item: Any = None
        self._full = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Any) -> bool:
        """Hands over an item without waiting; returns whether it replaced one that nobody had taken yet."""
        with self._changed:
            replaced, self._item, self._full = self._full, item, True
            self._changed.notify()
        return replaced

    def close(self) -> None:
        """Lets the item in work finish, throws away the waiting one and ends the thread; can be called twice."""
        with self._changed:
            self._closed, self._item, self._full = True, None, False
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._full or self._closed)
                if self._closed:
                    return
                item, self._item, self._full = self._item, None, False
            self._work(item)
            del item  # not kept alive while waiting for the next
