"""Keeps the last depth images and finds the one that belongs to an image, by the same rules in the node and for recordings."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

KEPT_S = 0.5
_FEWEST_KEPT, _MOST_KEPT = 8, 64
"""Depth of the last `KEPT_S` is kept for images that come late, at least and at most so many images of it."""
_ROUNDING_S = 1e-6
"""Stamps of today are floats in steps of 0.24 us; depth exactly the tolerance apart belongs to its image in spite of them."""


@dataclass(frozen=True, eq=False)
class KeptDepth:
    """A depth image.

    Attributes:
        message: its message.
        stamp_s: its stamp, seconds.
        came_s: when it came, or was recorded, seconds of a clock of its own.
    """

    message: Any
    stamp_s: float
    came_s: float


class RecentDepth:
    """The last depth images. Not thread-safe."""

    def __init__(self) -> None:
        self._kept: deque[KeptDepth] = deque(maxlen=_MOST_KEPT)

    def __len__(self) -> int:
        """Returns how many are kept."""
        return len(self._kept)

    def put(self, message: Any, stamp_s: float, came_s: float) -> None:
        """Takes a depth image, and forgets those that came too long before it; arguments as KeptDepth's."""
        self._kept.append(KeptDepth(message, stamp_s, came_s))
        while len(self._kept) > _FEWEST_KEPT and self._kept[0].came_s < came_s - KEPT_S:
            self._kept.popleft()

    @property
    def newest(self) -> KeptDepth | None:
        """The depth image that came last; None without any."""
        return self._kept[-1] if self._kept else None

    @property
    def stamps_s(self) -> np.ndarray:
        """(N,) stamps in the order in which the depth images came, seconds."""
        return np.array([one.stamp_s for one in self._kept])

    @property
    def period_s(self) -> float:
        """The usual time between two depth images by their stamps, seconds; NaN where it is unknown, as of fewer than three."""
        return _median_step(self.stamps_s)

    @property
    def pace_s(self) -> float:
        """The longer of that and of the time between two that come, as of a slow replay; NaN where it is unknown."""
        return float(np.fmax(self.period_s, _median_step(np.array([one.came_s for one in self._kept]))))

    def nearest(self, image_s: float) -> KeptDepth | None:
        """The depth nearest to an image's stamp, the newest of equals, as where stamps are 0; None without any."""
        return min(reversed(self._kept), key=lambda one: abs(one.stamp_s - image_s), default=None)


def belongs(depth: KeptDepth, image_s: float, tolerance_s: float) -> bool:
    """Whether depth belongs to an image, by their stamps.

    Args:
        depth: the depth nearest to the image.
        image_s: the image's stamp, seconds.
        tolerance_s: the parameter `depth_tolerance_s`.
    """
    return abs(depth.stamp_s - image_s) <= tolerance_s + _ROUNDING_S


def _median_step(times_s: np.ndarray) -> float:
    """Median step of (N,) times, seconds; NaN where it is not positive, and of fewer than three."""
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 2 else math.nan
    return step_s if step_s > 0 else math.nan
