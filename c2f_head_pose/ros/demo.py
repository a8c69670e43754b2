"""Replays a recording through the real ROS graph and keeps what comes out: `make demo`.

Three processes on this machine only (own ROS domain): replay_node publishes the recording, head_pose answers, and this one
subscribes, shows progress and leaves an annotated video, a plot of the angles against the truth, and the poses.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from ..geometry import geodesic_deg, rotation_from_quaternion, ypr_deg_from_rotation
from ..images import image_from_message
from .replay.held_replay import HELD, HeldReplay

_CHECKOUT = Path(__file__).parents[2]
SAMPLE = _CHECKOUT / 'sample' / 'head_motion'
_FAST_DDS_PROFILE = _CHECKOUT / 'config' / 'fastdds.xml'
_TRUTH_TOPIC = '/truth/head_pose'
_NAMES = ('yaw', 'pitch', 'roll')
_START_TIMEOUT_S = 60.0
_QUIET_S = 3.0


@dataclass
class Recording:
    """What came out of the graph, by the image's stamp in nanoseconds.

    Attributes:
        rotations: R_cam_head of the primary face.
        stds_deg: standard deviation about the camera's x, y, z axes, degrees.
        arrivals_s: time.monotonic() at which the pose came.
        truths: R_cam_head that the recording itself holds.
        pictures: annotated images as JPEG: ten minutes of plain ones would take 16 GB.
        images: when each image was sent (from its camera_info; empty for a recording without).
    """

    rotations: dict[int, np.ndarray] = field(default_factory=dict)
    stds_deg: dict[int, np.ndarray] = field(default_factory=dict)
    arrivals_s: dict[int, float] = field(default_factory=dict)
    truths: dict[int, np.ndarray] = field(default_factory=dict)
    pictures: dict[int, np.ndarray] = field(default_factory=dict)
    images: dict[int, float] = field(default_factory=dict)

    @property
    def answered(self) -> set[int]:
        """Stamps of the images that the node answered, with a pose or with nobody."""
        return self.rotations.keys() | self.pictures.keys()

    @property
    def counts(self) -> str:
        """How many images were answered, of how many where that is known."""
        return f'{len(self.answered)}{f" of {len(self.images)}" if self.images else ""} images answered'


class Recorder(Node):
    """Subscribes to the node's answers and the recording's truth."""

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
        stamp = _nanoseconds(message)
        self.recording.rotations[stamp] = _rotation(message.pose.pose)
        covariance = np.array(message.pose.covariance).reshape(6, 6)
        self.recording.stds_deg[stamp] = np.degrees(np.sqrt(np.diag(covariance)[3:]))
        self.recording.arrivals_s[stamp] = self.last_arrival_s = time.monotonic()

    def _on_picture(self, message: Image) -> None:
        self.recording.pictures[_nanoseconds(message)] = cv2.imencode('.jpg', image_from_message(message))[1]
        self.last_arrival_s = time.monotonic()

    def _on_truth(self, message: PoseStamped) -> None:
        self.recording.truths[_nanoseconds(message)] = _rotation(message.pose)

    def _on_info(self, message: CameraInfo) -> None:
        self.recording.images[_nanoseconds(message)] = time.monotonic()


def record(bag: Path, output: Path, rate: float, image_topic: str = '') -> Recording:
    """Runs the graph over a recording.

    Args:
        bag: what replay_node reads, with the truth on /truth/head_pose if it is known.
        output: folder for the logs of the two nodes.
        rate: 1.0 for real time.
        image_topic: the topic in the bag; '' for the only one.

    Raises:
        RuntimeError: when a process ends early or nothing comes out, with where to look.
    """
    os.environ['ROS_DOMAIN_ID'] = str(random.randrange(1, 100))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    if _FAST_DDS_PROFILE.exists():  # its default shared memory is smaller than an image, which costs frames
        os.environ.setdefault('FASTRTPS_DEFAULT_PROFILES_FILE', str(_FAST_DDS_PROFILE))
    rclpy.init(args=[])
    recorder = Recorder()
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    replay = _start(
        'replay_node',
        output,
        [
            str(bag),
            '--ros-args',
            '-p',
            'topics:=plain',
            '-p',
            f'rate:={rate}',
            '-p',
            f'wait_for_subscriber_s:={_START_TIMEOUT_S}',
            *HELD,
            *(['-p', f'image_topic:={image_topic}'] if image_topic else []),
        ],
    )
    node = _start('node', output, [])
    try:
        _spin(recorder, executor, node, replay, output)
    finally:
        for process in (replay, node):
            process.send_signal(signal.SIGINT)
        for process in (replay, node):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        executor.shutdown()
        recorder.destroy_node()
        rclpy.try_shutdown()
    return recorder.recording


def _start(module: str, output: Path, arguments: list[str]) -> subprocess.Popen:
    with open(output / f'{module}.log', 'w') as log:
        return subprocess.Popen([sys.executable, '-m', f'c2f_head_pose.ros.{module}', *arguments], stdout=log, stderr=subprocess.STDOUT)


def _spin(recorder: Recorder, executor: Any, node: subprocess.Popen, replay: subprocess.Popen, output: Path) -> None:
    """Spins until the replay has ended and nothing more comes."""
    start_s = ended_s = time.monotonic()
    recording = recorder.recording
    while True:
        executor.spin_once(timeout_sec=0.05)
        recorder.replay.let_go()
        now_s = time.monotonic()
        if node.poll() is not None:
            raise RuntimeError(f'the node ended early: {_last_line(output / "node.log")}')
        if replay.poll() is None:
            ended_s = now_s
        elif replay.returncode != 0:
            raise RuntimeError(f'the replay failed: {_last_line(output / "replay_node.log")}')
        if not recording.answered and now_s - start_s > _START_TIMEOUT_S:
            raise RuntimeError(f'nothing came in {_START_TIMEOUT_S:.0f} s; the node says: {_last_line(output / "node.log")}')
        if replay.poll() is not None and now_s - max(recorder.last_arrival_s, ended_s) > _QUIET_S / 2:
            break
        _show(recording, now_s - start_s)
    print()
    if not recording.rotations:
        raise RuntimeError(f'no head pose in {len(recording.answered)} images answered; the node says: {_last_line(output / "node.log")}')


def _last_line(log: Path) -> str:
    """What a process said last, and where the rest is."""
    lines = log.read_text(errors='replace').strip().splitlines()
    return f'{lines[-1] if lines else "nothing"} (all of it: {log})'


def _show(recording: Recording, elapsed_s: float) -> None:
    """One line that renews itself on a terminal; elsewhere a line every hundred poses."""
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


def write(recording: Recording, output: Path) -> list[str]:
    """Writes video, plot, CSV and JSON; returns the lines that say what was found."""
    stamps = sorted(recording.rotations)
    seconds = (np.array(stamps) - stamps[0]) * 1e-9
    ypr_deg = np.array([ypr_deg_from_rotation(recording.rotations[s]) for s in stamps])
    known = [s for s in stamps if s in recording.truths]
    errors_deg = {s: float(geodesic_deg(recording.truths[s], recording.rotations[s])) for s in known}
    _write_tables(recording, stamps, seconds, ypr_deg, errors_deg, output)
    _write_video(recording, output / 'annotated.mp4')
    _plot(recording, stamps, seconds, ypr_deg, output / 'angles.png')
    latency_ms = [1e3 * (recording.arrivals_s[s] - recording.images[s]) for s in stamps if s in recording.images]
    nobody = len(recording.answered) - len(stamps)
    lines = [f'{recording.counts}, each with its own stamp' + (f'; in {nobody} of them nobody was found' if nobody else '')]
    if dropped := len(recording.images.keys() - recording.answered):
        lines.append(f'{dropped} images were dropped: this machine was too busy, and the newest image goes first; --rate 0.5 gives it time')
    if latency_ms:
        lines.append(f'from camera_info to pose: median {np.median(latency_ms):.1f} ms, worst {max(latency_ms):.1f} ms')
    if errors_deg:
        lines.append(
            f"difference to the recording's truth: mean {np.mean(list(errors_deg.values())):.1f} degrees, "
            f'worst {max(errors_deg.values()):.1f} (geodesic, on these renders)'
        )
    return lines


def _write_tables(
    recording: Recording, stamps: list[int], seconds: np.ndarray, ypr_deg: np.ndarray, errors_deg: dict[int, float], output: Path
) -> None:
    rows = []
    for stamp, second, angles in zip(stamps, seconds, ypr_deg):
        truth = ypr_deg_from_rotation(recording.truths[stamp]).tolist() if stamp in recording.truths else [None] * 3
        rows.append(
            {
                'stamp_ns': stamp,
                'time_s': round(float(second), 6),
                **{f'{name}_deg': round(float(a), 3) for name, a in zip(_NAMES, angles)},
                **{f'true_{name}_deg': None if a is None else round(float(a), 3) for name, a in zip(_NAMES, truth)},
                'error_deg': None if stamp not in errors_deg else round(errors_deg[stamp], 3),
            }
        )
    (output / 'poses.json').write_text(json.dumps(rows, indent=1))
    with open(output / 'poses.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_video(recording: Recording, path: Path) -> None:
    stamps = sorted(recording.pictures)
    if len(stamps) < 2:
        return
    fps = 1e9 / float(np.median(np.diff(stamps)))
    pictures = [picture for stamp in stamps if (picture := cv2.imdecode(recording.pictures[stamp], cv2.IMREAD_COLOR)) is not None]
    height, width = pictures[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), fps, (width, height))
    for picture in pictures:
        video.write(picture)
    video.release()


def _plot(recording: Recording, stamps: list[int], seconds: np.ndarray, ypr_deg: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(10, 7), constrained_layout=True)
    truth = np.array([ypr_deg_from_rotation(recording.truths[s]) if s in recording.truths else [np.nan] * 3 for s in stamps])
    for k, (axis, name, colour) in enumerate(zip(axes, _NAMES, ('#2f6fde', '#2a9d57', '#d64545'))):
        axis.plot(seconds, truth[:, k], color='#999999', linewidth=3, label='truth')
        axis.plot(seconds, ypr_deg[:, k], color=colour, linewidth=1.4, label='estimate')
        axis.set_ylabel(f'{name} (degrees)')
        axis.grid(alpha=0.3)
    axes[0].legend(loc='upper right', ncols=2, frameon=False)
    axes[-1].set_xlabel('time (s)')
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _nanoseconds(message: Any) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def _rotation(pose: Any) -> np.ndarray:
    q = pose.orientation
    return rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w]))


def main(arguments: list[str] | None = None) -> int:
    """The command: 0 when poses came out, 1 when not, with where to look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--bag', type=Path, default=SAMPLE, help='rosbag2 folder, .bag file or folder of pictures (default: the sample recording)'
    )
    parser.add_argument('--output', type=Path, default=Path('demo_out'))
    parser.add_argument('--rate', type=float, default=1.0, help='1.0 is real time')
    parser.add_argument('--image', default='', metavar='TOPIC', help='the image topic in the bag (default: the only one)')
    options = parser.parse_args(arguments)
    try:
        if not options.bag.exists():
            raise FileNotFoundError(f'no recording {options.bag}; give one with --bag')
        if importlib.util.find_spec('matplotlib') is None:
            raise ModuleNotFoundError("the plot needs matplotlib: pip install matplotlib, or '.[ros,demo]'")
        options.output.mkdir(parents=True, exist_ok=True)
    except (OSError, ImportError) as error:
        print(f'demo: {error}', file=sys.stderr)
        return 1
    print(f'replaying {options.bag.name} through replay_node and head_pose (logs in {options.output}/)')
    try:
        recording = record(options.bag, options.output, options.rate, options.image)
    except RuntimeError as error:
        print(f'\ndemo: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nstopped')
        return 130
    print('\n'.join(write(recording, options.output)))
    for name, what in (
        ('annotated.mp4', 'the recording with the poses drawn in'),
        ('angles.png', 'yaw, pitch and roll against the truth'),
        ('poses.csv', 'every pose'),
        ('poses.json', 'the same'),
    ):
        print(f'  {options.output / name}: {what}')
    print(
        'Next: your own pictures, a video or a webcam:  .venv/bin/python -m c2f_head_pose.demo PATH --output DIR --json poses.json\n'
        '      beside your camera, in ROS 2:           ros2 launch c2f_head_pose head_pose.launch.py image:=/your/image'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
