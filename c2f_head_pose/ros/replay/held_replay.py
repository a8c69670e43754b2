"""A replay_node that starts paused, let go once those are found that must hear its first message."""
from __future__ import annotations

import time

import rclpy
from rclpy.node import Node
from std_srvs.srv import SetBool

HELD = ['-p', 'start_paused:=true']
"""ROS arguments of a replay_node that is to be held."""
_SETTLED_S = 0.5  # what this process has found may not have found it yet


class HeldReplay:
    """Holds the replay_node named 'replay'.

    Args:
        node: whose publishers and subscriptions are there already: what finds the client has found them before.
        sources: topics whose publishers must be found, the replay's own and those of nodes whose answers are awaited.
    """

    def __init__(self, node: Node, *sources: str) -> None:
        self._node, self._sources = node, sources
        self._pause = node.create_client(SetBool, '/replay/pause')
        self._found_s: float | None = None
        self._begun: rclpy.Future | None = None

    def let_go(self) -> bool:
        """Has it play once all are found; whether it has been told. To be called while spinning."""
        found = self._pause.service_is_ready() and all(self._node.count_publishers(topic) for topic in self._sources)
        if not found:
            self._found_s = None
        elif self._found_s is None:
            self._found_s = time.monotonic()
        elif self._begun is None and time.monotonic() - self._found_s > _SETTLED_S:
            self._begun = self._pause.call_async(SetBool.Request(data=False))
        return self._begun is not None
