"""Runs a node as a process: handles signals, spins, and ends in order."""

from __future__ import annotations

import gc
import re
import signal
import sys
import threading
from collections.abc import Callable
from itertools import takewhile
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from .. import memory
from ..parameters import DECIMAL_POINTS
from . import transport

_SPIN_S = 0.1
_MIXED = 'Sequence should be of same type'
"""Of rcl, about a list such as [0.15, 0]."""


class Interrupt:
    """Whether SIGINT or SIGTERM came. A second one ends the process at once."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}

    def __bool__(self) -> bool:
        return self._came.is_set()

    def restore(self) -> None:
        """Puts the former handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _: Any) -> None:
        self._came.set()
        signal.signal(number, signal.SIG_DFL)


def run(
    make_node: Callable[[], Any],
    start: Callable[[Any], Any],
    args: list[str] | None = None,
    finished: Callable[[Any], bool] = lambda _: False,
    about: str = '',
) -> int:
    """Runs one node until a signal, or until it has finished.

    The context outlives the signal (rclpy's own handlers would end it at once), so the node can take back what it published.

    Args:
        make_node: makes the node, after rclpy.init.
        start: called with the node before it spins.
        args: the command line; sys.argv by default.
        finished: asked with the node between callbacks.
        about: what -h or --help prints, without starting the node; empty for a command that reads its arguments itself.

    Returns:
        Exit status: 0 or the node's own `exit_status`; 1 when ROS refused the command line or the node could not be made, with the reason
        on stderr.
    """
    own = takewhile(lambda word: word != '--ros-args', sys.argv if args is None else args)
    if about and {'-h', '--help'} & set(own):
        print(about)
        return 0
    interrupt = Interrupt()
    memory.keep_image_memory()
    transport.share_large_images()
    node = None
    try:
        try:
            _init(args)
            node = make_node()
        except ValueError as error:
            print(f'error: {error}', file=sys.stderr)
            return 1
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        start(node)
        while not interrupt and not finished(node):
            executor.spin_once(timeout_sec=_SPIN_S)
        executor.shutdown()
        return getattr(node, 'exit_status', 0)
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        interrupt.restore()
        # All is done; without a last collection of everything imported the process ends in a third of the time, which on a busy
        # machine decides whether launch, after five seconds, ends it by SIGTERM.
        gc.freeze()


def _init(args: list[str] | None) -> None:
    """Begins ROS; raises ValueError for a command line or params file that it refuses, without the places in its source."""
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rclpy has no public class for those of rcl
        reason = re.sub(r', at \S+:\d+', '', str(error))
        raise ValueError(f'ROS does not start: {reason}' + (f'; {DECIMAL_POINTS}' if _MIXED in reason else '')) from error
