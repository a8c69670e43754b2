"""Defines the QoS profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy


def newest_only() -> QoSProfile:
    """Returns the profile for live sensor input: best effort, which every publisher matches, and a queue of one, so that no item waits."""
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST, depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT, durability=QoSDurabilityPolicy.VOLATILE
    )


def matching(publishers: Sequence[Any], otherwise: QoSProfile) -> QoSProfile:
    """Returns a queue of one with the strictest profile that matches each of a topic's publishers.

    Args:
        publishers: rclpy's TopicEndpointInfo of each.
        otherwise: returned where there are none.

    Returns:
        Reliable if all of them are, transient local if all of them are.
    """
    if not publishers:
        return otherwise
    profiles = [publisher.qos_profile for publisher in publishers]
    qos = newest_only()
    if all(profile.reliability == QoSReliabilityPolicy.RELIABLE for profile in profiles):
        qos.reliability = QoSReliabilityPolicy.RELIABLE
    if all(profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL for profile in profiles):
        qos.durability = QoSDurabilityPolicy.TRANSIENT_LOCAL
    return qos


def replayed(large: bool) -> QoSProfile:
    """Returns the profile for replayed recordings: reliable, which both reliable and best-effort subscriptions match.

    Args:
        large: the messages are images; small ones are kept for a slow subscriber for much longer.
    """
    depth = 10 if large else 1000
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST, depth=depth, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.VOLATILE
    )


def latched() -> QoSProfile:
    """Returns the profile for messages that are published once, as /tf_static: later subscriptions receive them too."""
    return QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
