"""Runs the whole training campaign as one resumable command: `python -m training.campaign --out FOLDER`.

Jobs run in the order of their value. Finished jobs are skipped, stopped ones are resumed, and a failed job is reported without stopping
the others. Every job has a time budget. Rendering runs beside training, which pauses now and then to read the new renders. Without a GPU
only `c2f_edge` and `c2f_depth` run; the others wait for the same command on a machine with one. With --scale medium the campaign trains
the paper's tables alone, with smaller networks, on a CPU: first every row once, then the further seeds of decisive rows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import torch

from c2f_head_pose.files import written_whole

from .command import exits_with_message, positive_float, positive_int
from .loop import checkpoint, progress
from .paper.experiments import ROBUSTNESS, SCALES, of_table
from .synthetic.layout import finished_shards, read_manifest
from .synthetic.presets import PRESETS

ROUNDS = 6
"""Parts of a model's budget; each part reads the samples rendered by then."""

ROBUSTNESS_SEED = 2
"""Seed of the robustness presets; with the training sets' seed, 1, they would show the same people as `paper`."""


@dataclass(frozen=True)
class Job:
    """One job of the campaign.

    Attributes:
        name: name of the job and of its folder.
        gpu: whether it needs a GPU.
        share: share of the campaign's hours.
        config: configuration of a model; '' for a table.
        preset: preset of the renders to train on.
        table: number of a table; 0 for a model and for the ablations.
        seeds: largest number of trainings of each row of the table; 0 for the scale's number.
    """

    name: str
    gpu: bool
    share: float
    config: str = ''
    preset: str = 'wide'
    table: int = 0
    seeds: int = 0


JOBS = (
    Job('c2f_edge', False, 0.2, config='edge'),
    Job('c2f', True, 0.25, config='c2f'),
    Job('c2f_paper', True, 0.15, config='paper', preset='paper'),
    Job('c2f_depth', False, 0.1, config='depth', preset='depth_structured_light'),
    *(Job(f'table{n}', True, 0.24 / 7, preset='paper', table=n) for n in (5, 6, 7, 8, 2, 4, 3)),
    Job('ablations', True, 0.06),
)
REDUCED_JOBS = (
    *(Job(f'table{n}', False, 1 / 11, preset='paper', table=n, seeds=1) for n in (6, 7, 4, 5, 3, 8, 2)),
    *(Job(f'table{n}_seeds', False, 1 / 11, preset='paper', table=n) for n in (4, 5, 3, 2)),
)
"""At a reduced scale, which a CPU can train. Table 6 comes first: it trains the network that most other tables share. Further seeds
come last."""
REDUCED_COUNTS = {'paper': 60_000, 'depth': 20_000, **dict.fromkeys(ROBUSTNESS, 3_000)}
"""Samples to render at a reduced scale."""


def jobs_of(scale: str) -> tuple[Job, ...]:
    """The jobs of a scale in their order; a scale of one seed has no jobs for further seeds."""
    return JOBS if scale == 'full' else tuple(job for job in REDUCED_JOBS if job.seeds or SCALES[scale].seeds > 1)


@dataclass
class Campaign:
    """A campaign's folder and settings.

    Attributes:
        out: folder of datasets, runs and campaign.json.
        hours: hours of all jobs together; each has its share.
        gpu: whether the machine has a GPU.
        counts: samples to render by preset.
        render: whether to render; otherwise only existing renders are used.
        device: 'auto' or 'cpu', for every command that has the option.
        scale: scale of the tables, a key of `paper.experiments.SCALES`; at another than 'full' the campaign consists of the tables alone.
        parallel: number of tables to train at the same time, after the first of each pass, whose networks the others share.
        results: folder of the tables' csv files; None for training/results.
        only: names of the jobs to run; empty for all.
        run: runs a command and returns its exit status; tests replace it.
        state: status of each job, stored in campaign.json.
    """

    out: Path
    hours: float
    gpu: bool
    counts: dict[str, int]
    render: bool = True
    device: str = 'auto'
    scale: str = 'full'
    parallel: int = 1
    results: Path | None = None
    only: tuple[str, ...] = ()
    run: Callable[[list[str]], int] = lambda command: subprocess.run(command, check=False).returncode
    state: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self):
        self._lock = threading.Lock()
        self.out.mkdir(parents=True, exist_ok=True)
        if self.state_path.exists():
            self.state = json.loads(self.state_path.read_text())

    @property
    def state_path(self) -> Path:
        """The file of the jobs' status; each scale has its own."""
        return self.out / ('campaign.json' if self.scale == 'full' else f'campaign_{self.scale}.json')

    def note(self, name: str, **facts: object) -> None:
        """Stores facts on a job in campaign.json."""
        with self._lock:
            self.state[name] = {**self.state.get(name, {}), **facts}
            with written_whole(self.state_path) as part:
                part.write_text(json.dumps(self.state, indent=1) + '\n')

    def data(self, preset: str) -> Path:
        """Folder of a preset's renders."""
        return self.out / 'datasets' / preset

    def render_command(self, preset: str) -> list[str]:
        """The command that renders a preset or resumes its rendering."""
        command = [sys.executable, '-m', 'training.render', '--preset', preset, '--count', str(self.counts[preset])]
        command += ['--output', str(self.data(preset)), '--device', self.device]
        return command + (['--seed', str(ROBUSTNESS_SEED)] if preset in ROBUSTNESS else [])

    def rendered(self, preset: str) -> bool:
        """Whether a preset is complete; a robustness preset must also have its own seed."""
        try:
            manifest = read_manifest(self.data(preset))
        except ValueError:
            return False
        if preset in ROBUSTNESS and manifest.seed != ROBUSTNESS_SEED:
            return False  # the renderer then prints what to do
        return len(finished_shards(self.data(preset), manifest)) == manifest.shards

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs in their order: all, or those of `only`."""
        return tuple(job for job in jobs_of(self.scale) if not self.only or job.name in self.only)

    def go(self) -> bool:
        """Runs every job that is not done; returns whether all are done."""
        for first, *others in (list(jobs) for _, jobs in groupby(self.jobs, lambda job: job.seeds)):
            self.do(first)  # alone, because the others share its networks
            with ThreadPoolExecutor(self.parallel) as pool:
                list(pool.map(self.do, others))
        return all(self.state.get(job.name, {}).get('status') == 'done' for job in self.jobs)

    def do(self, job: Job) -> None:
        """Runs a job unless it is done or needs a GPU that is missing, and stores its status."""
        if self.state.get(job.name, {}).get('status') == 'done':
            print(f'{job.name}: done before', flush=True)
            return
        if job.gpu and not self.gpu:
            self.note(job.name, status='waiting for a GPU')
            print(f'{job.name}: waits for a GPU; run the same command on a machine with one', flush=True)
            return
        started = time.monotonic()
        minutes = 60 * self.hours * job.share
        try:
            status = self.do_table(job, minutes) if job.table else self.do_model(job, minutes) if job.config else self.do_ablations(job)
        except (OSError, ValueError, RuntimeError) as error:
            status = f'failed: {error}'
        self.note(job.name, status=status, minutes=round((time.monotonic() - started) / 60, 1), budget_minutes=round(minutes, 1))
        print(f'{job.name}: {status}', flush=True)

    def do_model(self, job: Job, minutes: float) -> str:
        """Renders for, trains and exports a model; returns its status."""
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
        """Runs the ablations; returns their status."""
        out = self.out / 'runs' / 'ablations'
        command = [sys.executable, '-m', 'training.studies.ablations', '--data', str(self.data(job.preset)), '--out', str(out)]
        code = self.run([*command, '--device', self.device])
        return 'done' if code == 0 else f'failed: the ablations ended with status {code}'

    def do_table(self, job: Job, minutes: float) -> str:
        """Trains and tests the rows of a table, with equal time for each training; returns its status."""
        needed = [job.preset, *(ROBUSTNESS[:3] if job.table == 6 else ROBUSTNESS[3:] if job.table == 7 else ())]
        if job.table == 8:
            needed = ['depth']
        for preset in needed:
            if self.render and not self.rendered(preset) and (code := self.run(self.render_command(preset))):
                return f'failed: rendering {preset} ended with status {code}'
        command = [sys.executable, '-m', 'training.tables', str(job.table), '--run', '--data', str(self.data(needed[0]))]
        command += ['--robustness', str(self.out / 'datasets'), '--out', str(self.out / 'runs' / 'tables'), '--device', self.device]
        if self.scale == 'full':
            trainings = len({row.name for row in of_table(job.table)})
            command += ['--minutes', f'{minutes / trainings:g}']
        else:
            command += ['--scale', self.scale]
            command += [] if self.results is None else ['--results', str(self.results)]
            command += ['--seeds', str(job.seeds)] if job.seeds else []
        code = self.run(command)
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
    """Runs the command; returns 0 when every job is done."""
    parser = argparse.ArgumentParser(
        prog='python -m training.campaign', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('runs/campaign'))
    parser.add_argument(
        '--hours', type=positive_float, help='of all jobs together; 24 on a GPU, and 13 without one: two or so for edge and one for depth'
    )
    parser.add_argument(
        '--count',
        type=positive_int,
        help="samples to render of every preset (default on a GPU 300000 and of the paper's as many as it has, without 20000)",
    )
    parser.add_argument('--scale', choices=('full', 'medium', 'small'), default='full', help='medium, small: the tables alone, on a CPU')
    parser.add_argument('--parallel', type=positive_int, default=1, help='tables to train at the same time at a reduced scale')
    parser.add_argument('--results', type=Path, help='folder of the csv files of a reduced scale (default training/results)')
    parser.add_argument('--jobs', nargs='+', default=(), metavar='JOB', help='only these jobs, such as c2f_paper or table6')
    parser.add_argument('--no-render', action='store_true', help='use the existing renders in OUT/datasets')
    parser.add_argument('--device', choices=('auto', 'cpu'), default='auto', help='cpu: ignore a GPU')
    args = parser.parse_args(arguments)
    gpu = args.device == 'auto' and torch.cuda.is_available()
    count = args.count or (300_000 if gpu else 20_000)
    presets = {job.preset for job in JOBS} | {'depth', *ROBUSTNESS}
    hours = args.hours or (24.0 if gpu else 13.0)
    counts = dict.fromkeys(presets, count)
    if gpu and args.count is None:
        counts |= {name: PRESETS[name].count for name in ('paper', 'depth', *ROBUSTNESS)}
    if args.scale != 'full':
        hours, counts = args.hours or 24.0, counts | (REDUCED_COUNTS if args.count is None else {})
    elif args.parallel > 1 or args.results:
        parser.error('--parallel and --results are for --scale medium or small')
    names = [job.name for job in jobs_of(args.scale)]
    if unknown := sorted(set(args.jobs) - set(names)):
        parser.error(f'--jobs {", ".join(unknown)}: there are {", ".join(names)}')
    campaign = Campaign(
        args.out, hours, gpu, counts, not args.no_render, args.device, args.scale, args.parallel, args.results, tuple(args.jobs)
    )
    return 0 if campaign.go() else 1


if __name__ == '__main__':
    sys.exit(main())
