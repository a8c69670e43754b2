"""Prints the paper's tables beside ours: `python -m training.tables N`.

Without options it prints the paper's figures and those in training/results. --run first trains and tests the rows on --data; --scale
chooses smaller networks and trainings, whose figures compare rows with each other and never replace those of a larger scale. --tiny
only tests the code, on stand-in heads, and writes nothing into training/results. Cells without data show 'not run', and the error
output has the steps to get the data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .command import Renamed, add_threads_option, exits_with_message, natural, positive_float, positive_int, use_threads
from .evaluation import results
from .evaluation.results import Figure, command_of
from .evaluation.table_text import show
from .loop.loader import keep_freed_memory
from .paper import experiments
from .paper.experiments import SCALES
from .paper.published import TABLES
from .studies.table_rows import TableRunner, waiting
from .synthetic import stand_in

ONLY_WITH_RUN = ('scale', 'rows', 'seeds', 'data', 'robustness', 'minutes', 'workers')
"""Options that mean something with --run alone."""


def without_rows(arguments: Sequence[str]) -> list[str]:
    """A command's arguments without --rows and what follows it: each figure's command names its own row."""
    kept, skipping = [], False
    for argument in arguments:
        skipping = argument.partition('=')[0] == '--rows' or (skipping and not argument.startswith('--'))
        kept += [] if skipping else [argument]
    return kept


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.tables', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('number', type=int, choices=sorted(TABLES))
    way = parser.add_mutually_exclusive_group()
    way.add_argument('--run', action='store_true', help='train and test the rows, then print the table')
    way.add_argument('--tiny', action='store_true', help='only test the code, on stand-in heads')
    parser.add_argument('--scale', choices=('full', 'medium', 'small'), help='with --run: size of networks and trainings (default full)')
    parser.add_argument('--small', action=Renamed, new='--scale small', dest='scale', nargs=0, const='small')
    parser.add_argument('--merge', type=Path, metavar='FOLDER', help="first take the figures of another folder's csv files")
    parser.add_argument('--waiting', action='store_true', help="write 'not run' into every cell without a figure")
    parser.add_argument('--rows', nargs='+', metavar='ROW', help="with --run: only these of the table's rows")
    parser.add_argument('--seeds', type=positive_int, help="with --run: at most this many trainings of a row (default the scale's number)")
    parser.add_argument('--data', nargs='+', help='rendered training sets')
    parser.add_argument('--robustness', type=Path, help="folder of the renderer's robustness presets")
    parser.add_argument('--out', type=Path, default=Path('runs/tables'))
    parser.add_argument('--minutes', type=positive_float, help='time budget of each training')
    parser.add_argument('--workers', type=natural, default=0, help='processes that load batches ahead, on a CPU')
    add_threads_option(parser)
    parser.add_argument('--results', type=Path, help='folder of the csv files (default training/results)')
    parser.add_argument('--device', default='auto')
    args = parser.parse_args(arguments)
    if unused := [f'--{name}' for name in ONLY_WITH_RUN if getattr(args, name) and not args.run]:
        parser.error(f'{", ".join(unused)}: only with --run')
    if args.tiny and args.waiting:
        parser.error('--tiny writes nothing into training/results, --waiting does')
    keep_freed_memory()
    use_threads(args.threads)
    if args.tiny:
        with tempfile.TemporaryDirectory() as folder:
            print(show(args.number, run_tiny(args.number, Path(folder)), tiny=True))
        return
    if args.merge:
        results.write(results.read(args.number, args.merge), args.results)
    if args.waiting:
        results.write(waiting(args.number), args.results)
    if args.run:
        if not args.data:
            parser.error('--run needs --data')
        scale = SCALES[args.scale or 'full']
        rows = experiments.of_table(args.number, scale)
        if unknown := sorted(set(args.rows or ()) - {row.row for row in rows}):
            parser.error(f'--rows {", ".join(unknown)}: table {args.number} has {"; ".join(row.row for row in rows)}')
        folder = args.out / scale.name
        command = command_of('training.tables', without_rows(sys.argv[1:] if arguments is None else arguments))
        runner = TableRunner(args.data, args.robustness, folder, scale, args.minutes, args.device, command, args.workers, args.seeds)
        for experiment in (row for row in rows if not args.rows or row.row in args.rows):
            for figures in runner.run_seeds(experiment):
                results.write(figures, args.results)
    print(show(args.number, results.read(args.number, args.results), tiny=False))


def run_tiny(number: int, folder: Path) -> list[Figure]:
    """Runs all rows of a table on stand-in heads, two iterations each."""
    stand_in.write(folder / 'heads', 40, 96, limits_deg=(30, 30, 15))
    for name in {test for e in experiments.of_table(number) for test in e.tests} & set(experiments.ROBUSTNESS):
        stand_in.write(folder / 'robust' / name, 16, 96, seed=1, limits_deg=(30, 30, 15), conditions=('a', 'b'))
    runner = TableRunner([str(folder / 'heads')], folder / 'robust', folder / 'runs', SCALES['tiny'], device='cpu')
    return [figure for experiment in experiments.of_table(number) for figure in runner.run(experiment)]


if __name__ == '__main__':
    sys.exit(main())
