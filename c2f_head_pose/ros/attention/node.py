"""The node `attention`: head poses in, attention decisions out. It warns nobody and is no certified function."""
from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import rclpy.time
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped, TwistStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Float32, Header, String
from visualization_msgs.msg import MarkerArray

from ...attention.looking_at import LookingAt, LookingAtSettings
from ...attention.monitor import Attention, AttentionMonitor, Motion, Reason
from ...types import HeadPose
from .. import process as running
from ..declaration import DeclaredParameters
from ..log import Notices
from . import messages
from .parameters import AttentionParameters

try:
    from vision_msgs.msg import Detection3DArray
except ImportError:
    Detection3DArray = None
try:
    import tf2_ros
except ImportError:
    tf2_ros = None

_TICK_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0
_QUIET_S = 0.5
"""Without a frame for so long, what the head_pose node says of itself stands in for one."""
_PRESENCE_S = 2.5
"""How long a status of the head_pose node, which comes every second, is believed."""
_ALL_FACES_S = 5.0
"""Once head_poses came, head_pose is ignored until they have been silent for so long."""
_SILENCE_S = 3.0
_REPEAT_S = 10.0
_MAX_LOOKS = 200
_LOOKS_FOLLOWED = 20


class AttentionNode(Node):
    """Decides about the driver at each frame of head poses; says `unknown` once they stop."""

    def __init__(self, **kwargs: Any) -> None:
        """Declares the parameters, listens and publishes.

        Args:
            **kwargs: for rclpy's Node, such as namespace or parameter_overrides.

        Raises:
            ValueError: for parameters that cannot be used, naming each, its value and the remedy.
        """
        super().__init__('attention', **kwargs)
        self._notices = Notices(self.get_logger())
        self.configured = False
        self._declared = DeclaredParameters(self, self._apply_parameters, AttentionParameters)
        self._declared.check()
        self._monitor: AttentionMonitor | None = None
        self._frame_id = ''
        self._said = Attention()
        self._header = Header()
        self._started_s = time.monotonic()
        self._stamp_s: float | None = None
        self._received_s = self._framed_s = self._all_faces_s = -np.inf
        self._motion, self._motion_s = Motion(), -np.inf
        self._presence: Reason | None = None
        self._presence_s = -np.inf
        self._frames = self._frames_ignored = 0
        self._latency_s: float | None = None
        self._looks: OrderedDict[tuple[str, str], LookingAt] = OrderedDict()
        self._tf = self._listen_to_tf()
        self._create_outputs()
        newest = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self._subscriptions_in = [
            self.create_subscription(PoseWithCovarianceStamped, 'head_pose', self._on_head_pose, newest),
            self.create_subscription(TwistStamped, 'speed', self._on_speed, newest),
            self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, newest)]
        if Detection3DArray is not None:
            self._subscriptions_in.append(self.create_subscription(Detection3DArray, 'head_poses', self._on_head_poses, newest))
        else:
            self._notices.once('vision_msgs', 'vision_msgs is not installed, so head_poses (every face) is not read but head_pose (the '
                               'primary face), and that nobody is there is known from /diagnostics only. To get it: install '
                               'ros-$ROS_DISTRO-vision-msgs (apt; for the pip wheels: docs/without_apt.md)', 'info')
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # under use_sim_time without a /clock, stale must still be said
        self._timers_own = [self.create_timer(_TICK_PERIOD_S, self._tick, clock=steady),
                            self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_health, clock=steady)]

    def _create_outputs(self) -> None:
        qos = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
        publisher = partial(self.create_publisher, qos_profile=qos)
        self._state_out = publisher(String, '~/state')
        self._zone_out = publisher(String, '~/zone')
        self._off_road_out = publisher(Float32, '~/head_off_road_s')
        self._decision_out = publisher(DiagnosticArray, '~/decision')
        self._looking_at_out = publisher(DiagnosticArray, '~/looking_at')
        self._markers_out = publisher(MarkerArray, '~/markers')
        self._health_out = publisher(DiagnosticArray, '/diagnostics')

    # Inputs.

    def _on_head_poses(self, message: Any) -> None:
        self._all_faces_s = time.monotonic()
        self._frame(message.header, messages.heads_from_detections(message, self._declared.parameters.assumed_std_deg))

    def _on_head_pose(self, message: PoseWithCovarianceStamped) -> None:
        if time.monotonic() - self._all_faces_s < _ALL_FACES_S:
            return
        self._frame(message.header, [messages.head_from_pose(message.pose, self._declared.parameters.assumed_std_deg)])

    def _on_speed(self, message: TwistStamped) -> None:
        self._motion = Motion(message.twist.linear.x, message.twist.angular.z)
        self._motion_s = time.monotonic()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Keeps what the head_pose node says of itself: whether it looks, and whether it finds somebody."""
        for status in message.status:
            node, _, subject = status.name.partition(': ')
            if subject != 'head pose' or f'/{node}' not in self._pose_publishers():
                continue
            words = status.message.partition(':')[0]
            if words == 'degraded':  # it looks, less well than it could: what it finds still counts
                words = 'no face' if {v.key: v.value for v in status.values}.get('faces') == '0' else 'ok'
            self._presence = {'ok': None, 'no face': Reason.NOBODY}.get(words, Reason.BLIND)
            self._presence_s = time.monotonic()

    def _pose_publishers(self) -> set[str]:
        found = [info for topic in ('head_pose', 'head_poses')
                 for info in self.get_publishers_info_by_topic(self.resolve_topic_name(topic))]
        return {f'{info.node_namespace.rstrip("/")}/{info.node_name}' for info in found}

    # One frame.

    def _frame(self, header: Any, heads: list[HeadPose]) -> None:
        stamp_s = messages.stamp_s(header)
        monitor = self._monitor_for(header.frame_id)
        self._frames += 1
        if self._stamp_s is not None and self._stamp_s - 1.0 < stamp_s <= self._stamp_s:
            self._frames_ignored += 1
        elif self._stamp_s is not None and stamp_s <= self._stamp_s:
            self._notices.once('time jump', f'stamps went back by {self._stamp_s - stamp_s:.3f} s: everything learned is forgotten; normal '
                               'for a recording that starts again, otherwise look for two publishers of head_pose')
        self._stamp_s, self._received_s = stamp_s, time.monotonic()
        self._framed_s = self._received_s
        self._latency_s = self.get_clock().now().nanoseconds * 1e-9 - stamp_s
        self._said = monitor.update(stamp_s, heads, self._current_motion())
        self._header = Header(stamp=header.stamp, frame_id=header.frame_id)
        self._publish(self._said, heads)

    def _monitor_for(self, frame_id: str) -> AttentionMonitor:
        if self._monitor is None or frame_id != self._frame_id:
            parameters = self._declared.parameters
            in_vehicle = frame_id == parameters.vehicle_frame
            mount = np.eye(3) if in_vehicle else parameters.R_vehicle_cam
            self._monitor = AttentionMonitor(parameters.zone_map, mount, parameters.settings, seat=parameters.seat)
            self._frame_id = frame_id
            if in_vehicle:
                how = f'poses in {frame_id!r} are in vehicle axes'
            else:
                how = (f'poses in {frame_id!r} are seen by a camera that looks at azimuth {parameters.camera_azimuth_deg:g}, elevation '
                       f'{parameters.camera_elevation_deg:g}, turned by {parameters.camera_turned_deg:g} degrees')
            if frame_id:
                self.get_logger().info(f'vehicle {parameters.zone_map.name}; {how}')
        return self._monitor

    def _current_motion(self) -> Motion:
        fresh = time.monotonic() - self._motion_s <= self._declared.parameters.speed_timeout_s
        return self._motion if fresh else Motion()

    # Without frames.

    def _tick(self) -> None:
        now_s = time.monotonic()
        quiet_s = now_s - self._framed_s
        if quiet_s <= _QUIET_S:
            return
        if self._presence is not None and now_s - self._presence_s <= _PRESENCE_S:
            if self._stamp_s is None:  # nobody seen yet: any clock will do until the first pose
                self._stamp_s, self._received_s = self.get_clock().now().nanoseconds * 1e-9, now_s
            heads: list[HeadPose] | None = [] if self._presence is Reason.NOBODY else None
            self._said = self._monitor_for(self._frame_id).update(self._now_on_stamps(), heads, self._current_motion())
        elif self._monitor is not None and self._stamp_s is not None:
            self._said = self._monitor.at(self._now_on_stamps())
        if self._stamp_s is not None:
            self._header = Header(stamp=_time(self._now_on_stamps()), frame_id=self._frame_id)
        self._publish(self._said, [])
        if now_s - max(self._framed_s, self._started_s) > _SILENCE_S and self._said.reason in (Reason.STALE, Reason.NO_EVIDENCE):
            self._notices.throttled('silence', self._silence(), _REPEAT_S)

    def _now_on_stamps(self) -> float:
        """The time on the stamps' clock, which may be a recording's: the last stamp and the time since it came."""
        return float(self._stamp_s or 0.0) + time.monotonic() - self._received_s

    def _silence(self) -> str:
        topics = [self.resolve_topic_name(name) for name in ('head_pose', *(['head_poses'] if Detection3DArray is not None else []))]
        silent = f'no head poses for {time.monotonic() - max(self._framed_s, self._started_s):.1f} s, so the state is unknown: '
        if not self._pose_publishers():
            return silent + f"nobody publishes {' or '.join(topics)}; start head_pose_node, or remap head_pose:=/head_pose/head_pose"
        return silent + f"{', '.join(sorted(self._pose_publishers()))} finds no face or has no image; see /diagnostics"

    # Outputs.

    def _publish(self, said: Attention, heads: Sequence[HeadPose]) -> None:
        self._state_out.publish(messages.state(said))
        self._zone_out.publish(messages.zone(said))
        self._off_road_out.publish(messages.head_off_road_s(said))
        self._decision_out.publish(messages.decision(self._header, f'{self._name()}: decision', said))
        if self._monitor is None:
            return
        driver = next((head for head in heads if head.track_id == said.track_id), None)
        if self._markers_out.get_subscription_count():
            self._markers_out.publish(messages.markers(self._header, said, self._monitor.zones, self._monitor.R_vehicle_cam,
                                                       None if driver is None else driver.t_cam_head_m))
        if self._declared.parameters.targets:
            self._looking_at_out.publish(messages.looking_at(self._header, self._look(heads[:_LOOKS_FOLLOWED])))

    def _look(self, heads: Sequence[HeadPose]) -> dict[str, dict[str, bool | None]]:
        """Who looks at which target."""
        looks: dict[str, dict[str, bool | None]] = {}
        origins = {target: self._target_in_frame(target) for target in self._declared.parameters.targets}
        settings = LookingAtSettings(radius_deg=self._declared.parameters.looking_at_radius_deg)
        for head in heads:
            face = 'face' if head.track_id is None else f'face_{head.track_id}'
            for target, origin in origins.items():
                look = self._looks.setdefault((face, target), LookingAt(settings))
                self._looks.move_to_end((face, target))
                if head.t_cam_head_m is not None and origin is not None:
                    to_target = origin - head.t_cam_head_m
                else:  # without a position, a head that is looked at from straight ahead looks at the camera
                    to_target = np.array([0.0, 0.0, -1.0]) if target == 'camera' else None
                looks.setdefault(face, {})[target] = look.update(
                    messages.stamp_s(self._header), head.R_cam_head, head.rotation_std_deg, to_target)
        while len(self._looks) > _MAX_LOOKS:
            self._looks.popitem(last=False)
        return looks

    def _target_in_frame(self, target: str) -> np.ndarray | None:
        """(3,) a target's origin in the poses' frame; None where TF does not tell."""
        if target == 'camera':
            return np.zeros(3)
        if self._tf is None:
            return None
        try:
            transform = self._tf[0].lookup_transform(self._frame_id, target, rclpy.time.Time()).transform
        except Exception as error:  # tf2 has several, one for each reason
            self._notices.throttled(f'tf {target}', f'looking_at target {target!r}: {error}', _REPEAT_S)
            return None
        return np.array([transform.translation.x, transform.translation.y, transform.translation.z])

    def _listen_to_tf(self) -> Any:
        if tf2_ros is None:
            others = [target for target in self._declared.parameters.targets if target != 'camera']
            if others:
                self._notices.once('tf2_ros', f'tf2_ros is not installed, so whether people look at {", ".join(others)} stays unknown; '
                                   'install ros-$ROS_DISTRO-tf2-ros-py (apt)')
            return None
        buffer = tf2_ros.Buffer()
        return buffer, tf2_ros.TransformListener(buffer, self)

    def _publish_health(self) -> None:
        said, now_s = self._said, time.monotonic()
        problem = ''
        if said.reason is Reason.STALE or self._stamp_s is None:
            problem = self._silence()
        values = {
            'reason': said.reason.value, 'confidence': f'{said.confidence:.3f}', 'frames': str(self._frames),
            'frames ignored: late or repeated': str(self._frames_ignored),
            'input': 'head_poses' if now_s - self._all_faces_s < _ALL_FACES_S else 'head_pose',
            'speed m/s': 'unknown' if self._current_motion().speed_mps is None else f'{self._current_motion().speed_mps:.1f}',
            'vehicle': self._declared.parameters.zone_map.name, 'frame': self._frame_id,
            'pose age ms': '' if self._latency_s is None else f'{1e3 * self._latency_s:.0f}',
            'natural azimuth elevation deg': '{:.1f} {:.1f}'.format(*said.natural_deg), 'cues': ' '.join(said.cues)}
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._health_out.publish(messages.health(header, f'{self._name()}: driver attention', said, problem, values))

    def _apply_parameters(self) -> None:
        """A change starts anew: unknown until the road was seen."""
        self._monitor = None
        self._said = Attention()
        self._looks.clear()

    def _name(self) -> str:
        return self.get_fully_qualified_name().lstrip('/')


def _time(seconds: float) -> Time:
    nanoseconds = max(0, round(seconds * 1e9))
    return Time(sec=min(nanoseconds // 10**9, 2**31 - 1), nanosec=nanoseconds % 10**9)


def main(args: list[str] | None = None) -> int:
    """Runs the node until SIGINT or SIGTERM; returns the process's exit status."""
    return running.run(AttentionNode, lambda node: None, args)


if __name__ == '__main__':
    sys.exit(main())
