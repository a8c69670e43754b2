"""Measures each stage and the whole path by model, threads, faces and image size, for `bench --path`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import cv2
import numpy as np
import onnxruntime

from ..counting import counted
from ..evaluation.environment import environment
from ..provenance import load_average, usable_cores
from .interleaved import Timing, Turns, take_turns
from .stages import WHOLE, Path
from .start_up import StartUp, measure_start_up

THREADS = (1, 2)
FACES = (1, 5)
MORE_FACES = (0, 1, 2, 3, 5, 10)
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))


@dataclass(frozen=True)
class StageRow:
    """One stage of one model.

    Attributes:
        model: the model's name.
        threads: threads of each network; OpenCV has one thread.
        faces: number of faces in the image.
        size: size of the image, WIDTHxHEIGHT.
        stage: name of the stage in `stages`.
        timing: elapsed time.
        cpu_ms: median of the processor time, milliseconds.
    """

    model: str
    threads: int
    faces: int
    size: str
    stage: str
    timing: Timing
    cpu_ms: float


@dataclass(frozen=True)
class PathReport:
    """The results of a run of `bench --path`.

    Attributes:
        command: the command that was run.
        date: end of the run, UTC, ISO 8601.
        machine: commit, versions, processor, cores, load before and after.
        stages: every stage at each of FACES and THREADS.
        by_faces: the whole path by the number of faces.
        by_size: the whole path with one face by the size of the image.
        start_up: the start of a process by model.
    """

    command: str
    date: str
    machine: dict[str, Any]
    stages: list[StageRow] = field(default_factory=list)
    by_faces: list[StageRow] = field(default_factory=list)
    by_size: list[StageRow] = field(default_factory=list)
    start_up: dict[str, StartUp] = field(default_factory=dict)


def bench_path(models: Sequence[str], seconds: float = 20.0, starts: int = 5, report: Callable[[str], None] = lambda _: None) -> PathReport:
    """Measures everything. The rows of a table take turns, so that other work on the machine affects them alike.

    Args:
        models: names of shipped models, or paths of .onnx files.
        seconds: approximate time for each of the three tables.
        starts: number of processes that are started for each model.
        report: called with the present step as text.

    Raises:
        ModelError: for a model that cannot be opened.
        RuntimeError: when the detector does not find a scene's faces.
    """
    load = load_average()
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        paths = {(model, threads): Path(model, threads) for model in models for threads in THREADS}
        report('stages')
        stages = _measure(
            {
                (*key, faces, '640x480', stage): job
                for key, path in paths.items()
                for faces in FACES
                for stage, job in path.stages(faces).items()
            },
            seconds,
        )
        report('numbers of faces')
        by_faces = _measure(
            {(model, 1, faces, '640x480', WHOLE): paths[model, 1].whole(faces, 640, 480) for model in models for faces in MORE_FACES},
            seconds,
        )
        report('sizes of images')
        by_size = _measure(
            {
                (model, 1, 1, f'{width}x{height}', WHOLE): paths[model, 1].whole(1, width, height)
                for model in models
                for width, height in SIZES
            },
            seconds,
        )
    finally:
        cv2.setNumThreads(opencv_threads)
    report('starts')
    start_up = measure_start_up(models, starts)
    machine = environment(None, None, f'cpu (onnxruntime {onnxruntime.__version__})', max(THREADS))
    machine |= {'usable cores': usable_cores(), 'load before': load, 'load after': load_average()}
    return PathReport(
        shlex.join(['python', '-m', 'c2f_head_pose.bench', *sys.argv[1:]]),
        datetime.now(timezone.utc).isoformat(timespec='seconds'),
        machine,
        stages,
        by_faces,
        by_size,
        start_up,
    )


def _measure(jobs: dict[tuple[str, int, int, str, str], Callable[[], object]], seconds: float) -> list[StageRow]:
    named = {'/'.join(map(str, key)): key for key in jobs}
    turns: Turns = take_turns({name: jobs[key] for name, key in named.items()}, seconds)
    return [StageRow(*key, turns.timing(name), float(np.median(turns.cpu_ms[name]))) for name, key in named.items()]


def page(report: PathReport) -> str:
    """Formats the report as Markdown."""
    machine = report.machine
    lines = [
        f'{machine["processor"]}, {machine["usable cores"]} of {machine["cores"]} cores, load {machine["load before"]} to '
        f'{machine["load after"]}, Python {machine["python"]}, ONNX Runtime {machine["onnxruntime"]}, OpenCV {machine["opencv"]}, '
        f'numpy {machine["numpy"]}, commit {machine["commit"]}',
        '',
        'Median milliseconds (99th percentile); processor time in brackets.',
        '',
    ]
    columns = [(threads, faces) for threads in THREADS for faces in FACES]
    for model in dict.fromkeys(row.model for row in report.stages):
        of_model = [row for row in report.stages if row.model == model]
        lines += [
            f'| {model}, 640x480 | ' + ' | '.join(f'{counted(f, "face")}, {counted(t, "thread")}' for t, f in columns) + ' |',
            '|---' * (1 + len(columns)) + '|',
        ]
        for stage in dict.fromkeys(row.stage for row in of_model):
            cells = [_cell(row) for column in columns for row in of_model if (row.threads, row.faces, row.stage) == (*column, stage)]
            lines.append(f'| {stage} | {" | ".join(cells)} |')
        lines.append('')
    for rows, title in ((report.by_faces, 'faces'), (report.by_size, 'size')):
        kinds = list(dict.fromkeys(getattr(row, title) for row in rows))
        lines += [f'| Whole path by {title}, 1 thread | ' + ' | '.join(map(str, kinds)) + ' |', '|---' * (1 + len(kinds)) + '|']
        lines += [
            f'| {model} | ' + ' | '.join(_cell(row) for row in rows if row.model == model) + ' |'
            for model in dict.fromkeys(row.model for row in rows)
        ]
        lines.append('')
    steps = list(next(iter(report.start_up.values())).seconds)
    lines += ['| Start, seconds | ' + ' | '.join(steps) + ' | together | memory then, MB | at most, MB |', '|---' * (4 + len(steps)) + '|']
    lines += [
        f'| {model} | '
        + ' | '.join(f'{start.seconds[step]:.2f}' for step in steps)
        + f' | {start.whole_s:.2f} | {_megabytes(start.resident_mb)} | {_megabytes(start.peak_mb)} |'
        for model, start in report.start_up.items()
    ]
    return '\n'.join(lines) + '\n'


def _megabytes(value: float | None) -> str:
    return 'unknown' if value is None else f'{value:.0f}'


def _cell(row: StageRow) -> str:
    return f'{row.timing.median_ms:.2f} ({row.timing.p99_ms:.2f}) [{row.cpu_ms:.2f}]'
