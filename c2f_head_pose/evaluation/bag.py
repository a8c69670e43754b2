"""The command `evaluate_bag`."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Any

from ..models.registry import ModelError
from . import results
from .command_line import parse, prepare
from .jobs import evaluate_all
from .result_files import remove_results
from .verdict import INTERRUPTED, NOTHING, conclude


def main(arguments: list[str] | None = None) -> int:
    """Runs the command `evaluate_bag`; returns its exit code."""
    chosen, options = parse(arguments)
    command = ['evaluate_bag', *(sys.argv[1:] if arguments is None else arguments)]
    try:
        baseline = prepare(chosen)
        chosen.output.mkdir(parents=True, exist_ok=True)
        if len(chosen.bag) > 1 and results.is_result(chosen.output):  # else it would be that of one recording and of all
            remove_results(chosen.output)
        with sigterm_interrupts():
            done = evaluate_all(chosen.bag, chosen.output, options, chosen.jobs)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ModelError, ValueError, OSError) as error:
        print(f'evaluate_bag: {error}', file=sys.stderr)
        return NOTHING
    return conclude(done, chosen.output, command, baseline, chosen.fail_if)


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Makes SIGTERM raise KeyboardInterrupt, as SIGINT does."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(signal_number: int, frame: Any) -> None:
    raise KeyboardInterrupt


if __name__ == '__main__':
    sys.exit(main())
