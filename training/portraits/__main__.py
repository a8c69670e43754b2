"""Public-domain portraits turned in 3D into a training dataset: `python -m training.portraits {fetch,turn,label} ...`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from training.command import natural, positive_int, tells


@tells(RuntimeError, ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog='python -m training.portraits', description=__doc__)
    steps = parser.add_subparsers(dest='step', required=True)
    turn = steps.add_parser('turn', help='make the dataset; a run that was stopped goes on where it was')
    turn.add_argument('--portraits', type=Path, default=Path(os.environ.get('PORTRAITS_DIR', '')))
    turn.add_argument('--models', type=Path)
    turn.add_argument('--head', type=Path)
    turn.add_argument('--output', type=Path, default=Path('datasets/portraits'))
    turn.add_argument('--pictures', type=positive_int, default=14, help='of each portrait')
    turn.add_argument('--seed', type=natural, default=1)
    turn.add_argument('--workers', type=positive_int, default=os.cpu_count() or 1)
    label = steps.add_parser('label', help='label a dataset anew by a network')
    label.add_argument('--model', default='c2f_edge', help='a shipped name, an .onnx file or a checkpoint')
    label.add_argument('--output', type=Path, default=Path('datasets/portraits'))
    options = parser.parse_args(arguments)
    if options.step == 'turn':
        from .dataset import Sources, turn_all
        from .variety import Variety

        command = 'python -m training.portraits ' + shlex.join(arguments if arguments is not None else sys.argv[1:])
        sources = Sources(options.portraits, options.models, options.head)
        turn_all(sources, options.output, Variety(pictures=options.pictures), options.seed, options.workers, command)
    else:
        from training.evaluation.model_file import open_model

        from .label import label as relabel

        found = relabel(open_model(options.model, 'cpu'), options.output)
        print('own poses moved by {:.2f} degrees on the mean, {:.2f} at most'.format(found.moved_deg.mean(), found.moved_deg.max()))
        for name, count, apart in found.consistency():
            print(f'turned by {name:>6} degrees: {count:6d} samples, {apart:.2f} degrees from the label')
        print('settled' if found.settled else 'not settled: train on these labels and label again')


if __name__ == '__main__':
    sys.exit(main())
