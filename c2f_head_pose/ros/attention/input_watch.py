"""Logs what the input of the node `attention` lacks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node

from ...types import HeadPose
from ..inputs import type_name
from ..log import Notices
from ..watchdog import explain_mismatch, foreign_type

_SILENCE_S = 3.0


class InputWatch:
    """Logs each lack once, after a while: the first images may come before the calibration, and a car's bus after both.

    Args:
        notices: the log.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._placed_s: float | None = None
        self._started_s = time.monotonic()

    def watch_positions(self, heads: Sequence[HeadPose], seat: str) -> None:
        """Logs that poses have no position, without which neither directions nor `seat` can be relied on.

        Args:
            heads: a frame's.
            seat: the parameter.
        """
        now_s = time.monotonic()
        if heads and (self._placed_s is None or any(head.t_cam_head_m is not None for head in heads)):
            self._placed_s = now_s
        if not heads or self._placed_s is None or now_s - self._placed_s <= _SILENCE_S:
            return
        without_seat = '' if seat == 'any' else f', and seat ({seat}) excludes nobody'
        self._notices.once(
            'positions',
            'poses have no position, so their directions are relative to the ray through each face: a driver beside the optical axis '
            f'seems to look aside by that angle{without_seat}; publish camera_info for head_pose',
        )

    def watch_speed(self, node: Node, subscription: Any) -> None:
        """Logs why nothing has come of a speed that somebody publishes; to be called until it has.

        Args:
            node: the node that subscribes.
            subscription: the speed's.
        """
        if time.monotonic() - self._started_s <= _SILENCE_S:
            return
        topic, wanted = subscription.topic_name, type_name(subscription.msg_type)
        if wrong := foreign_type(node, topic, wanted):
            why = f'{topic} is published as {wrong}, not {wanted}; remap speed to one that is, or republish linear.x (m/s) and angular.z so'
        else:
            why = explain_mismatch(node, topic, subscription.qos_profile)
        if why:
            self._notices.once('speed', f'the speed is unknown, so attention decides as at 50 km/h and above: {why}')
