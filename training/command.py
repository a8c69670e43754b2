"""Helpers for command lines: range-checked arguments, renamed options; a user's mistake prints one line and exits with 2."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

Main = Callable[[list[str] | None], int | None]


def exits_with_message(*mistakes: type[Exception]) -> Callable[[Main], Main]:
    """Decorates a command: for these exceptions it prints `error: ...` and returns 2 instead of showing a traceback.

    Args:
        mistakes: exceptions whose cause the user can remove, such as a missing file.
    """

    def decorate(main: Main) -> Main:
        @wraps(main)
        def guarded(arguments: list[str] | None = None) -> int | None:
            try:
                return main(arguments)
            except mistakes as error:
                print(f'error: {error}', file=sys.stderr)
                return 2

        return guarded

    return decorate


def _number(kind: Callable[[str], float], words: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and fits(value)):
            raise argparse.ArgumentTypeError(f'{text} is not {words}')
        return value

    return read


positive_int = _number(int, 'a whole number of at least 1', lambda value: value >= 1)
natural = _number(int, 'a whole number of at least 0', lambda value: value >= 0)
positive_float = _number(float, 'a number above 0', lambda value: value > 0)
not_negative = _number(float, 'a number of at least 0', lambda value: value >= 0)
share = _number(float, 'a number from 0 to 1', lambda value: 0 <= value <= 1)
half_turn = _number(float, 'a number of degrees from 0 to 180', lambda value: 0 <= value <= 180)
"""Argument types for argparse: each refuses values outside of its range."""


class Renamed(argparse.Action):
    """An option under its old name: prints the new name and stores the value there; with nargs=0 that is `const`."""

    def __init__(self, *args: Any, new: str, **kwargs: Any):
        super().__init__(*args, help=argparse.SUPPRESS, default=argparse.SUPPRESS, **kwargs)
        self.new = new

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        """Called by argparse for each use of the option."""
        print(f'{option} is deprecated: use {self.new}', file=sys.stderr)
        setattr(namespace, self.dest, self.const if self.nargs == 0 else values)


def add_workers_option(parser: argparse.ArgumentParser) -> None:
    """Adds --workers, the processes that load batches for training on a CPU, and its old name --feeders."""
    parser.add_argument('--workers', type=natural, default=0, help='processes that load and augment batches ahead of training on a CPU')
    parser.add_argument('--feeders', action=Renamed, new='--workers', dest='workers', type=natural)


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Adds --threads, for `use_threads`."""
    parser.add_argument('--threads', type=positive_int, help='CPU threads of PyTorch and OpenCV (default: one per core)')


def use_threads(count: int | None) -> None:
    """Sets the CPU threads of PyTorch and OpenCV; None leaves them as they are."""
    if count is None:
        return
    import cv2
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)
