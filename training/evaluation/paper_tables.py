"""The paper's tables as pages show them: `python -m training.evaluation.pages` writes them from training/results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..paper.published import TABLES
from . import results
from .results import NOT_RUN, Figure
from .table_text import by_row_and_scale

ABSENT = {
    'biwi': 'Biwi (`BIWI_DIR=FOLDER` before the command, kinect_head_pose_db.tgz from its authors)',
    'boston': "Boston University's head tracking (`BOSTON_DIR=FOLDER`)",
    'pointing04': "Pointing'04 (`POINTING04_DIR=FOLDER`)",
}
"""Real sets, and how a command is given them."""


COLUMNS_OF_OURS = {
    2: ('pitch yaw', "columns `... pitch yaw` have how often the signs of pitch and yaw are right, whatever the network says of roll's"),
    3: ('pitch', 'columns of an angle have its mean error in degrees, where the network estimates poses'),
}
"""By table: the end of such a column's name, and what it holds."""
NOT_TRAINED, QUOTED = 'not trained yet', "not trained: another group's method"
"""In place of the scale, for rows of the paper without figures of ours."""


def _ours(figures: dict[str, Figure], column: str) -> str:
    """Our figure with its standard deviation over seeds, and in brackets that over the test; '-' without one."""
    figure, std = figures.get(column), figures.get(f'{column}_std')
    if figure is None or figure.value == NOT_RUN:
        return '-'
    return figure.value + (f' ± {figure.spread}' if figure.spread else '') + (f' ({float(std.value):.3g})' if std else '')


def _theirs(printed: dict[str, float | None], column: str) -> str:
    """The paper's figure, and in brackets its standard deviation over the test; '-' where it prints none."""
    value, std = printed.get(column), printed.get(f'{column}_std')
    return '-' if value is None else f'{value:g}' + (f' ({std:g})' if std is not None else '')


def paper_table(number: int, folder: Path | None = None) -> str:
    """A table in Markdown: all that the paper prints, with ours beside it, what is ours alone, and what is missing and why."""
    paper, figures = TABLES[number], results.read(number, folder)
    run = [f for f in figures if f.value != NOT_RUN]
    ours = by_row_and_scale(run)
    both = [c for c in paper.columns if not c.endswith('_std')]
    alone = [c for c in dict.fromkeys(f.cell for f in run) if c not in paper.columns and not c.endswith('_std')]
    lines = [['', 'scale of ours', *(f'{c}: paper / ours' for c in both), *(f'{c}: ours' for c in alone)]]
    lines.append(['---'] * len(lines[0]))
    for row in dict.fromkeys([*paper.rows, *ours]):
        printed = paper.cells(row)
        for scale, of_row in ours.get(row, [(QUOTED if row in paper.quoted else NOT_TRAINED, {})]):
            seeds = max((f.seeds for f in of_row.values()), default=1)
            size = f'{scale}, {seeds} seeds' if seeds > 1 else scale
            cells = [f'{_theirs(printed, c)} / {_ours(of_row, c)}' for c in both] + [_ours(of_row, c) for c in alone]
            lines.append([row, size, *cells])
    text = [f'**Table {number}**, {paper.title}: the paper on {paper.tested_on}{_ours_on(run)}.', '']
    text += [*(f'| {" | ".join(line)} |' for line in lines), '', *_notes(number, figures)]
    text += ['', f'![Table {number} as bars](../docs/images/paper_table{number}.png)'] if ours else []
    return '\n'.join(text).rstrip()


def _ours_on(run: Sequence[Figure]) -> str:
    """The end of a title: what our figures are measured on, in few words."""
    protocols = [f.protocol for f in run if f.protocol and not f.protocol.startswith('real:')]
    words = dict.fromkeys('our renders' if one.startswith('rendered') else one.split(',')[0] for one in protocols)
    return f'; ours on {" and ".join(words)}' if words else ''


def _set_of(column: str) -> str:
    """The real set that a column is about; '' for renders."""
    return column.split()[0] if column.split()[0] in ABSENT else ''


def _notes(number: int, figures: Sequence[Figure]) -> list[str]:
    """What our figures were tested on, and the rows and sets that are missing."""
    run = [f for f in figures if f.value != NOT_RUN]
    tested = dict.fromkeys(f'{f.protocol} ({f.n})' for f in run if f.protocol and not f.protocol.startswith('real:'))
    notes = [f'- Ours are tested on: {"; ".join(tested)}.'] if tested else []
    end, words = COLUMNS_OF_OURS.get(number, ('', ''))
    notes += [f'- Ours alone: {words}.'] if words and any(f.cell.endswith(f' {end}') for f in run) else []
    missing = {f.row: f.command.partition(' --rows ')[0] for f in figures if f.row not in {one.row for one in run}}
    notes += [f'- Not trained yet: {"; ".join(missing)} (`{next(iter(missing.values()))} --rows ROW`).'] if missing else []
    measured = {_set_of(f.cell) for f in run}
    columns = [*TABLES[number].columns, *(f.cell for f in figures)]
    sets = [name for name in dict.fromkeys(map(_set_of, columns)) if name and name not in measured]
    notes += [f'- Not at hand, so without figures of ours: {", ".join(ABSENT[name] for name in sets)}.'] if sets else []
    return notes


def scales(folder: Path | None = None) -> str:
    """The scales of the figures, by table."""
    kept: dict[str, list[str]] = {}
    for number in TABLES:
        for figure in results.read(number, folder):
            if figure.value != NOT_RUN:
                text = re.sub(r', (synthetic|real|both) training data.*', '', figure.scale)
                kept.setdefault(text, [])
                if str(number) not in kept[text]:
                    kept[text].append(str(number))
    return '\n'.join(f'- {text} (Table {", ".join(numbers)})' for text, numbers in kept.items()) or 'Nothing is trained yet.'
