"""The node `replay`: publishes a recording's images in real time, as the camera did.

    replay_node PATH [--ros-args -p rate:=0.5 -p loop:=true ...]
    python -m c2f_head_pose.ros.replay_node PATH
"""
from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Time
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CompressedImage, Image

from . import running
from .qos import replayed
from .recording import RecordingError, open_recording

_SETTLED_S = 1.0
_ACKNOWLEDGED_S = 2.0
_LATE_S = 0.1

_PARAMETERS = {
    'path': ('', 'A rosbag2 folder, a .bag file, or a folder of pictures; the command line can give it instead.'),
    'image_topic': ('', 'The image topic in the bag; empty for the only one.'),
    'transport': ('raw', 'raw: compressed pictures are decoded, so that `image` is fed; recorded: published as they are.'),
    'topics': ('recorded', 'recorded: under the names in the bag; plain: the image as `image`, its calibration as `camera_info`.'),
    'stamps': ('recorded', 'recorded: kept; now: shifted so that the first is now.'),
    'rate': (1.0, '1.0 is real time, 0.5 half as fast.'),
    'picture_rate_hz': (10.0, 'Pictures a second, for a folder of pictures.'),
    'loop': (False, 'Start again at the end.'),
    'wait_for_subscriber_s': (30.0, 'Wait so long for somebody to subscribe to the image; 0 starts at once.'),
}
_CHOICES = {'transport': ('raw', 'recorded'), 'topics': ('recorded', 'plain'), 'stamps': ('recorded', 'now')}


class ReplayNode(Node):
    """Plays a recording in a thread of its own; `finished` once it is over.

    Attributes:
        exit_status: of the process: 1 once the recording could not be read to its end.
    """

    def __init__(self, path: str = '', **kwargs: Any) -> None:
        """Opens the recording and creates the publishers.

        Args:
            path: the recording; '' takes the parameter `path`.
            **kwargs: for rclpy's Node.

        Raises:
            RecordingError: for a recording or a parameter that cannot be used.
        """
        super().__init__('replay', **kwargs)
        for name, (default, text) in _PARAMETERS.items():
            self.declare_parameter(name, default, ParameterDescriptor(description=text, read_only=True))
        self._check_parameters()
        path = path or self._value('path')
        if not path:
            raise RecordingError('nothing to replay; say what: replay_node PATH, or the parameter path')
        self._recording = open_recording(Path(path).expanduser(), self._value('image_topic'), self._value('transport') == 'raw',
                                         self._value('topics') == 'plain', self._value('picture_rate_hz'))
        self._outputs = {topic: self.create_publisher(type_, topic, replayed(large=type_ in (Image, CompressedImage)))
                         for topic, type_ in self._recording.topics.items()}
        self.exit_status = 0
        self._stop = threading.Event()
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
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        super().destroy_node()

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _check_parameters(self) -> None:
        for name, choices in _CHOICES.items():
            if self._value(name) not in choices:
                raise RecordingError(f'{name} cannot be {self._value(name)!r}: use {" or ".join(choices)}')
        for name in ('rate', 'picture_rate_hz'):
            if not 0.01 <= self._value(name) <= 1000:
                raise RecordingError(f'{name} cannot be {self._value(name)}: use a number, 0.01 to 1000')

    def _play(self) -> None:
        try:
            self._wait_for_subscribers()
            while not self._stop.is_set():
                self._play_once()
                if not self._value('loop'):
                    break
            for publisher in self._outputs.values():
                if not self._stop.is_set():
                    publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGED_S))
        except RecordingError as error:
            self.get_logger().error(str(error))
            self.exit_status = 1

    def _wait_for_subscribers(self) -> None:
        """Waits until somebody subscribes to the image, and then until nobody more has come for a while."""
        image = self._outputs[self._recording.output]
        limit_s = self._value('wait_for_subscriber_s')
        start = settled = time.monotonic()
        known = -1
        if limit_s > 0:
            self.get_logger().info(f'waiting for a subscription of {image.topic_name}')
        while not self._stop.wait(0.02) and time.monotonic() - start < limit_s:
            subscriptions = sum(publisher.get_subscription_count() for publisher in self._outputs.values())
            if subscriptions != known:
                known, settled = subscriptions, time.monotonic()
            if image.get_subscription_count() and time.monotonic() - settled > _SETTLED_S:
                return
        if limit_s > 0 and not self._stop.is_set() and not image.get_subscription_count():
            self.get_logger().warning(f'nobody subscribed to {image.topic_name} in {limit_s:g} s, playing all the same; '
                                      'remap the subscriber, or topics:=plain')

    def _play_once(self) -> None:
        rate, shifted = self._value('rate'), self._value('stamps') == 'now'
        start = first_ns = now_ns = None
        count = total = late = 0
        for entry in self._recording.entries():
            stamp = entry.message.header.stamp
            if start is None:  # only now that the recording is open and its first picture decoded
                start, now_ns = time.monotonic() - entry.at_s / rate, self.get_clock().now().nanoseconds
                first_ns = stamp.sec * 10**9 + stamp.nanosec
            due = start + entry.at_s / rate
            if self._stop.wait(max(due - time.monotonic(), 0.0)):
                return
            if shifted:
                entry.message.header.stamp = _time(now_ns + round((stamp.sec * 10**9 + stamp.nanosec - first_ns) / rate))
            self._outputs[entry.topic].publish(entry.message)
            late += time.monotonic() - due > _LATE_S
            total += 1
            count += entry.topic == self._recording.output
        seconds = time.monotonic() - (start or time.monotonic())
        self.get_logger().info(f'played {count} images in {seconds:.1f} s' + (
            f'; {late} of {total} messages came more than {1e3 * _LATE_S:.0f} ms late, this machine is too slow for them: lower rate'
            if late else ''))


def _time(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def main(args: list[str] | None = None) -> int:
    """Replays what the command line names; returns the process's exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='parameters:\n' + '\n'.join(f'  {name} ({default!r}): {text}' for name, (default, text) in _PARAMETERS.items()))
    parser.add_argument('path', nargs='?', default='', help='rosbag2 folder, .bag file, or folder of pictures')
    path = parser.parse_args(remove_ros_args(sys.argv if args is None else args)[1:]).path
    return running.run(lambda: ReplayNode(path), ReplayNode.start, args, lambda node: node.finished)


if __name__ == '__main__':
    sys.exit(main())
