"""Depth images beside the colour images: kept until their image comes, and watched for whether they still come."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..depth_alignment import DepthAlignment, DepthError, ImageView
from ..depth_pairing import KEPT_S, RecentDepth, belongs
from ..images import ImageError, depth_from_message
from .log import Notices
from .messages import stamp_s

_SAME_INSTANT_S = 0.001
_MISSED_IN_ROW, _MISSED_S = 10, 1.0
"""Images without depth of their stamps are reported once there are so many in a row, or the first was so long ago."""
_MOST_MISSED = 64
_COUNTED = 100
_WAIT_MARGIN = 1.2
_SEVERAL = 3
"""Depth has stopped after so many of its own periods, is stamped wrongly once so many belong to no image, and good again after so many."""


@dataclass(frozen=True)
class DepthTiming:
    """When depth belongs to an image, seconds.

    Attributes:
        tolerance_s: largest difference of stamps.
        wait_s: longest wait for depth that comes later than its image, seconds; there is no wait while depth has stopped.
        stopped_s: depth silent for longer has stopped, whatever its rate.
    """

    tolerance_s: float
    wait_s: float
    stopped_s: float


@dataclass(frozen=True)
class _Missed:
    """An image without depth of its stamp: its stamp, and when it was taken up by the clock."""

    stamp_s: float
    begun_s: float


@dataclass(frozen=True)
class _Missing:
    """Why an image has no depth: of a kind, which is reported once, in words, whose numbers may change from image to image."""

    kind: str
    reason: str


class DepthInput:
    """Pairs depth with images by stamp. Depth arrives in the executor's thread, images are answered in the worker's.

    Attributes:
        status: 'paired', or why images have no depth, until several have had it again. Images between depth that comes less often than they
            do are no reason.
        degraded: whether the status is such a reason.
        share: the part of the last `_COUNTED` images that had depth, 0 to 1; None before the first.
        wait_s: how long the last image waited for depth, seconds.
        last_s: when the last depth image came, by the clock; None before the first.
        unregistered: why depth cannot be registered to the images; empty while it can.
    """

    def __init__(self, notices: Notices, alignment: DepthAlignment, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts without depth.

        Args:
            notices: reports what is wrong with depth, and when it is right again.
            alignment: registers depth to the images.
            topic: the topic's name, for messages.
            clock: seconds, steady.
        """
        self.status = 'no depth image yet'
        self.degraded = True
        self.share: float | None = None
        self.wait_s = 0.0
        self.last_s: float | None = None
        self.unregistered = ''
        self.alignment = alignment
        self._notices = notices
        self._topic = topic
        self._clock = clock
        self._changed = threading.Condition()
        self._kept = RecentDepth()
        self._had_depth: deque[bool] = deque(maxlen=_COUNTED)
        self._missed: deque[_Missed] = deque(maxlen=_MOST_MISSED)
        self._missed_since_s = math.inf
        self._late_s: float | None = None
        self._unpaired = 0
        self._pairs = 0
        self._reported: set[str] = set()
        self._since_s = clock()

    def put(self, message: Any) -> None:
        """Takes a depth image."""
        with self._changed:
            self.last_s = self._clock()
            self._kept.put(message, stamp_s(message.header), self.last_s)
            self._unpaired += 1
            self._changed.notify()

    def depth_m(self, view: ImageView, timing: DepthTiming) -> np.ndarray | None:
        """The depth that belongs to an image; None, with the reason logged once, if there is none.

        Returns:
            (H, W) of the image, float32 metres, NaN unknown.
        """
        depth_m = self._registered(view, timing)
        self._had_depth.append(depth_m is not None)
        self.share = sum(self._had_depth) / len(self._had_depth)
        return depth_m

    def _registered(self, view: ImageView, timing: DepthTiming) -> np.ndarray | None:
        begun_s = self._clock()
        message = self._paired(stamp_s(view.header), timing)
        self.wait_s = self._clock() - begun_s
        if message is None:
            return None
        if isinstance(message, _Missing):
            self._degrade(message)
            return None
        try:
            depth_m = self.alignment.align(depth_from_message(message), message.header, view)
        except ImageError as error:
            self._degrade(_Missing('unreadable', f'depth image on {self._topic} cannot be read: {error}'))
            return None
        except DepthError as error:
            self.unregistered = str(error)
            if self._clock() - self._since_s < timing.stopped_s:  # calibrations and TF may still arrive
                self.status, self.degraded = str(error), True
                return None
            self._degrade(_Missing('unregistered', str(error)))
            return None
        self.unregistered = ''
        self._pairs += 1
        if self._reported and self._pairs < _SEVERAL:
            return depth_m
        forgotten = [self._notices.forget(key) for key in self._reported]
        if any(forgotten):
            self._notices.say(f'depth on {self._topic} is good again')
        self._reported.clear()
        self.status, self.degraded = f'paired, {self.alignment.status}', False
        return depth_m

    def _paired(self, image_s: float, timing: DepthTiming) -> Any:
        """The depth message of a stamp, or what is missing; None where that is not worth a report."""
        begun_s = self._clock()
        end = begun_s + timing.wait_s
        with self._changed:
            while True:
                nearest = self._kept.nearest(image_s)
                apart_s = np.inf if nearest is None else abs(nearest.stamp_s - image_s)
                now = self._clock()
                if nearest is not None and belongs(nearest, image_s, timing.tolerance_s):
                    if now < end and apart_s > _SAME_INSTANT_S and self._due_s(image_s, now, usual=True) <= apart_s / 2:
                        self._changed.wait(end - now)
                        continue
                    self._missed.clear()
                    self._missed_since_s, self._late_s, self._unpaired = math.inf, None, 0
                    return nearest.message
                if self.last_s is None and now - self._since_s < timing.stopped_s:
                    return None  # a camera may take as long to start
                if self.last_s is None:
                    remedy = 'remap depth/image to the registered depth, or set modality to rgb'
                    return _Missing('never came', f'no depth image has come on {self._topic}; {remedy}')
                if now - self.last_s > timing.stopped_s:
                    return self._stopped(now - self.last_s)
                if now < end and not self._due_s(image_s, now) > timing.tolerance_s:  # also where the rate is not known yet
                    self._changed.wait(end - now)
                    continue
                self._missed_since_s = min(self._missed_since_s, begun_s)
                self._missed.append(_Missed(image_s, begun_s))
                return self._why_missed(now, now - self.last_s, timing.tolerance_s)

    def _why_missed(self, now: float, silent_s: float, tolerance_s: float) -> _Missing | None:
        """Why the last images had no depth of their stamps; None while that is not worth a report.

        Depth that comes after its image was answered is told by the images before: by now it has come, and is as far from them as its
        stamps are, whatever it was then.
        """
        missed_s = now - self._missed_since_s
        if len(self._missed) < _MISSED_IN_ROW and missed_s < _MISSED_S:
            return None
        if silent_s > _SEVERAL * self._kept.pace_s:
            return self._stopped(silent_s)
        nearest = [(one, depth) for one in self._missed if (depth := self._kept.nearest(one.stamp_s)) is not None]
        late_s = [depth.came_s - one.begun_s for one, depth in nearest if belongs(depth, one.stamp_s, tolerance_s)]
        self._late_s = max(late_s, default=self._late_s)
        if self._unpaired < _SEVERAL:
            if not math.isnan(rate_hz := 1 / self._kept.period_s):
                self._notices.once('depth rare', f'depth on {self._topic} comes at {rate_hz:.1f} Hz only: images between have none')
            return None
        if self._late_s is not None:
            wait_s = min(1.0, math.ceil(100 * _WAIT_MARGIN * self._late_s) / 100)
            remedy = f'raise depth_wait_s to {wait_s:.2f}, by which answers come later and less often, or let the camera deliver it sooner'
            return _Missing('late', f'depth on {self._topic} comes {1e3 * self._late_s:.0f} ms after its image: {remedy}')
        if missed_s < KEPT_S:
            return None  # depth of the first may still come
        apart_s = min(abs(depth.stamp_s - one.stamp_s) for one, depth in nearest)
        remedy = 'let the driver synchronise them, or raise depth_tolerance_s'
        return _Missing('unpaired', f'depth on {self._topic} is not stamped like the images, {apart_s:.3f} s apart; {remedy}')

    def _stopped(self, silent_s: float) -> _Missing:
        return _Missing('stopped', f'depth images on {self._topic} have stopped, none for {silent_s:.1f} s; look at the depth camera')

    def _due_s(self, image_s: float, now: float, usual: bool = False) -> float:
        """How far from an image the depth will be stamped that is still to come, by the rate of depth.

        Streams that are not synchronised stay apart by up to half a period; waiting for the next depth would then cost time for little.

        Args:
            image_s: the image's stamp, seconds.
            now: the clock's time, seconds.
            usual: whether depth comes at its usual period; otherwise at any of those seen, as depth from a busy computer comes of every
                fifth to seventh image.

        Returns:
            Seconds; infinite where none is to come, NaN where the rate is not known.
        """
        stamps_s, period_s = self._kept.stamps_s, self._kept.period_s
        ahead_s = image_s - stamps_s[-1]
        if ahead_s <= 0 or self.last_s is None or now - self.last_s > _SEVERAL * self._kept.pace_s:
            return math.inf
        if math.isnan(period_s):
            return math.nan
        periods_s = period_s if usual else np.diff(stamps_s)
        return float(np.min(np.abs(ahead_s - max(1, round(ahead_s / period_s)) * periods_s)))

    def _degrade(self, missing: _Missing) -> None:
        """Reports why an image has no depth, each kind of reason once, also where two alternate."""
        key = f'depth {missing.kind}'
        self._reported.add(key)
        self._pairs = 0
        self.status, self.degraded = missing.reason, True
        self._notices.once(key, f'{missing.reason}. Meanwhile heads are answered from the image alone')
