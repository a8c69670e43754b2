"""QoS profiles."""
from __future__ import annotations

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy


def newest_only() -> QoSProfile:
    """For live sensor input: best effort, which every publisher matches, and a queue of one, so that none grows old in it."""
    return QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT,
                      durability=QoSDurabilityPolicy.VOLATILE)


def replayed(large: bool) -> QoSProfile:
    """For replayed recordings: reliable, which both reliable and best-effort subscriptions match.

    Args:
        large: the messages are images; small ones are kept for a slow subscriber for much longer.
    """
    depth = 10 if large else 1000
    return QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=depth, reliability=QoSReliabilityPolicy.RELIABLE,
                      durability=QoSDurabilityPolicy.VOLATILE)
