"""Soaks the node for hours: `python -m c2f_head_pose.ros.measure.soak --hours 2 --output soak_out`.

The node runs as its own process and is sent the recording over and over at 30 Hz, while at random (by a seed) its camera is lost and
replaced, stamps jump, parameters change, it is disabled, deactivated, cleaned up and brought back. Memory, threads, file handles and
latency are kept every few seconds. Broken off, the same command goes on where it was. Exit status 0: nothing wrong, 1: something
grew beyond 2 %, went wrong, or is in the log, 130: broken off.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rclpy
from rclpy.signals import SignalHandlerOptions

from ....evaluation.environment import environment
from ....recordings.bagfile import BagError
from ... import transport
from ...child_node import isolate_graph
from ...process import Interrupt
from . import report, samples
from .driver import Record
from .run import Settings, Soak
from .samples import Sample

_KEPT_PERIOD_S = 30.0


def open_folder(folder: Path, settings: Settings) -> dict[str, Any]:
    """Opens the folder of a soak, or creates it; returns its settings and runs.

    Raises:
        ValueError: for a folder of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'soak.json'
    if not path.exists():
        return {'settings': asdict(settings), 'runs': []}
    kept = json.loads(path.read_text())
    if kept['settings'] != asdict(settings):
        raise ValueError(f'{folder} was begun with {kept["settings"]}; go on with these, or name another --output')
    return kept


def write_report(folder: Path, kept: dict[str, Any]) -> report.Verdict:
    """Judges everything in a folder; writes report.md, soak.png and thinned.csv (a row each half minute)."""
    rows, records = samples.read(folder / 'samples.csv', Sample), samples.read(folder / 'events.csv', Record)
    logs = sorted(folder.glob('node-*.log'), key=lambda log: int(log.stem.partition('-')[2]))
    runs = kept['runs']
    verdict = report.judge(rows, records, logs, [run['ended'] for run in runs if run['ended']])
    undisturbed = sum(run['undisturbed'][0] for run in runs), sum(run['undisturbed'][1] for run in runs)
    machine = runs[-1]['environment']
    loads = [sample.load for sample in rows] or [0.0]
    conditions = (
        f'`{runs[-1]["command"]}`, {machine["processor"]}, {machine["cores"]} cores, load {min(loads):.1f} to {max(loads):.1f}, '
        f'Python {machine["python"]}, commit {machine["commit"]}'
    )
    (folder / 'report.md').write_text(report.page(verdict, rows, records, undisturbed, conditions))
    (folder / 'thinned.csv').unlink(missing_ok=True)
    for sample in samples.thin(rows, _KEPT_PERIOD_S):
        samples.append(folder / 'thinned.csv', sample)
    if rows:
        report.plot(rows, records, folder / 'soak.png')
    return verdict


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog='python -m c2f_head_pose.ros.measure.soak', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--hours', type=float, default=2.0, help='of all runs into this folder')
    parser.add_argument('--output', type=Path, default=Path('soak_out'))
    parser.add_argument('--images', default='sample/head_motion', help='a bag or a folder of pictures')
    parser.add_argument('--rate', type=float, default=30.0, help='images a second')
    parser.add_argument('--seed', type=int, default=1, help='of the events')
    parser.add_argument('--pace', type=float, default=1.0, help='of the events: 2 has them happen twice as fast')
    parser.add_argument('--period', type=float, default=5.0, help='seconds between samples')
    options = parser.parse_args(arguments)
    settings = Settings(options.images, options.rate, options.seed, options.pace, options.period)
    isolate_graph(keep_domain=True)
    transport.share_large_images()
    interrupt = Interrupt()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        kept = open_folder(options.output, settings)
        machine = environment('c2f_edge', None, 'cpu', 1)  # before: the checkout may change in hours
        soak = Soak(settings, options.output)
        if soak.soaked_s < 3600 * options.hours:
            run = {'command': _command(arguments), 'ended': '', 'undisturbed': (0, 0), 'environment': machine}
            kept['runs'].append(run)
            _write(options.output, kept)  # now, so that a run which is killed can be gone on with too
            soak.run(3600 * options.hours, interrupt)
            run |= {'ended': soak.ended, 'undisturbed': soak.undisturbed}
            _write(options.output, kept)
    except (BagError, ValueError) as error:
        print(f'soak: {error}', file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
        interrupt.restore()
    verdict = write_report(options.output, kept)
    print((options.output / 'report.md').read_text(), end='')
    print(f'{options.output}/report.md, soak.png, samples.csv, events.csv, node-*.log')
    return 1 if verdict.failed else 130 if interrupt else 0


def _write(folder: Path, kept: dict[str, Any]) -> None:
    (folder / 'soak.json').write_text(json.dumps(kept, indent=1) + '\n')


def _command(arguments: list[str] | None) -> str:
    return shlex.join(['python', '-m', 'c2f_head_pose.ros.measure.soak', *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == '__main__':
    sys.exit(main())
