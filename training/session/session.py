"""A session on a rented GPU: its folder, its state, and the steps of its three lanes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c2f_head_pose.engine.build import load_onnx
from c2f_head_pose.engine.precision import precisions_of
from c2f_head_pose.engine.tensorrt_installation import find_all
from c2f_head_pose.files import written_whole
from c2f_head_pose.models.registry import ModelError, model_path

from ..evaluation import results
from ..loop import progress
from ..portraits.label import OWN_POSES
from ..synthetic.layout import finished_shards, read_manifest
from .lanes import Command, Steps, last_line
from .plan import Part, Plan, Training

LABELLED_BY = 'c2f'
TABLE_PRESET = 'paper'
ROW_MINUTES = 5.0
"""Shortest training of a table's row that says something about it; rows wait for a longer session otherwise."""
_BESIDE = 10  # niceness of the work on the cores beside the GPU's


@dataclass
class Session:
    """A session's folder and settings.

    Attributes:
        out: folder of data, runs, reports and logs, which may stay on the machine.
        plan: the work.
        total_minutes: length of all calls together.
        gpu: whether the machine has a GPU.
        device: the trainings' device, 'auto' or 'cpu'.
        fetch: whether to fetch the materials of portraits that are not at hand.
        workers: processes of the renderer, and of the portraits' turner.
        began: start of this call, by `time.monotonic`.
        state: time used so far, and the status of each job; stored in state.json.
    """

    out: Path
    plan: Plan
    total_minutes: float
    gpu: bool
    device: str = 'auto'
    fetch: bool = True
    workers: int = 1
    began: float = field(default_factory=time.monotonic)
    state: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self):
        self.out.mkdir(parents=True, exist_ok=True)
        self.state = read_state(self.out)
        self.used_before = self.state['used_s']
        self.rendering, self.turning = True, True

    @property
    def used_s(self) -> float:
        """Time of all calls so far, seconds."""
        return self.used_before + time.monotonic() - self.began

    @property
    def logs(self) -> Path:
        """Folder of the commands' output."""
        return self.out / 'logs'

    @property
    def results(self) -> Path:
        """Folder of the tables' csv files."""
        return self.out / 'results'

    def data(self, name: str) -> Path:
        """Folder of a dataset."""
        return self.out / 'datasets' / name

    def run(self, name: str) -> Path:
        """Folder of a training."""
        return self.out / 'runs' / name

    def report(self, model: str) -> Path:
        """The report on a model."""
        return self.out / 'report' / f'{model}.json'

    @property
    def failed(self) -> bool:
        """Whether a job failed; one that was skipped, for a reason that its status has, did not."""
        return any(str(facts.get('status')).startswith('failed') for facts in self.state['jobs'].values())

    @property
    def left(self) -> list[str]:
        """Jobs that failed, or that wait for a GPU or for more time."""
        return [job for job, facts in self.state['jobs'].items() if str(facts.get('status')).startswith(('failed', 'waiting'))]

    def note(self, job: str, **facts: object) -> None:
        """Stores facts on a job in the state."""
        self.state['jobs'][job] = {**self.state['jobs'].get(job, {}), **facts}
        self.save()

    def save(self) -> None:
        """Writes the state."""
        self.state['used_s'] = round(self.used_s, 1)
        with written_whole(self.out / 'state.json') as part:
            part.write_text(json.dumps(self.state, indent=1) + '\n')

    def on_gpu(self) -> Steps:
        """The steps of the GPU, in the order of their worth."""
        yield from self._reports()
        if self.plan.needs_gpu and not self.gpu:
            for training in self.plan.trainings:
                self.note(training.name, status='waiting for a GPU')
            return
        for training in self.plan.trainings:
            yield from self._train(training)
        for row in self.plan.table_rows:
            yield from self._table_row(row)

    def renders(self) -> Steps:
        """The steps of the renderer, on the cores beside the GPU."""
        for part in self.plan.order:
            if self.finished(part) or not self._needed(part.preset):
                continue
            arguments = ['training.render', '--preset', part.preset, '--count', str(self.plan.counts[part.preset])]
            arguments += ['--shard-size', str(self.plan.shard_size), '--shard', f'{part.number}/{part.of}']
            arguments += ['--workers', str(self.workers), '--output', str(self.data(part.preset))]
            if (yield Command(f'render_{part.preset}', tuple(arguments), _BESIDE)):
                self.note(f'render {part.preset}', status=f'failed: {last_line(self.logs / f"render_{part.preset}.log")}')
            else:
                self.note(f'render {part.preset}', status='done' if self._rendered(part.preset) else 'part done')
        self.rendering = False

    def portraits(self) -> Steps:
        """The steps that turn portraits and label them, on the cores beside the GPU."""
        output = ('--output', str(self.data('portraits')))
        fetched = (('fetch', ('training.portraits', 'fetch')), ('fetch_models', ('c2f_head_pose.models.fetch',)))
        steps = [Command(*one, _BESIDE) for one in fetched if self.fetch]
        turn = ('training.portraits', 'turn', *output, '--pictures', str(self.plan.portraits), '--workers', str(self.workers))
        steps += [Command('turn', turn, _BESIDE)]
        steps += [Command('label', ('training.portraits', 'label', '--model', LABELLED_BY, *output), _BESIDE)]
        if self.plan.portraits and not self.labelled and any(one.portraits and not self._trained(one) for one in self.plan.trainings):
            for command in steps:
                if (yield command):
                    reason = last_line(self.logs / f'{command.name}.log')
                    self.note('portraits', status=f'skipped: {reason}')
                    break
            else:
                self.note('portraits', status='done')
        self.turning = False

    @property
    def labelled(self) -> bool:
        """Whether the turned portraits are labelled; before, they have the labels of their fits, which are too coarse to train on."""
        return (self.data('portraits') / OWN_POSES).exists()

    def finished(self, part: Part) -> bool:
        """Whether a part of a preset is rendered."""
        if not (self.data(part.preset) / 'manifest.json').exists():
            return False
        manifest = read_manifest(self.data(part.preset))
        return set(range(part.number, manifest.shards, part.of)) <= set(finished_shards(self.data(part.preset), manifest))

    def _trained(self, training: Training) -> bool:
        return (self.run(training.name) / 'final.pt').exists()

    def _needed(self, preset: str) -> bool:
        """Whether a training that is not done, or a row of the table, reads a preset."""
        trainings = any(preset in one.presets and not self._trained(one) for one in self.plan.trainings)
        return trainings or (preset == TABLE_PRESET and bool(self.plan.table_rows))

    def _rendered(self, preset: str) -> bool:
        return all(self.finished(part) for part in self.plan.order if part.preset == preset)

    def _with_renders(self, presets: Sequence[str]) -> list[str]:
        """Those of some presets of which a part is rendered."""
        return [preset for preset in presets if any(self.finished(part) for part in self.plan.order if part.preset == preset)]

    def _reports(self) -> Steps:
        """The reports that are not written yet; where the machine cannot run TensorRT, all are skipped without a command."""
        left = [model for model in self.plan.reports if not self._reported(model)]
        if left:
            try:
                find_all()
            except ModelError as error:
                for model in left:
                    self.note(f'report {model}', status=f'skipped: {error}')
                return
        for model in left:
            yield from self._report(model)

    def _reported(self, model: str) -> bool:
        path = self.report(model)
        return path.exists() and not json.loads(path.read_text())['skipped']

    def _report(self, model: str) -> Steps:
        """Builds a model's engines, which takes longest, beside the renderers; then measures it alone."""
        path, file = self.report(model), model_path(model)
        for precision in precisions_of(load_onnx(file.read_bytes(), file)):
            if (yield Command(f'build_{model}', ('c2f_head_pose.engine.build', model, '--precision', precision))):
                break  # the report has the reason
        options = ('--json', str(path), *self.plan.report_options)
        status = yield Command(f'report_{model}', ('training.exporting.gpu_report', model, *options), alone=True)
        reason = json.loads(path.read_text())['skipped'] if path.exists() else last_line(self.logs / f'report_{model}.log')
        self.note(f'report {model}', status='done' if status == 0 else f'skipped: {reason}')

    def _train(self, training: Training) -> Steps:
        """Trains a model in parts; each part reads what is rendered by then, and is as long as all parts before."""
        run = self.run(training.name)
        while not self._trained(training):
            data = self.data_of(training)
            if not data:
                if not self.rendering:
                    self.note(training.name, status=f'failed: no renders of {training.presets[0]}')
                    return
                yield None
                continue
            trained_s = _seconds(run)
            status = yield Command(f'train_{training.name}', self._train_command(training, data, trained_s))
            if status or not (self._trained(training) or _seconds(run) > trained_s):
                self.note(training.name, status=f'failed: {last_line(self.logs / f"train_{training.name}.log")}')
                return
        self.note(training.name, status='done')

    def _train_command(self, training: Training, data: list[str], trained_s: float) -> tuple[str, ...]:
        run = self.run(training.name)
        arguments = ['training.train', training.config, '--data', *data, '--out', str(run), '--device', self.device]
        arguments += ['--minutes', f'{self.budget(training):g}']
        renders_come = self.rendering and not all(self._rendered(preset) for preset in training.presets)
        if renders_come or (training.portraits and self.turning):
            arguments += ['--pause-minutes', f'{max(self.plan.first_part_minutes, trained_s / 60):g}']
        if training.start is not None and not (run / 'last.pt').exists():
            arguments += ['--start', str(training.start)]
        return (*arguments, '--set', *training.settings) if training.settings else tuple(arguments)

    def data_of(self, training: Training) -> list[str]:
        """The `--data` of a training by now; empty before the first part is rendered."""
        first = next(part for part in self.plan.order if part.preset == training.presets[0])
        if not self.finished(first):
            return []
        joined = [f'{self.data("portraits")}=0.5'] if training.portraits and self.labelled else []
        return [*(str(self.data(preset)) for preset in self._with_renders(training.presets)), *joined]

    def budget(self, training: Training) -> float:
        """Minutes of a training over all calls: when it first begins, its share of what is left; then the same in every call."""
        known = self.state['jobs'].get(training.name, {}).get('budget_minutes')
        if known is None:
            after = self.plan.trainings[self.plan.trainings.index(training) :]
            left = max(self.total_minutes - self.used_s / 60, self.total_minutes / 10)
            known = round(left * training.share / (sum(one.share for one in after) + self._share_of_table()), 2)
            self.note(training.name, status='begun', budget_minutes=known)
        return known

    def _share_of_table(self) -> float:
        """Share of Table 2 beside the trainings' shares: none in a session that is too short for it."""
        share = 0.25
        return share if share * self.total_minutes >= ROW_MINUTES * max(1, len(self.plan.table_rows)) else 0.0

    def _table_row(self, row: str) -> Steps:
        """Trains and tests a row on all renders: all rows on the same, and none on data that change before its figures are written."""
        known = {figure.row for figure in results.read(2, self.results) if figure.value != results.NOT_RUN}
        job = f'table 2, {row}'
        if row in known:
            return
        rows, begun = self.plan.table_rows, 'budget_minutes' in self.state['jobs'].get(job, {})
        while True:
            left = self.total_minutes - self.used_s / 60
            if not begun and left < ROW_MINUTES:
                self.note(job, status=f'waiting: {max(left, 0):.0f} minutes are left, a row takes at least {ROW_MINUTES:g}')
                return
            if self._rendered(TABLE_PRESET) or not self.rendering:
                break
            yield None
        if not self._with_renders([TABLE_PRESET]):
            self.note(job, status=f'failed: no renders of {TABLE_PRESET}')
            return
        if not begun:
            self.note(job, budget_minutes=round(max(ROW_MINUTES, left / (len(rows) - rows.index(row))), 2))
        minutes = self.state['jobs'][job]['budget_minutes']
        arguments = ['training.tables', '2', '--run', '--rows', row, '--data', str(self.data(TABLE_PRESET)), '--minutes', f'{minutes:g}']
        arguments += ['--out', str(self.out / 'runs' / 'tables'), '--results', str(self.results), '--device', self.device]
        status = yield Command('table2', tuple(arguments))
        self.note(job, status=f'failed: {last_line(self.logs / "table2.log")}' if status else 'done')


def read_state(folder: Path) -> dict[str, Any]:
    """The state of a session; an empty one where there is none."""
    path = folder / 'state.json'
    return json.loads(path.read_text()) if path.exists() else {'used_s': 0.0, 'jobs': {}}


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def age_s() -> float:
    """Seconds since this process started; loading PyTorch for the first time can take half a minute of a call."""
    started = int(Path('/proc/self/stat').read_text().rpartition(')')[2].split()[19]) / os.sysconf('SC_CLK_TCK')  # proc(5): starttime
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def _seconds(run: Path) -> float:
    """Training time of a run so far, by its log."""
    rows = progress.read_rows(run / 'log.csv') if (run / 'log.csv').exists() else []
    return float(rows[-1]['seconds']) if rows else 0.0
