"""Publishes the topics of the node `attention`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Float32, Header, String
from visualization_msgs.msg import MarkerArray

from ...attention.monitor import AttentionMonitor
from ...attention.settings import Attention
from ...types import HeadPose
from . import messages


class AttentionOutputs:
    """The publishers of the node."""

    def __init__(self, node: Node) -> None:
        """Creates the publishers.

        Args:
            node: the node that publishes.
        """
        self._name = node.get_fully_qualified_name().lstrip('/')
        qos = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
        publisher = partial(node.create_publisher, qos_profile=qos)
        self._state = publisher(String, '~/state')
        self._zone = publisher(String, '~/zone')
        self._off_road = publisher(Float32, '~/head_off_road_s')
        self._decision = publisher(DiagnosticArray, '~/decision')
        self._looking_at = publisher(DiagnosticArray, '~/looking_at')
        self._markers = publisher(MarkerArray, '~/markers')
        self._health = publisher(DiagnosticArray, '/diagnostics')

    def publish_decision(self, header: Header, attention: Attention) -> None:
        """Publishes the decision at a frame, or at a time without one."""
        self._state.publish(messages.state(attention))
        self._zone.publish(messages.zone(attention))
        self._off_road.publish(messages.head_off_road_s(attention))
        self._decision.publish(messages.decision(header, f'{self._name}: decision', attention))

    def publish_markers(self, header: Header, attention: Attention, heads: Sequence[HeadPose], monitor: AttentionMonitor) -> None:
        """Publishes the zones and the driver's direction, if somebody subscribes.

        Args:
            header: header of the frame.
            attention: the decision.
            heads: heads of the frame; the driver's is the only one, or the one with the decision's id.
            monitor: the monitor that decided.
        """
        if not self._markers.get_subscription_count():
            return
        driver = next((head for head in heads if len(heads) == 1 or (head.face_id and head.face_id == attention.face_id)), None)
        position = None if driver is None else driver.t_cam_head_m
        self._markers.publish(messages.markers(header, attention, monitor.zones, monitor.R_vehicle_cam, position))

    def publish_looking_at(self, header: Header, looks: Mapping[str, Mapping[str, bool | None]]) -> None:
        """Publishes who looks at which target; see messages.looking_at."""
        self._looking_at.publish(messages.looking_at(header, looks))

    def publish_health(self, header: Header, attention: Attention, problem: str, values: Mapping[str, str]) -> None:
        """Publishes the node's diagnostics.

        Args:
            header: header with the present time.
            attention: the last decision.
            problem: fault with its remedy; empty for none.
            values: figures by name.
        """
        self._health.publish(messages.health(header, f'{self._name}: driver attention', attention, problem, values))
