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


def _cell(figures: dict[str, Figure], printed: dict[str, float | None], column: str) -> str:
    """The paper's figure / ours, each with its standard deviation over the test in brackets; ours with that over seeds."""
    figure, texts = figures.get(column), []
    if printed.get(column) is not None:
        theirs = printed.get(f'{column}_std')
        texts.append(f'{printed[column]:g}' + (f' ({theirs:g})' if theirs is not None else ''))
    if figure is None or figure.value == NOT_RUN:
        texts.append('-')
    else:
        std = figures.get(f'{column}_std')
        texts.append(figure.value + (f' ± {figure.spread}' if figure.spread else '') + (f' ({float(std.value):.3g})' if std else ''))
    return ' / '.join(texts)


def paper_table(number: int, folder: Path | None = None) -> str:
    """A table in Markdown: the paper's figures / ours, with the rows that are missing and why."""
    paper, figures = TABLES[number], results.read(number, folder)
    ours = by_row_and_scale([f for f in figures if f.value != NOT_RUN])
    cells = [*paper.columns, *(f.cell for f in figures)]
    columns = [c for c in dict.fromkeys(cells) if not c.endswith('_std')]
    shown = [c for c in columns if any(f.cell == c and f.value != NOT_RUN for f in figures) or not _set_of(c)]
    lines = [['', 'scale', *shown], ['---'] * (len(shown) + 2)]
    for row in dict.fromkeys([*(r for r in paper.rows if r in ours), *ours]):
        for scale, of_row in ours[row]:
            seeds = max(f.seeds for f in of_row.values())
            size = f'{scale}, {seeds} seeds' if seeds > 1 else scale
            lines.append([row, size, *(_cell(of_row, paper.cells(row), column) for column in shown)])
    text = [f'**Table {number}**, {paper.title}: the paper / ours.', '']
    text += [f'| {" | ".join(line)} |' for line in lines] if ours else ['Not trained yet.']
    text += ['', *_notes(number, figures, [c for c in columns if c not in shown], list(ours))]
    text += ['', f'![Table {number}: the paper and ours](../docs/images/paper_table{number}.png)'] if ours else []
    return '\n'.join(text).rstrip()


def _set_of(column: str) -> str:
    """The real set that a column is about; '' for renders."""
    return column.split()[0] if column.split()[0] in ABSENT else ''


def _notes(number: int, figures: list[Figure], hidden: Sequence[str], trained: Sequence[str]) -> list[str]:
    """What the figures were tested on, and the rows and sets that are missing."""
    tested = dict.fromkeys(
        f'{f.protocol} ({f.n})' for f in figures if f.value != NOT_RUN and f.protocol and not f.protocol.startswith('real:')
    )
    notes = [f'- Tested on: {"; ".join(tested)}.'] if tested else []
    missing = {f.row: f.command.partition(' --rows ')[0] for f in figures if f.row not in trained}
    notes += [f'- Not trained yet: {"; ".join(missing)} (`{next(iter(missing.values()))} --rows ROW`).'] if missing else []
    sets = dict.fromkeys(name for column in hidden if (name := _set_of(column)))
    notes += [f'- Not at hand: {", ".join(ABSENT[name] for name in sets)}.'] if sets else []
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
