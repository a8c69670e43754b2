"""Measures the node as a user meets it: images through DDS into the node's own process, poses back.

    python -m c2f_head_pose.ros.measure.latency                                      every combination, half a minute each
    python -m c2f_head_pose.ros.measure.latency --video 640x480@30 --faces 1 --annotated off --seconds 300 --append docs/latency.jsonl

Publisher, node and subscriber share this machine. Each image is published best effort and stamped when it is sent; an answer counts
when it arrives here, so the time includes both ways through DDS. The processor's share of each stage comes from the node's own
diagnostics (time that its worker thread spent), the process's whole from the operating system: the rest is DDS and rclpy.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import re
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor

from ...provenance import commit, processor, usable_cores
from ...recordings.bagfile import BagError
from .. import transport
from ..child_node import ChildNode, end_all, isolate_graph
from .latency_frames import FACES, load_frames
from .latency_probe import Probe
from .process_usage import usage_of

SAMPLE = Path(__file__).parents[3] / 'sample' / 'head_motion'
STAGES = ('read', 'detect', 'crop', 'infer', 'decode', 'smooth', 'publish', 'draw')
_VIDEOS = ('640x480@60', '1280x720@30')
_START_TIMEOUT_S = 30.0
_DRAIN_S = 1.5  # the last diagnostics come within a second


@dataclass(frozen=True)
class Case:
    """What is sent.

    Attributes:
        video: WIDTHxHEIGHT@RATE.
        faces: number of faces in each image: 0, 1 or 5.
        annotated: somebody looks at the annotated image too.
    """

    video: str
    faces: int
    annotated: bool

    @property
    def parts(self) -> tuple[int, int, float]:
        """Width and height in pixels, images a second.

        Raises:
            ValueError: for a video that is not written so.
        """
        match = re.fullmatch(r'(\d+)x(\d+)@(\d+(?:\.\d+)?)', self.video)
        if match is None:
            raise ValueError(f'--video {self.video} cannot be read: write WIDTHxHEIGHT@RATE, such as {_VIDEOS[0]}')
        return int(match[1]), int(match[2]), float(match[3])


@dataclass
class Measurement:
    """What was seen.

    Attributes:
        case: the case that was sent.
        sent: images published.
        answered: images with an answer, face or none, under their own stamp and frame.
        posed: images with a head pose.
        faces: number of faces that the node found in the last image.
        annotated: annotated images that arrived.
        foreign: answers whose stamp or frame is of no image sent.
        latency_ms: 0th, 1st, ..., 100th percentile of publish to arrival of the answer: of the pose where there is one.
        dropped: images that the node did not answer, by cause, as it counts them itself.
        memory_mb: resident memory of the node's process without what it shares (the images in transit): after a fifth of the time,
            at the end, the most.
        cpu: shares of one core: 'node' whole, 'probe' (publisher and subscriber), and the node's stages.
        conditions: machine, load, versions, commit, arguments.
    """

    case: Case
    sent: int = 0
    answered: int = 0
    posed: int = 0
    faces: str = ''
    annotated: int = 0
    foreign: int = 0
    latency_ms: list[float] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)

    def row(self) -> str:
        """Formats the figures as a row of the table."""
        median, p99, worst = (f'{self.latency_ms[k]:.1f}' for k in (50, 99, 100)) if self.latency_ms else ('', '', '')
        missing = ', '.join(f'{count} {cause}' for cause, count in self.dropped.items()) or '-'
        stages = (f'{self.cpu.get(stage, 0.0):.0f}' for stage in (*STAGES, 'rest'))
        cells = (
            self.case.video,
            self.case.faces,
            'on' if self.case.annotated else 'off',
            f'{self.answered} of {self.sent}',
            missing,
            median,
            p99,
            worst,
            f'{self.cpu.get("node", 0.0):.0f}',
            *stages,
        )
        return f'| {" | ".join(map(str, cells))} |'


def header() -> str:
    """Returns the table's head; times are in milliseconds, shares in per cent of a core."""
    names = ('video', 'faces', 'annotated', 'answered', 'not answered', 'median', 'p99', 'worst', 'node %', *STAGES, 'rest')
    return f'| {" | ".join(names)} |\n|{"---|" * len(names)}'


def measure(case: Case, images: Path, seconds: float, node_arguments: list[str]) -> Measurement:
    """Runs the node in its own process and sends it images.

    Args:
        case: the case to send.
        images: a bag or a folder of pictures.
        seconds: length, seconds.
        node_arguments: ROS arguments of the node.

    Raises:
        BagError: for a recording that cannot be read.
        RuntimeError: when the node does not come up or ends, with where to look.
    """
    width, height, rate_hz = case.parts
    frames = load_frames(images, width, height, case.faces)
    child = ChildNode('node', ros_arguments=node_arguments)
    rclpy.init(args=[])
    probe, executor, seen = Probe(frames, rate_hz, case.annotated), SingleThreadedExecutor(), Measurement(case)
    executor.add_node(probe.node)
    try:
        start = time.monotonic()
        while not probe.matched:
            if child.exit_status is not None or time.monotonic() - start > _START_TIMEOUT_S:
                raise RuntimeError('the node does not come up; start it alone to see why: head_pose_node')
            executor.spin_once(timeout_sec=0.05)
        sender = threading.Thread(target=probe.send, args=(seconds,), daemon=True)
        begun, node_s, probe_s = time.monotonic(), usage_of(child.pid).cpu_s, time.process_time()
        memory_mb: list[float] = []
        sender.start()
        while sender.is_alive():
            executor.spin_once(timeout_sec=0.05)
            if child.exit_status is not None:
                raise RuntimeError(f'the node ended with status {child.exit_status}; its output is above')
            if time.monotonic() - begun >= len(memory_mb):
                memory_mb.append(usage_of(child.pid).own_mb)
        taken_s = time.monotonic() - begun
        seen.cpu = {'node': 100 * (usage_of(child.pid).cpu_s - node_s) / taken_s, 'probe': 100 * (time.process_time() - probe_s) / taken_s}
        seen.cpu |= _shares(probe.diagnostics, seen.cpu['node'])
        seen.memory_mb = [memory_mb[len(memory_mb) // 5], memory_mb[-1], max(memory_mb)]
        drained = time.monotonic() + _DRAIN_S
        while time.monotonic() < drained:
            executor.spin_once(timeout_sec=0.05)
        _fill(seen, probe)
    finally:
        end_all([child])
        executor.shutdown()
        probe.node.destroy_node()
        rclpy.try_shutdown()
    return seen


def _fill(seen: Measurement, probe: Probe) -> None:
    last = probe.diagnostics[-1] if probe.diagnostics else {}
    seen.sent, seen.answered, seen.posed = len(probe.sent), len(probe.answers), len(probe.poses)
    seen.annotated, seen.foreign, seen.faces = probe.annotated, probe.foreign, last.get('faces', '')
    seen.dropped = {key.removeprefix('dropped: '): int(value) for key, value in last.items() if key.startswith('dropped: ')}
    if (unexplained := seen.sent - seen.answered - sum(seen.dropped.values())) > 0:
        seen.dropped['unexplained'] = unexplained
    latency_ms = [
        (probe.poses.get(stamp, probe.answers[stamp]) - at_ns) / 1e6 for stamp, (at_ns, _) in probe.sent.items() if stamp in probe.answers
    ]
    if latency_ms:
        seen.latency_ms = np.percentile(latency_ms, np.arange(101)).round(2).tolist()


def _shares(diagnostics: list[dict[str, str]], whole: float) -> dict[str, float]:
    """Per cent of a core of each stage, the mean over the node's diagnostics; 'rest' is what no stage accounts for."""
    rows = [values for values in diagnostics if f'stage {STAGES[0]} (% of a core)' in values]
    if not rows:
        return {}
    shares = {stage: float(np.mean([float(values[f'stage {stage} (% of a core)']) for values in rows])) for stage in STAGES}
    return shares | {'rest': max(whole - sum(shares.values()), 0.0)}


def _conditions(options: argparse.Namespace, load_before: float) -> dict[str, str]:
    return {
        'processor': f'{processor()} ({usable_cores()} cores)',
        'python': platform.python_version(),
        'load before and after': f'{load_before:.1f}, {os.getloadavg()[0]:.1f}',
        'seconds': f'{options.seconds:g}',
        'images': options.images.name,
        'node arguments': ' '.join(options.node_arguments) or 'none',
        'commit': commit() or '',
        'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints; 0 when every image was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, default=SAMPLE, help='a bag or a folder of pictures with one face each')
    parser.add_argument('--video', nargs='+', default=_VIDEOS, metavar='WIDTHxHEIGHT@RATE', help=f'(default: {" ".join(_VIDEOS)})')
    parser.add_argument('--faces', nargs='+', type=int, default=[1, 5], choices=FACES, help='in each image (default: 1 5)')
    parser.add_argument(
        '--annotated',
        nargs='+',
        default=['off', 'on'],
        choices=['off', 'on'],
        help='whether somebody looks at ~/image_annotated (default: off on)',
    )
    parser.add_argument('--seconds', type=float, default=30.0, help='of each combination')
    parser.add_argument('--append', type=Path, help='adds everything measured to this file, a line of JSON each')
    parser.add_argument('node_arguments', nargs='*', help="the node's ROS arguments, after --, such as: -- -p threads:=2")
    options = parser.parse_args(arguments)
    isolate_graph(keep_domain=True)
    transport.share_large_images()
    all_answered = True
    for number, (video, faces, annotated) in enumerate(itertools.product(options.video, options.faces, options.annotated)):
        load = os.getloadavg()[0]
        try:
            seen = measure(Case(video, faces, annotated == 'on'), options.images, options.seconds, options.node_arguments)
        except (BagError, RuntimeError, ValueError) as error:
            print(f'latency: {error}', file=sys.stderr)
            return 1
        seen.conditions = _conditions(options, load)
        if number == 0:
            print(', '.join(f'{name} {value}' for name, value in seen.conditions.items()), end=f'\n\n{header()}\n')
        print(seen.row(), flush=True)
        if options.append:
            with options.append.open('a') as file:
                file.write(json.dumps(asdict(seen)) + '\n')
        all_answered &= seen.answered == seen.sent
    return 0 if all_answered else 2


if __name__ == '__main__':
    sys.exit(main())
