"""What pose messages hold, for live topics and for recordings: both state unknown values alike, and take them alike.

Of messages that are read, only the messages' fields are used, so messages of rclpy and of rosbags are both accepted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .geometry import rotation_from_quaternion
from .types import CATEGORIES, SELLION_FROM_MIDDLE_M, HeadPose

UNKNOWN_VARIANCE_M2 = 1e6
"""Variance published for an unknown position, whose coordinates are published as 0: a kilometre squared, so that filters ignore it."""
_LEAST_UNKNOWN_M2 = 1e5

HEAD_SIZE_M = (0.20, 0.16, 0.24)
"""Box about a head's middle, along its x (depth), y (breadth) and z (height): a nominal adult's, nothing measured."""


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
    has_covariance = t is not None and covariance is not None
    known = category in CATEGORIES
    return HeadPose(
        R,
        std_deg,
        category if known else '',
        np.array([float(name == category) for name in CATEGORIES]) if known else np.full(len(CATEGORIES), np.nan),
        score=float(score),
        track_id=track_id,
        t_cam_head_m=t,
        t_std_m=np.sqrt(np.maximum(variance, 0)) if has_covariance else None,
        published_id=face_id or None,
        t_cov_m2=stated[:3, :3] if has_covariance else None,
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


def head_middle_m(pose: HeadPose) -> np.ndarray | None:
    """Computes the (3,) middle of a head, the centre of its box, in the camera's optical frame, metres; None where it is unknown.

    The head's origin, the sellion, is at the front: vision_msgs defines the box as surrounding the object.
    """
    return None if pose.t_cam_head_m is None else pose.t_cam_head_m - pose.R_cam_head @ SELLION_FROM_MIDDLE_M


def covariance(pose: HeadPose, R_frame_cam: np.ndarray | None = None) -> np.ndarray:
    """Computes the (6, 6) covariance of a message: x, y, z (m^2), rotation about the header frame's x, y, z (rad^2).

    The model states its uncertainty s of the rotation vector d in R_true = R exp([d]x), in head axes. In the header's frame
    R_true = exp([R d]x) R, so the covariance is R diag(s^2) R^T. The position's, (3, 3) along the camera's axes, is turned likewise.

    Args:
        pose: pose in the camera's optical frame.
        R_frame_cam: (3, 3) maps the camera's optical axes to those of the header's frame; None where that is the camera's.
    """
    R_frame_cam = np.eye(3) if R_frame_cam is None else R_frame_cam
    R_frame_head = R_frame_cam @ pose.R_cam_head
    variance = np.full(3, UNKNOWN_VARIANCE_M2) if pose.t_std_m is None else np.square(pose.t_std_m)
    position = np.diag(variance) if pose.t_cov_m2 is None else pose.t_cov_m2
    matrix = np.zeros((6, 6))
    matrix[:3, :3] = R_frame_cam @ position @ R_frame_cam.T
    matrix[3:, 3:] = R_frame_head @ np.diag(np.square(np.radians(pose.rotation_std_deg))) @ R_frame_head.T
    return matrix
