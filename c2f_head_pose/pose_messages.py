"""Reads head poses from pose messages, for live topics and for recordings, so that both treat unknown values alike.

Only the messages' fields are used, so messages of rclpy and of rosbags are both accepted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .geometry import rotation_from_quaternion
from .types import CATEGORIES, HeadPose

UNKNOWN_VARIANCE_M2 = 1e6
"""Variance published for an unknown position, whose coordinates are published as 0: a kilometre squared, so that filters ignore it."""
_LEAST_UNKNOWN_M2 = 1e5


def head_from_message(
    orientation: Any,
    position: Any = None,
    covariance: Any = None,
    unknown_std_deg: float = float('nan'),
    face_id: str = '',
    track_id: int | None = None,
    score: float = 1.0,
    category: str = '',
) -> HeadPose:
    """Converts the parts of a pose message to a head pose.

    An orientation that is not a rotation (zero or not finite) gives a head whose rotation is NaN: a head was found, but its
    orientation is unknown. A position is unknown if it is 0 on every axis, not finite, or has a variance of 1e5 m^2 or more.

    Args:
        orientation: geometry_msgs/Quaternion of the head in the header's frame.
        position: geometry_msgs/Point, metres; None where the message has none.
        covariance: 36 numbers about the header frame's axes, rotation R diag(s^2) R^T; None where the message has none.
        unknown_std_deg: standard deviation of a rotation without covariance, or with one of zeros, which means unknown; degrees.
        face_id: id of the face as published; empty where the message has none.
        track_id: id of the face's track, for a message without an id.
        score: score of the detection.
        category: 'L1'..'L4' as published; any other text is an unknown category.

    Returns:
        The head pose in the header's frame.
    """
    try:
        R = rotation_from_quaternion(np.array([orientation.x, orientation.y, orientation.z, orientation.w], float))
    except ValueError:
        R = np.full((3, 3), np.nan)
    stated = np.zeros((6, 6)) if covariance is None else np.asarray(covariance, float).reshape(6, 6)
    with np.errstate(all='ignore'):
        std_deg = np.degrees(np.sqrt(np.diag(R.T @ stated[3:, 3:] @ R))) if stated.any() else np.full(3, float(unknown_std_deg))
    t = None if position is None else np.array([position.x, position.y, position.z], float)
    variance = np.diag(stated)[:3]
    if t is not None and (not np.all(np.isfinite(t)) or not np.any(t) or not np.all(np.abs(variance) < _LEAST_UNKNOWN_M2)):
        t = None
    known = category in CATEGORIES
    return HeadPose(
        R,
        std_deg,
        category if known else '',
        np.array([float(name == category) for name in CATEGORIES]) if known else np.full(len(CATEGORIES), np.nan),
        score=float(score),
        track_id=track_id,
        t_cam_head_m=t,
        t_std_m=None if t is None or covariance is None else np.sqrt(np.maximum(variance, 0)),
        published_id=face_id or None,
    )


def heads_from_detections(array: Any, unknown_std_deg: float = float('nan')) -> list[HeadPose]:
    """Reads every head of a vision_msgs/Detection3DArray, with its id as published.

    Args:
        array: message of the form that the node head_pose publishes.
        unknown_std_deg: the value that stands for an unknown deviation, as in `head_from_message`.
    """
    return [
        head_from_message(
            result.pose.pose.orientation,
            result.pose.pose.position,
            result.pose.covariance,
            unknown_std_deg,
            str(detection.id),
            score=result.hypothesis.score,
            category=str(result.hypothesis.class_id),
        )
        for detection in array.detections
        for result in detection.results[:1]
    ]
