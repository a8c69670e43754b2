"""Evaluates head poses on recordings (rosbags), and writes figures, a report and a verdict. Needs no ROS.

Exit codes: 0 evaluated, and every gate passed; 1 a --fail-if condition holds; 2 nothing could be evaluated, or the command is
wrong; 3 evaluated in part: a recording was damaged or lost, or its truth could not be used; 4 a --fail-if condition could not be
decided; 130 interrupted, the results until then are kept.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..images.paths import utf8_path
from ..models.registry import ModelError
from ..options import add_finding_arguments
from ..recordings.pictures import PICTURE_RATE_HZ
from ..recordings.reader import folder_name
from . import gate, results
from .attention.timeline import driver_monitor
from .environment import environment
from .evaluate import Evaluated, Options, evaluate_recording, load_estimator, load_second, names_of
from .result_files import RESULT_FILES, remove_results
from .truth.heads import AXES, PARENTS
from .verdict import INTERRUPTED, NOTHING, Done, conclude

_PROGRESS_S = 0.5
_PROGRESS_LOG_S = 10.0
_LARGEST_OFFSET_S = 1e10
"""More than three centuries: a clock that starts at 0 is half a century from the time of day."""
_INTERRUPTED = 'interrupted before this recording was evaluated'
_KILLED = 'the system killed the process that evaluated this recording, as it does where memory runs out; evaluate it alone'
_OF_THE_ESTIMATOR = {
    'model': '--model',
    'depth_model': '--depth-model',
    'second_model': '--second-model',
    'smoothing': '--no-smoothing',
    'max_faces': '--max-faces',
    'min_face_px': '--min-face-px',
}
"""Options that decide what an estimator finds, so without effect on recorded poses."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command `evaluate_bag`; returns its exit code."""
    chosen, options = parse(arguments)
    command = ['evaluate_bag', *(sys.argv[1:] if arguments is None else arguments)]
    try:
        baseline = prepare(chosen)
        chosen.output.mkdir(parents=True, exist_ok=True)
        if len(chosen.bag) > 1 and results.is_result(chosen.output):  # else it would be that of one recording and of all
            remove_results(chosen.output)
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            done = _evaluate_all(chosen.bag, chosen.output, options, chosen.jobs)
        finally:
            signal.signal(signal.SIGTERM, before)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ModelError, ValueError, OSError) as error:
        print(f'evaluate_bag: {error}', file=sys.stderr)
        return NOTHING
    return conclude(done, chosen.output, command, baseline, chosen.fail_if)


def parse(arguments: list[str] | None = None) -> tuple[argparse.Namespace, Options]:
    """Parses the command line into the arguments of the whole run, and the options for each recording."""
    chosen = _parser().parse_args(arguments)
    known = {f.name for f in fields(Options)}
    # Launch files cannot omit an argument, so an empty one counts as not given.
    values: dict[str, Any] = {
        k: tuple(filter(None, v)) if isinstance(v, list) else None if v == '' else v for k, v in vars(chosen).items() if k in known
    }
    return chosen, Options(**values)


def prepare(chosen: argparse.Namespace) -> dict[str, Any] | None:
    """Reads the baseline, and checks it and every other argument before any recording is evaluated.

    Returns:
        The baseline's metrics.json; None without.

    Raises:
        ValueError: naming the argument that is wrong.
    """
    for path in (chosen.output, *chosen.bag):
        utf8_path(path.resolve())
    _check_files(chosen)
    for expression in chosen.fail_if:
        gate.check(expression)
    unused = [option for name, option in _OF_THE_ESTIMATOR.items() if getattr(chosen, name) not in ('', getattr(Options, name))]
    if chosen.recorded_topic and unused:
        raise ValueError(f'leave out {" and ".join(unused)}: no estimator runs with --recorded-topic')
    if chosen.attention:
        try:
            driver_monitor(chosen.attention, chosen.camera_elevation_deg, chosen.image_rotation)
        except (ValueError, OSError) as error:
            raise ValueError(f'--attention: {error}') from error
    elif chosen.camera_elevation_deg:
        raise ValueError('--camera-elevation-deg is for --attention: name the zones of the vehicle too')
    return results.read_metrics(chosen.baseline) if chosen.baseline else None


def _check_files(chosen: argparse.Namespace) -> None:
    """Refuses an output folder where results would be taken for a recording, or replace a file that is read.

    Raises:
        ValueError: naming the folder or file, with the remedy.
    """
    read = {path.resolve() for path in (*chosen.bag, *map(Path, filter(None, chosen.truth)))}
    if len(chosen.bag) > 1 and chosen.output.resolve() in read:
        raise ValueError(f'{chosen.output} is one of the folders to evaluate; name another --output for the results of all together')
    for path, folder in zip(chosen.bag, _folders(chosen.bag, chosen.output)):
        if results.is_result(path):
            continue
        if folder.resolve() in read or (folder / 'metadata.yaml').exists():
            raise ValueError(f'{folder} is the folder of a recording; name another --output for the results of {path}')
        if lost := next((folder / name for name in RESULT_FILES if (folder / name).resolve() in read), None):
            raise ValueError(f'{lost} would be overwritten by the results; name another --output')


def _folders(paths: Sequence[Path], output: Path) -> list[Path]:
    """Returns the folder for the files of each recording."""
    return [output] if len(paths) == 1 else [output / name for name in names_of(paths, folder_name)]


def _evaluate_all(paths: Sequence[Path], output: Path, options: Options, jobs: int) -> list[Done]:
    """Evaluates the recordings; those that were left out have an entry that says why."""
    names = names_of(paths, folder_name)
    todo = dict(enumerate(zip(paths, names, _folders(paths, output))))
    done: dict[int, Done] = {}
    interrupted = False
    try:
        if jobs == 1 or len(paths) == 1:
            for k, (path, name, folder) in todo.items():
                done[k] = _evaluate_one(path, name, folder, options, f'[{k + 1}/{len(paths)}] ' if len(paths) > 1 else '')
                if done[k].interrupted:
                    raise KeyboardInterrupt
        else:
            _evaluate_side_by_side(todo, options, jobs, done)
            for k in sorted(todo.keys() - done.keys()):  # a process that was killed ended the others too; one alone needs less memory
                _evaluate_side_by_side({k: todo[k]}, options, 1, done)
    except KeyboardInterrupt:
        interrupted = True
    reason = _INTERRUPTED if interrupted else _KILLED
    return [done[k] if k in done else _left_out(path, name, reason, interrupted) for k, (path, name, _) in todo.items()]


def _evaluate_side_by_side(todo: Mapping[int, tuple[Path, str, Path]], options: Options, jobs: int, done: dict[int, Done]) -> None:
    """Evaluates (path, name, folder) of recordings in several processes, and adds each result to `done` by its index.

    Where the system kills a process, results that are missing then are not added.
    """
    with ProcessPoolExecutor(min(jobs, len(todo)), multiprocessing.get_context('spawn'), _stop_when_told) as pool:
        futures: dict[Future[Done], int] = {}
        try:
            for k, (path, name, folder) in todo.items():
                futures[pool.submit(_evaluate_in_worker, path, name, folder, options, f'{name}: ')] = k
            for future in as_completed(futures):
                future.result()
        except BrokenProcessPool:
            for worker in multiprocessing.active_children():  # the pool terminates them, which _Stop takes for an interruption
                worker.kill()
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():  # a terminal signals to them too, `kill` and supervisors do not
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            done.update({k: f.result() for f, k in futures.items() if f.done() and not f.cancelled() and f.exception() is None})


class _Stop:
    """The signal handler of a worker. The first signal interrupts the recording that is being evaluated, whose results are kept."""

    told = evaluating = False

    def __call__(self, signal_number: int, frame: Any) -> None:
        first, self.told = not self.told, True
        if first and self.evaluating:  # an exception while the process waits for a recording would break the pool
            raise KeyboardInterrupt


_stop = _Stop()


def _stop_when_told() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def _evaluate_in_worker(path: Path, name: str, folder: Path, options: Options, prefix: str) -> Done:
    _stop.evaluating = True
    try:
        if _stop.told:
            raise KeyboardInterrupt
        return _evaluate_one(path, name, folder, options, prefix)
    finally:
        _stop.evaluating = False


def _left_out(path: Path, name: str, reason: str, interrupted: bool = False) -> Done:
    print(f'evaluate_bag: {name}: {reason}', file=sys.stderr)
    return Done(results.recording_record(Evaluated(name, str(path), errors=[reason])), None, (), {}, interrupted=interrupted)


def _evaluate_one(path: Path, name: str, folder: Path, options: Options, prefix: str) -> Done:
    """Evaluates a recording and writes its own files; an earlier result is loaded instead."""
    if results.is_result(path):
        return _load(path, name, prefix)
    estimator = load_estimator(options)
    second = load_second(options)
    facts = environment(
        None if estimator is None else options.model,
        None if estimator is None else estimator.model_name,
        None if estimator is None else estimator.device,
        options.threads,
        None if estimator is None else options.depth_model,
    )
    evaluated = evaluate_recording(path, name, folder, options, estimator, _Progress(prefix), second)
    entry = results.recording_record(evaluated)
    for line in (
        *entry['topics'],
        *([f'truth {entry["truth"]}'] if entry['truth'] else ()),
        *(f'{sentence} ({count} x)' if count > 1 else sentence for sentence, count in entry['notes'].items()),
    ):
        print(f'{prefix}{line}', file=sys.stderr)
    for line in entry['errors']:
        print(f'evaluate_bag: {name}: {line}', file=sys.stderr)
    if evaluated.scored is not None:
        results.save_series(folder, evaluated.scored, evaluated.worst)
    return Done(entry, evaluated.scored, evaluated.worst, facts, folder, evaluated.interrupted)


def _load(path: Path, name: str, prefix: str) -> Done:
    """Loads an earlier result; one that is damaged is left out."""
    try:
        entry, scored, worst = results.load_result(path)
        facts = results.read_metrics(path)['environment']
    except results.ResultError as error:
        return _left_out(path, name, str(error))
    made_with = f'model {facts["model"]}' if facts.get('model') else 'recorded poses'
    print(f'{prefix}{path} is an earlier result of {made_with}, taken as it is: no other option applies to it', file=sys.stderr)
    return Done(entry | {'name': name}, replace(scored, name=name), worst, facts)


class _Progress:
    """Prints progress: on a terminal one line that is overwritten, elsewhere a line every ten seconds."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._start = prefix, time.monotonic()
        self._printed = self._start

    def __call__(self, done: int, total: int, seconds: float) -> None:
        now, terminal = time.monotonic(), sys.stderr.isatty()
        last = done == total
        if now - self._printed < (_PROGRESS_S if terminal else _PROGRESS_LOG_S) and not last:
            return
        self._printed, spent = now, max(now - self._start, 1e-6)
        left = f', {spent * (total - done) / done:.0f} s left' if total > done else ''
        text = f'{self._prefix}{done}{f"/{total}" if total else ""} images, {seconds / spent:.1f} x real time{left}'
        print(f'\r\x1b[K{text}' if terminal else text, end='\n' if last or not terminal else '', file=sys.stderr, flush=True)


def _interrupt(signal_number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _within(low: float, high: float, kind: Callable[[str], float] = float) -> Callable[[str], float]:
    """Returns a type for argparse: numbers in a range, which NaN is not."""

    def read(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'{text} is not {f"between {low:g} and {high:g}" if high < math.inf else f"{low:g} or more"}')
        return value

    read.__name__ = kind.__name__  # argparse names it where the text is no number
    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='evaluate_bag', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'bag',
        nargs='+',
        type=Path,
        metavar='BAG',
        help='rosbag2 folder, .mcap, .db3, .bag (also .zstd), a folder of pictures, or a folder that evaluate_bag wrote for one recording',
    )
    parser.add_argument('--output', type=Path, required=True, metavar='DIR', help='folder for the results')
    parser.add_argument(
        '--jobs', type=_within(1, math.inf, int), default=1, metavar='N', help='number of recordings at a time, each in its own process'
    )
    what = parser.add_argument_group('poses to evaluate')
    what.add_argument(
        '--model', default='c2f_edge', help='shipped name or .onnx file (default %(default)s); one of depth is run on depth alone'
    )
    what.add_argument(
        '--depth-model',
        metavar='MODEL',
        help="combine the estimates with a depth model's, such as c2f_depth, as the node's modality rgbd does",
    )
    what.add_argument('--device', default='auto', choices=('auto', 'cpu', 'cuda'))
    what.add_argument('--threads', type=int, default=1, help='CPU threads of each network (default %(default)s)')
    what.add_argument('--second-model', metavar='MODEL', help='compare with another model on the same faces')
    what.add_argument('--recorded-topic', metavar='TOPIC', help='evaluate the poses in the recording instead of running the estimator')
    what.add_argument('--no-smoothing', dest='smoothing', action='store_false', help='do not smooth the poses over time')
    add_finding_arguments(what)
    topics = parser.add_argument_group('topics (by default found by type and name)')
    topics.add_argument('--image', metavar='TOPIC')
    topics.add_argument('--camera-info', metavar='TOPIC', help="'none' for none")
    topics.add_argument('--depth', metavar='TOPIC', help="'none' for none")
    topics.add_argument(
        '--picture-rate-hz',
        type=_within(0.01, 1000),
        default=PICTURE_RATE_HZ,
        metavar='HZ',
        help='pictures a second, for a folder of pictures (default %(default)s)',
    )
    topics.add_argument('--rectified', action='store_true', help='the images are rectified: use P without distortion')
    truth = parser.add_argument_group('truth')
    truth.add_argument(
        '--truth',
        action='append',
        default=[],
        metavar='SOURCE',
        help="topic, tf:FRAME or CSV file; repeat it for several people; 'none' for none",
    )
    truth.add_argument('--truth-axes', default='head', choices=tuple(AXES), help='axes of the true rotation (default %(default)s)')
    truth.add_argument('--truth-parent', default='optical', choices=tuple(PARENTS), help='frame of the true rotation (default %(default)s)')
    truth.add_argument(
        '--truth-offset-s',
        type=_within(-_LARGEST_OFFSET_S, _LARGEST_OFFSET_S),
        default=0.0,
        metavar='S',
        help='known delay of the truth, seconds',
    )
    truth.add_argument('--truth-complete', action='store_true', help='the truth holds all heads in view, so other faces are false ones')
    truth.add_argument(
        '--max-gap-s', type=_within(0, math.inf), default=0.1, metavar='S', help='largest gap in the truth to interpolate over, seconds'
    )
    driver = parser.add_argument_group("the driver's attention")
    driver.add_argument(
        '--attention',
        metavar='ZONES',
        help="zones of the vehicle, passenger_car_lhd, passenger_car_rhd or a path to a .yaml file: adds the driver's attention over time, "
        'for a camera that faces straight back along the car',
    )
    driver.add_argument(
        '--camera-elevation-deg', type=float, default=0.0, metavar='DEG', help='elevation of that camera, > 0 up (default %(default)s)'
    )
    verdict = parser.add_argument_group('verdict')
    verdict.add_argument('--baseline', type=Path, metavar='METRICS', help='metrics.json of an earlier evaluation to compare with')
    verdict.add_argument(
        '--fail-if',
        action='append',
        default=[],
        metavar='EXPRESSION',
        help="exit with 1 if the condition holds, such as 'geodesic_deg.mean > 6' or 'baseline.worse > 0'",
    )
    files = parser.add_argument_group('files')
    files.add_argument('--no-video', dest='video', action='store_false', help='do not write annotated.mp4')
    files.add_argument('--no-poses', dest='poses', action='store_false', help='do not write poses.mcap')
    files.add_argument('--limit', type=_within(0, math.inf, int), default=0, metavar='N', help='stop after N images (0: no limit)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
