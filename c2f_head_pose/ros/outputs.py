"""Publishes the node's output topics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, Vector3Stamped
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from .. import draw
from ..types import HeadPose
from . import humans, messages
from .frame_reader import Frame
from .frames import Mount
from .humans import FaceNames, HumansOutput
from .log import Notices

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks

_ACKNOWLEDGED_S = 0.5


@dataclass(frozen=True, eq=False)
class FramePoses:
    """The answer to one image.

    Attributes:
        frame: the image.
        poses: all faces, the neutral removed; empty if no face was found.
        primary: the face of `~/head_pose` and `~/head_angles`; None for no face.
        mount: mount in the target frame; None for the image's own frame.
        R_turned_cam: (3, 3) rotation of the learned neutral, for the angles.
        rotation_deg: clockwise rotation that makes the image upright.
    """

    frame: Frame
    poses: list[HeadPose]
    primary: HeadPose | None
    mount: Mount | None
    R_turned_cam: np.ndarray
    rotation_deg: int = 0


class Outputs:
    """Publishes the answer to each image. The publishers are lifecycle publishers: they send only while the node is active."""

    def __init__(self, node: LifecycleNode, notices: Notices, names: FaceNames | None = None) -> None:
        """Creates the publishers.

        Args:
            node: the lifecycle node.
            notices: log, which lists the outputs that are missing because a package is not installed.
            names: REP-155's names of the faces; None without REP-155's topics, when faces are named by number.
        """
        self._node = node
        self._names = names
        self._humans: HumansOutput | None = None
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
                notices.once(
                    missing,
                    f'{missing} is not installed, so {outputs} is not published; the rest is. To get it: install '
                    f'ros-$ROS_DISTRO-{missing.replace("_", "-")} (apt; for the pip wheels: docs/without_apt.md)',
                    'info',
                )

        if names is not None and humans.IdsList is not None:
            self._humans = HumansOutput(node, names)
        elif names is not None:
            notices.once(
                'hri_msgs',
                'hri_msgs is not installed, so /humans/faces/... is not published; TF and the rest are. '
                'To get it: install ros-$ROS_DISTRO-hri-msgs (apt; for the pip wheels: docs/without_apt.md)',
                'info',
            )

    @property
    def listeners(self) -> int:
        """Subscriptions to the node's own topics, TF left out: it always has some."""
        return sum(publisher.get_subscription_count() for name, publisher in self._publishers.items() if name != '/tf') + (
            self._humans.listeners if self._humans is not None else 0
        )

    @property
    def tf_listeners(self) -> int:
        """Subscriptions to TF, other nodes' reasons included."""
        return self._tf.get_subscription_count() if self._tf is not None else 0

    @property
    def topics(self) -> list[str]:
        """The resolved names of the node's own topics."""
        return [publisher.topic_name for name, publisher in self._publishers.items() if name != '/tf']

    def publish(self, answer: FramePoses, tf: bool) -> None:
        """Publishes the faces of an image under its own header, or that it has none. Messages without subscribers are not made.

        Args:
            answer: the image and its faces.
            tf: publish transforms.
        """
        header, poses, primary, mount = answer.frame.header, answer.poses, answer.primary, answer.mount
        repeated = self._last_header is not None and header.stamp == self._last_header.stamp
        self._last_header = header if mount is None else mount.header(header)
        names = messages.NO_NAMES
        if self._names is not None:
            self._names.update([pose.track_id for pose in poses if pose.track_id is not None])
            names = self._names.names
        if primary is not None and _heard(self._head_pose):
            self._head_pose.publish(messages.head_pose(header, primary, mount))
        if primary is not None and _heard(self._head_angles):
            self._head_angles.publish(messages.head_angles(header, primary, answer.R_turned_cam))
        if self._head_poses is not None and _heard(self._head_poses):
            self._head_poses.publish(messages.head_poses(header, poses, mount, names))
        if _heard(self._markers):
            self._markers.publish(messages.markers(header, poses, mount, names))
        if tf and not repeated and self._tf is not None and _heard(self._tf):  # tf2 warns of a transform that comes twice
            transforms = messages.transforms(header, poses, names)
            if transforms.transforms:
                self._tf.publish(transforms)
        if self._humans is not None:
            self._humans.publish(header, poses, answer.frame.size, answer.frame.picture, answer.rotation_deg)

    def publish_annotated(self, answer: FramePoses) -> None:
        """Draws the faces into the picture, if it has a subscriber."""
        if self._annotated.get_subscription_count():
            frame = answer.frame
            self._annotated.publish(messages.image(frame.header, draw.draw_poses(frame.picture(), answer.poses, frame.camera)))

    def nobody_tracked(self) -> None:
        """Empties REP-155's list, which is latched, because without answers no face is tracked; does nothing where it is empty already.

        Topics of single images publish nothing.
        """
        if self._humans is not None:
            self._humans.clear()

    def clear(self) -> None:
        """Takes back what was drawn and listed, so that nothing stale remains; nothing if no image was answered."""
        self.nobody_tracked()
        if self._names is not None:
            self._names.forget()
        if self._last_header is None:
            return
        self._markers.publish(messages.markers(self._last_header, []))
        if self._head_poses is not None:
            self._head_poses.publish(messages.head_poses(self._last_header, []))
        # A process that ends now would take with it what DDS has not delivered yet.
        for publisher in (self._markers, self._head_poses):
            if publisher is not None:
                publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGED_S))
        self._last_header = None

    def destroy(self) -> None:
        """Removes the publishers from the graph."""
        if self._humans is not None:
            self._humans.destroy()
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def _create(self, message_type: Any, topic: str, depth: int = 10) -> Any:
        # Reliable serves both kinds of subscriptions; best effort would leave RViz's default without an image.
        qos = QoSProfile(
            history=QoSHistoryPolicy.KEEP_LAST,
            depth=depth,
            reliability=QoSReliabilityPolicy.RELIABLE,
            durability=QoSDurabilityPolicy.VOLATILE,
        )
        events = PublisherEventCallbacks(incompatible_qos=partial(_say_incompatible, self._notices, topic))
        publisher = self._node.create_lifecycle_publisher(message_type, topic, qos, event_callbacks=events)
        self._publishers[topic] = publisher
        return publisher


def _say_incompatible(notices: Notices, topic: str, _: Any) -> None:
    notices.throttled(
        f'qos {topic}',
        f'a subscription asks {topic} for a QoS that it does not offer and gets nothing; '
        'subscribe as reliable or best effort, volatile, without deadline',
        30.0,
    )


def _heard(publisher: Any) -> bool:
    return bool(publisher.get_subscription_count() > 0)
