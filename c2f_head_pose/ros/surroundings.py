"""Finds faults around a node: another of the same name, another that lists faces, or simulated time that does not advance."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .humans import TRACKED
from .log import Notices
from .watchdog import owner_of


class Surroundings:
    """Checks the surroundings of the node periodically, and logs each fault once."""

    def __init__(self, node: Any, notices: Notices, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts without a fault.

        Args:
            node: the rclpy node.
            notices: log for faults and their end.
            clock: steady clock, seconds.
        """
        self._node = node
        self._notices = notices
        self._clock = clock
        self._ros_ns: int | None = None
        self._since_s = 0.0
        self._images_then = 0

    def watch(self, images: int, timeout_s: float) -> None:
        """Looks around.

        Args:
            images: number of images that have arrived; without new ones a clock that stands still, as in a paused replay, is not reported.
            timeout_s: simulated time that has not moved for longer stands still.
        """
        self._watch_name()
        if self._node.get_parameter('hri').value:
            self._watch_list()
        if self._node.get_parameter('use_sim_time').value:
            self._watch_clock(images, timeout_s)

    def _watch_name(self) -> None:
        name = self._node.get_fully_qualified_name()
        others = self._node.get_node_names_and_namespaces().count((self._node.get_name(), self._node.get_namespace())) - 1
        if others > 0:
            self._notices.once(
                'namesake',
                f'another node is also called {name}: both publish the same topics, and services and parameters '
                'reach either of them; stop one, or start it with --ros-args -r __node:=OTHER or -r __ns:=/OTHER',
            )
        elif self._notices.forget('namesake'):
            self._notices.say(f'no other node is called {name} any more')

    def _watch_list(self) -> None:
        """REP-155 has one list of the faces tracked: who reads it (libhri) takes a face that is not in the newest message for gone."""
        own, topic = self._node.get_fully_qualified_name(), self._node.resolve_topic_name(TRACKED)
        owners = {owner_of(publisher) for publisher in self._node.get_publishers_info_by_topic(TRACKED)}
        if own in owners and (others := owners - {own}):
            self._notices.once(
                'another list',
                f'{", ".join(sorted(others))} publishes {topic} too: each message is the complete list, so readers lose the faces of one '
                'list at every message of the other; set hri to false in all nodes but one, or start this one with '
                f'--ros-args -r {TRACKED}:=/OTHER',
            )
        elif self._notices.forget('another list'):
            self._notices.say(f'nobody else publishes {topic} any more')

    def _watch_clock(self, images: int, timeout_s: float) -> None:
        now_ns = self._node.get_clock().now().nanoseconds
        if now_ns != self._ros_ns:
            self._ros_ns, self._since_s, self._images_then = now_ns, self._clock(), images
            if self._notices.forget('clock'):
                self._notices.say('/clock moves again')
        elif images > self._images_then and self._clock() - self._since_s > timeout_s:
            what = f'/clock stands still at {1e-9 * now_ns:.3f} s' if now_ns else 'no /clock has come'
            self._notices.once(
                'clock',
                f'use_sim_time is true but {what} while images arrive: results keep their '
                'own stamps, but those of diagnostics and all latencies are wrong; start what publishes /clock, or set '
                'use_sim_time to false',
            )
