"""QoS profiles."""
from __future__ import annotations

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy


def newest_only() -> QoSProfile:
    """For live sensor input: best effort, which every publisher matches, and a queue of one, so that none grows old in it."""
    return QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT,
                      durability=QoSDurabilityPolicy.VOLATILE)


def replayed(depth: int = 10) -> QoSProfile:
    """For replayed recordings: reliable, which both reliable and best-effort subscriptions match."""
    return QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=depth, reliability=QoSReliabilityPolicy.RELIABLE,
                      durability=QoSDurabilityPolicy.VOLATILE)
