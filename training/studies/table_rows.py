"""Trains and tests the rows of the paper's tables."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from c2f_head_pose.evaluation import metrics
from c2f_head_pose.models.registry import ModelError

from ..data.crops import SyntheticCrops
from ..datasets.base import Face, MissingDataError
from ..datasets.biwi import depth_face, split_80_20
from ..datasets.face_crops import detected
from ..datasets.pointing04 import MAX_PAN_DEG, MAX_TILT_DEG
from ..datasets.real_crops import JoinedCrops, RealCrops
from ..datasets.registry import open_faces, spread
from ..evaluation.measure import evaluate_faces, evaluate_synthetic
from ..evaluation.model_file import Model, one_thread, open_model
from ..evaluation.report import Result
from ..evaluation.results import NOT_RUN, Figure, mean_of
from ..loop import checkpoint
from ..loop.config import RunConfig
from ..loop.trained import Way, trained
from ..loop.validate import category_accuracies
from ..models.baselines import Classifier
from ..paper import experiments
from ..paper.experiments import SCALES, Experiment, Scale
from ..paper.published import TABLES
from ..synthetic.dataset import refuse_people_seen
from .conditions import poses_in

TEST_PEOPLE = (6, 7)
"""Pointing'04's people that no row is trained on; its terms allow any use, but no weight trained on the others is ever shipped."""
FEWEST_FRAMES = {'biwi': 10_000, 'boston': 9_000, 'pointing04': 100}
"""Smallest number of faces of a set that is tested or trained on. Protocols state the actual number."""
UNTRAINED = {'step': 0, 'samples': 0, 'seed': 0, 'data_hash': '', 'commit': '', 'data': []}
"""Values of a figure without a training, in place of a checkpoint's."""
CELLS = ('pitch', 'pitch_std', 'yaw', 'yaw_std', 'roll', 'roll_std')
PAPERS_ANGLES = ('pitch', 'yaw')
"""The angles of the paper's categories. A classifier of more is also judged by these alone, to be comparable with one of these."""


class TableRunner:
    """Trains and tests the rows of a table.

    Args:
        data: rendered training sets.
        robustness: folder with the renderer's robustness presets by name.
        out: folder of the runs.
        scale: scale of networks and trainings.
        minutes: time budget of each training.
        device: 'auto', 'cpu' or 'cuda'.
        command: the command to store with the figures, to which each adds its row.
        workers: processes that load batches ahead, for training on a CPU.
        seeds: largest number of trainings of a row; None for the scale's number.
    """

    def __init__(
        self,
        data: list[str],
        robustness: Path | None,
        out: Path,
        scale: Scale = SCALES['full'],
        minutes: float | None = None,
        device: str = 'auto',
        command: str = '',
        workers: int = 0,
        seeds: int | None = None,
    ):
        self.data, self.robustness, self.out, self.seeds = data, robustness, out, seeds
        self.scale, self.minutes, self.device, self.command, self.workers = scale, minutes, device, command, workers
        self.tiny = scale.name == 'tiny'

    def train(self, experiment: Experiment) -> Path:
        """Returns the row's checkpoint, and trains it first if there is none.

        Raises:
            ValueError: where it was trained with other settings or data.
            MissingDataError: without the data it is to be trained on.
            InterruptedError: where the training is stopped by SIGTERM.
        """
        config = experiment.run_config(self.scale)
        depth = config.modality == 'depth'
        train_set = SyntheticCrops(self.data, 'train', depth, config.pose_limits_deg) if experiment.data != 'real' else None
        if experiment.data != 'synthetic':
            real = self._real_crops(train_set.size if train_set else 192, config)
            train_set = real if train_set is None else JoinedCrops(train_set, real)
        val_set = None if experiment.data == 'real' else SyntheticCrops(self.data, 'val', depth, config.pose_limits_deg, config.validate_on)
        way = Way(self.device, self.workers, self.minutes, self.scale.keep_at)
        return Path(trained(config, train_set, self.out / experiment.name, way, val_set).path)

    def _real_crops(self, size: int, config: RunConfig) -> RealCrops:
        """Returns the paper's 80 % of Biwi, and Pointing'04 without its test people; one of them alone if the other is missing."""
        faces, names, missing = [], [], []
        for name, words in (('biwi', 'Biwi, 80 % by frame'), ('pointing04', "Pointing'04 without people 06 and 07")):
            try:
                whole = self._at_hand(name)
            except MissingDataError as error:
                missing.append(str(error))
                continue
            faces += split_80_20(whole)[0] if name == 'biwi' else [face for face in whole if not _tested(face)]
            names.append(words)
        if not faces:
            raise MissingDataError(' '.join(missing))
        real = RealCrops(faces, size, config.pose_limits_deg, ' and '.join(names))
        print('\n'.join([f'real training data: {real.sets[0].path}', *missing]), file=sys.stderr)
        return real

    def _at_hand(self, name: str) -> list[Face]:
        """Returns a whole set's faces, or a few of them at tiny scale.

        Raises:
            MissingDataError: when the set is missing or not complete.
        """
        faces = open_faces(name)
        if self.tiny:
            return spread(faces, 40)
        if len(faces) < FEWEST_FRAMES[name]:
            raise MissingDataError(f'{name} has {len(faces)} faces there, the set has at least {FEWEST_FRAMES[name]}: unpack all of it')
        return faces

    def run_seeds(self, experiment: Experiment) -> Iterator[list[Figure]]:
        """Yields the row's figures after each of its trainings, as means over the seeds so far.

        Yields:
            Complete figures of the row, so that they can be written while further seeds are trained.
        """
        trainings = []
        for seed in range(min(self.scale.seeds, self.seeds or self.scale.seeds) if experiment.decisive else 1):
            trainings.append(self.run(experiments.with_seed(experiment, seed)))
            yield mean_of(trainings)
            if all(figure.value == NOT_RUN for figure in trainings[-1]):
                return

    def run(self, experiment: Experiment) -> list[Figure]:
        """Trains and tests the row; returns its figures, 'not run' where data are missing."""
        try:
            path = self.train(experiment)
        except MissingDataError as error:
            print(f'table {experiment.table}, {experiment.row}: not trained. {error}', file=sys.stderr)
            return [self._figure(experiment, UNTRAINED, cell, NOT_RUN, 0, '') for cell in TABLES[experiment.table].columns]
        model, content, figures = open_model(path, self.device), checkpoint.load(path), []
        for test in experiment.tests:
            try:
                cells, n, protocol = self.test(model, test, experiment)
            except (MissingDataError, ModelError) as error:
                print(f'table {experiment.table}, {experiment.row}, {test}: not run. {error}', file=sys.stderr)
                cells, n, protocol = dict.fromkeys(_columns_of(experiment, test), NOT_RUN), 0, ''
            else:
                cells = {_column(experiment, test, figure): value for figure, value in cells.items()}
            figures += [self._figure(experiment, content, cell, value, n, protocol) for cell, value in cells.items()]
        if experiment.table == 2:
            figures.append(self._pooled(experiment, content, figures))
        return figures

    def _pooled(self, experiment: Experiment, content: dict[str, Any], figures: list[Figure]) -> Figure:
        """Table 2's column over all real images: of the sets at hand that label the row's angles, named in the protocol."""
        parts = [f for f in figures if f.cell in experiments.REAL and f.value != NOT_RUN]
        if not parts:
            return self._figure(experiment, content, 'real', NOT_RUN, 0, '')
        n = sum(f.n for f in parts)
        value = sum(float(f.value) * f.n for f in parts) / n
        return self._figure(experiment, content, 'real', value, n, 'real: ' + ' + '.join(f.protocol for f in parts))

    def test(self, model: Model, test: str, experiment: Experiment) -> tuple[dict[str, object], int, str]:
        """Tests a model on a test set; returns cells, number of samples and protocol.

        Raises:
            MissingDataError: when the set is missing, or lacks the labels that the row needs.
            ValueError: for renders of people that were trained on.
        """
        if test in experiments.REAL:
            faces, crop_name, protocol = self.real_faces(test, experiment)
            if model.modality == 'depth':
                faces = [depth_face(face, Path(os.environ['BIWI_DIR'])) for face in faces]
            result = evaluate_faces(model, faces, crop_name)
        else:
            folders, split, protocol = self.data, 'test', f'rendered {test}, landmarks x{model.crop_margin:g}, as in training'
            if test in experiments.ROBUSTNESS:
                folder = None if self.robustness is None else self.robustness / test
                if folder is None or not folder.is_dir():
                    raise MissingDataError(
                        f'render it: python -m training.render --preset {test} --seed 2 --output FOLDER/{test}, then --robustness FOLDER'
                    )
                for data in self.data:
                    refuse_people_seen(Path(data), folder)
                folders, split = [str(folder)], None
                protocol = f'{protocol.replace("as in training", "undisturbed")}, {_poses_and_people(model, folder)}'
            result = evaluate_synthetic(model, folders, test == 'synthetic', split, 16 if self.tiny else 10_000)
        return self._cells(model, result), len(result.names), protocol

    def real_faces(self, test: str, experiment: Experiment) -> tuple[list[Face], str, str]:
        """Returns the faces of a real set that the row is tested on, their crop, and the protocol as text.

        Raises:
            MissingDataError: when the set is missing.
        """
        if test == 'boston':
            labelled, found = self._boston
            faces, crop_name, words = found, 'detector', f'Boston, {len(found)} of {len(labelled)} faces found'
        elif test == 'biwi':
            whole = self._at_hand('biwi')
            faces, crop_name = split_80_20(whole)[1], 'box'
            words = f'Biwi, 20 % by frame, {len(faces)} of {len(whole)} faces'
        else:
            faces, crop_name = self._at_hand('pointing04'), 'box'
            if experiment.table == 5:
                faces = [face for face in faces if _tested(face)]
            people = len({face.sequence for face in faces})
            words = f"Pointing'04, pan to {MAX_PAN_DEG:g} and tilt to {MAX_TILT_DEG:g} degrees, {len(faces)} faces of {people} people"
        if not faces:
            raise MissingDataError(f'{test} has no face to test on there: unpack all of it')
        return faces, crop_name, f'{words}, {crop_name}'

    @cached_property
    def _boston(self) -> tuple[list[Face], list[Face]]:
        """Boston's faces, and those that the detector finds: the set has no boxes, and every row is tested on the same."""
        labelled = self._at_hand('boston')
        return labelled, detected(labelled)

    def _cells(self, model: Model, result: Result) -> dict[str, object]:
        network = model.engine.network
        if isinstance(network, Classifier):
            strategies = {'coarse': network.by}
            if set(network.by) > set(PAPERS_ANGLES):
                strategies[' '.join(PAPERS_ANGLES)] = PAPERS_ANGLES
            labelled = {axis for axis, known in zip(metrics.AXES, np.isfinite(result.truth_ypr_deg).all(0)) if known}
            strategies = {cell: angles for cell, angles in strategies.items() if labelled.issuperset(angles)}
            if not strategies:
                raise MissingDataError('the set does not label an angle that this strategy needs')
            crops = torch.from_numpy(result.crops[:, None])
            shares = category_accuracies(network, crops, result.R_crop_true, list(strategies.values()))
            return {cell: 100 * share for cell, share in zip(strategies, shares, strict=True)}
        cells = {cell: result.row[cell] for cell in CELLS if cell in result.row} | {'coarse': 100 * result.row['coarse']}
        with one_thread():
            cells['ms'] = model.milliseconds(result.crops[:16, None], 3 if self.tiny else 50)
        return cells

    def _figure(self, experiment: Experiment, content: dict[str, Any], cell: str, value: object, n: int, protocol: str) -> Figure:
        data = f'{experiment.data} training data ({"; ".join(content["data"])})'
        scale = 'tiny' if self.tiny else f'{content["step"]} iterations, {content["samples"]} samples, {data}'
        if words := self.scale.words(experiment.run_config().network):
            scale = f'{words}, {scale}'
        return Figure(
            experiment.table,
            experiment.row,
            cell,
            value if value == NOT_RUN else f'{value:.4g}',
            n,
            scale,
            protocol,
            f'{self.command} --rows {shlex.quote(experiment.row)}',
            checkpoint.commit(),
            content['seed'],
            content['data_hash'],
            content['commit'],
        )


def _poses_and_people(model: Model, folder: Path) -> str:
    """How many poses of how many people a robustness set shows within a model's limits; its pictures are more."""
    shown = SyntheticCrops([folder], None, model.modality == 'depth', model.config.pose_limits_deg if model.config else None)
    return f'{poses_in(shown.table)} poses of {len(np.unique(shown.table["identity"]))} people'


def _tested(face: Face) -> bool:
    """Whether a face of Pointing'04 is of its test people."""
    return int(face.sequence.removeprefix('person')) in TEST_PEOPLE


def waiting(number: int) -> list[Figure]:
    """Returns every cell of a table's rows as 'not run', with the command that fills it."""
    rows, commit = experiments.of_table(number), checkpoint.commit()
    robustness = ' --robustness FOLDER' if any(test in experiments.ROBUSTNESS for e in rows for test in e.tests) else ''
    command = f'python -m training.tables {number} --run --data DATA{robustness}'
    return [
        Figure(number, e.row, cell, NOT_RUN, 0, 'not trained yet', '', f'{command} --rows {shlex.quote(e.row)}', commit, 0, '')
        for e in rows
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
