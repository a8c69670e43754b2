"""The node's output topics."""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, Vector3Stamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from .. import draw
from ..types import Camera, HeadPose
from . import messages
from .notices import Notices

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks


class Outputs:
    """Publishes the answer to each image; every publisher is the lifecycle node's, so silent while it is not active."""

    def __init__(self, node: LifecycleNode, notices: Notices) -> None:
        self._node = node
        self._notices = notices
        self._last_header: Any = None
        self._publishers: dict[str, Any] = {}
        self._head_pose = self._create(PoseWithCovarianceStamped, '~/head_pose')
        self._head_angles = self._create(Vector3Stamped, '~/head_angles')
        self._markers = self._create(MarkerArray, '~/markers')
        self._annotated = self._create(Image, '~/image_annotated', depth=1)
        self._head_poses = self._create(messages.Detection3DArray, '~/head_poses') if messages.Detection3DArray else None
        self._tf = self._create(messages.TFMessage, '/tf', depth=100) if messages.TFMessage else None
        for missing, outputs in (('vision_msgs', '~/head_poses (all faces)'), ('tf2_msgs', '/tf (face_<id>, gaze_<id>)')):
            if not (self._head_poses if missing == 'vision_msgs' else self._tf):
                notices.once(missing, f'{missing} is not installed, so {outputs} is not published; the rest is. To get it: install '
                             f'ros-$ROS_DISTRO-{missing.replace("_", "-")} (apt; not in the pip wheels)', 'info')

    @property
    def listeners(self) -> int:
        """Subscriptions to the node's own topics, TF left out: it always has some."""
        return sum(publisher.get_subscription_count() for name, publisher in self._publishers.items() if name != '/tf')

    @property
    def topics(self) -> list[str]:
        """The resolved names of the node's own topics."""
        return [publisher.topic_name for name, publisher in self._publishers.items() if name != '/tf']

    def publish(self, header: Any, poses: Sequence[HeadPose], primary_face: str, tf: bool) -> None:
        """Answers an image: its faces under its own header, or that it has none.

        Args:
            header: the image's, passed through.
            poses: all faces; empty if nobody was found.
            primary_face: the rule that picks the face of `~/head_pose` and `~/head_angles`.
            tf: publish transforms.
        """
        self._last_header = header
        primary = messages.choose_primary(poses, primary_face)
        if primary is not None:
            self._head_pose.publish(messages.head_pose(header, primary))
            self._head_angles.publish(messages.head_angles(header, primary))
        if self._head_poses is not None:
            self._head_poses.publish(messages.head_poses(header, poses))
        self._markers.publish(messages.markers(header, poses))
        if tf and self._tf is not None:
            transforms = messages.transforms(header, poses)
            if transforms.transforms:
                self._tf.publish(transforms)

    def publish_annotated(self, header: Any, image: np.ndarray, poses: Sequence[HeadPose], camera: Camera | None) -> None:
        """Draws the faces into the image, if anybody looks."""
        if self._annotated.get_subscription_count():
            self._annotated.publish(messages.image(header, draw.draw_poses(image, poses, camera)))

    def clear(self) -> None:
        """Takes back what was drawn and listed, so that nothing stale remains; nothing if no image was answered."""
        if self._last_header is None:
            return
        self._markers.publish(messages.markers(self._last_header, []))
        if self._head_poses is not None:
            self._head_poses.publish(messages.head_poses(self._last_header, []))
        self._last_header = None

    def destroy(self) -> None:
        """Removes the publishers from the graph."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def _create(self, message_type: Any, topic: str, depth: int = 10) -> Any:
        # Reliable serves both kinds of subscriptions; best effort would leave RViz's default without an image.
        qos = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=depth, reliability=QoSReliabilityPolicy.RELIABLE,
                         durability=QoSDurabilityPolicy.VOLATILE)
        events = PublisherEventCallbacks(incompatible_qos=partial(self._on_incompatible_qos, topic))
        publisher = self._node.create_lifecycle_publisher(message_type, topic, qos, event_callbacks=events)
        self._publishers[topic] = publisher
        return publisher

    def _on_incompatible_qos(self, topic: str, _: Any) -> None:
        self._notices.throttled(f'qos {topic}', f'a subscription asks {topic} for a QoS that it does not offer and gets nothing; '
                                'subscribe as reliable or best effort, volatile, without deadline', 30.0)
