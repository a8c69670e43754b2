"""Portraits of public domain and CC BY 4.0 turned in 3D into a training dataset: `python -m training.portraits {fetch,turn,label}`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from training.command import exits_with_message, natural, positive_int, share

OUTPUT = Path('datasets/portraits')


@exits_with_message(RuntimeError, ValueError, OSError)
def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog='python -m training.portraits', description=__doc__)
    steps = parser.add_subparsers(dest='step', required=True)
    fetch = steps.add_parser('fetch', help='fetch pictures, networks and the head, once')
    fetch.add_argument('--facekit', type=Path, help='a clone of github.com/ICT-VGL/ICT-FaceKit or its .zip at hand')
    turn = steps.add_parser('turn', help='make the dataset, labelled by the fits; a run that was stopped goes on where it was')
    turn.add_argument('--output', type=Path, default=OUTPUT)
    turn.add_argument('--pictures', type=positive_int, default=16, help='of each portrait (default 16)')
    turn.add_argument('--as-taken', type=natural, help='so many of them are the photograph itself (default 2, if there are as many)')
    turn.add_argument('--limit', type=positive_int, help='only the first so many portraits')
    turn.add_argument('--seed', type=natural, default=1)
    turn.add_argument('--workers', type=positive_int, default=os.cpu_count() or 1, help='processes (default: one per core)')
    label = steps.add_parser('label', help='label the dataset anew by a network; nothing is drawn again')
    opinion = label.add_mutually_exclusive_group()
    opinion.add_argument('--model', default='c2f_edge', help='a shipped name, an .onnx file or a checkpoint (default c2f_edge)')
    opinion.add_argument('--own-poses', type=Path, help='another dataset of the same portraits: take theirs, no network is asked')
    label.add_argument('--output', type=Path, default=OUTPUT)
    label.add_argument(
        '--fit-share',
        type=share,
        default=0.0,
        help="weight of the fit in a portrait's own pose, 0 to 1; the rest is the network's (default 0)",
    )
    options = parser.parse_args(arguments)
    if options.step == 'fetch':
        from .fetch import fetch as fetch_all
        from .pictures import pictures_of

        where = fetch_all(options.facekit)
        print(f'{len(pictures_of(where.portraits))} portraits in {where.portraits}')
    elif options.step == 'turn':
        from .dataset import turn_all
        from .fetch import sources
        from .variety import Variety

        as_taken = min(Variety.as_taken, options.pictures) if options.as_taken is None else options.as_taken
        if as_taken > options.pictures:
            raise ValueError(f'--as-taken {as_taken}: a portrait has only {options.pictures} pictures (--pictures)')
        variety = Variety(pictures=options.pictures, as_taken=as_taken)
        command = 'python -m training.portraits ' + shlex.join(arguments if arguments is not None else sys.argv[1:])
        turn_all(sources(), options.output, variety, options.seed, options.workers, command, options.limit)
    elif options.own_poses:
        from .label import label_as

        print(f'{label_as(options.own_poses, options.output)} pictures have the own poses of {options.own_poses}')
    else:
        _label(options.model, options.output, options.fit_share)


def _label(model: str, output: Path, fit_share: float) -> None:
    from training.evaluation.model_file import open_model

    from .label import label

    found = label(open_model(model, 'cpu'), output, fit_share)
    print(f'own poses moved by {found.moved_deg.mean():.2f} degrees on the mean, {found.moved_deg.max():.2f} at most')
    for turned, count, apart in found.consistency.by_turn():
        print(f'turned by {turned:>5} degrees: {count:6d} samples, estimates {apart:.2f} degrees from the label')
    print('settled' if found.settled else 'not settled: train on these labels, then label again by the new network')


if __name__ == '__main__':
    sys.exit(main())
