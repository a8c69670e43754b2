"""Hands items from one thread to another, a few at a time."""

from __future__ import annotations

import queue
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Handover(Generic[Item]):
    """A queue of limited length whose ends survive an exception that a signal raises in them.

    `queue.Queue` does not: a KeyboardInterrupt between taking its lock and entering the block that gives it back keeps the lock, and every
    later call waits for ever. `queue.SimpleQueue`, of which this has two, takes none in Python.

    Args:
        length: number of items that may wait.
    """

    def __init__(self, length: int) -> None:
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(length):
            self._places.put(None)

    def put(self, item: Item, timeout_s: float | None = None) -> bool:
        """Hands an item over once there is a place; returns whether there was one in time.

        Args:
            item: the item.
            timeout_s: longest wait, seconds; None without a limit.
        """
        try:
            self._places.get(timeout=timeout_s)
        except queue.Empty:
            return False
        self._items.put(item)
        return True

    def put_last(self, item: Item) -> None:
        """Hands over an item at once, whether there is a place or not."""
        self._items.put(item)

    def get(self) -> Item:
        """Waits for the next item."""
        item = self._items.get()
        self._places.put(None)
        return item
