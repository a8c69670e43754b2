"""The table of what each source of training data is worth, from the figures of `training.studies.sources`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import mean, variance

from scipy.special import stdtrit

START = 'start'
"""Name of the row of the weights that all rows begin with."""
TEST_FACES = (('published', 'aflw2000', 'published'), ('landmarks', 'aflw2000', 'landmarks'), ('pointing04', 'pointing04', 'box'))
"""Column, set and crop of the test faces."""
COLUMNS = {
    'turns': "portraits' turns, all ranges",
    'turn_0': '0-10',
    'turn_25': '25-45',
    'turn_65': '65 and more',
    'clean': 'renders, clean',
    'disturbed': 'renders, disturbed',
    'published': 'AFLW2000 published',
    'landmarks': "AFLW2000 landmarks' crop",
    'pointing04': "Pointing'04",
}
SHARE = 0.975
Rows = Sequence[Mapping[str, str]]


def by_row(rows: Rows) -> dict[str, Rows]:
    """The trainings of each row, in the file's order."""
    return {name: [row for row in rows if row['row'] == name] for name in dict.fromkeys(row['row'] for row in rows)}


def spread(rows: Rows, column: str) -> tuple[float, int]:
    """Standard deviation of a measure between the seeds of a row, pooled over all rows, and its degrees of freedom."""
    several = [values for found in by_row(rows).values() if len(values := [float(row[column]) for row in found if row[column]]) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if not freedom:
        return 0.0, 0
    return sqrt(sum(variance(values) * (len(values) - 1) for values in several) / freedom), freedom


def cell(rows: Rows, name: str, column: str) -> str:
    """The mean of a measure over a row's seeds, with its 95 % interval by the spread between seeds of all rows."""
    values = [float(row[column]) for row in by_row(rows)[name] if row[column]]
    if not values:
        return '-'
    deviation, freedom = spread(rows, column)
    if name == START or not freedom:
        return f'{mean(values):.2f}'
    return f'{mean(values):.2f} ± {stdtrit(freedom, SHARE) * deviation / sqrt(len(values)):.2f}'


def lines(rows: Rows) -> list[list[str]]:
    """The table's lines: its header, and one for each row."""
    header = ['', 'seeds', *COLUMNS.values()]
    return [header] + [
        [name, '-' if name == START else str(len(found)), *(cell(rows, name, column) for column in COLUMNS)]
        for name, found in by_row(rows).items()
    ]
