"""Fuzzing without coverage: seeds changed at random, in this process. What the tests run, and where atheris does not install."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LONGEST_S = 5.0
"""Of computing, so that a busy machine does not count."""
_CORPUS = Path(__file__).parent / 'corpus'
_BYTES = (b'\0', b'\xff', b'\x7f', b'\x80', b'\0\0\0\0', b'\xff\xff\xff\xff', b'\x01\0\0\0', b'[', b'{', b'*', b'-', b'nan', b'9' * 20)


class DefectError(AssertionError):
    """An input that a target does not take; the text has the input."""


class _TooSlow(BaseException):
    """Not an Exception, so that nothing under test can swallow it."""


def starting_inputs(name: str) -> list[bytes]:
    """A target's seeds, and the inputs kept beside it: those that once broke it, and those that lead furthest."""
    kept = sorted((_CORPUS / name).glob('*'))
    return [*importlib.import_module(f'fuzz.{name}').seeds(), *(file.read_bytes() for file in kept)]


def modules_of(name: str) -> tuple[str, ...]:
    """A target's MODULES, read without importing it, because its imports must come under atheris's instrumentation."""
    spec = importlib.util.find_spec(f'fuzz.{name}')
    assert spec is not None and spec.origin is not None, f'no target {name}'
    return next(
        ast.literal_eval(node.value)
        for node in ast.parse(Path(spec.origin).read_text()).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'MODULES'
    )


def check_of(name: str) -> Callable[[bytes], None]:
    """A target's check."""
    return importlib.import_module(f'fuzz.{name}').check


def fuzz(name: str, seconds: float, seed: int = 0) -> int:
    """Checks the starting inputs once each, then changed ones until the time is over; returns how many were checked.

    Raises:
        DefectError: at the first input that the target does not take.
    """
    check = check_of(name)
    inputs, generator, count = starting_inputs(name), random.Random(seed), 0
    for data in inputs:
        with suppress(Exception):  # the first of each kind loads things, which is not the input's fault
            check(data)
        run(check, data)
        count += 1
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run(check, changed(generator.choice(inputs), inputs, generator))
        count += 1
    return count


def changed(data: bytes, others: list[bytes], generator: random.Random) -> bytes:
    """An input with one to eight changes: bytes flipped, put in, left out, doubled, cut off, or taken from another input."""
    made = bytearray(data)
    for _ in range(1 << generator.randrange(4)):
        at = generator.randrange(len(made) + 1)
        length = 1 << generator.randrange(8)
        kind = generator.randrange(7)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << generator.randrange(8)
        elif kind == 1 and at < len(made):
            made[at] = generator.randrange(256)
        elif kind == 2:
            odd = generator.choice(_BYTES)
            made[at : at + len(odd) * generator.randrange(2)] = odd
        elif kind == 3:
            del made[at : at + length]
        elif kind == 4:
            made[at:at] = made[at : at + length]
        elif kind == 5 and generator.randrange(4) == 0:
            del made[at:]
        else:
            other = generator.choice(others)
            start = generator.randrange(len(other) + 1)
            made[at : at + length * generator.randrange(2)] = other[start : start + length]
    return bytes(made)


def run(check: Callable[[bytes], None], data: bytes) -> None:
    """Checks one input.

    Raises:
        DefectError: if it is not taken, or not within five seconds of computing.
    """
    try:
        with _alarm():
            check(data)
    except (Exception, _TooSlow) as error:
        shown = data if len(data) <= 400 else data[:400] + b'...'
        raise DefectError(f'{type(error).__name__}: {error}; the input was {shown!r}') from error


@contextmanager
def _alarm() -> Iterator[None]:
    def too_slow(*_: Any) -> None:
        raise _TooSlow(f'took more than {LONGEST_S} s of computing')

    before = signal.signal(signal.SIGPROF, too_slow)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
