"""Reads and writes the files of results: one line for each figure, with the facts needed to reproduce it."""

from __future__ import annotations

import csv
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import mean, stdev

FOLDER = Path(__file__).parents[1] / 'results'
NOT_RUN = 'not run'
SCALES = ('small', 'medium', 'full')
"""Names of the scales, from the smallest to the largest. The text `Figure.scale` begins with the name of a reduced one."""


@dataclass(frozen=True)
class Figure:
    """One cell of a table.

    Attributes:
        table: 2..8.
        row: label.
        cell: column's name.
        value: the figure, or 'not run'.
        n: number of test samples.
        scale: 'tiny' (a test of the code), or text on iterations and samples that begins with the name of a reduced scale.
        protocol: crop and test set.
        command: the command that produces the figure.
        commit: commit of the checkout that tested, as in an evaluation's summary.csv.
        seed: the training's seed.
        data_hash: hash of the training data.
        trained_by: commit of the checkout that trained, possibly an older one; '' if nothing was trained.
        seeds: number of trainings, with seeds from `seed` on, over which the value is the mean.
        spread: standard deviation over these trainings; '' for one training.
    """

    table: int
    row: str
    cell: str
    value: str
    n: int
    scale: str
    protocol: str
    command: str
    commit: str
    seed: int
    data_hash: str
    trained_by: str = ''
    seeds: int = 1
    spread: str = ''

    @property
    def scale_name(self) -> str:
        """The scale's name, one of `SCALES`; '' for a cell without a figure."""
        if self.value == NOT_RUN:
            return ''
        return name if (name := self.scale.partition(':')[0]) in SCALES else SCALES[-1]

    @property
    def samples(self) -> int:
        """Samples of all its trainings; 0 where the scale does not state them."""
        found = re.search(r'(\d+) samples', self.scale)
        return int(found[1]) * self.seeds if found and self.value != NOT_RUN else 0


def path_of(table: int, folder: Path | None = None) -> Path:
    """Returns the csv file of a table."""
    return (folder or FOLDER) / f'table{table}.csv'


def read(table: int, folder: Path | None = None) -> list[Figure]:
    """Reads the figures of a table; an empty list if there is no file."""
    return [_figure(row) for row in read_rows(path_of(table, folder))]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Reads the rows that `write_rows` wrote; an empty list if there is no file."""
    if not path.exists():
        return []
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def _figure(row: dict[str, str]) -> Figure:
    """A row of the file; older files lack the last columns."""
    numbers = {name: int(row[name]) for name in ('table', 'n', 'seed', 'seeds') if name in row}
    return Figure(**{**row, **numbers})


def mean_of(trainings: Sequence[list[Figure]]) -> list[Figure]:
    """Computes the means of a row's figures over trainings with different seeds, each with its standard deviation.

    Args:
        trainings: figures of the same cells from each training, in the order of the seeds.
    """
    out = []
    for cells in zip(*trainings, strict=True):
        if len(cells) == 1 or any(figure.value == NOT_RUN for figure in cells):
            out.append(cells[0])
            continue
        values = [float(figure.value) for figure in cells]
        out.append(replace(cells[0], value=f'{mean(values):.4g}', seeds=len(cells), spread=f'{stdev(values):.2g}'))
    return out


def write(figures: list[Figure], folder: Path | None = None) -> None:
    """Writes figures in place of those of the same rows, cells and scales.

    Figures of several scales stand beside each other, so that rows can be compared at a scale that all of them have. 'not run' never
    replaces a figure, and any figure replaces it. A figure of fewer samples, as of a training that was cut short or of fewer trainings,
    replaces none of more, which the error output says.
    """
    (folder or FOLDER).mkdir(parents=True, exist_ok=True)
    for table in sorted({f.table for f in figures}):
        kept: dict[tuple[str, str, str], Figure] = {}
        refused: dict[str, str] = {}
        for f in [*read(table, folder), *(f for f in figures if f.table == table)]:
            on_file = kept.setdefault((f.row, f.cell, f.scale_name), f)
            if f.samples >= on_file.samples:
                kept[f.row, f.cell, f.scale_name] = f
            else:
                refused[f.row] = f'{f.samples} samples of training do not replace the figures on file, of {on_file.samples}'
        for row, why in refused.items():
            print(f'table {table}, {row}: {why}', file=sys.stderr)
        filled = {(row, cell) for row, cell, scale in kept if scale}
        kept = {key: f for key, f in kept.items() if key[2] or key[:2] not in filled}
        with open(path_of(table, folder), 'w', newline='') as file:
            writer = csv.DictWriter(file, [f.name for f in fields(Figure)])
            writer.writeheader()
            writer.writerows(asdict(f) for f in kept.values())


def write_rows(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes a csv file, numbers to four digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='') as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({k: f'{v:.4g}' if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def command_of(module: str, arguments: Sequence[str]) -> str:
    """Returns the command line to store with a figure: complete, except that a path outside of the working folder becomes FOLDER/name."""

    def kept(argument: str) -> str:
        head, path = re.fullmatch(r'(.*?[:=])?(.*)', argument).groups(default='')
        if os.sep not in path:
            return argument
        whole, here = Path(os.path.abspath(path)), Path.cwd()
        return head + (str(whole.relative_to(here)) if whole.is_relative_to(here) else f'FOLDER/{whole.name}')

    return shlex.join(['python', '-m', module, *map(kept, arguments)])
