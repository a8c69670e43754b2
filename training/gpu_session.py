"""Makes the most of a rented GPU in calls of limited length: `python -m training.gpu_session run --out FOLDER --minutes 10`.

The GPU measures the shipped models on TensorRT, then trains `c2f` further, then the paper's network and the rows of Table 2; the cores
beside it render, and turn portraits. Each call ends within its minutes and the next goes on, also after a kill and on another machine:
--keep FOLDER has all that must survive, in pieces of limited size, and --resume FOLDER begins with them. `pack` writes a kit of what a
machine without a network needs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from .command import exits_with_message, not_negative, positive_float, positive_int
from .session import kit, parcel
from .session.call import call
from .session.keep import Keeper
from .session.plan import FULL, TINY
from .session.session import Session, age_s, cores


@exits_with_message(ValueError, OSError, RuntimeError)
def main(arguments: list[str] | None = None) -> int | None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.gpu_session', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = parser.add_subparsers(dest='way', required=True)
    one = ways.add_parser('run', help='one call; the same again goes on')
    one.add_argument('--out', type=Path, default=Path('runs/gpu_session'), help='data, runs, reports, logs (default runs/gpu_session)')
    one.add_argument('--minutes', type=positive_float, default=10.0, help='length of this call (default 10)')
    one.add_argument('--total-minutes', type=positive_float, default=30.0, help='of all calls together, for the shares (default 30)')
    one.add_argument('--reserve', type=not_negative, default=30.0, help='seconds of the call that stopping may take (default 30)')
    one.add_argument('--keep', type=Path, help='folder of what must survive the machine (default OUT/keep)')
    one.add_argument('--resume', type=Path, help='such a folder of an earlier call, for a machine that has nothing else')
    one.add_argument('--kit', type=Path, help='what `pack` wrote, for a machine without a network')
    one.add_argument('--piece-mb', type=positive_float, default=16.0, help='largest file in --keep, megabytes (default 16)')
    one.add_argument('--total-mb', type=positive_float, default=64.0, help='all files in --keep together (default 64)')
    one.add_argument('--workers', type=positive_int, help='processes that render (default: two less than the cores)')
    one.add_argument('--no-fetch', action='store_true', help='fetch nothing for portraits: only what is at hand or in the kit')
    one.add_argument('--device', choices=('auto', 'cpu'), default='auto', help='cpu: ignore a GPU')
    one.add_argument('--tiny', action='store_true', help='only test the code: a handful of renders and steps, on any machine')
    packing = ways.add_parser('pack', help='write a kit')
    packing.add_argument('--kit', type=Path, required=True)
    packing.add_argument('--megabytes', type=positive_float, default=60.0, help='of the kit at most (default 60)')
    unpacking = ways.add_parser('unpack', help='check and unpack what --keep has')
    unpacking.add_argument('--keep', type=Path, required=True)
    unpacking.add_argument('--out', type=Path, required=True)
    args = parser.parse_args(arguments)
    if args.way == 'pack':
        kit.pack(args.kit, args.megabytes)
        return 0
    if args.way == 'unpack':
        print('\n'.join(parcel.read(args.keep, args.out)))
        return 0
    if 60 * args.minutes <= args.reserve:
        parser.error('--reserve takes all of --minutes')
    began = time.monotonic() - age_s()
    gpu = args.device == 'auto' and torch.cuda.is_available()
    workers = args.workers or max(1, cores() - 2)
    session = Session(args.out, TINY if args.tiny else FULL, args.total_minutes, gpu, args.device, not args.no_fetch, workers, began)
    keeper = Keeper(session, args.keep or args.out / 'keep', args.piece_mb, args.total_mb)
    call(session, keeper, args.minutes, args.reserve, args.resume, args.kit)
    return int(session.failed)


if __name__ == '__main__':
    sys.exit(main())
