"""Evaluates recordings one after the other or side by side; one that fails or is interrupted does not cost the others their results."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..recordings.reader import folder_name
from . import results
from .command_line import folders
from .environment import environment
from .evaluate import Evaluated, Options, evaluate_recording, load_estimator, load_second, names_of
from .verdict import Done

_PROGRESS_S = 0.5
_PROGRESS_LOG_S = 10.0
_INTERRUPTED = 'interrupted before this recording was evaluated'
_KILLED = 'the system killed the process that evaluated this recording, as it does where memory runs out; evaluate it alone'


def evaluate_all(paths: Sequence[Path], output: Path, options: Options, jobs: int) -> list[Done]:
    """Evaluates the recordings; those that were left out have an entry that says why."""
    names = names_of(paths, folder_name)
    todo = dict(enumerate(zip(paths, names, folders(paths, output))))
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
        None if estimator is None else estimator.options,
    )
    evaluated = evaluate_recording(path, name, folder, options, estimator, _Progress(prefix), second)
    entry = results.keep_results(folder, evaluated)
    for line in (
        *entry['topics'],
        *([f'truth {entry["truth"]}'] if entry['truth'] else ()),
        *(f'{sentence} ({count} x)' if count > 1 else sentence for sentence, count in entry['notes'].items()),
    ):
        print(f'{prefix}{line}', file=sys.stderr)
    for line in entry['errors']:
        print(f'evaluate_bag: {name}: {line}', file=sys.stderr)
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
