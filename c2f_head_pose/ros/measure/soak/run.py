"""Runs one part of a soak: the node in its own process, the camera, the driver, and a sample every few seconds."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from visualization_msgs.msg import MarkerArray

from ....files import stamp_ns
from ...child_node import ChildNode
from ...process import Interrupt
from ..latency_frames import load_frames
from ..process_usage import Usage, usage_of
from . import samples
from .camera import Account, Camera
from .driver import Driver, Record
from .plan import events
from .samples import Sample

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Settings:
    """What a folder's runs have in common; another needs another folder.

    Attributes:
        images: the recording.
        rate_hz: images a second.
        seed: seed of the events.
        pace: pace of the events.
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
        soaked_s: seconds of the runs before this one.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Reads what is there; starts nothing.

        Args:
            settings: the folder's settings.
            folder: exists.
        """
        self.ended = ''
        self._settings = settings
        self._folder = folder
        before = samples.read(folder / 'samples.csv', Sample)
        self._run = 1 + max((sample.run for sample in before), default=0)
        self.soaked_s = before[-1].at_s if before else 0.0
        self._account = Account()

    def run(self, until_s: float, interrupt: Interrupt) -> None:
        """Runs the soak.

        Args:
            until_s: seconds of all runs of this folder.
            interrupt: ends it early.
        """
        frames = load_frames(Path(self._settings.images), 640, 480, faces=1)
        neutral = ['-p', f'neutral_folder:={(self._folder / "neutral").resolve()}']
        child = ChildNode('node', ros_arguments=neutral, log=self._folder / f'node-{self._run}.log')
        node, executor = rclpy.create_node('soak'), SingleThreadedExecutor()
        executor.add_node(node)
        node.create_subscription(MarkerArray, 'head_pose/markers', self._on_answer, QoSProfile(depth=100))
        camera = Camera(node, frames, self._settings.rate_hz, self._account)
        plan = (event for event in events(self._settings.seed, self._settings.pace) if event.at_s >= self.soaked_s)
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
        self._account.answer(stamp_ns(message.markers[0]))

    def _comes_up(self, node: Any, executor: Any, camera: Camera, child: ChildNode, interrupt: Interrupt) -> bool:
        start_s = time.monotonic()
        while not (camera.matched and node.count_publishers('head_pose/markers')):
            executor.spin_once(timeout_sec=0.05)
            if child.exit_status is not None or time.monotonic() - start_s > _START_TIMEOUT_S:
                self.ended = f'run {self._run}: the node did not come up; see node-{self._run}.log'
                return False
            if interrupt:
                return False
        return True

    def _soak(self, until_s: float, interrupt: Interrupt, executor: Any, driver: Driver, child: ChildNode) -> None:
        start_s = time.monotonic()
        before, next_s = usage_of(child.pid), self._settings.period_s
        while not interrupt:
            executor.spin_once(timeout_sec=0.05)
            run_s = time.monotonic() - start_s
            if child.exit_status is not None:
                self.ended = f'run {self._run}: the node ended by itself with status {child.exit_status} after {run_s:.0f} s'
                return
            driver.step(self.soaked_s + run_s)
            if run_s >= next_s:
                usage = usage_of(child.pid)
                self._keep_sample(run_s, driver.action, before, usage, run_s - next_s + self._settings.period_s)
                before, next_s = usage, run_s + self._settings.period_s
            if self.soaked_s + run_s >= until_s:
                return

    def _keep_sample(self, run_s: float, action: str, before: Usage, usage: Usage, seconds: float) -> None:
        interval = self._account.take()
        samples.append(
            self._folder / 'samples.csv',
            Sample(
                self.soaked_s + run_s,
                self._run,
                action,
                usage.memory_mb,
                usage.own_mb,
                usage.mapped_mb,
                usage.threads,
                usage.handles,
                (usage.cpu_s - before.cpu_s) / seconds,
                interval.sent,
                interval.answered,
                *interval.latency_ms,
                os.getloadavg()[0],
            ),
        )

    def _keep_event(self, record: Record) -> None:
        samples.append(self._folder / 'events.csv', record)
        how = record.problem or f'answered again after {record.recovery_s:.2f} s'
        print(f'{record.at_s:8.1f} s  {record.action:20s} {how}', flush=True)

    def _end(self, child: ChildNode) -> None:
        child.interrupt()
        status = child.wait(_END_TIMEOUT_S)
        if status is None:
            self.ended = self.ended or f'run {self._run}: the node did not end within {_END_TIMEOUT_S:g} s of SIGINT'
        elif status != 0:
            self.ended = self.ended or f'run {self._run}: the node ended with status {status}'
