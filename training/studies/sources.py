"""Measures what each source of training data is worth: `python -m training.studies.sources --renders FOLDER --portraits FOLDER ...`.

Each row trains the same network on the same number of samples, from other sources, once for each seed. The first seed of all rows comes
first, the rows in the order of worth. A row with a seed that is in the csv file is not run again, and a training that was stopped resumes.

All rows begin with the same weights, --start, which must have seen renders alone: from scratch, so few samples would measure how fast a
network begins to learn (after 30,000 samples it errs by 35 degrees), not what a source adds. Without --start they begin from scratch.

Measures: held-out people of the renders, clean and disturbed; held-out people of the portraits, by the network's self-consistency over
their turns, which is the measure to choose by; AFLW2000 and Pointing'04, where they are at hand, for the report alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from ..command import add_threads_option, add_workers_option, exits_with_message, positive_int, use_threads
from ..datasets.base import MissingDataError
from ..evaluation import results, self_consistency
from ..evaluation.measure import evaluate_synthetic, run_set
from ..evaluation.model_file import Model, open_model
from ..evaluation.sources_table import START, TEST_FACES
from ..loop import checkpoint
from ..loop.config import RunConfig, read_config
from ..loop.loader import keep_freed_memory
from ..loop.sources import open_training_data
from ..loop.teacher import weights_hash
from ..loop.trained import Way, trained
from ..models import face_mesh

CONFIG = 'edge_likelihood'
"""The network of the start, so that no row spends samples on recovering from a change of the network."""
TRUNK = 'face_mesh'
"""The network of the rows that show what MediaPipe's weights are worth. They begin with these weights or with random ones and compare with
each other alone, because nothing was learnt before."""
SETTINGS = ('batch=64', 'ema=0.99', 'optimiser.lr=8e-4', 'schedule.warmup=30')
"""For trainings of some hundred steps; small batches make more of so few samples."""
TURNS = tuple(f'turn_{low}' for low in self_consistency.BINS_DEG[:-1])
"""Columns of the self-consistency of each range of turns, by where it begins."""
MEASURES = ('clean', 'disturbed', 'turns', *TURNS, *(column for column, _, _ in TEST_FACES))
FACTS = ('n_renders', 'n_portraits', 'settings', 'start', 'teacher', 'command', 'commit', 'trained_by', 'data_hash')
FIELDS = ('row', 'seed', 'samples', *MEASURES, *FACTS)


@dataclass(frozen=True)
class Row:
    """One mixture of sources.

    Attributes:
        portraits: share of turned portraits in the samples.
        scans: whether heads with scanned shapes are among the renders, by their number.
        taught: whether a teacher's estimates are further targets.
        trunk: '', or the weights of the trunk of the configuration `TRUNK`: 'pretrained' (MediaPipe's) or 'random'.
    """

    portraits: float = 0.0
    scans: bool = False
    taught: bool = False
    trunk: str = ''

    @property
    def name(self) -> str:
        """Its name in the csv file."""
        portraits = f'portraits {100 * self.portraits:g} %' if self.portraits else ''
        trunk = f"MediaPipe's trunk, {self.trunk} weights" if self.trunk else ''
        return ', '.join(filter(None, ['renders', portraits, 'scans' if self.scans else '', 'teacher' if self.taught else '', trunk]))

    @property
    def folder(self) -> str:
        """Its name without spaces."""
        return self.name.replace(', ', '+').replace(' %', '').replace(' ', '').replace("'", '')


ROWS = (Row(), Row(0.5), Row(0.5, True), Row(0.5, True, True), Row(0.25), Row(0.75), Row(0.5, trunk='pretrained'), Row(0.5, trunk='random'))
"""In the order of worth."""


@dataclass(frozen=True)
class Study:
    """The materials and settings of all rows.

    Attributes:
        renders: folder of rendered heads.
        portraits: folder of turned portraits.
        scans: folder of rendered heads with scanned shapes; None leaves its rows out.
        teacher: checkpoint that teaches; None leaves its rows out.
        start: checkpoint that all rows begin with; None for scratch.
        face_mesh: MediaPipe's face_landmark.tflite, for the rows of its trunk, which take no other start; None leaves them out.
        out: folder of the trainings.
        file: csv file of the figures.
        samples: number of samples of each training.
        settings: changes to the configuration.
        device: 'auto', 'cpu' or 'cuda'.
        workers: processes that load batches ahead.
        limit: largest number of held-out renders, and of faces of each test set.
        faces: whether to evaluate on the test faces.
        command: the command to store with the figures.
    """

    renders: Path
    portraits: Path
    scans: Path | None
    teacher: Path | None
    start: Path | None
    face_mesh: Path | None
    out: Path
    file: Path
    samples: int
    settings: tuple[str, ...] = ()
    device: str = 'auto'
    workers: int = 0
    limit: int | None = None
    faces: bool = True
    command: str = ''

    def config(self, seed: int, trunk: bool = False) -> RunConfig:
        """The configuration of a training."""
        settings = (*SETTINGS, *self.settings, f'seed={seed}')
        config = read_config(TRUNK, [*settings, 'network.frozen=0']) if trunk else read_config(CONFIG, settings)
        return replace(config, steps=max(1, self.samples // config.batch))

    def data(self, row: Row) -> list[str]:
        """The sources of a row as `training.train --data` takes them."""
        portraits = [f'{self.portraits}={row.portraits:g}'] if row.portraits else []
        return [str(self.renders), *([str(self.scans)] if row.scans else []), *portraits]

    def possible(self, row: Row) -> bool:
        """Whether the row's materials are given."""
        needed = ((row.scans, self.scans), (row.taught, self.teacher), (row.trunk, self.face_mesh))
        return all(material is not None for needs, material in needed if needs)

    def start_of(self, row: Row) -> Path | None:
        """The weights that a row begins with."""
        if row.trunk:
            return self.face_mesh if row.trunk == 'pretrained' else None
        return self.start

    def run(self, row: Row, seed: int) -> dict[str, object] | None:
        """Trains and measures a row; None if the csv file has it.

        Raises:
            ValueError: if the csv file has it with other samples, data, start or teacher.
        """
        config, start = self.config(seed, bool(row.trunk)), self.start_of(row)
        train_set = open_training_data(self.data(row), config)
        teacher = self.teacher if row.taught else None
        known = {
            'row': row.name,
            'seed': seed,
            'samples': config.steps * config.batch,
            'settings': ' '.join(self.settings),
            'start': described(start),
            'teacher': described(teacher),
            'data_hash': train_set.data_hash,
        }
        if self.has(known, train_set.hashes):
            return None
        out = self.out / f'{row.folder}-{seed}'
        content = trained(config, train_set, out, Way(self.device, self.workers, start=start, teacher=teacher))
        model = open_model(content.path, self.device)
        return {**known, 'trained_by': content['commit'], **self.figures(model)}

    def start_row(self) -> dict[str, object] | None:
        """Measures the weights that all rows begin with, as the rows are measured; None without them, or if the csv file has them."""
        if self.start is None:
            return None
        known = {'row': START, 'seed': '', 'samples': 0, 'settings': ' '.join(self.settings), 'start': described(self.start)}
        if self.has(known):
            return None
        config = self.config(0)
        model = replace(open_model(self.start, self.device), config=config, crop_margin=config.augmentation().centred_margin)
        return {**known, 'trained_by': model.commit, 'data_hash': model.data_hash, **self.figures(model)}

    def has(self, known: dict[str, object], data_hashes: Sequence[str] = ()) -> bool:
        """Whether the csv file has a row with these facts, the data under any of their hashes.

        Raises:
            ValueError: if it has the row and seed with other facts.
        """
        for row in results.read_rows(self.file):
            if (row['row'], row['seed']) == (known['row'], str(known['seed'])):
                same_data = {'data_hash'} if row['data_hash'] in data_hashes else set()
                if other := [name for name, value in known.items() if name not in same_data and row[name] != str(value)]:
                    raise ValueError(f'{self.file} has {row["row"]}, seed {row["seed"]}, of other {", ".join(other)}: give other --results')
                return True
        return False

    def figures(self, model: Model) -> dict[str, object]:
        """Computes MEASURES of a model, degrees; None for a test set that is not at hand."""
        clean, disturbed = (evaluate_synthetic(model, str(self.renders), how, 'test', self.limit or 4000) for how in (False, True))
        turned = self_consistency.of_people(model, self.portraits)
        faces: dict[str, object] = {}
        for column, name, crop_name in TEST_FACES if self.faces else ():
            try:
                faces[column] = run_set(model, str(self.out), name, crop_name, None, self.limit, 1).row['mae']
            except MissingDataError as error:
                print(f'{name}: not evaluated. {error}', file=sys.stderr)
        return {
            'clean': clean.row['mae'],
            'disturbed': disturbed.row['mae'],
            'turns': turned.mean_deg,
            **dict(zip(TURNS, (apart for _, _, apart in turned.by_turn()), strict=True)),
            **faces,
            'n_renders': len(clean.names),
            'n_portraits': len(turned.person),
            'command': self.command,
            'commit': checkpoint.commit(),
        }


def described(path: Path | None) -> str:
    """Name and hash of a checkpoint's weights, or those of MediaPipe's file; '' for None."""
    if path is None:
        return ''
    return (
        face_mesh.provenance(path) if path.suffix == face_mesh.SUFFIX else f'{path.name} {weights_hash(checkpoint.load(path)["average"])}'
    )


def run_all(study: Study, rows: tuple[Row, ...], seeds: int) -> Iterator[dict[str, object]]:
    """Yields each row that the csv file lacks after it was added there.

    Raises:
        ValueError: if the weights to begin with have seen pictures that are not rendered.
    """
    if study.start is not None and not checkpoint.load(study.start).get('rendered', True):
        raise ValueError(f'{study.start} has seen portraits, so that a row without them would begin with their worth: give another --start')
    trainings = (study.run(row, seed) for seed in range(seeds) for row in rows if study.possible(row))
    for found in chain((study.start_row(),), trainings):  # one at a time: a row is in the file before the next is trained
        if found is not None:
            results.write_rows(study.file, FIELDS, [*results.read_rows(study.file), found])
            yield found


@exits_with_message(ValueError, OSError, FloatingPointError)
def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.sources', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--renders', type=Path, required=True, help='rendered heads (preset wide)')
    parser.add_argument('--portraits', type=Path, required=True, help='turned portraits, labelled')
    parser.add_argument('--scans', type=Path, help='rendered heads with scanned shapes (preset scans)')
    parser.add_argument('--start', type=Path, help='checkpoint that all rows begin with, trained on renders alone')
    parser.add_argument('--teacher', type=Path, help='checkpoint that teaches')
    parser.add_argument(
        '--face-mesh', type=Path, help="MediaPipe's face_landmark.tflite (python -m training.portraits fetch), for its trunk"
    )
    parser.add_argument('--samples', type=positive_int, default=25_600, help='of each training (default 25600)')
    parser.add_argument('--seeds', type=positive_int, default=2, help='trainings of each row (default 2)')
    parser.add_argument('--only', nargs='+', metavar='ROW', choices=[row.name for row in ROWS], help='these rows alone')
    parser.add_argument('--out', type=Path, default=Path('runs/sources'))
    parser.add_argument('--results', type=Path, default=results.FOLDER / 'sources.csv')
    parser.add_argument('--limit', type=positive_int, help='held-out renders, and faces of each test set (default all)')
    parser.add_argument('--no-faces', action='store_true', help='do not evaluate on AFLW2000 and Pointing04')
    parser.add_argument('--device', default='auto')
    add_threads_option(parser)
    add_workers_option(parser)
    parser.add_argument('--set', nargs='*', default=[], metavar='KEY=VALUE', help='settings of all rows, such as optimiser.lr=1e-3')
    args = parser.parse_args(arguments)
    use_threads(args.threads)
    keep_freed_memory()
    study = Study(
        args.renders,
        args.portraits,
        args.scans,
        args.teacher,
        args.start,
        args.face_mesh,
        args.out,
        args.results,
        args.samples,
        tuple(args.set),
        args.device,
        args.workers,
        args.limit,
        not args.no_faces,
        results.command_of('training.studies.sources', sys.argv[1:] if arguments is None else arguments),
    )
    rows = tuple(row for row in ROWS if not args.only or row.name in args.only)
    for missing in (row for row in rows if not study.possible(row)):
        print(f'{missing.name}: left out, give --scans, --teacher and --face-mesh', file=sys.stderr)
    for found in run_all(study, rows, args.seeds):
        values = ' '.join(f'{name} {found[name]:.2f}' for name in MEASURES if name in found)
        print(f'{found["row"]}, seed {found["seed"]}: {values}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
