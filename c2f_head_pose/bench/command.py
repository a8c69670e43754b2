"""Measures how fast the networks run on this machine, and compares the times with the machine's limits."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..command_name import typed_name
from ..engine.buckets import BUCKETS
from ..interruption import INTERRUPTED
from ..models.registry import FOR_TENSORRT, SHIPPED, ModelError
from .networks import Report, Stopped, bench_cpu, bench_cuda, table
from .roofline import ELEMENT_BYTES
from .whole_path import bench_path, page

_CPU_BATCHES = (1, 4, 16)
_STARTS = 5
_NOT_WITH = {'--path': ('batch', 'precision', 'threads'), '--device cpu': ('precision', 'starts'), '--device cuda': ('threads', 'starts')}
"""Options without effect, by what is measured: `--path` chooses its own threads and faces."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog=typed_name('bench'), description=__doc__)
    parser.add_argument('models', nargs='*', metavar='MODEL', help='shipped models or .onnx files (default: all that the device runs)')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--batch', nargs='+', type=int, metavar='B', help='crops in one call of the network')
    parser.add_argument(
        '--precision', nargs='+', choices=tuple(ELEMENT_BYTES), help="cuda: precisions to measure (default: each model's own)"
    )
    parser.add_argument('--threads', type=int, help='cpu: threads of ONNX Runtime (default 1)')
    parser.add_argument('--seconds', type=float, help='time for each stage (default 1); with --path, for each table (default 20)')
    parser.add_argument(
        '--starts', type=int, help=f'with --path: number of processes that are started to measure the start (default {_STARTS})'
    )
    parser.add_argument(
        '--path', action='store_true', help='cpu: measure each stage and the whole path from an image, instead of the networks'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all results to this file')
    options = parser.parse_args(arguments)
    models = options.models or (FOR_TENSORRT if options.device == 'cuda' else sorted(SHIPPED))
    batches = options.batch or (BUCKETS if options.device == 'cuda' else _CPU_BATCHES)
    if options.device == 'cuda' and not set(batches) <= set(BUCKETS):
        parser.error(f'on cuda --batch must be one of {", ".join(map(str, BUCKETS))}')
    if min(batches) < 1:
        parser.error('--batch must be at least 1')
    if options.path and options.device != 'cpu':
        parser.error('--path measures the CPU; use it with --device cpu')
    way = '--path' if options.path else f'--device {options.device}'
    if unused := [f'--{name}' for name in _NOT_WITH[way] if getattr(options, name) is not None]:
        parser.error(f'leave out {" and ".join(unused)}: there is no such setting with {way}')
    starts = _STARTS if options.starts is None else options.starts
    if starts < 1:
        parser.error('--starts must be at least 1')
    seconds = options.seconds or 1.0
    try:
        if options.path:
            path_report = bench_path(models, options.seconds or 20.0, starts, report=lambda text: print(text, file=sys.stderr))
            print(page(path_report), end='')
            _write(options.json, path_report)
            return 0
        if options.device == 'cuda':
            report = bench_cuda(models, batches, options.precision, seconds, lambda text: print(text, file=sys.stderr))
        else:
            report = bench_cpu(models, batches, 1 if options.threads is None else options.threads, seconds)
        _print(report)
        _write(options.json, report)
    except Stopped as stopped:
        if stopped.report.rows:
            _print(stopped.report)
        print('bench: stopped' + (f'; {options.json} is not written' if options.json else ''), file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ModelError, OSError, RuntimeError) as error:
        print(f'bench: {error}', file=sys.stderr)
        return 1
    return 0


def _print(report: Report) -> None:
    print(f'{report.machine["device"]}, {report.machine["processor"]}, load {report.machine["load"]}')
    for precision, ceilings in report.ceilings.items():
        print(f'ceilings at {precision}: {ceilings.flops_s / 1e12:.3g} TFLOP/s, {ceilings.bytes_s / 1e9:.3g} GB/s')
    print(table(report))


def _write(path: Path | None, report: Any) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(report), indent=1) + '\n')
