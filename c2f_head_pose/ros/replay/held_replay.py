"""Holds a replay_node, started paused, until all that must receive its first message are discovered."""

from __future__ import annotations

import time

import rclpy
from rclpy.node import Node
from std_srvs.srv import SetBool

HELD = ['-p', 'start_paused:=true']
"""ROS arguments of a replay_node that is to be held."""
_SETTLED_S = 0.5  # discovery is not symmetric: others may find this process later than it finds them


class HeldReplay:
    """Holds the replay_node named 'replay'.

    Args:
        node: a node that has its publishers and subscriptions already, so that whoever discovers the client has discovered them before.
        sources: topics whose publishers must be discovered: the replay's own, and those of nodes whose answers are awaited.
    """

    def __init__(self, node: Node, *sources: str) -> None:
        self._node, self._sources = node, sources
        self._pause = node.create_client(SetBool, '/replay/pause')
        self._found_s: float | None = None
        self._begun: rclpy.Future | None = None

    def let_go(self) -> bool:
        """Starts the replay once all are discovered; returns whether it was started. Call it repeatedly while spinning."""
        found = self._pause.service_is_ready() and all(self._node.count_publishers(topic) for topic in self._sources)
        if not found:
            self._found_s = None
        elif self._found_s is None:
            self._found_s = time.monotonic()
        elif self._begun is None and time.monotonic() - self._found_s > _SETTLED_S:
            self._begun = self._pause.call_async(SetBool.Request(data=False))
        return self._begun is not None
