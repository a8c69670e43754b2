"""The tables of errors by group of people and by condition."""

from __future__ import annotations

from collections.abc import Iterable

from ..paper.published import ANGLES, ROBUSTNESS_ROWS
from ..paper.published import TABLES as PAPER
from .markdown import Row, number, read, table

BY_PERSON = ('all', 'sex', 'age', 'ethnicity')
"""Groupings of people; the others are conditions of the picture."""


def _groups(rows: Iterable[Row]) -> str:
    def shown(row: Row, name: str, sign: str = '') -> str:
        return f'{float(row[name]):{sign}.1f} ± {float(row[f"{name}_se"]):.1f}'

    return table(
        ['', 'n', 'error', 'pitch offset'],
        (
            [
                row['group'] if row['by'] in BY_PERSON else f'{row["by"]}: {row["group"]}',
                row['n'],
                shown(row, 'geodesic'),
                shown(row, 'pitch_offset', '+'),
            ]
            for row in rows
        ),
    )


def groups() -> str:
    """Makes the table of the edge model by person and condition."""
    return _groups(row for row in read('c2f_edge_conditions.csv') if row['set'] == 'held-out identities')


def people() -> str:
    """Makes the table of the edge model by person."""
    return _groups(row for row in read('c2f_edge_conditions.csv') if row['by'] in BY_PERSON)


def accurate_people() -> str:
    """Makes the table of the accurate model by person."""
    return _groups(row for row in read('c2f_conditions.csv') if row['by'] in BY_PERSON)


def robustness() -> str:
    """Makes the table of the edge model beside the paper's Tables 6 and 7."""
    rows = {row['set']: row for row in read('c2f_edge_conditions.csv')}
    lines = []
    for name, (number_of_table, label) in ROBUSTNESS_ROWS.items():
        printed = PAPER[number_of_table].cells(label)
        lines.append(
            [
                name.replace('_', ' '),
                rows[name]['n'],
                *(f'{printed[c]:.2f} / {number(rows[name], c)}' for c in ANGLES),
                f'{printed["coarse"]:.2f} / {number(rows[name], "coarse")}',
            ]
        )
    return table(['the paper / c2f_edge', 'n', *ANGLES, 'coarse, %'], lines)


def portrait_groups(name: str) -> str:
    """Makes the table of portraits by group: how dark the faces are, or what people state of themselves.

    Args:
        name: the csv's name.
    """
    rows = read(name)
    gray = bool(rows[0]['gray_from'])
    models = list(dict.fromkeys(row['model'] for row in rows))
    found = {(row['group'], row['model']): row for row in rows}
    return table(
        ['', *(['gray'] if gray else []), 'people', *models],
        (
            [
                group,
                *([f'{number(first, "gray_from", 0)} to {number(first, "gray_to", 0)}'] if gray else []),
                first['people'],
                *(_with_error(found[group, model]) for model in models),
            ]
            for group, first in ((group, found[group, models[0]]) for group in dict.fromkeys(row['group'] for row in rows))
        ),
    )


def _with_error(row: Row) -> str:
    return number(row, 'turns') + (f' ± {number(row, "turns_se")}' if row['turns_se'] else '')
