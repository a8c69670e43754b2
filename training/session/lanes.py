"""Runs commands beside each other in lanes; in each lane one follows another, and its result decides which."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Command:
    """A command of this project.

    Attributes:
        name: name of its log, without .log.
        arguments: the words after `python -m`.
        nice: its niceness, above 0 for work that must not slow down the GPU's.
        alone: whether the other lanes must stand still meanwhile, because it measures times.
    """

    name: str
    arguments: tuple[str, ...]
    nice: int = 0
    alone: bool = False


Steps = Generator[Command | None, int | None, None]
"""Yields the next command and receives its exit status; yields None to be asked again later."""


class Lane:
    """Commands that run one after another.

    Args:
        steps: yields the commands.
        logs: folder of the commands' output, NAME.log.
        environment: environment variables of the commands.
    """

    def __init__(self, steps: Steps, logs: Path, environment: Mapping[str, str]):
        self.steps, self.logs, self.environment = steps, logs, environment
        self.process: subprocess.Popen[bytes] | None = None
        self.command: Command | None = None
        self.done = self.held = False
        self._log: BinaryIO | None = None

    def advance(self) -> None:
        """Starts the next command if the present one has ended, unless the lane is held."""
        if self.held:
            return
        status = None
        if self.process is not None:
            status = self.process.poll()
            if status is None:
                return
            self._end()
        if self.done:
            return
        try:
            command = self.steps.send(status)
        except StopIteration:
            self.done = True
            return
        if command is not None:
            self._start(command)

    def _start(self, command: Command) -> None:
        self.command = command
        self.logs.mkdir(parents=True, exist_ok=True)
        self._log = open(self.logs / f'{command.name}.log', 'ab')  # noqa: SIM115
        print(f'{command.name}: python -m {" ".join(command.arguments)}', flush=True)
        self.process = subprocess.Popen(
            [sys.executable, '-m', *command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=dict(self.environment),
            preexec_fn=lambda: _begin(command.nice),  # this process has one thread
        )

    @property
    def alone(self) -> bool:
        """Whether the present command must run alone."""
        return self.process is not None and self.command is not None and self.command.alone

    def hold(self, held: bool) -> None:
        """Makes the present command and the processes that it started stand still, or go on."""
        if held != self.held and self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGSTOP if held else signal.SIGCONT)
        self.held = held

    def ask_to_stop(self) -> None:
        """Asks the present command to stop; a training then writes its checkpoint."""
        self.hold(False)
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self, until: float) -> None:
        """Waits for the present command until a time of `time.monotonic`, then kills it and the processes that it started."""
        self.done = True
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._end()

    def _end(self) -> None:
        assert self.process is not None and self._log is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # workers that outlive a command
        self.process = None
        self._log.close()


def _begin(nice: int) -> None:
    """In the new process: its own group, and SIGTERM when the process that started it dies."""
    os.setpgid(0, 0)
    os.nice(nice)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def last_line(log: Path) -> str:
    """The last line of a log, which in a failed command is the reason."""
    lines = log.read_text(errors='replace').strip().splitlines() if log.exists() else []
    return lines[-1][:300] if lines else 'no output'
