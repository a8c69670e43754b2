"""The command `evaluate_bag`."""

from __future__ import annotations

import sys

from ..interruption import sigterm_interrupts
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
            return conclude(done, chosen.output, command, baseline, chosen.fail_if)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ModelError, ValueError, OSError) as error:
        print(f'evaluate_bag: {error}', file=sys.stderr)
        return NOTHING


if __name__ == '__main__':
    sys.exit(main())
