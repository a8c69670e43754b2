"""Publishes images on schedule and records the arrival of each result, for the measurement of latency."""

from __future__ import annotations

import itertools
import time
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray

from ...files import stamp_ns
from ..messages import time_message
from ..qos import newest_only


class Probe:
    """Publishes best effort, as a camera driver does, and subscribes to the answers.

    Attributes:
        node: the node to spin.
        sent: when each image was published (steady, ns) and its frame, by stamp (ns).
        answers: when each answer came, face or none, by stamp.
        poses: arrival of each pose message, by stamp.
        annotated: number of annotated images that came.
        foreign: answers whose stamp or frame is of no image sent.
        diagnostics: the node's figures as text by name, of each of its diagnostics.
    """

    def __init__(self, frames: list[tuple[Image, CameraInfo]], rate_hz: float, annotated: bool) -> None:
        """Creates the node.

        Args:
            frames: images with their calibration, sent again and again.
            rate_hz: images a second.
            annotated: subscribe to the annotated image too.
        """
        self.node = rclpy.create_node('latency_probe')
        self.sent: dict[int, tuple[int, str]] = {}
        self.answers: dict[int, int] = {}
        self.poses: dict[int, int] = {}
        self.annotated = 0
        self.foreign = 0
        self.diagnostics: list[dict[str, str]] = []
        self._frames = frames
        self._rate_hz = rate_hz
        self._images = self.node.create_publisher(Image, 'image', newest_only())
        self._infos = self.node.create_publisher(CameraInfo, 'camera_info', newest_only())
        qos = QoSProfile(depth=100)  # loses nothing while this process is busy sending
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos)
        self.node.create_subscription(MarkerArray, 'head_pose/markers', self._on_markers, qos)
        self.node.create_subscription(PoseWithCovarianceStamped, 'head_pose/head_pose', self._on_pose, qos)
        if annotated:
            self.node.create_subscription(Image, 'head_pose/image_annotated', self._on_annotated, 1)

    @property
    def matched(self) -> bool:
        """Whether the node subscribes, and is heard."""
        return bool(
            self._images.get_subscription_count()
            and self._infos.get_subscription_count()
            and self.node.count_publishers('head_pose/markers')
        )

    def send(self, seconds: float) -> None:
        """Publishes on schedule, each image stamped when it is sent; to be run in a thread."""
        start = time.monotonic()
        for number, (image, info) in enumerate(itertools.cycle(self._frames)):
            due_s = number / self._rate_hz
            if due_s >= seconds:
                return
            time.sleep(max(start + due_s - time.monotonic(), 0.0))
            now_ns = time.time_ns()
            image.header.stamp = info.header.stamp = time_message(now_ns)
            self._infos.publish(info)
            self.sent[now_ns] = time.monotonic_ns(), image.header.frame_id
            self._images.publish(image)

    def _on_markers(self, message: Any) -> None:
        self._keep(message.markers[0], self.answers)

    def _on_pose(self, message: Any) -> None:
        self._keep(message, self.poses)

    def _keep(self, message: Any, kept: dict[int, int]) -> None:
        stamp = stamp_ns(message)
        if self.sent.get(stamp, (0, None))[1] != message.header.frame_id:
            self.foreign += 1
        elif stamp not in kept:
            kept[stamp] = time.monotonic_ns()

    def _on_annotated(self, _: Image) -> None:
        self.annotated += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics.append({pair.key: pair.value for pair in message.status[0].values})
