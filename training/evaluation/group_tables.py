"""The tables of errors by group of people and by condition."""

from __future__ import annotations

from collections.abc import Iterable

from ..paper.published import ANGLES, ROBUSTNESS_ROWS
from ..paper.published import TABLES as PAPER
from .differences import Measured, pairs, verdict
from .markdown import Row, number, read, table

BY_PERSON = ('all', 'sex', 'age', 'ethnicity')
"""Groupings of people; the others are conditions of the picture."""
SEXES = ('female', 'male')
"""Groups of stated sex; the others are of stated origin."""


def _groups(rows: Iterable[Row]) -> str:
    def shown(row: Row, name: str, sign: str = '') -> str:
        return f'{float(row[name]):{sign}.1f} ± {float(row[f"{name}_se"]):.1f}'

    return table(
        ['', 'people', 'pictures', 'error', 'pitch offset'],
        (
            [
                row['group'] if row['by'] in BY_PERSON else f'{row["by"]}: {row["group"]}',
                row['people'],
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


def people_differences() -> str:
    """Says of each model how much groups of rendered people differ, and those of another ethnicity."""
    lines = []
    for name in ('c2f_edge_conditions.csv', 'c2f_conditions.csv'):
        rows = [row for row in read(name) if row['by'] in BY_PERSON[1:]]
        groups = [Measured(row['group'], row['by'], int(row['people']), float(row['geodesic']), float(row['geodesic_se'])) for row in rows]
        ethnic = '; '.join(map(str, pairs([group for group in groups if group.kind == 'ethnicity'])))
        lines.append(f'- {_called(rows[0])}, by sex, age and ethnicity: {verdict(groups)}. By ethnicity: {ethnic}.')
    return '\n'.join(lines)


def hands() -> str:
    """Says of each model what a hand before the face costs."""
    told = []
    for name in ('c2f_edge_conditions.csv', 'c2f_conditions.csv'):
        rows = {row['group']: row for row in read(name) if row['by'] == 'occluder'}
        hand, none = (f'{float(rows[group]["geodesic"]):.1f} ± {float(rows[group]["geodesic_se"]):.1f}' for group in ('hand', 'none'))
        told.append(f'{_called(rows["hand"])} errs by {hand} degrees with a hand before the face and by {none} with nothing before it')
    return f'{"; ".join(told)}.'


def _called(row: Row) -> str:
    name, version = row['model'].split()
    return f'`{name}` {version}'


def robustness() -> str:
    """Makes the table of the edge model beside the paper's Tables 6 and 7, each figure with its standard error."""
    rows = {row['set']: row for row in read('c2f_edge_conditions.csv')}
    lines = []
    for name, (number_of_table, label) in ROBUSTNESS_ROWS.items():
        printed = PAPER[number_of_table].cells(label)
        lines.append(
            [
                name.replace('_', ' '),
                *(rows[name][count] for count in ('n', 'poses', 'people')),
                *(f'{printed[c]:.2f} / {number(rows[name], c)} ± {number(rows[name], f"{c}_se")}' for c in ANGLES),
                f'{printed["coarse"]:.2f} / {number(rows[name], "coarse", 1)} ± {number(rows[name], "coarse_se", 1)}',
            ]
        )
    return table(['the paper / c2f_edge', 'pictures', 'poses', 'people', *ANGLES, 'coarse, %'], lines)


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


def portrait_differences(name: str) -> str:
    """Says of each model how much the groups of a file of portraits differ.

    Args:
        name: the csv's name.
    """
    rows = [row for row in read(name) if row['group'] != 'all' and row['turns_se']]
    lines = []
    for model in dict.fromkeys(row['model'] for row in rows):
        of_model = [row for row in rows if row['model'] == model]
        groups = [
            Measured(
                row['group'],
                'sex' if row['group'] in SEXES else 'origin or gray',
                int(row['people']),
                float(row['turns']),
                float(row['turns_se']),
            )
            for row in of_model
        ]
        lines.append(f'- {_called(of_model[0])}: {verdict(groups)}.')
    return '\n'.join(lines)


def _with_error(row: Row) -> str:
    return number(row, 'turns') + (f' ± {number(row, "turns_se")}' if row['turns_se'] else '')
