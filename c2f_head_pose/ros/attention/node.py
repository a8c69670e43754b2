"""The node `attention`: head poses in, attention decisions out. It warns nobody and is no certified function."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped, TwistStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Float32, Header, String
from visualization_msgs.msg import MarkerArray

from ...attention.live import LiveMonitor
from ...attention.looking_at import LookingAtSettings
from ...attention.monitor import AttentionMonitor
from ...attention.settings import Attention, Motion, Reason
from ...pose_messages import head_from_message, heads_from_detections
from ...types import HeadPose
from .. import process
from ..declaration import DeclaredParameters
from ..diagnostics import Report, State, read_reports
from ..log import Notices
from ..messages import stamp_s, time_message
from . import messages
from .parameters import AttentionParameters
from .play_time import PlayTime
from .targets import Looks, Targets

try:
    from vision_msgs.msg import Detection3DArray
except ImportError:
    Detection3DArray = None

_TICK_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0
_QUIET_S = 0.5
"""Once no frame has come for so long, the head_pose node's reports on /diagnostics count."""
_REPORT_S = 2.5
"""A report counts for so long; head_pose sends one a second."""
_ALL_FACES_S = 5.0
"""Where somebody publishes head_poses, head_pose is ignored until they have been silent for so long. Of the first image, head_pose comes
first: it would be judged from a face without an id, and head_poses of the same stamp would count as repeated."""
_SILENCE_S = 3.0
_REPEAT_S = 10.0
_LATE_S = 1.0
"""Stamps that go back by less are late frames; by more, the recording started again."""


class AttentionNode(Node):
    """Decides about the driver at each frame of head poses; publishes `unknown` once they stop."""

    def __init__(self, **kwargs: Any) -> None:
        """Declares the parameters, subscribes, and creates the publishers.

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
        self._play = PlayTime(self._clock_s)
        self._monitor: LiveMonitor | None = None
        self._frame_id = ''
        self._attention = Attention()
        self._header = Header()
        self._started_s = time.monotonic()
        self._all_faces_s: float | None = None
        self._all_faces_came = False
        self._heard_s: float | None = None
        self._stamp_s: float | None = None
        self._known_s: tuple[float, float] | None = None
        self._motion, self._motion_s = Motion(), -np.inf
        self._reports: dict[str, tuple[Report, float]] = {}
        self._frames = self._frames_ignored = 0
        self._latency_s: float | None = None
        self._targets, self._looks = Targets(self, self._notices), Looks()
        self._create_outputs()
        newest = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self._subscriptions_in = [
            self.create_subscription(PoseWithCovarianceStamped, 'head_pose', self._on_head_pose, newest),
            self.create_subscription(TwistStamped, 'speed', self._on_speed, newest),
            self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, newest),
        ]
        if Detection3DArray is not None:
            self._subscriptions_in.append(self.create_subscription(Detection3DArray, 'head_poses', self._on_head_poses, newest))
        else:
            self._notices.once(
                'vision_msgs',
                'vision_msgs is not installed, so head_poses (every face) is not read but head_pose (the '
                'primary face), and that nobody is there is known from /diagnostics only. To get it: install '
                'ros-$ROS_DISTRO-vision-msgs (apt; for the pip wheels: docs/without_apt.md)',
                'info',
            )
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # under use_sim_time without a /clock, stale must be published too
        self._timers_own = [
            self.create_timer(_TICK_PERIOD_S, self._tick, clock=steady),
            self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_health, clock=steady),
        ]

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
        self._all_faces_s, self._all_faces_came = time.monotonic(), True
        self._frame(message.header, heads_from_detections(message, self._declared.parameters.assumed_std_deg))

    def _on_head_pose(self, message: PoseWithCovarianceStamped) -> None:
        if self._expects_all_faces():
            return
        self._all_faces_came, pose = False, message.pose.pose
        head = head_from_message(pose.orientation, pose.position, message.pose.covariance, self._declared.parameters.assumed_std_deg)
        self._frame(message.header, [head])

    def _expects_all_faces(self) -> bool:
        """Whether head_poses come, or may soon."""
        if self._all_faces_s is None and Detection3DArray is not None and self.count_publishers(self.resolve_topic_name('head_poses')):
            self._all_faces_s = time.monotonic()
        return self._all_faces_s is not None and time.monotonic() - self._all_faces_s < _ALL_FACES_S

    def _on_speed(self, message: TwistStamped) -> None:
        self._motion = Motion(message.twist.linear.x, message.twist.angular.z)
        self._motion_s = self._play.now_s()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Keeps what the nodes that publish the poses report about themselves."""
        reports = read_reports(message)
        if not reports:
            return
        publishers = self._pose_publishers()
        self._reports = {node: report for node, report in self._reports.items() if f'/{node}' in publishers}
        self._reports |= {report.node: (report, time.monotonic()) for report in reports if f'/{report.node}' in publishers}
        self._targets.image_frames = {report.image_frame for report, _ in self._reports.values() if report.image_frame}

    def _pose_publishers(self) -> set[str]:
        found = [
            info for topic in ('head_pose', 'head_poses') for info in self.get_publishers_info_by_topic(self.resolve_topic_name(topic))
        ]
        return {f'{info.node_namespace.rstrip("/")}/{info.node_name}' for info in found}

    # One frame.

    def _frame(self, header: Any, heads: list[HeadPose]) -> None:
        at_s, monitor = stamp_s(header), self._monitor_for(header.frame_id)
        self._frames += 1
        if self._stamp_s is not None and self._stamp_s - _LATE_S < at_s <= self._stamp_s:
            self._frames_ignored += 1
        elif self._stamp_s is not None and at_s <= self._stamp_s:
            self._notices.once(
                'time jump',
                f'stamps went back by {self._stamp_s - at_s:.3f} s: everything learned is forgotten; normal '
                'for a recording that starts again, otherwise look for two publishers of head_pose',
            )
        self._stamp_s, self._heard_s = at_s, time.monotonic()
        self._known_s = at_s, self._play.now_s()
        self._latency_s = self.get_clock().now().nanoseconds * 1e-9 - at_s
        placed = self._mount_applies(header.frame_id)
        self._attention = monitor.frame(at_s, heads if placed else None, self._current_motion())
        self._header = Header(stamp=header.stamp, frame_id=header.frame_id)
        self._publish(self._attention, heads)

    def _monitor_for(self, frame_id: str) -> LiveMonitor:
        if self._monitor is None or frame_id != self._frame_id:
            parameters = self._declared.parameters
            in_vehicle = frame_id == parameters.vehicle_frame
            mount = np.eye(3) if in_vehicle else parameters.R_vehicle_cam
            self._monitor = LiveMonitor(AttentionMonitor(parameters.zone_map, mount, parameters.settings, seat=parameters.seat))
            self._frame_id = frame_id
            if in_vehicle:
                how = f'poses in {frame_id!r} are in vehicle axes'
            else:
                how = (
                    f'poses in {frame_id!r} are seen by a camera that looks at azimuth {parameters.camera_azimuth_deg:g}, elevation '
                    f'{parameters.camera_elevation_deg:g}, turned by {parameters.camera_turned_deg:g} degrees'
                )
            if frame_id:
                self.get_logger().info(f'vehicle {parameters.zone_map.name}; {how}')
        return self._monitor

    def _mount_applies(self, frame_id: str) -> bool:
        """Whether it is known how the vehicle lies in the poses' frame: they are in vehicle axes, or in the camera's."""
        vehicle = self._declared.parameters.vehicle_frame
        if frame_id == vehicle or self._targets.is_images(frame_id) is not False:
            return True
        images = ', '.join(sorted(self._targets.image_frames))
        self._notices.throttled(
            'foreign frame',
            f'poses are in {frame_id!r}, neither in vehicle_frame ({vehicle!r}) nor in that of the '
            f"images ({images}), so their directions in the vehicle are unknown, and the state too: set head_pose's "
            'target_frame to vehicle_frame, or leave it empty',
            _REPEAT_S,
        )
        return False

    def _current_motion(self) -> Motion:
        fresh = self._play.now_s() - self._motion_s <= self._declared.parameters.speed_timeout_s
        return self._motion if fresh else Motion()

    # Without frames.

    def _tick(self) -> None:
        now_s = self._play.now_s()
        if self._known_s is not None and self._stamp_s is not None and now_s - self._known_s[1] <= _QUIET_S:
            return
        reported, heads = self._reported_heads()
        if reported:
            if self._known_s is None:  # no pose yet: any clock will do until the first
                self._known_s = self.get_clock().now().nanoseconds * 1e-9, now_s
            self._attention = self._monitor_for(self._frame_id).report(self._now_on_stamps(), heads, self._current_motion())
        elif self._monitor is not None and self._known_s is not None:
            self._attention = self._monitor.at(self._now_on_stamps())
        if self._known_s is not None:
            self._header = Header(stamp=_time(self._now_on_stamps()), frame_id=self._frame_id)
        self._publish(self._attention, [])
        if self._silent_s() > _SILENCE_S and self._attention.reason in (Reason.STALE, Reason.NO_EVIDENCE):
            self._notices.throttled('silence', self._silence(), _REPEAT_S)

    def _reported_heads(self) -> tuple[bool, list[HeadPose] | None]:
        """Whether a report says why no frame comes, and then: no heads where nobody was found, None where the camera is blind."""
        fresh = [report for report, at_s in self._reports.values() if time.monotonic() - at_s <= _REPORT_S]
        if not fresh or any(_finds_faces(report) for report in fresh):
            return False, None
        return True, [] if any(_finds_nobody(report) for report in fresh) else None

    def _now_on_stamps(self) -> float:
        """The time on the stamps' clock, which may be a recording's: the last stamp and the time since it came."""
        known_stamp_s, at_s = self._known_s or (0.0, self._play.now_s())
        return known_stamp_s + self._play.now_s() - at_s

    def _clock_s(self) -> float | None:
        clock = self.get_clock()
        return clock.now().nanoseconds * 1e-9 if clock.ros_time_is_active else None

    def _silent_s(self) -> float:
        return time.monotonic() - (self._started_s if self._heard_s is None else self._heard_s)

    def _silence(self) -> str:
        topics = [self.resolve_topic_name(name) for name in ('head_pose', *(['head_poses'] if Detection3DArray is not None else []))]
        silent = f'no head poses for {self._silent_s():.1f} s, so the state is unknown: '
        if not self._pose_publishers():
            return silent + f'nobody publishes {" or ".join(topics)}; start head_pose_node, or remap head_pose:=/head_pose/head_pose'
        return silent + f'{", ".join(sorted(self._pose_publishers()))} finds no face or has no image; see /diagnostics'

    # Outputs.

    def _publish(self, attention: Attention, heads: Sequence[HeadPose]) -> None:
        self._state_out.publish(messages.state(attention))
        self._zone_out.publish(messages.zone(attention))
        self._off_road_out.publish(messages.head_off_road_s(attention))
        self._decision_out.publish(messages.decision(self._header, f'{self._name()}: decision', attention))
        if self._monitor is None:
            return
        if self._markers_out.get_subscription_count():
            driver = next((head for head in heads if len(heads) == 1 or (head.face_id and head.face_id == attention.face_id)), None)
            monitor = self._monitor.monitor
            self._markers_out.publish(
                messages.markers(
                    self._header, attention, monitor.zones, monitor.R_vehicle_cam, None if driver is None else driver.t_cam_head_m
                )
            )
        if targets := self._declared.parameters.targets:
            places = {target: self._targets.find(target, self._header) if heads else None for target in targets}
            settings = LookingAtSettings(radius_deg=self._declared.parameters.looking_at_radius_deg)
            looks = self._looks.update(stamp_s(self._header), heads, places, settings)
            self._looking_at_out.publish(messages.looking_at(self._header, looks))

    def _publish_health(self) -> None:
        attention = self._attention
        problem = self._silence() if attention.reason is Reason.STALE or self._stamp_s is None else ''
        speed_mps = self._current_motion().speed_mps
        values = {
            'reason': attention.reason.value,
            'confidence': f'{attention.confidence:.3f}',
            'frames': str(self._frames),
            'frames ignored: late or repeated': str(self._frames_ignored),
            'input': 'head_poses' if self._all_faces_came else 'head_pose',
            'speed m/s': 'unknown' if speed_mps is None else f'{speed_mps:.1f}',
            'vehicle': self._declared.parameters.zone_map.name,
            'frame': self._frame_id,
            'pose age ms': '' if self._latency_s is None else f'{1e3 * self._latency_s:.0f}',
            'natural azimuth elevation deg': '{:.1f} {:.1f}'.format(*attention.natural_deg),
            'cues': ' '.join(attention.cues),
        }
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._health_out.publish(messages.health(header, f'{self._name()}: driver attention', attention, problem, values))

    def _apply_parameters(self) -> None:
        """Starts anew after a change: unknown until the road was seen."""
        self._monitor = None
        self._attention = Attention()
        self._looks.clear()

    def _name(self) -> str:
        return self.get_fully_qualified_name().lstrip('/')


def _finds_faces(report: Report) -> bool:
    return report.state is State.OK or (report.state is State.DEGRADED and report.faces != 0)


def _finds_nobody(report: Report) -> bool:
    return report.state is State.NO_FACE or (report.state is State.DEGRADED and report.faces == 0)


def _time(seconds: float) -> Time:
    return time_message(max(0, round(seconds * 1e9)))


def main(args: list[str] | None = None) -> int:
    """Runs the node until SIGINT or SIGTERM; returns the process's exit status."""
    return process.run(AttentionNode, lambda node: None, args)


if __name__ == '__main__':
    sys.exit(main())
