"""Counts messages that were sent and never arrived, by their publisher's sequence numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SequenceGaps:
    """Counts the messages that are missing between those of a topic's only publisher.

    A queue of one loses a message if the next one arrives before it is taken; a network or a small shared memory loses more. Nothing else
    reports these losses. The numbers of several publishers cannot be separated, so with several publishers nothing is counted.
    """

    def __init__(self) -> None:
        """Has seen no message."""
        self._last: int | None = None
        self._missing = 0
        self._mixed = False

    def take(self, info: Mapping[str, Any]) -> None:
        """Takes the info of a message, as rclpy gives it to a callback; nothing happens where the middleware does not number."""
        number = info.get('publication_sequence_number')
        if number is None:
            return
        if self._last is not None and number > self._last:
            self._missing += number - self._last - 1
        elif self._last is not None:
            self._mixed = True  # another publisher's number, or the same one's after a restart
        self._last = number

    def settle(self, publishers: int) -> int:
        """Returns the number of messages that were lost since the last call.

        Args:
            publishers: present number of the topic's publishers.
        """
        lost = self._missing if publishers == 1 and not self._mixed else 0
        self._missing, self._mixed = 0, False
        if publishers != 1:
            self._last = None
        return lost
