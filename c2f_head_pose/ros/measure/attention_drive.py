"""Plays a rendered drive through the real graph and keeps the decisions of `attention`, for c2f_head_pose.evaluation.attention.recorded.

    python -m c2f_head_pose.ros.measure.attention_drive DRIVE

Four processes on this machine only (own ROS domain): replay_node publishes the pictures, head_pose finds heads, attention decides, and
this one is the car (it publishes the speed, 100 km/h straight ahead) and listens. DRIVE is the folder that
training.synthetic.recordings.attention writes; the decisions go into DRIVE/said_graph.json, the nodes' logs beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped, TwistStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo

from ...evaluation.attention.recorded import GRAPH_FILE, Drive, load_drive
from ...files import stamp_ns
from .. import transport
from ..child_node import ChildNode, end_all, isolate_graph
from ..replay.held_replay import HELD, HeldReplay

_SPEED_MPS = 100 / 3.6
_SPEED_PERIOD_S = 0.1
_START_TIMEOUT_S = 60.0
_QUIET_S = 2.0


@dataclass(frozen=True)
class Decision:
    """The decision under a stamp, and its time of arrival on this process's clock."""

    state: str
    zone: str
    arrived_s: float


class Car(Node):
    """Publishes the speed and keeps what the nodes publish, by stamp in nanoseconds."""

    def __init__(self) -> None:
        super().__init__('car')
        self.decisions: dict[int, Decision] = {}
        self.poses: set[int] = set()
        self.images: dict[int, float] = {}
        self.last_arrival_s = time.monotonic()
        qos = QoSProfile(depth=1000)
        self.create_subscription(DiagnosticArray, '/attention/decision', self._on_decision, qos)
        self.create_subscription(PoseWithCovarianceStamped, '/head_pose/head_pose', self._on_pose, qos)
        self.create_subscription(CameraInfo, '/camera/camera_info', self._on_info, qos)
        self._speed = self.create_publisher(TwistStamped, '/vehicle/twist', 10)
        self.replay = HeldReplay(self, '/camera/camera_info')
        self.create_timer(_SPEED_PERIOD_S, self._drive_on)

    @property
    def ready(self) -> bool:
        """Whether both nodes are there."""
        return (
            all(self.count_publishers(topic) for topic in ('/attention/decision', '/head_pose/head_pose'))
            and self.count_subscribers('/camera/image') > 0
        )

    def _drive_on(self) -> None:
        message = TwistStamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.twist.linear.x = _SPEED_MPS
        self._speed.publish(message)

    def _on_decision(self, message: DiagnosticArray) -> None:
        values = {pair.key: pair.value for pair in message.status[0].values}
        self.decisions.setdefault(stamp_ns(message), Decision(values['state'], values['zone'], time.monotonic()))

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        self.poses.add(stamp_ns(message))
        self.last_arrival_s = time.monotonic()

    def _on_info(self, message: CameraInfo) -> None:
        self.images[stamp_ns(message)] = self.last_arrival_s = time.monotonic()


def play(drive: Drive, model: str, rate: float) -> Car:
    """Runs the graph over a drive.

    Args:
        drive: the rendered drive.
        model: shipped name or .onnx file.
        rate: 1.0 for real time.

    Raises:
        RuntimeError: when a process ends early or does not come up, with where to look.
    """
    isolate_graph()
    transport.share_large_images()
    zones = json.loads((drive.folder / 'drive.json').read_text())['settings']['zones']
    rclpy.init(args=[])
    car, executor = Car(), SingleThreadedExecutor()
    executor.add_node(car)
    nodes = [
        _start('node', drive.folder, ['-r', 'image:=/camera/image', '-r', 'camera_info:=/camera/camera_info', '-p', f'model:={model}']),
        _start(
            'attention_node',
            drive.folder,
            [
                '-r',
                'head_pose:=/head_pose/head_pose',
                '-r',
                'head_poses:=/head_pose/head_poses',
                '-r',
                'speed:=/vehicle/twist',
                '-p',
                f'zones:={Path(zones).resolve()}',
                '-p',
                f'camera_elevation_deg:={float(drive.camera_elevation_deg)}',
            ],
        ),
    ]
    nodes_and_replay = [*nodes]
    try:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while not car.ready:
            _spin(executor, nodes)
            if time.monotonic() > deadline_s:
                raise RuntimeError(f'the nodes did not come up in {_START_TIMEOUT_S:.0f} s; see {drive.folder}/node.log')
        replay = _start('replay_node', drive.folder, ['-p', f'rate:={float(rate)}', *HELD], [str(drive.bag)])
        nodes_and_replay.append(replay)
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while replay.exit_status is None or time.monotonic() - car.last_arrival_s < _QUIET_S:
            if not car.replay.let_go() and time.monotonic() > deadline_s:
                raise RuntimeError(f'the replay was not found in {_START_TIMEOUT_S:.0f} s; see {drive.folder}/replay_node.log')
            _spin(executor, nodes)
        if replay.exit_status != 0:
            raise RuntimeError(f'the replay failed; see {drive.folder}/replay_node.log')
    finally:
        end_all(nodes_and_replay)
        executor.shutdown()
        car.destroy_node()
        rclpy.try_shutdown()
    return car


def decisions(drive: Drive, car: Car) -> list[dict[str, Any]]:
    """Returns the decision for every picture, in the form that evaluation.attention.recorded reads.

    The state of a picture without a decision is that of the last one before; its zone is unknown.
    """
    state, rows = 'unknown', []
    stamps = sorted(car.decisions)
    after = 0
    for k in range(len(drive.R_cam_head)):
        stamp_ns = round(drive.start_s) * 10**9 + round(k / drive.rate_hz * 1e9)
        while after < len(stamps) and stamps[after] <= stamp_ns:
            state = car.decisions[stamps[after]].state
            after += 1
        zone = car.decisions[stamp_ns].zone if stamp_ns in car.decisions else 'unknown'
        rows.append({'stamp_s': drive.start_s + k / drive.rate_hz, 'state': state, 'zone': zone})
    return rows


def _start(module: str, folder: Path, ros_arguments: Sequence[str], arguments: Sequence[str] = ()) -> ChildNode:
    return ChildNode(module, arguments, ros_arguments, folder / f'{module}.log')


def _spin(executor: SingleThreadedExecutor, nodes: Sequence[ChildNode]) -> None:
    executor.spin_once(timeout_sec=0.05)
    for node in nodes:
        if node.exit_status is not None:
            raise RuntimeError(f'a node ended early: {node.last_line}')


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 0 when the drive was played and decisions arrived."""
    parser = argparse.ArgumentParser(prog='attention_drive', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('drive', type=Path, help='folder of training.synthetic.recordings.attention')
    parser.add_argument('--model', default='c2f_edge')
    parser.add_argument('--rate', type=float, default=1.0, help='1.0 is real time')
    chosen = parser.parse_args(arguments)
    try:
        drive = load_drive(chosen.drive)
        car = play(drive, chosen.model, chosen.rate)
    except (RuntimeError, ValueError) as error:
        print(f'attention_drive: {error}', file=sys.stderr)
        return 1
    images = [s for s in car.images if s in car.decisions]
    latency_ms = [1e3 * (car.decisions[s].arrived_s - car.images[s]) for s in images]
    record = {
        'model': chosen.model,
        'rate': chosen.rate,
        'pictures': len(drive.R_cam_head),
        'sent': len(car.images),
        'with_pose': len(car.poses & set(car.images)),
        'decided': len(images),
        'latency_median_ms': round(float(np.median(latency_ms)), 1) if images else None,
        'latency_worst_ms': round(max(latency_ms), 1) if images else None,
    }
    print(json.dumps(record))
    if not images:
        print(f'attention_drive: nothing was decided; see {drive.folder}/attention_node.log', file=sys.stderr)
        return 1
    (drive.folder / GRAPH_FILE).write_text(json.dumps({**record, 'said': decisions(drive, car)}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
