"""Soaks the node for hours: `python -m c2f_head_pose.ros.soak --hours 2 --output soak_out`.

The node runs as its own process and is sent the recording over and over at 30 Hz, while at random (by a seed) its camera is lost and
replaced, stamps jump, parameters change, it is disabled, deactivated, cleaned up and brought back. Memory, threads, file handles and
latency are kept every few seconds. Broken off, the same command goes on where it was. Exit status 0: nothing wrong, 1: something
grew beyond 2 %, went wrong, or is in the log, 130: broken off.
"""
from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from visualization_msgs.msg import MarkerArray

from ...evaluation.environment import environment
from .. import transport
from ..latency import load_frames
from ..process_usage import Usage, usage_of
from ..recording import RecordingError
from ..running import Interrupt
from . import report, samples
from .camera import Account, Camera
from .driver import Driver, Record
from .plan import events
from .samples import Sample

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 15.0
_KEPT_PERIOD_S = 30.0


@dataclass(frozen=True)
class Settings:
    """What a folder's runs have in common; another needs another folder.

    Attributes:
        images: the recording.
        rate_hz: images a second.
        seed: of the events.
        pace: of the events.
        period_s: between samples.
    """

    images: str
    rate_hz: float
    seed: int
    pace: float
    period_s: float


class Soak:
    """One run, from where the folder's runs before it ended.

    Attributes:
        ended: why it ended too early; empty if it did not.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Reads what is there; starts nothing.

        Args:
            settings: of the folder.
            folder: exists.
        """
        self.ended = ''
        self._settings = settings
        self._folder = folder
        before = samples.read(folder / 'samples.csv', Sample)
        self._run = 1 + max((sample.run for sample in before), default=0)
        self._before_s = before[-1].at_s if before else 0.0
        self._account = Account()

    def run(self, until_s: float, interrupt: Interrupt) -> None:
        """Soaks.

        Args:
            until_s: seconds of all runs of this folder.
            interrupt: ends it early.
        """
        frames = load_frames(Path(self._settings.images), 640, 480)
        with open(self._folder / f'node-{self._run}.log', 'w') as log:
            child = subprocess.Popen([sys.executable, '-m', 'c2f_head_pose.ros.node', '--ros-args', '-p',
                                      f'neutral_folder:={(self._folder / "neutral").resolve()}'], stdout=log, stderr=subprocess.STDOUT)
        node, executor = rclpy.create_node('soak'), SingleThreadedExecutor()
        executor.add_node(node)
        node.create_subscription(MarkerArray, 'head_pose/markers', self._on_answer, QoSProfile(depth=100))
        camera = Camera(node, frames, self._settings.rate_hz, self._account)
        plan = (event for event in events(self._settings.seed, self._settings.pace) if event.at_s >= self._before_s)
        driver = Driver(node, camera, self._account, plan, self._keep_event)
        try:
            if self._comes_up(node, executor, camera, child, interrupt):
                camera.start()
                self._account.undisturbed = True
                self._soak(until_s, interrupt, executor, driver, child)
        finally:
            camera.stop()
            self._end(child)
            executor.shutdown()
            node.destroy_node()

    @property
    def undisturbed(self) -> tuple[int, int]:
        """Images sent and answered in this run while nothing else happened."""
        return self._account.undisturbed_sent, self._account.undisturbed_answered

    def _on_answer(self, message: MarkerArray) -> None:
        stamp = message.markers[0].header.stamp
        self._account.answer(stamp.sec * 10**9 + stamp.nanosec)

    def _comes_up(self, node: Any, executor: Any, camera: Camera, child: subprocess.Popen, interrupt: Interrupt) -> bool:
        start_s = time.monotonic()
        while not (camera.matched and node.count_publishers('head_pose/markers')):
            executor.spin_once(timeout_sec=0.05)
            if child.poll() is not None or time.monotonic() - start_s > _START_TIMEOUT_S:
                self.ended = f'run {self._run}: the node did not come up; see node-{self._run}.log'
                return False
            if interrupt:
                return False
        return True

    def _soak(self, until_s: float, interrupt: Interrupt, executor: Any, driver: Driver, child: subprocess.Popen) -> None:
        start_s = time.monotonic()
        before, next_s = usage_of(child.pid), self._settings.period_s
        while not interrupt:
            executor.spin_once(timeout_sec=0.05)
            run_s = time.monotonic() - start_s
            if child.poll() is not None:
                self.ended = f'run {self._run}: the node ended by itself with {child.returncode} after {run_s:.0f} s'
                return
            driver.step(self._before_s + run_s)
            if run_s >= next_s:
                usage = usage_of(child.pid)
                self._keep_sample(run_s, driver.action, before, usage, run_s - next_s + self._settings.period_s)
                before, next_s = usage, run_s + self._settings.period_s
            if self._before_s + run_s >= until_s:
                return

    def _keep_sample(self, run_s: float, action: str, before: Usage, usage: Usage, seconds: float) -> None:
        interval = self._account.take()
        samples.append(self._folder / 'samples.csv', Sample(
            self._before_s + run_s, self._run, action, usage.memory_mb, usage.own_mb, usage.threads, usage.handles,
            (usage.cpu_s - before.cpu_s) / seconds, interval.sent, interval.answered, *interval.latency_ms, os.getloadavg()[0]))

    def _keep_event(self, record: Record) -> None:
        samples.append(self._folder / 'events.csv', record)
        how = record.problem or f'answered again after {record.recovery_s:.2f} s'
        print(f'{record.at_s:8.1f} s  {record.action:20s} {how}', flush=True)

    def _end(self, child: subprocess.Popen) -> None:
        child.send_signal(signal.SIGINT)
        try:
            status = child.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            self.ended = self.ended or f'run {self._run}: the node did not end within {_END_TIMEOUT_S:g} s of SIGINT'
            return
        if status != 0:
            self.ended = self.ended or f'run {self._run}: the node ended with {status}'


def open_folder(folder: Path, settings: Settings) -> dict[str, Any]:
    """What the folder keeps of its settings and runs, made if it is new.

    Raises:
        ValueError: for a folder of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'soak.json'
    if not path.exists():
        return {'settings': asdict(settings), 'runs': []}
    kept = json.loads(path.read_text())
    if kept['settings'] != asdict(settings):
        raise ValueError(f'{folder} was begun with {kept["settings"]}; go on with these, or name another --output')
    return kept


def write_report(folder: Path, kept: dict[str, Any]) -> report.Verdict:
    """Judges everything in a folder; writes report.md, soak.png and thinned.csv (a row each half minute)."""
    rows, records = samples.read(folder / 'samples.csv', Sample), samples.read(folder / 'events.csv', Record)
    logs = sorted(folder.glob('node-*.log'), key=lambda log: int(log.stem.partition('-')[2]))
    runs = kept['runs']
    verdict = report.judge(rows, records, logs, [run['ended'] for run in runs if run['ended']])
    undisturbed = sum(run['undisturbed'][0] for run in runs), sum(run['undisturbed'][1] for run in runs)
    machine = runs[-1]['environment']
    loads = [sample.load for sample in rows] or [0.0]
    conditions = (f'`{runs[-1]["command"]}`, {machine["processor"]}, {machine["cores"]} cores, load {min(loads):.1f} to {max(loads):.1f}, '
                  f'Python {machine["python"]}, commit {machine["commit"]}')
    (folder / 'report.md').write_text(report.page(verdict, rows, records, undisturbed, conditions))
    (folder / 'thinned.csv').unlink(missing_ok=True)
    for sample in samples.thin(rows, _KEPT_PERIOD_S):
        samples.append(folder / 'thinned.csv', sample)
    if rows:
        report.plot(rows, records, folder / 'soak.png')
    return verdict


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog='python -m c2f_head_pose.ros.soak', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--hours', type=float, default=2.0, help='of all runs into this folder')
    parser.add_argument('--output', type=Path, default=Path('soak_out'))
    parser.add_argument('--images', default='sample/head_motion', help='a bag or a folder of pictures')
    parser.add_argument('--rate', type=float, default=30.0, help='images a second')
    parser.add_argument('--seed', type=int, default=1, help='of the events')
    parser.add_argument('--pace', type=float, default=1.0, help='of the events: 2 has them happen twice as fast')
    parser.add_argument('--period', type=float, default=5.0, help='seconds between samples')
    options = parser.parse_args(arguments)
    settings = Settings(options.images, options.rate, options.seed, options.pace, options.period)
    os.environ.setdefault('ROS_DOMAIN_ID', str(random.SystemRandom().randint(1, 101)))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    transport.share_large_images()
    interrupt = Interrupt()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        kept = open_folder(options.output, settings)
        soak = Soak(settings, options.output)
        soak.run(3600 * options.hours, interrupt)
    except (RecordingError, ValueError) as error:
        print(f'soak: {error}', file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
        interrupt.restore()
    command = shlex.join(['python', '-m', 'c2f_head_pose.ros.soak', *(sys.argv[1:] if arguments is None else arguments)])
    kept['runs'].append({'command': command, 'ended': soak.ended, 'undisturbed': soak.undisturbed,
                         'environment': environment('c2f_edge', None, 'cpu', 1)})
    (options.output / 'soak.json').write_text(json.dumps(kept, indent=1) + '\n')
    verdict = write_report(options.output, kept)
    print((options.output / 'report.md').read_text(), end='')
    print(f'{options.output}/report.md, soak.png, samples.csv, events.csv, node-*.log')
    return 1 if verdict.failed else 130 if interrupt else 0


if __name__ == '__main__':
    sys.exit(main())
