"""Runs the node `attention`, which decides from head poses about attention. It gives no warnings and is not a certified function."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped, TwistStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Header

from ...attention.live import LiveMonitor
from ...attention.looking_at import LookingAtSettings
from ...attention.monitor import AttentionMonitor
from ...attention.settings import Attention, Motion, Reason
from ...files import age_ms
from ...pose_messages import head_from_message, heads_from_detections
from ...stamp_order import LATE_S
from ...types import HeadPose
from .. import process
from ..declaration import DeclaredParameters
from ..diagnostics import read_reports
from ..frames import TF_REFUSES_S
from ..log import Notices
from ..messages import stamp_s, time_message
from .input_watch import InputWatch
from .outputs import AttentionOutputs
from .parameters import AttentionParameters
from .play_time import PlayTime
from .reports import PoseReports
from .targets import Looks, Targets

try:
    from vision_msgs.msg import Detection3DArray
except ImportError:
    Detection3DArray = None

_HELP = """usage: attention_node [--ros-args -p NAME:=VALUE ... --params-file FILE -r NAME:=TOPIC ...]

The node `attention`: decides from head poses whether the driver attends to the road, or who looks at the robot. It gives no warnings.
Parameters: config/attention.yaml; topics and states: docs/attention.md."""
_TICK_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0
_QUIET_S = 0.5
"""Time without a frame after which the head_pose node's reports on /diagnostics are used, seconds."""
_ALL_FACES_S = 5.0
"""If a node publishes head_poses, head_pose is ignored until no head_poses have arrived for this time, seconds. Otherwise head_pose of the
first image would arrive first, so that image would have a face without an id, and its head_poses would count as repeated."""
_SILENCE_S = 3.0
_REPEAT_S = 10.0


class AttentionNode(Node):
    """Decides about the driver at each frame of head poses; publishes `unknown` once they stop."""

    def __init__(self, **kwargs: Any) -> None:
        """Declares the parameters, subscribes, and creates the publishers.

        Args:
            **kwargs: arguments of rclpy's Node, such as namespace or parameter_overrides.

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
        self._reports = PoseReports()
        self._watch = InputWatch(self._notices)
        self._frames = self._frames_ignored = 0
        self._ignored_s: float | None = None
        self._age_ms: float | None = None
        self._targets, self._looks = Targets(self, self._notices), Looks()
        self._outputs = AttentionOutputs(self)
        newest = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self._speed_in = self.create_subscription(TwistStamped, 'speed', self._on_speed, newest)
        self._subscriptions_in = [
            self.create_subscription(PoseWithCovarianceStamped, 'head_pose', self._on_head_pose, newest),
            self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, newest),
        ]
        if Detection3DArray is not None:
            self._subscriptions_in.append(self.create_subscription(Detection3DArray, 'head_poses', self._on_head_poses, newest))
        else:
            self._notices.once(
                'vision_msgs',
                'vision_msgs is not installed, so head_pose (the primary face) is read instead of head_poses (every face), and '
                'only /diagnostics shows that no face was found. To get it: install '
                'ros-$ROS_DISTRO-vision-msgs (apt; for the pip wheels: docs/without_apt.md)',
                'info',
            )
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # under use_sim_time without a /clock, a stale state must be published too
        self._timers_own = [
            self.create_timer(_TICK_PERIOD_S, self._tick, clock=steady),
            self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_health, clock=steady),
        ]

    # Input.

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
        """Whether head_poses arrive, or can be expected to."""
        if self._all_faces_s is None and Detection3DArray is not None and self.count_publishers(self.resolve_topic_name('head_poses')):
            self._all_faces_s = time.monotonic()
        return self._all_faces_s is not None and time.monotonic() - self._all_faces_s < _ALL_FACES_S

    def _on_speed(self, message: TwistStamped) -> None:
        self._motion = Motion(message.twist.linear.x, message.twist.angular.z)
        self._motion_s = self._play.now_s()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Keeps the reports of the nodes that publish the poses."""
        reports = read_reports(message)
        if not reports:
            return
        self._reports.take(reports, self._pose_publishers())
        self._targets.image_frames = self._reports.image_frames

    def _pose_publishers(self) -> set[str]:
        found = [
            info for topic in ('head_pose', 'head_poses') for info in self.get_publishers_info_by_topic(self.resolve_topic_name(topic))
        ]
        return {f'{info.node_namespace.rstrip("/")}/{info.node_name}' for info in found}

    # One frame.

    def _frame(self, header: Any, heads: list[HeadPose]) -> None:
        """Decides at a frame. One that is late or repeated is no input, so a camera whose stamps stand still becomes stale."""
        at_s = stamp_s(header)
        self._frames += 1
        if self._stamp_s is not None and self._stamp_s - LATE_S < at_s <= self._stamp_s:
            self._frames_ignored += 1
            self._ignored_s = time.monotonic()
            return
        if self._stamp_s is not None and at_s <= self._stamp_s:
            if self._stamp_s - at_s > TF_REFUSES_S:
                self._targets.forget()
            self._notices.once(
                'time jump',
                f'stamps went back by {self._stamp_s - at_s:.3f} s: everything learned is deleted; this is normal '
                'for a recording that restarts; otherwise look for two publishers of head_pose',
            )
        self._stamp_s, self._heard_s = at_s, time.monotonic()
        self._known_s = at_s, self._play.now_s()
        self._age_ms = age_ms(self.get_clock().now().nanoseconds * 1e-9 - at_s)
        self._watch.watch_positions(heads, self._declared.parameters.seat)
        placed = self._mount_applies(header.frame_id)
        self._attention = self._monitor_for(header.frame_id).frame(at_s, heads if placed else None, self._current_motion())
        self._header = Header(stamp=header.stamp, frame_id=header.frame_id)
        self._publish(self._attention, heads, self._look(heads))

    def _look(self, heads: Sequence[HeadPose]) -> dict[str, dict[str, bool | None]]:
        """Returns which face of a frame looks at which target."""
        parameters = self._declared.parameters
        places = {target: self._targets.find(target, self._header) if heads else None for target in parameters.targets}
        return self._looks.update(stamp_s(self._header), heads, places, LookingAtSettings(radius_deg=parameters.looking_at_radius_deg))

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
        """Whether the vehicle's axes are known in the poses' frame, which is the vehicle's or the camera's."""
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
        reported, heads = self._reports.heads()
        if reported:
            if self._known_s is None:  # before the first pose any clock is usable
                self._known_s = self.get_clock().now().nanoseconds * 1e-9, now_s
            self._attention = self._monitor_for(self._frame_id).report(self._now_on_stamps(), heads, self._current_motion())
        elif self._monitor is not None and self._known_s is not None:
            self._attention = self._monitor.at(self._now_on_stamps())
        if self._known_s is not None:
            self._header = Header(stamp=_time(self._now_on_stamps()), frame_id=self._frame_id)
        self._publish(self._attention, [], {} if heads == [] else self._looks.at(stamp_s(self._header)))
        if self._silent_s() > _SILENCE_S and self._attention.reason in (Reason.STALE, Reason.NO_EVIDENCE):
            self._notices.throttled('silence', self._silence(), _REPEAT_S)

    def _now_on_stamps(self) -> float:
        """The time on the stamps' clock, which can be a recording's: the last stamp plus the time since its arrival."""
        known_stamp_s, at_s = self._known_s or (0.0, self._play.now_s())
        return known_stamp_s + self._play.now_s() - at_s

    def _clock_s(self) -> float | None:
        clock = self.get_clock()
        return clock.now().nanoseconds * 1e-9 if clock.ros_time_is_active else None

    def _silent_s(self) -> float:
        return time.monotonic() - (self._started_s if self._heard_s is None else self._heard_s)

    def _silence(self) -> str:
        inputs = ('head_pose', *(['head_poses'] if Detection3DArray is not None else []))
        silent = f'no head poses for {self._silent_s():.1f} s, so the state is unknown: '
        if self._ignored_s is not None and time.monotonic() - self._ignored_s < _QUIET_S:
            return silent + 'those that arrive have the stamp of an earlier one, or an older one; correct header.stamp in the camera driver'
        if not self._pose_publishers():
            topics, remaps = map(self.resolve_topic_name, inputs), (f'{name}:=/head_pose/{name}' for name in inputs)
            return silent + f'nobody publishes {" or ".join(topics)}; start head_pose_node, or remap {" and ".join(remaps)}'
        return silent + f'{", ".join(sorted(self._pose_publishers()))} finds no face or has no image; see /diagnostics'

    # Outputs.

    def _publish(self, attention: Attention, heads: Sequence[HeadPose], looks: Mapping[str, Mapping[str, bool | None]]) -> None:
        self._outputs.publish_decision(self._header, attention)
        if self._monitor is None:
            return
        self._outputs.publish_markers(self._header, attention, heads, self._monitor.monitor)
        if self._declared.parameters.targets:
            self._outputs.publish_looking_at(self._header, looks)

    def _publish_health(self) -> None:
        if self._motion_s == -np.inf:
            self._watch.watch_speed(self, self._speed_in)
        attention = self._attention
        searched = attention.reason in (Reason.NOBODY, Reason.NO_FACE_MOVING)
        problem = self._silence() if attention.reason is Reason.STALE or (self._stamp_s is None and not searched) else ''
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
            'pose age ms': '' if self._age_ms is None else f'{self._age_ms:.0f}',
            'natural azimuth elevation deg': '{:.1f} {:.1f}'.format(*attention.natural_deg),
            'cues': ' '.join(attention.cues),
        }
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._outputs.publish_health(header, attention, problem, values)

    def _apply_parameters(self) -> None:
        """Restarts the decision after a change; the state is unknown until the driver looks at the road."""
        self._monitor = None
        self._attention = Attention()
        self._looks.clear()


def _time(seconds: float) -> Time:
    return time_message(max(0, round(seconds * 1e9)))


def main(args: list[str] | None = None) -> int:
    """Runs the node until SIGINT or SIGTERM; returns the process's exit status."""
    return process.run(AttentionNode, lambda node: None, args, about=_HELP)


if __name__ == '__main__':
    sys.exit(main())
