"""Replays a recording through the real ROS graph and records the results, for `make demo`.

Three processes run in a ROS domain of their own on this machine: replay_node publishes the recording, head_pose estimates, and this
process subscribes, shows progress and writes an annotated video, a plot of the angles beside the truth, and the poses.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from ..counting import counted
from ..files import stamp_ns
from ..geometry import rotation_from_quaternion, ypr_deg_from_rotation
from ..images import image_from_message
from ..images.paths import utf8_path
from ..interruption import INTERRUPTED, sigterm_interrupts
from . import transport
from .child_node import ChildNode, end_all, isolate_graph
from .demo_results import Recording, write
from .replay.held_replay import HELD, HeldReplay

SAMPLE = Path(__file__).parents[2] / 'sample' / 'head_motion'
_TRUTH_TOPIC = '/truth/head_pose'
_START_TIMEOUT_S = 60.0
_QUIET_S = 3.0


class Recorder(Node):
    """Subscribes to the node's results and the recording's truth."""

    def __init__(self) -> None:
        super().__init__('recorder')
        self.recording = Recording()
        self.last_arrival_s = 0.0
        qos = QoSProfile(depth=100)
        self.create_subscription(PoseWithCovarianceStamped, '/head_pose/head_pose', self._on_pose, qos)
        self.create_subscription(Image, '/head_pose/image_annotated', self._on_picture, qos)
        self.create_subscription(PoseStamped, _TRUTH_TOPIC, self._on_truth, qos)
        self.create_subscription(CameraInfo, '/camera_info', self._on_info, qos)
        self.replay = HeldReplay(self, '/head_pose/head_pose')

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        stamp = stamp_ns(message)
        self.recording.rotations[stamp] = _rotation(message.pose.pose)
        covariance = np.array(message.pose.covariance).reshape(6, 6)
        self.recording.stds_deg[stamp] = np.degrees(np.sqrt(np.diag(covariance)[3:]))
        self.recording.arrivals_s[stamp] = self.last_arrival_s = time.monotonic()

    def _on_picture(self, message: Image) -> None:
        self.recording.pictures[stamp_ns(message)] = cv2.imencode('.jpg', image_from_message(message))[1]
        self.last_arrival_s = time.monotonic()

    def _on_truth(self, message: PoseStamped) -> None:
        self.recording.truths[stamp_ns(message)] = _rotation(message.pose)

    def _on_info(self, message: CameraInfo) -> None:
        self.recording.images[stamp_ns(message)] = time.monotonic()


def record(bag: Path, output: Path, rate: float, image_topic: str = '') -> Recording:
    """Runs the graph on a recording.

    Args:
        bag: a recording that replay_node can read, with the truth on /truth/head_pose if it is known.
        output: existing folder for the logs of the two nodes.
        rate: speed of the replay; 1.0 is real time.
        image_topic: the image topic in the bag; '' for the only one.

    Raises:
        RuntimeError: when a process ends early or no pose arrives, with the log to read.
    """
    isolate_graph()
    transport.share_large_images()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)  # its handlers would end the context under the executor
    recorder = Recorder()
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    replay = ChildNode(
        'replay_node',
        [str(bag)],
        [
            '-p',
            'topics:=plain',
            '-p',
            f'rate:={rate}',
            '-p',
            f'wait_for_subscriber_s:={_START_TIMEOUT_S}',
            *HELD,
            *(['-p', f'image_topic:={image_topic}'] if image_topic else []),
        ],
        log=output / 'replay_node.log',
    )
    node = ChildNode('node', log=output / 'node.log')
    try:
        _spin(recorder, executor, node, replay)
    finally:
        end_all((replay, node))
        executor.shutdown()
        recorder.destroy_node()
        rclpy.try_shutdown()
    return recorder.recording


def _spin(recorder: Recorder, executor: Any, node: ChildNode, replay: ChildNode) -> None:
    """Spins until the replay has ended and no more results arrive."""
    start_s = ended_s = time.monotonic()
    recording = recorder.recording
    while True:
        executor.spin_once(timeout_sec=0.05)
        recorder.replay.let_go()
        now_s = time.monotonic()
        if node.exit_status is not None:
            raise RuntimeError(f'the node ended early: {node.last_line}')
        if replay.exit_status is None:
            ended_s = now_s
        elif replay.exit_status != 0:
            raise RuntimeError(f'the replay failed: {replay.last_line}')
        if not recording.answered and now_s - start_s > _START_TIMEOUT_S:
            raise RuntimeError(f'no answer came in {_START_TIMEOUT_S:.0f} s; last line of the node: {node.last_line}')
        if replay.exit_status is not None and now_s - max(recorder.last_arrival_s, ended_s) > _QUIET_S / 2:
            break
        _show(recording, now_s - start_s)
    print()
    if not recording.rotations:
        raise RuntimeError(
            f'no face was found in {counted(len(recording.answered), "answered image")}; last line of the node: {node.last_line}'
        )


def _show(recording: Recording, elapsed_s: float) -> None:
    """Prints progress: on a terminal one line that is overwritten, elsewhere a line every hundred poses."""
    count = len(recording.rotations)
    if count == 0:
        text = 'waiting for the nodes to find each other'
    else:
        newest = max(recording.rotations)
        yaw, pitch, roll = ypr_deg_from_rotation(recording.rotations[newest])
        text = f'{recording.counts}   yaw {yaw:+6.1f}  pitch {pitch:+6.1f}  roll {roll:+6.1f} degrees'
    if sys.stdout.isatty():
        print(f'\r\x1b[K{elapsed_s:4.0f} s  {text}', end='', flush=True)
    elif count and count % 100 == 0 and count != _show.last:  # type: ignore[attr-defined]
        _show.last = count  # type: ignore[attr-defined]
        print(f'{elapsed_s:4.0f} s  {text}', flush=True)


_show.last = 0  # type: ignore[attr-defined]


def _rotation(pose: Any) -> np.ndarray:
    q = pose.orientation
    return rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w]))


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 0 when poses were recorded, else 1 after a message that names the log to read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--bag', type=Path, default=SAMPLE, help='rosbag2 folder, .bag file or folder of pictures (default: the sample recording)'
    )
    parser.add_argument('--output', type=Path, default=Path('demo_out'))
    parser.add_argument('--rate', type=float, default=1.0, help='speed of the replay (default %(default)s, real time)')
    parser.add_argument('--image', default='', metavar='TOPIC', help='the image topic in the bag (default: the only one)')
    options = parser.parse_args(arguments)
    try:
        if not options.bag.exists():
            raise FileNotFoundError(f'no recording {options.bag}; name an existing one with --bag')
        if importlib.util.find_spec('matplotlib') is None:
            raise ModuleNotFoundError("the plot needs matplotlib: pip install matplotlib, or '.[ros,demo]'")
        utf8_path(options.output)
        options.output.mkdir(parents=True, exist_ok=True)
    except (OSError, ImportError, ValueError) as error:
        print(f'demo: {error}', file=sys.stderr)
        return 1
    print(f'replaying {options.bag.name} through replay_node and head_pose (logs in {options.output}/)')
    try:
        with sigterm_interrupts():
            recording = record(options.bag, options.output, options.rate, options.image)
            summary = write(recording, options.output)
    except (RuntimeError, OSError) as error:
        print(f'\ndemo: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nstopped')
        return INTERRUPTED
    print('\n'.join(summary))
    for name, what in (
        ('annotated.mp4', 'the recording with the poses drawn in'),
        ('angles.png', 'yaw, pitch and roll against the truth'),
        ('poses.csv', 'every pose'),
        ('poses.json', 'the same'),
    ):
        print(f'  {options.output / name}: {what}')
    print(
        'Next: your own pictures, a video or a webcam:  .venv/bin/python -m c2f_head_pose.demo PATH --output DIR --json poses.json\n'
        '      your camera in ROS 2:                    ros2 launch c2f_head_pose head_pose.launch.py image:=/your/image'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
