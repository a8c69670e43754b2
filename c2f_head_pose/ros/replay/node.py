"""Implements the node `replay`, which publishes a recording's images in real time, as the camera did.

    replay_node PATH [--ros-args -p rate:=0.5 -p loop:=true ...]
    python -m c2f_head_pose.ros.replay_node PATH

It reads what evaluate_bag reads and finds the topics by the same rules. With clock:=true it publishes the recording's time on /clock, for
nodes with use_sim_time. The service ~/pause (std_srvs/SetBool) pauses it (true) or continues it (false).
"""

from __future__ import annotations

from .. import needs_ros  # noqa: F401 isort: skip, before anything that imports rclpy

import argparse
import sys
import threading
import time
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool

from ...counting import counted
from ...files import expand_user, stamp_ns
from ...recordings.bagfile import BagError
from ...recordings.reader import Notes
from .. import process
from ..declaration import DeclaredParameters
from ..log import Notices
from ..messages import time_message
from ..qos import latched, replayed
from .now_stamps import NowStamps
from .parameters import ReplayParameters
from .playhead import Playhead
from .recording import Entry, Recording

_SETTLED_S = 1.0
_ACKNOWLEDGED_S = 2.0
_LATE_S = 0.1
_REPEAT_S = 10.0
_CLOCK_PERIOD_S = 0.01


@dataclass(frozen=True)
class _Round:
    """One time through the recording.

    Attributes:
        first_s: position of its first entry.
        first_ns: when that was recorded.
        stamps: places stamps on the clock that it was recorded with; None where they are kept.
        now_ns: when its first entry is played.
    """

    first_s: float
    first_ns: int
    stamps: NowStamps | None
    now_ns: int


class ReplayNode(Node):
    """Plays a recording in a thread of its own; `finished` is true once it is over.

    Attributes:
        exit_status: the process's exit status: 1 once the recording turned out to be damaged, or to hold no image that can be read.
    """

    def __init__(self, path: str = '', **kwargs: Any) -> None:
        """Opens the recording and creates the publishers.

        Args:
            path: the recording; '' takes the parameter `path`.
            **kwargs: for rclpy's Node.

        Raises:
            BagError: for a recording that cannot be used.
            ParameterError: for parameters that cannot be used, naming each, its value and the remedy.
        """
        super().__init__('replay', **kwargs)
        self.configured = False
        self._notices = Notices(self.get_logger())
        declared = DeclaredParameters(self, lambda: None, ReplayParameters)
        declared.check()
        self._settings = declared.parameters
        path = path or self._settings.path
        if not path:
            raise BagError('no recording is named; run replay_node PATH, or set the parameter path')
        self._path = expand_user(path, BagError, 'name the recording by a path without ~')
        self._recording = Recording(
            self._path,
            self._settings.image_topic,
            self._settings.transport == 'raw',
            self._settings.topics == 'plain',
            self._settings.picture_rate_hz,
        )
        for reason in self._recording.reasons:
            self.get_logger().info(reason)
        for note in self._recording.notes:
            self.get_logger().warning(note)
        self._outputs = {
            topic: self.create_publisher(type_, topic, replayed(large=type_ in (Image, CompressedImage)))
            for topic, type_ in self._recording.topics.items()
        }
        static = self._recording.static_transforms
        if static is not None:
            self.create_publisher(type(static), '/tf_static', latched()).publish(static)
        self.exit_status = 0
        self._check_offset()
        self._playhead = Playhead(self._settings.rate)
        if self._settings.start_paused:
            self._playhead.pause(True)
        self._round: _Round | None = None
        self._clock_output = self.create_publisher(ClockMessage, '/clock', 10) if self._settings.clock else None
        if self._clock_output is not None:
            self.create_timer(
                _CLOCK_PERIOD_S, lambda: self._playhead.while_playing(self._publish_clock), clock=Clock(clock_type=ClockType.STEADY_TIME)
            )
        self.create_service(SetBool, '~/pause', self._on_pause)
        self._thread = threading.Thread(target=self._play, name='replay', daemon=True)

    def start(self) -> None:
        """Begins to play."""
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether the recording is over."""
        return not self._thread.is_alive()

    def destroy_node(self) -> None:
        """Stops playing."""
        self._playhead.stop()
        if self._thread.ident is not None:
            self._thread.join()
        self._recording.close()
        super().destroy_node()

    def _check_offset(self) -> None:
        offset_s, length_s = self._settings.start_offset_s, self._recording.length_s
        if offset_s > length_s or (offset_s > 0 and next(self._recording.entries(offset_s), None) is None):
            raise BagError(f'start_offset_s cannot be {offset_s:g}: {self._path} is {length_s:.6g} s long')

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        at_s = self._playhead.pause(request.data)
        response.success = True
        response.message = ('paused' if request.data else 'playing') + (
            ', as soon as it begins' if at_s is None else f' at {at_s:.3f} s of {self._recording.length_s:.3f} s'
        )
        self.get_logger().info(response.message)
        return response

    def _play(self) -> None:
        try:
            self._wait_for_subscribers()
            self._warn_of_others()
            again = True
            while again and not self._playhead.stopped.is_set():
                again = self._play_once()
            for publisher in self._outputs.values():
                if not self._playhead.stopped.is_set():
                    publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGED_S))
        except BagError as error:
            self.get_logger().error(str(error))
            self.exit_status = 1

    def _wait_for_subscribers(self) -> None:
        """Waits for a subscriber of the image, and then until no further one has come for a while."""
        image = self._outputs[self._recording.output]
        awaited = [*self._outputs.values(), *([self._clock_output] if self._clock_output else [])]
        limit_s = self._settings.wait_for_subscriber_s
        start = settled = time.monotonic()
        known = -1
        if limit_s > 0:
            self.get_logger().info(f'waiting for a subscription of {image.topic_name}')
        while not self._playhead.stopped.wait(0.02) and time.monotonic() - start < limit_s:
            subscriptions = sum(publisher.get_subscription_count() for publisher in awaited)
            if subscriptions != known:
                known, settled = subscriptions, time.monotonic()
            if image.get_subscription_count() and time.monotonic() - settled > _SETTLED_S:
                return
        if limit_s > 0 and not self._playhead.stopped.is_set() and not image.get_subscription_count():
            self.get_logger().warning(
                f'no subscription of {image.topic_name} in {limit_s:g} s, playing without one; remap the subscriber, or set topics:=plain'
            )

    def _warn_of_others(self) -> None:
        """Logs on which of its topics other nodes publish too. On /tf several nodes are the rule."""
        for topic in (publisher.topic_name for publisher in self._outputs.values()):
            if topic != '/tf' and self.count_publishers(topic) > 1:
                self.get_logger().warning(
                    f"another node publishes {topic} too, and subscribers cannot tell its messages from the recording's: end that node, or "
                    'remap the topic of one of both'
                )

    def _play_once(self) -> bool:
        """Plays the recording; returns whether it is to be played again now, one image period after its last image."""
        try:
            total = late = 0
            first_s = None
            images_s: list[float] = []
            skipped = Notes()
            for entry in self._recording.entries(self._settings.start_offset_s, skipped):
                if first_s is None:  # the clock starts once the first picture is decoded, or it would be late
                    first_s = entry.at_s
                    stamps = self._now_stamps(entry) if self._settings.stamps == 'now' else None
                    self._round = _Round(first_s, entry.time_ns, stamps, self.get_clock().now().nanoseconds)
                    self._playhead.begin(first_s)
                if not self._playhead.reach(entry.at_s, partial(self._publish, entry)):
                    return False
                late += self._seconds_since(entry.at_s) > _LATE_S
                total += 1
                if entry.topic == self._recording.output:
                    images_s.append(entry.at_s)
            self._report(len(images_s), 0.0 if first_s is None else self._seconds_since(first_s), late, total, skipped)
            if not (images_s and self._settings.loop):
                return False
            again_s = images_s[-1] + self._period_s(images_s) - (images_s[0] - first_s)
            return self._playhead.reach(again_s, lambda: None)
        finally:
            self._playhead.end()

    def _now_stamps(self, first: Entry) -> NowStamps:
        return NowStamps(*self._recording.first_image(self._settings.start_offset_s) or (0, first.time_ns))

    def _period_s(self, images_s: list[float]) -> float:
        """Mean time between images at these positions, in seconds of the recording; of one image, that between pictures of a folder."""
        length_s = images_s[-1] - images_s[0]
        return length_s / (len(images_s) - 1) if length_s > 0 else 1 / self._settings.picture_rate_hz

    def _report(self, count: int, seconds: float, late: int, total: int, skipped: Notes) -> None:
        """Logs what was played and could not be read; the exit status tells it too where the recording is damaged or held no image."""
        self._notices.throttled(
            'played',
            f'played {counted(count, "image")} in {seconds:.1f} s'
            + (
                f'; {late} of {total} messages were published more than {1e3 * _LATE_S:.0f} ms late: this machine is too slow; lower rate'
                if late
                else ''
            ),
            _REPEAT_S,
            'info',
        )
        for kind, times in skipped.counts.items():
            self._notices.throttled(kind, f'{times} x {kind}', _REPEAT_S)
        if skipped.counts and not count:
            self.get_logger().error(f'no image on {self._recording.image_topic} could be read; record it again')
            self.exit_status = 1
        if self._recording.damage:
            self._notices.throttled('damage', self._recording.damage, _REPEAT_S, 'error')
            self.exit_status = 1

    def _seconds_since(self, at_s: float) -> float:
        """Seconds of playing since a position that was passed."""
        return (self._playhead.at_s - at_s) / self._settings.rate

    def _publish(self, entry: Entry) -> None:
        if self._clock_output is not None:
            self._publish_clock()
        if (stamps := self._round.stamps) is not None:
            if entry.topic == self._recording.output:
                stamps.take_image(entry.stamp_ns, entry.time_ns)
            for part in entry.stamped:
                since_ns = stamps.place(stamp_ns(part), entry.time_ns) - self._round.first_ns
                part.header.stamp = self._shifted(since_ns * 1e-9 / self._settings.rate)
        self._outputs[entry.topic].publish(entry.message)

    def _publish_clock(self) -> None:
        if self._settings.stamps == 'now':
            time_ = self._shifted(self._seconds_since(self._round.first_s))
        else:
            time_ = time_message(self._round.first_ns + round((self._playhead.at_s - self._round.first_s) * 1e9))
        self._clock_output.publish(ClockMessage(clock=time_))

    def _shifted(self, played_s: float) -> Time:
        return time_message(self._round.now_ns + round((played_s + self._playhead.paused_s) * 1e9))


def main(args: list[str] | None = None) -> int:
    """Replays the recording that the command line names; returns the process's exit status."""
    parser = argparse.ArgumentParser(
        prog='replay_node',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='parameters:\n' + '\n'.join(f'  {row.name} ({row.default!r}): {row.metadata["text"]}' for row in fields(ReplayParameters)),
    )
    parser.add_argument('path', nargs='?', default='', help='rosbag2 folder, .mcap, .db3 or .bag file, or folder of pictures')
    path = parser.parse_args(remove_ros_args(sys.argv if args is None else args)[1:]).path
    return process.run(lambda: ReplayNode(path), ReplayNode.start, args, lambda node: node.finished)


if __name__ == '__main__':
    sys.exit(main())
