"""Fuzzes the targets one after the other and prints a table: make fuzz SECONDS=60, or make fuzz FLAT=600."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from . import TARGETS, plain

_SLICE_S = 60
_HANG_S = 60  # by the clock, on however busy a machine; shorter ones are told by what they computed
_MEMORY_MB = 1024 + 300  # what the libraries take before the first input, and a gigabyte
_ROOT = Path(__file__).parents[2]
_ROW = '{:12} {:>10} {:>9} {:>8} {:>6} {:>9} {:>14}  {}'


@dataclass
class Result:
    """What fuzzing a target came to.

    Attributes:
        target: its name.
        inputs: how many were checked.
        seconds: for so long.
        edges: branches reached, as libFuzzer counts them; 0 without atheris.
        flat_s: for so long that number has not risen.
        lines: of the functions entered, so many lines reached and in all.
        defects: files that hold the inputs which broke it, or what went wrong.
    """

    target: str
    inputs: int
    seconds: float
    edges: int
    flat_s: float
    lines: tuple[int, int]
    defects: list[str]


def fuzz_guided(name: str, seconds: float, flat_s: float, folder: Path) -> Result:
    """Fuzzes one target by coverage, in slices, each a process of its own.

    Args:
        name: of the target.
        seconds: for so long; 0 for no limit.
        flat_s: until its coverage has not risen for so long; 0 for not before the time is over.
        folder: its corpus and the inputs that break it go there.
    """
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(plain.starting_inputs(name)):
        (corpus / f'start_{number:03d}').write_bytes(data)
    result = Result(name, 0, 0.0, 0, 0.0, (0, 0), [])
    shutil.rmtree(corpus.with_suffix('.defects'), ignore_errors=True)
    corpus.with_suffix('.log').unlink(missing_ok=True)
    while (not seconds or result.seconds < seconds) and (not flat_s or result.flat_s < flat_s):
        before = result.edges
        took_s = _slice(result, corpus, min(_SLICE_S, seconds - result.seconds if seconds else _SLICE_S))
        result.flat_s = 0.0 if result.edges > before else result.flat_s + took_s
        if corpus.with_suffix('.log').exists():  # it ended before its time
            break
    counted = _python('fuzz.lines', name, str(corpus))
    if counted.returncode == 0:
        result.lines = tuple(map(int, counted.stdout.split()[-2:]))
    return result


def _slice(result: Result, corpus: Path, seconds: float) -> float:
    start = time.monotonic()
    defects = corpus.with_suffix('.defects')
    done = _python(
        'fuzz.guided',
        result.target,
        str(defects),
        f'-max_total_time={max(1, round(seconds))}',
        f'-timeout={_HANG_S}',
        f'-rss_limit_mb={_MEMORY_MB}',
        '-print_final_stats=1',
        f'-artifact_prefix={defects}/',
        str(corpus),
    )
    took_s = time.monotonic() - start
    count = re.findall(r'number_of_executed_units:\s*(\d+)', done.stderr)
    edges = re.findall(r'cov: (\d+)', done.stderr)
    result.inputs += int(count[-1]) if count else 0
    result.edges = max([result.edges, *map(int, edges)])
    result.seconds += took_s
    if done.returncode:
        corpus.with_suffix('.log').write_text(done.stdout + done.stderr)
    result.defects = sorted(str(file) for file in defects.iterdir() if file.suffix != '.txt')
    if done.returncode and not result.defects:
        result.defects = [f'ended with status {done.returncode}: {corpus.with_suffix(".log")}']
    return took_s


def fuzz_plain(name: str, seconds: float) -> Result:
    """Fuzzes one target without coverage."""
    start = time.monotonic()
    try:
        count, defects = plain.fuzz(name, seconds, seed=int(start)), []
    except plain.DefectError as defect:
        count, defects = 0, [str(defect)]
    return Result(name, count, time.monotonic() - start, 0, 0.0, (0, 0), defects)


def _python(*arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {'OPENCV_LOG_LEVEL': 'OFF', 'OMP_NUM_THREADS': '1'}
    return subprocess.run([sys.executable, '-m', *arguments], cwd=_ROOT, env=environment, capture_output=True, text=True, errors='replace')


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 if a defect was found."""
    parser = argparse.ArgumentParser(prog='fuzz', description=__doc__)
    parser.add_argument('targets', nargs='*', metavar='TARGET', help=f'of {", ".join(TARGETS)}; default all')
    parser.add_argument('--seconds', type=float, default=0, help='each target at most so long')
    parser.add_argument('--flat', type=float, default=0, help='each target until its coverage has not risen for so many seconds')
    parser.add_argument('--output', type=Path, default=_ROOT / 'build' / 'fuzz', help='for corpora and the inputs that break something')
    parser.add_argument('--json', type=Path, help='write the results there, one a line, added to what is there')
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f'no target {", ".join(sorted(unknown))}; there are {", ".join(TARGETS)}')
    if not options.seconds and not options.flat:
        options.seconds = 60.0
    guided = importlib.util.find_spec('atheris') is not None
    if not guided:
        print('atheris is not installed (it has wheels for Python 3.11 to 3.13): inputs are changed at random, coverage is not known')
    print(_ROW.format('target', 'inputs', 'a second', 'seconds', 'edges', 'flat for', 'lines reached', 'defects'), flush=True)
    failed = False
    for name in options.targets or TARGETS:
        result = fuzz_guided(name, options.seconds, options.flat, options.output) if guided else fuzz_plain(name, options.seconds or 60.0)
        failed |= bool(result.defects)
        share = f'{result.lines[0]}/{result.lines[1]}' if result.lines[1] else '-'
        print(
            _ROW.format(
                name,
                result.inputs,
                f'{result.inputs / result.seconds:.0f}',
                f'{result.seconds:.0f}',
                result.edges,
                f'{result.flat_s:.0f} s',
                share,
                '; '.join(result.defects) or 'none',
            ),
            flush=True,
        )
        if options.json:
            with options.json.open('a') as file:
                file.write(json.dumps(asdict(result)) + '\n')
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
