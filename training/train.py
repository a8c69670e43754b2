"""Trains a network on rendered crops or on your own pictures: `python -m training.train CONFIG --data FOLDER --out FOLDER`.

The same command with the same --out resumes a stopped run, with the same result as an uninterrupted one. torchrun spreads a run
over several processes: `torchrun --nproc-per-node 8 -m training.train ...`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch

from .command import add_threads_option, add_workers_option, exits_with_message, not_negative, positive_float, positive_int, use_threads
from .data.crops import SyntheticCrops
from .loop.config import read_config
from .loop.distributed import barrier, init_distributed, shutdown_distributed
from .loop.loader import keep_freed_memory
from .loop.optimiser import precision_on
from .loop.run import Run
from .loop.sources import open_training_data, rendered_folders


@exits_with_message(ValueError, OSError, FloatingPointError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.train', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a file, or a name in training/configs')
    parser.add_argument(
        '--data',
        nargs='+',
        required=True,
        metavar='DATA',
        help='rendered dataset folders (python -m training.render, .portraits), FOLDER=0.5 for its share of samples, csv:FILE of pictures',
    )
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=positive_float, help='time budget of all parts of the run; default: the configured steps')
    parser.add_argument(
        '--start', type=Path, help='checkpoint to initialise a new run from; its trunk may have more or fewer blocks, or more channels'
    )
    parser.add_argument(
        '--teacher', type=Path, help='checkpoint whose estimates are further targets; weights: --set loss.teacher_rotation=0.5'
    )
    parser.add_argument('--pause-minutes', type=not_negative, help='stop after this time; the same command resumes, with new renders')
    parser.add_argument(
        '--keep-at', type=positive_int, nargs='+', default=(), metavar='STEP', help='also keep step_STEP.pt, for a learning curve'
    )
    parser.add_argument('--steps', type=positive_int, help='number of steps, instead of the configured one')
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda')
    add_threads_option(parser)
    add_workers_option(parser)
    parser.add_argument('--limit', type=positive_int, help='train on this many samples only')
    parser.add_argument('--set', nargs='*', default=[], metavar='KEY=VALUE', help='settings to change, such as network.gating=hard')
    args = parser.parse_args(arguments)
    use_threads(args.threads)
    keep_freed_memory()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    config = read_config(args.config, [*args.set, *([f'steps={args.steps}'] if args.steps else [])])
    context = init_distributed(args.device)
    context.shards(config.shards)  # raises before any data is read if the shards do not divide
    train_set = open_training_data(args.data, config, args.limit, args.out / 'axes.png' if context.is_main else None)
    try:
        val_set = SyntheticCrops(rendered_folders(args.data), 'val', config.modality == 'depth', config.pose_limits_deg, config.validate_on)
    except ValueError as error:
        print(f'no validation: {error}', file=sys.stderr)
        val_set = None
    if context.is_main:
        print(
            f'{config.name}: {len(train_set)} training crops ({"; ".join(s.path.name for s in train_set.sets)}), '
            f'{len(val_set) if val_set else 0} held out, on {context.device} x {context.world_size}, '
            f'{precision_on(context.device, config.precision)}, '
            f'{os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())} threads',
            flush=True,
        )
    run = Run(config, train_set, val_set, args.out, context, args.minutes, args.start, args.workers, args.keep_at, args.teacher)
    try:
        run.go(None if args.pause_minutes is None else 60 * args.pause_minutes)
        barrier(context)  # no process may close the group while another still uses it
    finally:
        run.loader.close()
        shutdown_distributed(context)
    if context.world_size > 1:
        # All files are written. Threads of the process group's libraries sometimes abort the interpreter's shutdown.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


if __name__ == '__main__':
    sys.exit(main())
