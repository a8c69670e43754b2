"""Measures the node as a user meets it: images through DDS into the node's own process, poses back.

    python -m c2f_head_pose.ros.latency --images sample/head_motion --seconds 60 --json latency.json

Publishes best effort at a fixed rate, stamps each image when it is sent, and reports how many were answered, the time from
publish to the pose's arrival here, and the memory and processor time of the node's process.
"""
from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from ..images import image_from_message
from . import messages, transport
from .process_usage import usage_of
from .qos import newest_only
from .recording import RecordingError, open_recording

_START_TIMEOUT_S = 30.0
_DRAIN_S = 1.5  # the last diagnostics come within a second
_MOST_IMAGES = 200


@dataclass
class Measurement:
    """What was seen.

    Attributes:
        sent: images published.
        answered: images with an answer, face or none, under their own stamp and frame.
        posed: images with a head pose.
        foreign: answers whose stamp or frame is of no image sent.
        latency_ms: publish to arrival of the answer, of each answered image in order: of the pose where there is one.
        dropped: images the node itself counted as not answered, by cause; what is missing beyond these, DDS did not deliver.
        memory_mb: resident memory of the node's process without what it shares (the images in transit), each second.
        cpu_share: processor seconds of the node's process per second.
        conditions: command, machine and versions.
    """

    sent: int = 0
    answered: int = 0
    posed: int = 0
    foreign: int = 0
    latency_ms: list[float] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)
    cpu_share: float = 0.0
    conditions: dict[str, str] = field(default_factory=dict)

    def report(self) -> str:
        """The figures in a few lines."""
        if not self.latency_ms:
            return f'0 of {self.sent} images answered'
        latency = np.array(self.latency_ms)
        settled = self.memory_mb[len(self.memory_mb) // 5:] or [0.0]
        lost = self.sent - self.answered - sum(self.dropped.values())
        missing = [f'{count} {cause}' for cause, count in self.dropped.items()] + ([f'{lost} not delivered'] if lost > 0 else [])
        return '\n'.join([
            f'{self.answered} of {self.sent} images answered ({self.posed} with a pose), {self.foreign} foreign stamps or frames'
            + (f'; not answered: {", ".join(missing)}' if missing else ''),
            f'publish to pose: median {np.median(latency):.1f} ms, p99 {np.percentile(latency, 99):.1f} ms, worst {latency.max():.1f} ms',
            f'memory of the node: {settled[0]:.1f} MB after a fifth of the time, {settled[-1]:.1f} at the end, {max(settled):.1f} at most',
            f'processor time of the node: {100 * self.cpu_share:.0f} % of one core',
            f'conditions: {", ".join(f"{key} {value}" for key, value in self.conditions.items())}'])


class _Probe:
    """Publishes the images and keeps when each answer came."""

    def __init__(self, frames: list[tuple[Image, CameraInfo | None]], rate_hz: float) -> None:
        self.node = rclpy.create_node('latency_probe')
        self._frames = frames
        self._rate_hz = rate_hz
        self._images = self.node.create_publisher(Image, 'image', newest_only())
        self._infos = self.node.create_publisher(CameraInfo, 'camera_info', newest_only())
        self.sent: dict[int, tuple[int, str]] = {}
        self.answers: dict[int, int] = {}
        self.poses: dict[int, int] = {}
        self.foreign = 0
        self.dropped: dict[str, int] = {}
        qos = QoSProfile(depth=100)  # loses nothing while this process is busy sending
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos)
        self.node.create_subscription(MarkerArray, 'head_pose/markers', lambda m: self._keep(m.markers[0].header, self.answers), qos)
        self.node.create_subscription(PoseWithCovarianceStamped, 'head_pose/head_pose', lambda m: self._keep(m.header, self.poses), qos)

    @property
    def matched(self) -> bool:
        """Whether the node subscribes, and is heard."""
        return bool(self._images.get_subscription_count() and self._infos.get_subscription_count()
                    and self.node.count_publishers('head_pose/markers'))

    def send(self, seconds: float) -> None:
        """Publishes on schedule; to be run in a thread."""
        start = time.monotonic()
        for number, (image, info) in enumerate(itertools.cycle(self._frames)):
            due_s = number / self._rate_hz
            if due_s >= seconds:
                return
            time.sleep(max(start + due_s - time.monotonic(), 0.0))
            now_ns = time.time_ns()
            image.header.stamp = Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9)
            if info is not None:
                info.header.stamp = image.header.stamp
                self._infos.publish(info)
            self.sent[now_ns] = time.monotonic_ns(), image.header.frame_id
            self._images.publish(image)

    def _keep(self, header: Header, kept: dict[int, int]) -> None:
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        if self.sent.get(stamp, (0, None))[1] != header.frame_id:
            self.foreign += 1
        elif stamp not in kept:
            kept[stamp] = time.monotonic_ns()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        values = {pair.key: pair.value for pair in message.status[0].values}
        self.dropped = {key.removeprefix('dropped: '): int(value) for key, value in values.items() if key.startswith('dropped: ')}

    def fill(self, measurement: Measurement) -> None:
        """Writes what was seen into a measurement."""
        measurement.sent, measurement.foreign, measurement.dropped = len(self.sent), self.foreign, self.dropped
        measurement.answered, measurement.posed = len(self.answers), len(self.poses)
        measurement.latency_ms = [(self.poses.get(stamp, self.answers[stamp]) - at_ns) / 1e6
                                  for stamp, (at_ns, _) in self.sent.items() if stamp in self.answers]


def load_frames(path: Path | None, width: int, height: int) -> list[tuple[Image, CameraInfo | None]]:
    """Images with their calibration, brought to one size; without a path a gray picture that nobody is in.

    Raises:
        RecordingError: for a recording that cannot be read.
    """
    if path is None:
        return [(messages.image(Header(frame_id='camera'), np.full((height, width, 3), 90, np.uint8)), None)]
    recording = open_recording(path, plain_names=True)
    frames: list[tuple[Image, CameraInfo | None]] = []
    info = None
    for entry in recording.entries():
        if isinstance(entry.message, CameraInfo):
            info = entry.message
        elif entry.topic == 'image':
            image = entry.message
            if (image.width, image.height) != (width, height):
                pixels = cv2.resize(image_from_message(image), (width, height), interpolation=cv2.INTER_AREA)
                image = messages.image(image.header, pixels)
            frames.append((image, info if info is not None and (info.width, info.height) == (width, height) else None))
            if len(frames) == _MOST_IMAGES:
                break
    return frames


def measure(frames: list[tuple[Image, CameraInfo | None]], rate_hz: float, seconds: float, node_arguments: list[str]) -> Measurement:
    """Runs the node in its own process and sends it images.

    Args:
        frames: sent again and again, with their calibration.
        rate_hz: images a second.
        seconds: how long.
        node_arguments: ROS arguments of the node.

    Raises:
        RuntimeError: when the node does not come up, with where to look.
    """
    os.environ.setdefault('ROS_DOMAIN_ID', str(random.randrange(1, 100)))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    transport.share_large_images()
    child = subprocess.Popen([sys.executable, '-m', 'c2f_head_pose.ros.node', '--ros-args', *node_arguments])
    rclpy.init(args=[])
    probe, executor, measurement = _Probe(frames, rate_hz), SingleThreadedExecutor(), Measurement()
    executor.add_node(probe.node)
    try:
        start = time.monotonic()
        while not probe.matched:
            if child.poll() is not None or time.monotonic() - start > _START_TIMEOUT_S:
                raise RuntimeError('the node does not come up; start it alone to see why: head_pose_node')
            executor.spin_once(timeout_sec=0.05)
        sender = threading.Thread(target=probe.send, args=(seconds,), daemon=True)
        cpu_s, begun, next_sample = usage_of(child.pid).cpu_s, time.monotonic(), 0.0
        sender.start()
        drained = None
        while drained is None or time.monotonic() < drained:
            executor.spin_once(timeout_sec=0.05)
            if child.poll() is not None:
                raise RuntimeError(f'the node ended with {child.returncode}')
            if time.monotonic() - begun >= next_sample:
                measurement.memory_mb.append(usage_of(child.pid).own_mb)
                next_sample += 1.0
            if drained is None and not sender.is_alive():
                drained = time.monotonic() + _DRAIN_S
                measurement.cpu_share = (usage_of(child.pid).cpu_s - cpu_s) / (time.monotonic() - begun)
        probe.fill(measurement)
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
        executor.shutdown()
        probe.node.destroy_node()
        rclpy.try_shutdown()
    return measurement


def _processor() -> str:
    lines = Path('/proc/cpuinfo').read_text().splitlines()
    return next((line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')), platform.machine())


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints; 0 when every image was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, help='a bag or a folder of pictures (default: a gray picture that nobody is in)')
    parser.add_argument('--size', default='640x480', help='WIDTHxHEIGHT the images are brought to')
    parser.add_argument('--rate', type=float, default=30.0, help='images a second')
    parser.add_argument('--seconds', type=float, default=30.0)
    parser.add_argument('--json', type=Path, help='writes everything measured')
    parser.add_argument('node_arguments', nargs='*', help="the node's ROS arguments, after --, such as: -- -p threads:=2")
    options = parser.parse_args(arguments)
    width, height = map(int, options.size.split('x'))
    load: Any = os.getloadavg()[0]
    try:
        measurement = measure(load_frames(options.images, width, height), options.rate, options.seconds, options.node_arguments)
    except (RecordingError, RuntimeError) as error:
        print(f'latency: {error}', file=sys.stderr)
        return 1
    measurement.conditions = {
        'images': f'{options.images.name if options.images else "gray"} at {options.size}, {options.rate:g} Hz, {options.seconds:g} s',
        'processor': f'{_processor()} ({len(os.sched_getaffinity(0))} cores)',
        'load before and after': f'{load:.1f}, {os.getloadavg()[0]:.1f}',
        'python': platform.python_version(), 'node arguments': ' '.join(options.node_arguments) or 'none'}
    print(measurement.report())
    if options.json:
        options.json.write_text(json.dumps(asdict(measurement), indent=1) + '\n')
    return 0 if measurement.answered == measurement.sent else 2


if __name__ == '__main__':
    sys.exit(main())
