"""Measures a run's error over the samples it has seen: `python -m training.studies.learning_curve RUN --data FOLDER ...`.

Evaluates the checkpoints that a run has kept (step_N.pt) and its last one (final.pt) on people whom it has never seen, disturbed as in
training. A kept checkpoint is the average of the weights so far, at a learning rate that has not decayed yet, so the curve understates what
a whole training of that length reaches. Figures go to training/results/c2f_paper_curve.csv, the plot to docs/images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..command import exits_with_message, positive_int
from ..evaluation import results
from ..evaluation.measure import evaluate_synthetic
from ..evaluation.model_file import open_model
from ..loop import checkpoint
from ..paper.published import ANGLES

RESULTS = results.FOLDER / 'c2f_paper_curve.csv'
PLOT = results.FOLDER.parents[1] / 'docs' / 'images' / 'paper_learning_curve.png'
FIGURES = ('coarse', 'coarse_beyond_5', 'pitch', 'pitch_std', 'yaw', 'yaw_std', 'roll', 'roll_std', 'geodesic')
FIELDS = ('samples', 'n', *FIGURES, 'command', 'commit', 'trained_by', 'data_hash', 'seed')


def kept_checkpoints(run: Path) -> list[Path]:
    """Returns the checkpoints of a run in the order of their steps, `final.pt` last.

    Raises:
        ValueError: for a folder with fewer than two.
    """
    kept = sorted(run.glob('step_*.pt'), key=lambda path: int(path.stem.removeprefix('step_')))
    kept += [run / 'final.pt'] if (run / 'final.pt').exists() else []
    if len(kept) < 2:
        raise ValueError(f'{run} has {len(kept)} checkpoints, a curve needs two: train with --keep-at STEP ...')
    return kept


def points(run: Path, data: Sequence[str], limit: int | None, command: str, device: str = 'auto') -> list[dict[str, Any]]:
    """Evaluates each checkpoint; returns a row of `FIELDS` for each."""
    out = []
    for path in kept_checkpoints(run):
        row = evaluate_synthetic(open_model(path, device), list(data), True, 'test', limit).row
        seen = {'samples': checkpoint.load(path)['samples'], 'command': command}
        out.append({name: {**row, **seen}[name] for name in FIELDS})
        print(f'{out[-1]["samples"]:>9} samples: ' + ', '.join(f'{name} {out[-1][name]:.4g}' for name in FIGURES), flush=True)
    return out


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws accuracy and each angle's error over the samples, with the levels that the medium scale has to reach."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    samples = [row['samples'] / 1000 for row in rows]
    figure, (accuracy, error) = plt.subplots(1, 2, figsize=(9, 3.4))
    for name, label, must in (('coarse', 'all poses', 90), ('coarse_beyond_5', 'farther than 5 degrees from a border', 96)):
        (line,) = accuracy.plot(samples, [100 * row[name] for row in rows], marker='o', label=label)
        accuracy.axhline(must, color=line.get_color(), linestyle=':', linewidth=1)
    accuracy.set_ylabel('right sub-space, %')
    for name in ANGLES:
        error.plot(samples, [row[name] for row in rows], marker='o', label=name)
    error.axhline(6, color='gray', linestyle=':', linewidth=1)
    error.set_ylabel('mean absolute error, degrees')
    error.set_yscale('log')
    for formatted in (error.yaxis.set_major_formatter, error.yaxis.set_minor_formatter):
        formatted('{x:g}')
    for axis in (accuracy, error):
        axis.set_xscale('log', base=2)
        axis.set_xticks(samples, [f'{count:g}' for count in samples])
        axis.set_xlabel('thousand samples seen')
        axis.grid(alpha=0.3)
        axis.legend(loc='upper right' if axis is error else 'lower right', fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.learning_curve', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run', type=Path, help='folder of a run')
    parser.add_argument('--data', nargs='+', required=True, help='rendered sets that it was trained on: their test people are evaluated')
    parser.add_argument('--limit', type=positive_int, help='at most this many test samples')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--results', type=Path, default=RESULTS)
    parser.add_argument('--plot', type=Path, default=PLOT)
    args = parser.parse_args(arguments)
    command = results.command_of('training.studies.learning_curve', sys.argv[1:] if arguments is None else arguments)
    rows = points(args.run, args.data, args.limit, command, args.device)
    results.write_rows(args.results, FIELDS, rows)
    plot(rows, args.plot)


if __name__ == '__main__':
    sys.exit(main())
