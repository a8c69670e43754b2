"""Evaluates recordings: a rosbag in, figures, pictures and a verdict out. Needs no ROS.

Exit codes: 0 evaluated, and every gate passed; 1 a --fail-if condition holds; 2 nothing could be evaluated, or the command is
wrong; 3 evaluated in part: a recording was damaged, or its truth could not be used; 4 a --fail-if condition could not be
decided; 130 interrupted, what was done is kept.
"""
from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..estimator import HeadPoseEstimator
from ..models.registry import ModelError
from . import gate, results
from .environment import environment
from .evaluate import Options, evaluate_recording, load_estimator, names_of
from .recording import folder_name
from .report import write_report
from .summary import Scored, summarise
from .truth import AXES, PARENTS
from .worst import Thumbnail

_PASSED, _GATE_TRIPPED, _NOTHING, _PARTIAL, _UNDECIDED, _INTERRUPTED = 0, 1, 2, 3, 4, 130
_PROGRESS_S = 0.5
_PROGRESS_LOG_S = 10.0


def main(arguments: list[str] | None = None) -> int:
    """The command `evaluate_bag`; returns its exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    command = ['evaluate_bag', *(sys.argv[1:] if arguments is None else arguments)]
    options = _options(chosen)
    try:
        baseline = results.read_metrics(chosen.baseline) if chosen.baseline else None
        for expression in chosen.fail_if:
            gate.check(expression)
        chosen.output.mkdir(parents=True, exist_ok=True)
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            done = _evaluate_all(chosen.bag, chosen.output, options, chosen.jobs)
        finally:
            signal.signal(signal.SIGTERM, before)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ModelError, ValueError, OSError) as error:
        print(f'evaluate_bag: {error}', file=sys.stderr)
        return _NOTHING
    return _conclude(done, chosen.output, command, options, baseline, chosen.fail_if)


class _Done:
    """One recording, evaluated now or earlier: its entry for metrics.json and what is remembered of it."""

    def __init__(self, entry: dict[str, Any], scored: Scored | None, worst: list[Thumbnail], facts: dict[str, Any],
                 folder: Path | None = None, interrupted: bool = False) -> None:
        self.entry, self.scored, self.worst, self.facts = entry, scored, worst, facts
        self.folder, self.interrupted = folder, interrupted


def _evaluate_all(paths: Sequence[Path], output: Path, options: Options, jobs: int) -> list[_Done]:
    names = names_of(paths, folder_name)
    folders = [output if len(paths) == 1 else output / name for name in names]
    todo = [(path, name, folder) for path, name, folder in zip(paths, names, folders)]
    if jobs == 1 or len(todo) == 1:
        done: list[_Done] = []
        for path, name, folder in todo:
            done.append(_evaluate_one(path, name, folder, options, f'[{len(done) + 1}/{len(todo)}] ' if len(todo) > 1 else ''))
            if done[-1].interrupted:
                break
        return done
    with ProcessPoolExecutor(min(jobs, len(todo)), multiprocessing.get_context('spawn')) as pool:
        futures: dict[Future[_Done], int] = {pool.submit(_evaluate_one, path, name, folder, options, f'{name}: '): k
                                             for k, (path, name, folder) in enumerate(todo)}
        finished: dict[int, _Done] = {}
        try:
            for future in as_completed(futures):
                finished[futures[future]] = future.result()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            finished |= {k: f.result() for f, k in futures.items() if f.done() and not f.cancelled() and f.exception() is None}
    return [finished[k] for k in sorted(finished)]


def _evaluate_one(path: Path, name: str, folder: Path, options: Options, prefix: str) -> _Done:
    """Evaluates a recording and writes all that belongs to it alone; an earlier result is only loaded."""
    if results.is_result(path):
        entry, scored, worst = results.load_result(path)
        return _Done(entry | {'name': name}, scored, worst, results.read_metrics(path)['environment'])
    estimator = load_estimator(options)
    second = HeadPoseEstimator.load(options.second_model, options.device, options.threads) if options.second_model else None
    facts = environment(None if estimator is None else options.model, None if estimator is None else estimator.model_name,
                        None if estimator is None else estimator.device, options.threads)
    evaluated = evaluate_recording(path, name, folder, options, estimator, _Progress(prefix), second)
    entry = results.recording_record(evaluated)
    for line in (*entry['topics'], *([f"truth {entry['truth']}"] if entry['truth'] else ()),
                 *(f'{sentence} ({count} x)' if count > 1 else sentence for sentence, count in entry['notes'].items())):
        print(f'{prefix}{line}', file=sys.stderr)
    for line in entry['errors']:
        print(f'evaluate_bag: {name}: {line}', file=sys.stderr)
    if evaluated.scored is not None:
        results.save_series(folder, evaluated.scored, evaluated.worst)
    return _Done(entry, evaluated.scored, evaluated.worst, facts, folder, evaluated.interrupted)


def _conclude(done: Sequence[_Done], output: Path, command: Sequence[str], options: Options, baseline: dict[str, Any] | None,
              fail_if: Sequence[str]) -> int:
    """Writes the figures and reports, says the verdict, and returns the exit code."""
    scored = [d.scored for d in done if d.scored is not None]
    overall = summarise(scored) if scored else {}
    changes = None if baseline is None else gate.compare(overall, baseline['overall'])
    if baseline is not None and changes is not None:
        overall['baseline'] = {v: sum(c.verdict == v for c in changes) for v in ('better', 'worse', 'same')}
        for entry, before in zip([d.entry for d in done], baseline['recordings']):
            entry['alignment_change'] = results.alignment_change(entry['alignment'], before['alignment'])
    verdicts = [gate.judge(expression, overall) for expression in fail_if]
    facts = done[0].facts if done else {}
    record = results.result_record(command, facts, [d.entry for d in done], overall, changes, verdicts)
    results.write_json(output / 'metrics.json', record)
    if len(done) > 1:
        for d in done:
            if d.folder is not None:
                single = results.result_record(command, d.facts, [d.entry], d.entry.get('figures', {}), None, [])
                results.write_json(d.folder / 'metrics.json', single)
    write_report(output / 'report.html', record, [(d.scored, d.worst) for d in done if d.scored is not None])
    _say(record, output)
    if any(d.interrupted for d in done):
        return _INTERRUPTED
    if not scored:
        return _NOTHING
    if any(v['failed'] for v in verdicts):
        return _GATE_TRIPPED
    if any(v['failed'] is None for v in verdicts):
        return _UNDECIDED
    return _PASSED if record['complete'] else _PARTIAL


def _say(record: dict[str, Any], output: Path) -> None:
    """The verdict for the terminal, in a few lines."""
    overall = record['overall']
    images = overall.get('images')
    if images:
        print(f"{images['n']} images in {images['wall_s']:.1f} s ({images['times_real_time'] or 0:.1f} x real time), a face in "
              f"{100 * (images['coverage'] or 0):.1f} %")
    for label, part in (('raw', overall), ('aligned', overall.get('aligned'))):
        if part and part.get('geodesic_deg'):
            axes = '  '.join(f"{axis} {part[f'{axis}_deg']['mae']:.2f}" for axis in ('yaw', 'pitch', 'roll') if part[f'{axis}_deg'])
            print(f"{label:8s} geodesic {part['geodesic_deg']['mean']:.2f} deg (median {part['geodesic_deg']['p50']:.2f}), MAE {axes}")
    for entry in record['recordings']:
        if alignment := entry['alignment']:
            offset = f"{1e3 * alignment['time_offset_s']:+.0f} ms" if alignment['time_offset_found'] else 'not told: the head hardly turns'
            print(f"{entry['name']}: truth against estimates: time offset {offset}, mount rotation {alignment['rotation_deg']:.2f} deg "
                  f"({alignment['side']} side; the model's own bias is in it)")
        if change := entry.get('alignment_change'):
            print(f"{entry['name']}: against the baseline: time offset {1e3 * change['time_offset_s']:+.0f} ms, "
                  f"mount rotation {change['rotation_deg']:.2f} deg")
        if likelier := entry['likelier_convention']:
            print(f"{entry['name']}: the truth fits far better as --truth-axes {likelier['axes']} --truth-parent {likelier['parent']}")
    for c in record['comparison'] or ():
        if c['verdict'] != 'same':
            print(f"{c['verdict']}: {c['figure']} {c['before']:.4g} -> {c['now']:.4g} (margin {c['margin']:.2g})")
    for verdict in record['gate']:
        print(f"gate: {verdict['expression']}: {verdict['verdict']}")
    print(f"wrote {output / 'metrics.json'} and report.html beside it")


class _Progress:
    """One line that renews itself on a terminal; a line every ten seconds elsewhere."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._start = prefix, time.monotonic()
        self._said = self._start

    def __call__(self, done: int, total: int, seconds: float) -> None:
        now, terminal = time.monotonic(), sys.stderr.isatty()
        last = done == total
        if now - self._said < (_PROGRESS_S if terminal else _PROGRESS_LOG_S) and not last:
            return
        self._said, spent = now, max(now - self._start, 1e-6)
        left = f', {spent * (total - done) / done:.0f} s left' if total > done else ''
        text = f"{self._prefix}{done}{f'/{total}' if total else ''} images, {seconds / spent:.1f} x real time{left}"
        print(f'\r\x1b[K{text}' if terminal else text, end='\n' if last or not terminal else '', file=sys.stderr, flush=True)


def _interrupt(signal_number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _options(chosen: argparse.Namespace) -> Options:
    known = {f.name for f in fields(Options)}
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in vars(chosen).items() if k in known}
    return Options(**values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='evaluate_bag', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('bag', nargs='+', type=Path, metavar='BAG',
                        help='rosbag2 folder, .mcap, .db3, .bag, or a folder that evaluate_bag wrote for one recording')
    parser.add_argument('--output', type=Path, required=True, metavar='DIR', help='where the results go')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='recordings at a time, each in its own process')
    what = parser.add_argument_group('what is scored')
    what.add_argument('--model', default='c2f_edge', help='shipped name or .onnx file (default %(default)s)')
    what.add_argument('--device', default='auto', choices=('auto', 'cpu', 'cuda'))
    what.add_argument('--threads', type=int, default=1, help='CPU threads of each network (default %(default)s)')
    what.add_argument('--second-model', metavar='MODEL', help='another model on the same faces: how far the two agree')
    what.add_argument('--recorded-topic', metavar='TOPIC', help='score poses that are already in the recording, not the estimator')
    what.add_argument('--no-smoothing', dest='smoothing', action='store_false', help='estimate each image by itself')
    topics = parser.add_argument_group('topics (found by type and name where not given)')
    topics.add_argument('--image', metavar='TOPIC')
    topics.add_argument('--camera-info', metavar='TOPIC', help="'none' for none")
    topics.add_argument('--depth', metavar='TOPIC', help="'none' for none")
    topics.add_argument('--rectified', action='store_true', help='the images are rectified: P without distortion')
    truth = parser.add_argument_group('truth')
    truth.add_argument('--truth', action='append', default=[], metavar='SOURCE',
                       help="topic, tf:FRAME or CSV file; several for several people; 'none' for none")
    truth.add_argument('--truth-axes', default='head', choices=tuple(AXES), help='axes of the true rotation (default %(default)s)')
    truth.add_argument('--truth-parent', default='optical', choices=tuple(PARENTS), help='frame it is stated in (default %(default)s)')
    truth.add_argument('--truth-offset-s', type=float, default=0.0, metavar='S', help='the truth is known to be late by this')
    truth.add_argument('--truth-complete', action='store_true', help='everybody in view is in the truth: other faces are false ones')
    truth.add_argument('--max-gap-s', type=float, default=0.1, metavar='S', help='largest gap in the truth to interpolate over')
    verdict = parser.add_argument_group('verdict')
    verdict.add_argument('--baseline', type=Path, metavar='METRICS', help='metrics.json of an earlier evaluation to compare with')
    verdict.add_argument('--fail-if', action='append', default=[], metavar='EXPRESSION',
                         help="exit with 1 if it holds, such as 'geodesic_deg.mean > 6' or 'baseline.worse > 0'")
    files = parser.add_argument_group('files')
    files.add_argument('--no-video', dest='video', action='store_false', help='do not write annotated.mp4')
    files.add_argument('--no-poses', dest='poses', action='store_false', help='do not write poses.mcap')
    files.add_argument('--limit', type=int, default=0, metavar='N', help='stop after N images (0: none)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
