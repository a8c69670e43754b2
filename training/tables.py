"""The paper's tables beside ours: `python -m training.tables N`.

Without more it prints the paper's figures and those in training/results. --run trains and tests the rows first, on --data;
with --small at a scale for one CPU, whose figures compare rows with each other and never replace those of a full run.
--tiny does so at a scale that only tries the machinery, on stand-in heads, and writes nothing into training/results.
Cells whose data are not at hand say 'not run', with the steps on the error output.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics

from . import checkpoint, experiments, results, stand_in
from .baselines import Classifier
from .batches import SyntheticCrops
from .biwi import depth_face
from .config import config_of
from .datasets import Face, MissingDataError, open_faces
from .evaluate import crops_of
from .experiments import SCALES, Experiment, Scale
from .model_file import Model, open_model
from .paper_tables import TABLES
from .parallel import join, leave
from .real_crops import JoinedCrops, RealCrops
from .results import NOT_RUN, Figure
from .rotations import ypr_from_rotation
from .train import Run, keep_freed_memory
from .validate import held_out

TRAIN_PEOPLE, TEST_PEOPLE = (1, 2, 3, 4, 5), (6, 7)
"""Pointing'04's people for the rows with real training data; its terms allow any use, but no such weight is ever shipped."""
FEWEST_FRAMES = {'biwi': 10_000, 'boston': 9_000, 'pointing04': 100}
"""A part of a set is not that set: fewer faces than this are not reported under its name."""


class Bench:
    """Trains and tests the rows of a table.

    Args:
        data: rendered training sets.
        robustness: folder with the renderer's robustness presets by name.
        out: folder of the runs.
        scale: of networks and trainings.
        minutes: time budget of each training.
        device: 'auto', 'cpu' or 'cuda'.
    """

    def __init__(
        self,
        data: list[str],
        robustness: Path | None,
        out: Path,
        scale: Scale = SCALES['full'],
        minutes: float | None = None,
        device: str = 'auto',
    ):
        self.data, self.robustness, self.out = data, robustness, out
        self.scale, self.minutes, self.device = scale, minutes, device
        self.tiny = scale.name == 'tiny'

    def train(self, experiment: Experiment) -> Path:
        """The row's checkpoint, trained if it is not there yet."""
        folder = self.out / experiment.name
        if (folder / 'final.pt').exists():
            return folder / 'final.pt'
        config = experiment.run_config(self.scale)
        depth = config.modality == 'depth'
        train_set = SyntheticCrops(self.data, 'train', depth, config.pose_limits_deg) if experiment.data != 'real' else None
        if experiment.data != 'synthetic':
            real = RealCrops(self._real_faces(TRAIN_PEOPLE), train_set.size if train_set else 192)
            train_set = real if train_set is None else JoinedCrops(train_set, real)
        val_set = None if experiment.data == 'real' else SyntheticCrops(self.data, 'val', depth, config.pose_limits_deg, config.validate_on)
        place = join(self.device)
        Run(config, train_set, val_set, folder, place, self.minutes).go()
        leave(place)
        return folder / 'final.pt'

    def _real_faces(self, people: tuple[int, ...]) -> list[Face]:
        faces = open_faces('pointing04', people=people)
        return faces[::40] if self.tiny else faces

    def run(self, experiment: Experiment) -> list[Figure]:
        """The row's figures; 'not run' where data are missing."""
        try:
            path = self.train(experiment)
        except MissingDataError as error:
            print(f'table {experiment.table}, {experiment.row}: not trained. {error}', file=sys.stderr)
            return [self._figure(experiment, None, cell, NOT_RUN, 0, '') for cell in TABLES[experiment.table].columns]
        figures = []
        for test in experiment.tests:
            try:
                cells, n, protocol = self.test(path, test, experiment)
            except MissingDataError as error:
                print(f'table {experiment.table}, {experiment.row}, {test}: not run. {error}', file=sys.stderr)
                cells, n, protocol = dict.fromkeys(_columns_of(experiment, test), NOT_RUN), 0, ''
            else:
                cells = {_column(experiment, test, figure): value for figure, value in cells.items()}
            figures += [self._figure(experiment, path, cell, value, n, protocol) for cell, value in cells.items()]
        if experiment.table == 2:
            figures.append(self._pooled(experiment, path, figures))
        return figures

    def _pooled(self, experiment: Experiment, path: Path, figures: list[Figure]) -> Figure:
        """Table 2's column over all real images: of all three sets or not at all."""
        parts = [f for f in figures if f.cell in experiments.REAL and f.value != NOT_RUN]
        if len(parts) < len(experiments.REAL):
            return self._figure(experiment, path, 'real', NOT_RUN, 0, '')
        n = sum(f.n for f in parts)
        return self._figure(experiment, path, 'real', sum(float(f.value) * f.n for f in parts) / n, n, 'Biwi, Pointing04 and Boston, box')

    def test(self, path: Path, test: str, experiment: Experiment) -> tuple[dict[str, object], int, str]:
        """Cells, number of samples and protocol of a checkpoint on a test set."""
        model, config = open_model(path), config_of(checkpoint.load(path)['config'])
        if test in ('biwi', 'pointing04', 'boston'):
            return self._test_real(model, test, experiment)
        folders = self.data
        if test in experiments.ROBUSTNESS:
            folder = None if self.robustness is None else self.robustness / test
            if folder is None or not folder.is_dir():
                raise MissingDataError(
                    f'render it: python -m training.render --preset {test} --output FOLDER/{test}, then --robustness FOLDER'
                )
            folders = [str(folder)]
        split = None if test in experiments.ROBUSTNESS else 'test'
        data = SyntheticCrops(folders, split, config.modality == 'depth', config.pose_limits_deg, 16 if self.tiny else 10_000)
        crops, truth = held_out(data, config, disturbed=test == 'synthetic')
        protocol = f'rendered {test}, landmarks x{model.crop_margin:g}' + (', as in training' if test == 'synthetic' else ', undisturbed')
        return self._cells(model, crops.numpy(), truth, geometry.ypr_deg_from_rotation(truth)), len(truth), protocol

    def _test_real(self, model: Model, test: str, experiment: Experiment) -> tuple[dict[str, object], int, str]:
        if test == 'pointing04' and experiment.table == 5:
            faces, protocol = self._real_faces(TEST_PEOPLE), 'Pointing04 people 06-07, box'
        else:
            faces, protocol = open_faces(test), f'{test}, box'
        if len(faces) < FEWEST_FRAMES[test] and not self.tiny:
            raise MissingDataError(f'{test} has {len(faces)} faces there, the set has at least {FEWEST_FRAMES[test]}: unpack all of it')
        if test == 'boston':
            raise MissingDataError(
                'Boston has no face boxes: evaluate the exported model with python -m training.evaluate MODEL boston@detector'
            )
        if self.tiny:
            faces = faces[:16]
        if model.modality == 'depth':
            faces = [depth_face(face, Path(os.environ['BIWI_DIR'])) for face in faces]
        truth = np.array([face.ypr_deg for face in faces])
        R = geometry.rotation_from_ypr_deg(np.nan_to_num(truth))
        return self._cells(model, crops_of(faces, 'box', model), R, truth), len(faces), protocol

    def _cells(self, model: Model, crops: np.ndarray, R: np.ndarray, ypr_deg: np.ndarray) -> dict[str, object]:
        network = model.engine.network
        if isinstance(network, Classifier):
            column = {'yaw': 0, 'pitch': 1, 'roll': 2}
            if not np.isfinite(ypr_deg[:, [column[a] for a in network.by]]).all():
                raise MissingDataError('the set does not label an angle that this strategy needs')
            with torch.no_grad():
                guessed = torch.cat([network.classify(part).argmax(1) for part in torch.from_numpy(crops).split(64)])
            target = network.target(ypr_from_rotation(torch.from_numpy(R)))
            return {'coarse': 100 * float((guessed == target).float().mean())}
        output = model.infer(crops)
        errors = metrics.angle_errors(ypr_deg, output.rotation).summary()
        cells: dict[str, object] = {
            axis: errors.get(axis) for axis in ('pitch', 'pitch_std', 'yaw', 'yaw_std', 'roll', 'roll_std') if axis in errors
        }
        cells['coarse'] = 100 * metrics.coarse_accuracy(R, output.category_logits)['beyond_0']
        cells['ms'] = model.milliseconds(crops[:16], 3 if self.tiny else 50)
        return cells

    def _figure(self, experiment: Experiment, path: Path | None, cell: str, value: object, n: int, protocol: str) -> Figure:
        content = checkpoint.load(path) if path else {'step': 0, 'samples': 0, 'seed': 0, 'data_hash': ''}
        scale = 'tiny' if self.tiny else f'{content["step"]} iterations, {content["samples"]} samples, {experiment.data} training data'
        if self.scale.words:
            scale = f'{self.scale.words}, {scale}'
        return Figure(
            experiment.table,
            experiment.row,
            cell,
            value if value == NOT_RUN else f'{value:.4g}',
            n,
            scale,
            protocol,
            f'python -m training.tables {experiment.table} --run' + (f' --{self.scale.name}' if self.scale.name != 'full' else ''),
            checkpoint.commit(),
            content['seed'],
            content['data_hash'],
        )


def waiting(number: int) -> list[Figure]:
    """Every cell of a table's rows as 'not run', with the command that fills it."""
    command, commit = f'python -m training.tables {number} --run', checkpoint.commit()
    return [
        Figure(number, e.row, cell, NOT_RUN, 0, 'waiting for a GPU', '', command, commit, 0, '')
        for e in experiments.of_table(number)
        for cell in TABLES[number].columns
    ]


def _column(experiment: Experiment, test: str, figure: str) -> str:
    """The table's name of a test's figure."""
    if experiment.table in (2, 3):
        return test if figure == 'coarse' else f'{test} {figure}'
    return figure if experiment.table in (6, 7) else f'{test} {figure}'


def _columns_of(experiment: Experiment, test: str) -> list[str]:
    """The printed columns that a test would have filled."""
    columns = TABLES[experiment.table].columns
    return list(columns) if experiment.table in (6, 7) else [c for c in columns if c.split()[0] == test]


def show(table: int, figures: list[Figure], tiny: bool) -> str:
    """The table as text: the paper's figure, then ours."""
    paper = TABLES[table]
    mine = {(f.row, f.cell): f for f in figures}
    extra = list(dict.fromkeys(f.cell for f in figures if f.cell not in paper.columns))
    lines = [
        f'Table {table}: {paper.title}. Each cell: the paper / ours.'
        + (' TINY: a trial of the machinery, the figures mean nothing.' if tiny else '')
    ]
    for label in dict.fromkeys([*paper.rows, *(f.row for f in figures)]):
        printed = paper.cells(label)
        cells = []
        for column in (*paper.columns, *extra):
            figure = mine.get((label, column))
            theirs = '-' if printed.get(column) is None else f'{printed[column]:g}'
            if theirs != '-' or figure is not None:
                cells.append(f'{column} {theirs} / {figure.value if figure else "-"}')
        lines.append(f'  {label:18s} ' + '   '.join(cells))
    scales = dict.fromkeys(f.scale for f in figures)
    if scales:
        lines.append('  scale: ' + '; '.join(scales))
    return '\n'.join(lines)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.tables', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('number', type=int, choices=sorted(TABLES))
    parser.add_argument('--run', action='store_true', help='train and test the rows')
    parser.add_argument('--tiny', action='store_true', help='only try the machinery')
    parser.add_argument('--small', action='store_true', help='with --run: an hour for all rows on a CPU; the figures say so')
    parser.add_argument('--waiting', action='store_true', help="put every cell on file as 'not run' that has no figure yet")
    parser.add_argument('--data', nargs='+', help='rendered training sets')
    parser.add_argument('--robustness', type=Path, help="folder of the renderer's robustness presets")
    parser.add_argument('--out', type=Path, default=Path('runs/tables'))
    parser.add_argument('--minutes', type=float, help='of each training')
    parser.add_argument('--device', default='auto')
    args = parser.parse_args(arguments)
    keep_freed_memory()
    if args.tiny:
        with tempfile.TemporaryDirectory() as folder:
            print(show(args.number, run_tiny(args.number, Path(folder)), tiny=True))
        return
    if args.waiting:
        results.write(waiting(args.number))
    if args.run:
        if not args.data:
            parser.error('--run needs --data')
        scale = SCALES['small' if args.small else 'full']
        bench = Bench(args.data, args.robustness, args.out / scale.name, scale, args.minutes, args.device)
        for experiment in experiments.of_table(args.number):
            results.write(bench.run(experiment))
    print(show(args.number, results.read(args.number), tiny=False))


def run_tiny(number: int, folder: Path) -> list[Figure]:
    """All rows of a table on stand-in heads, two iterations each."""
    stand_in.write(folder / 'heads', 40, 96, limits_deg=(30, 30, 15))
    for name in {test for e in experiments.of_table(number) for test in e.tests} & set(experiments.ROBUSTNESS):
        stand_in.write(folder / 'robust' / name, 16, 96, limits_deg=(30, 30, 15), conditions=('a', 'b'))
    bench = Bench([str(folder / 'heads')], folder / 'robust', folder / 'runs', SCALES['tiny'], device='cpu')
    return [figure for experiment in experiments.of_table(number) for figure in bench.run(experiment)]


if __name__ == '__main__':
    main()
