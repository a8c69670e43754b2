"""Simulates a camera that can be lost, replaced and set back in time, and counts what it sent and what was answered."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from ...messages import time_message
from ...qos import newest_only

_GIVEN_UP_S = 5.0


@dataclass(frozen=True)
class Interval:
    """What happened since the last look.

    Attributes:
        sent: images.
        answered: images.
        latency_ms: publish to arrival of the answer: median, 99th percentile, worst; nan where nothing was answered.
    """

    sent: int
    answered: int
    latency_ms: tuple[float, float, float]


class Account:
    """Which images were sent, and how long each answer took; thread-safe.

    Attributes:
        undisturbed: images are now sent while nothing else happens.
        undisturbed_sent: images sent so, since the start.
        undisturbed_answered: answered images of those.
        newest_answered_s: when the newest image that has an answer was sent (time.monotonic).
    """

    def __init__(self) -> None:
        self.undisturbed = False
        self.undisturbed_sent = self.undisturbed_answered = 0
        self.newest_answered_s = 0.0
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[float, bool]] = {}
        self._sent = 0
        self._latency_ms: list[float] = []

    def send(self, stamp_ns: int) -> None:
        """Counts an image that is about to be sent with this stamp."""
        with self._lock:
            self._waiting[stamp_ns] = time.monotonic(), self.undisturbed
            self._sent += 1

    def answer(self, stamp_ns: int) -> None:
        """Counts a result; one for no waiting image (a second one, an output taken back) is ignored."""
        now_s = time.monotonic()
        with self._lock:
            sent_s, undisturbed = self._waiting.pop(stamp_ns, (None, False))
            if sent_s is None:
                return
            self._latency_ms.append(1e3 * (now_s - sent_s))
            self.newest_answered_s = max(self.newest_answered_s, sent_s)
            self.undisturbed_sent += undisturbed
            self.undisturbed_answered += undisturbed

    def take(self) -> Interval:
        """Returns the interval since the last call."""
        with self._lock:
            old = [stamp for stamp, (sent_s, _) in self._waiting.items() if time.monotonic() - sent_s > _GIVEN_UP_S]
            self.undisturbed_sent += sum(self._waiting.pop(stamp)[1] for stamp in old)
            sent, latency_ms = self._sent, self._latency_ms
            self._sent, self._latency_ms = 0, []
        if not latency_ms:
            return Interval(sent, 0, (np.nan,) * 3)
        median_ms, p99_ms, worst_ms = np.percentile(latency_ms, (50, 99, 100)).tolist()
        return Interval(sent, len(latency_ms), (median_ms, p99_ms, worst_ms))


class Camera:
    """Publishes a recording over and over, stamped with the time of sending, from a thread of its own.

    Attributes:
        lost: sends nothing while set.
        shift_s: added to every stamp.
        length_s: length of one round of the recording, seconds.
    """

    def __init__(self, node: Any, frames: list[tuple[Image, CameraInfo | None]], rate_hz: float, account: Account) -> None:
        """Creates the publishers; sends nothing before `start`.

        Args:
            node: the rclpy node that publishes.
            frames: images with their calibration.
            rate_hz: images a second.
            account: counts each image.
        """
        self.lost = False
        self.shift_s = 0.0
        self.length_s = len(frames) / rate_hz
        self._node = node
        self._frames = frames
        self._rate_hz = rate_hz
        self._account = account
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name='camera', daemon=True)
        self.plug_in()

    @property
    def matched(self) -> bool:
        """Whether somebody subscribes to both topics."""
        return all(publisher.get_subscription_count() for publisher in self._publishers or [None])

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def plug_in(self) -> None:
        """Creates the publishers."""
        with self._lock:
            self._publishers = [
                self._node.create_publisher(kind, topic, newest_only()) for kind, topic in ((CameraInfo, 'camera_info'), (Image, 'image'))
            ]

    def unplug(self) -> None:
        """Removes the publishers from the graph."""
        with self._lock:
            for publisher in self._publishers:
                self._node.destroy_publisher(publisher)
            self._publishers = []

    def stop(self) -> None:
        """Sends no more."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        start_s = time.monotonic()
        for number, (image, info) in enumerate(itertools.cycle(self._frames)):
            if self._ended.wait(max(start_s + number / self._rate_hz - time.monotonic(), 0.0)):
                return
            with self._lock:
                if self._publishers and not self.lost:
                    self._send(image, info)

    def _send(self, image: Image, info: CameraInfo | None) -> None:
        stamp_ns = time.time_ns() + round(self.shift_s * 1e9)
        image.header.stamp = time_message(stamp_ns)
        if info is not None:
            info.header.stamp = image.header.stamp
            self._publishers[0].publish(info)
        self._account.send(stamp_ns)
        self._publishers[1].publish(image)
