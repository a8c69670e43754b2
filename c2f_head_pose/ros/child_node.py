"""Runs nodes of this package as child processes, as `make demo` and the measurements do."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_END_TIMEOUT_S = 10.0


class ChildNode:
    """A node of this package in its own process.

    Attributes:
        log: file that receives the node's output; None where the output goes to this process's own.
    """

    def __init__(self, module: str, arguments: Sequence[str] = (), ros_arguments: Sequence[str] = (), log: Path | None = None) -> None:
        """Starts the process.

        Args:
            module: module below c2f_head_pose.ros, such as 'node'.
            arguments: arguments of the command line.
            ros_arguments: arguments that follow --ros-args.
            log: file for the node's output; replaced if it exists.

        Raises:
            OSError: when the log cannot be written.
        """
        self.log = log
        command = [sys.executable, '-m', f'c2f_head_pose.ros.{module}', *arguments]
        if ros_arguments:
            command += ['--ros-args', *ros_arguments]
        if log is None:
            self._process = subprocess.Popen(command)
            return
        with log.open('w') as stream:
            self._process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The process's exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def last_line(self) -> str:
        """The last line of the log, with the log's path; for messages."""
        if self.log is None:
            return 'see its output above'
        lines = self.log.read_text(errors='replace').strip().splitlines()
        return f'{lines[-1] if lines else "the log is empty"} (log: {self.log})'

    def interrupt(self) -> None:
        """Sends SIGINT, which ends a node in an orderly way, unless the process has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self, timeout_s: float = _END_TIMEOUT_S) -> int | None:
        """Waits for the end of the process after `interrupt`.

        Args:
            timeout_s: a process that runs longer is killed, seconds.

        Returns:
            The exit status; None when the process was killed.
        """
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None


def end_all(children: Sequence[ChildNode]) -> None:
    """Interrupts all children, then waits for each; a child that does not end in 10 seconds is killed."""
    for child in children:
        child.interrupt()
    for child in children:
        child.wait()


def isolate_graph(keep_domain: bool = False) -> None:
    """Puts this process and its children into a random ROS domain on this machine only, so that no other nodes take part.

    Args:
        keep_domain: keep a domain and a discovery range that the user has set.
    """
    # The range came with Iron, which warns that ROS_LOCALHOST_ONLY is deprecated.
    humble = os.environ.get('ROS_DISTRO') == 'humble'
    this_machine = ('ROS_LOCALHOST_ONLY', '1') if humble else ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    for variable, value in (('ROS_DOMAIN_ID', str(random.SystemRandom().randint(1, 99))), this_machine):
        if not (keep_domain and variable in os.environ):
            os.environ[variable] = value
