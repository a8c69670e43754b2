"""The whole training campaign as one resumable command: `python -m training.campaign --out FOLDER`.

Jobs run in the order of their worth; what is done is skipped, what was stopped goes on, what failed is told and does not stop the
rest. Every job has a time budget. Rendering runs beside training: training pauses now and then to take in the new renders.
Without a GPU only `c2f_edge` and `c2f_depth` run; the other rows wait for the same command on a machine with one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .command import exits_with_message, positive_float, positive_int
from .loop import checkpoint, progress
from .paper.experiments import ROBUSTNESS, of_table
from .synthetic.layout import finished_shards, read_manifest

ROUNDS = 6
"""A model's budget is cut into so many parts, each reading whatever has been rendered by then."""

ROBUSTNESS_SEED = 2
"""Of the robustness presets: with the training sets' seed, 1, they would show the very people of `paper`."""


@dataclass(frozen=True)
class Job:
    """One thing to make.

    Attributes:
        name: of the job, and of its folder.
        gpu: whether it waits for one.
        share: of the campaign's hours.
        config: of a model; '' for a table.
        preset: of the renders it trains on.
        table: number of a table; 0 for a model, or for the ablations.
    """

    name: str
    gpu: bool
    share: float
    config: str = ''
    preset: str = 'wide'
    table: int = 0


JOBS = (
    Job('c2f_edge', False, 0.2, config='edge'),
    Job('c2f', True, 0.25, config='c2f'),
    Job('c2f_paper', True, 0.15, config='paper', preset='paper'),
    Job('c2f_depth', False, 0.1, config='depth', preset='depth_structured_light'),
    *(Job(f'table{n}', True, 0.24 / 7, preset='paper', table=n) for n in (5, 6, 7, 8, 2, 4, 3)),
    Job('ablations', True, 0.06),
)


@dataclass
class Campaign:
    """A campaign's folder and settings.

    Attributes:
        out: holds datasets, runs and campaign.json.
        hours: of all jobs together; each has its share.
        gpu: whether there is one.
        counts: samples to render by preset.
        render: whether to render; otherwise only what lies there is used.
        device: 'auto' or 'cpu', of every command that has a choice.
        run: runs a command, its exit status; replaced in tests.
        state: what became of each job, kept in campaign.json.
    """

    out: Path
    hours: float
    gpu: bool
    counts: dict[str, int]
    render: bool = True
    device: str = 'auto'
    run: Callable[[list[str]], int] = lambda command: subprocess.run(command, check=False).returncode
    state: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self):
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / 'campaign.json'
        if path.exists():
            self.state = json.loads(path.read_text())

    def note(self, name: str, **facts: object) -> None:
        """Keeps what became of a job."""
        self.state[name] = {**self.state.get(name, {}), **facts}
        part = self.out / 'campaign.json.part'
        part.write_text(json.dumps(self.state, indent=1) + '\n')
        part.replace(self.out / 'campaign.json')

    def data(self, preset: str) -> Path:
        """Folder of a preset's renders."""
        return self.out / 'datasets' / preset

    def render_command(self, preset: str) -> list[str]:
        """The command that renders a preset, or goes on with it."""
        command = [sys.executable, '-m', 'training.render', '--preset', preset, '--count', str(self.counts[preset])]
        command += ['--output', str(self.data(preset)), '--device', self.device]
        return command + (['--seed', str(ROBUSTNESS_SEED)] if preset in ROBUSTNESS else [])

    def rendered(self, preset: str) -> bool:
        """Whether all shards of a preset are there, a robustness preset's of its own people."""
        try:
            manifest = read_manifest(self.data(preset))
        except ValueError:
            return False
        if preset in ROBUSTNESS and manifest.seed != ROBUSTNESS_SEED:
            return False  # the renderer says what to do about it
        return len(finished_shards(self.data(preset), manifest)) == manifest.shards

    def go(self) -> bool:
        """Runs every job that is not done; whether all are done now."""
        for job in JOBS:
            if self.state.get(job.name, {}).get('status') == 'done':
                print(f'{job.name}: done before', flush=True)
                continue
            if job.gpu and not self.gpu:
                self.note(job.name, status='waiting for a GPU')
                print(f'{job.name}: waits for a GPU; run the same command where there is one', flush=True)
                continue
            started = time.monotonic()
            minutes = 60 * self.hours * job.share
            try:
                status = self.do_table(job, minutes) if job.table else self.do_model(job, minutes) if job.config else self.do_ablations(job)
            except (OSError, ValueError, RuntimeError) as error:
                status = f'failed: {error}'
            self.note(job.name, status=status, minutes=round((time.monotonic() - started) / 60, 1), budget_minutes=round(minutes, 1))
            print(f'{job.name}: {status}', flush=True)
        return all(self.state.get(job.name, {}).get('status') == 'done' for job in JOBS)

    def do_model(self, job: Job, minutes: float) -> str:
        """Renders and trains a model, and exports it; its status."""
        run_folder = self.out / 'runs' / job.name
        background = self._start_rendering(job.preset)
        try:
            self._wait_for_data(job.preset, background)
            pause = max(1.0, minutes / ROUNDS)
            while not (run_folder / 'final.pt').exists():
                before = self._samples(run_folder)
                code = self.run(
                    [
                        sys.executable,
                        '-m',
                        'training.train',
                        job.config,
                        '--data',
                        str(self.data(job.preset)),
                        '--out',
                        str(run_folder),
                        '--minutes',
                        f'{minutes:g}',
                        '--pause-minutes',
                        f'{pause:g}',
                        '--device',
                        self.device,
                    ]
                )
                if code:
                    return f'failed: training ended with status {code}'
                if not (run_folder / 'final.pt').exists() and self._samples(run_folder) == before:
                    return 'failed: training made no step in its time'
        finally:
            if background is not None:
                background.terminate()
                background.wait()
        content = checkpoint.load(run_folder / 'final.pt')
        self.note(
            job.name, iterations=content['step'], samples=content['samples'], data_hash=content['data_hash'], commit=content['commit']
        )
        sets = [f'disturbed:{self.data(job.preset)}']
        sets += ['biwi'] if job.config == 'depth' else ['aflw2000', 'aflw2000@landmarks', 'aflw2000@detector', 'pointing04']
        command = [sys.executable, '-m', 'training.export', str(run_folder / 'final.pt'), '--name', job.name]
        command += ['--out', str(self.out / 'models'), '--data', str(self.data(job.preset))]
        command += ['--precision', 'fp32', 'fp16', 'int8', '--sets', *sets]
        code = self.run(command)
        return 'done' if code == 0 else f'failed: export ended with status {code}'

    def do_ablations(self, job: Job) -> str:
        """Trains and tests every choice of our network, for the same steps each; their status."""
        out = self.out / 'runs' / 'ablations'
        command = [sys.executable, '-m', 'training.studies.ablations', '--data', str(self.data(job.preset)), '--out', str(out)]
        code = self.run([*command, '--device', self.device])
        return 'done' if code == 0 else f'failed: the ablations ended with status {code}'

    def do_table(self, job: Job, minutes: float) -> str:
        """Trains and tests a table's rows, each training in an equal part of the time; its status."""
        needed = [job.preset, *(ROBUSTNESS[:3] if job.table == 6 else ROBUSTNESS[3:] if job.table == 7 else ())]
        if job.table == 8:
            needed = ['depth']
        for preset in needed:
            if self.render and not self.rendered(preset) and (code := self.run(self.render_command(preset))):
                return f'failed: rendering {preset} ended with status {code}'
        code = self.run(
            [
                sys.executable,
                '-m',
                'training.tables',
                str(job.table),
                '--run',
                '--data',
                str(self.data(needed[0])),
                '--robustness',
                str(self.out / 'datasets'),
                '--out',
                str(self.out / 'runs' / 'tables'),
                '--minutes',
                f'{minutes / len({row.name for row in of_table(job.table)}):g}',
                '--device',
                self.device,
            ]
        )
        return 'done' if code == 0 else f'failed: the table ended with status {code}'

    def _start_rendering(self, preset: str) -> subprocess.Popen | None:
        if not self.render or self.rendered(preset):
            return None
        return subprocess.Popen(self.render_command(preset), env=os.environ | {'OMP_NUM_THREADS': '1'})

    def _wait_for_data(self, preset: str, background: subprocess.Popen | None) -> None:
        while not any(self.data(preset).glob('shard-*[0-9]')):
            if background is None or background.poll() is not None:
                raise ValueError(f'no renders in {self.data(preset)}: run {" ".join(self.render_command(preset))}')
            time.sleep(2)

    def _samples(self, run_folder: Path) -> int:
        return (
            int(progress.read_rows(run_folder / 'log.csv')[-1]['samples'])
            if (run_folder / 'log.csv').exists() and progress.read_rows(run_folder / 'log.csv')
            else 0
        )


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> int:
    """The command; 0 when everything is done."""
    parser = argparse.ArgumentParser(
        prog='python -m training.campaign', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('runs/campaign'))
    parser.add_argument(
        '--hours', type=positive_float, help='of all jobs together; 24 on a GPU, and 13 without one: two or so for edge and one for depth'
    )
    parser.add_argument('--count', type=positive_int, help='samples to render of every preset; 300000 on a GPU, 20000 without')
    parser.add_argument('--no-render', action='store_true', help='use the renders that lie in OUT/datasets')
    parser.add_argument('--device', choices=('auto', 'cpu'), default='auto', help='cpu: as if there were no GPU')
    args = parser.parse_args(arguments)
    gpu = args.device == 'auto' and torch.cuda.is_available()
    count = args.count or (300_000 if gpu else 20_000)
    presets = {job.preset for job in JOBS} | {'depth', *ROBUSTNESS}
    hours = args.hours or (24.0 if gpu else 13.0)
    campaign = Campaign(args.out, hours, gpu, dict.fromkeys(presets, count), not args.no_render, args.device)
    return 0 if campaign.go() else 1


if __name__ == '__main__':
    sys.exit(main())
