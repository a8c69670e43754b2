"""Judges the stamps of a stream's images, by the same rules in the estimator, the node and evaluate_bag."""

from __future__ import annotations

import enum
import math

LATE_S = 1.0
"""An image older than the last by less was overtaken on its way; one older by more is of a recording that restarted."""
SLOWEST_S = 2.0
"""Images no further apart than this follow each other: a face seen in one and found in the next was not unseen between them."""
_MOST_LATE = 3
"""Late images in a row; more are a clock that was set back."""
_STILL, _MOVING = 2, 3
"""Stamps equal to the last in a row, from which on stamps stand still, and newer ones in a row, from which on they no longer do: a single
one may be a duplicate, and a clock that only knows whole seconds stands still although it moves on once a second."""


class Order(enum.Enum):
    """How an image's stamp follows the one before: newer, equal once, standing still, or older, so that time begins anew."""

    NEXT, SAME, STILL, BACK = 'next', 'same', 'still', 'back'


class StampOrder:
    """Follows the stamps of one stream.

    Attributes:
        last_s: stamp of the last image that was taken, seconds; None before the first.
    """

    def __init__(self) -> None:
        self.last_s: float | None = None
        self._earliest_s = math.inf
        self._late = self._equal = self._newer = 0
        self._still = False

    def late(self, stamp_s: float) -> bool:
        """Whether an image came after a newer one, and is to be left out or answered by itself: time that goes back would end every track.

        To be asked once for each image, before `take`. The stamp that came first, or an earlier one that was late, is late only once: it
        comes again where a recording shorter than a second is played in a loop.

        Args:
            stamp_s: the image's stamp, seconds.
        """
        newer = self.last_s is not None and 0 < self.last_s - stamp_s < LATE_S
        if not newer or stamp_s == self._earliest_s or self._late == _MOST_LATE:
            self._late = 0
            return False
        self._late += 1
        self._earliest_s = min(self._earliest_s, stamp_s)
        return True

    def take(self, stamp_s: float) -> Order:
        """Takes an image that is not late; returns how its stamp, in seconds, follows the last one's.

        Nothing can be followed or smoothed by stamps that stand still: each such image is to be answered by itself.
        """
        last_s, self.last_s = self.last_s, stamp_s
        if last_s is None or stamp_s < last_s:
            self._earliest_s, self._equal, self._newer, self._still = stamp_s, 0, 0, False
            return Order.NEXT if last_s is None else Order.BACK
        self._equal, self._newer = (self._equal + 1, 0) if stamp_s == last_s else (0, self._newer + 1)
        self._still = self._equal >= _STILL or (self._still and self._newer < _MOVING)
        if self._still:
            return Order.STILL
        return Order.SAME if self._equal else Order.NEXT
