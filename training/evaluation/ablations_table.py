"""The tables of our network with each design choice removed in turn, from the figures of `training.studies.ablations`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from .markdown import Row, number, read, table
from .seed_spread import SeedSpread, pooled

BASE = 'edge'
SCALES = ('ablations.csv', 'ablations_small.csv')
DEGREES = {'all': 'all poses', 'in_use': 'in use', 'near_border': 'within 5 degrees of a border'}


def spread(column: str, scales: Sequence[Sequence[Row]]) -> SeedSpread:
    """The spread between seeds of a measure, pooled over the scales; at each, the base alone is trained with several."""
    values = [[float(row[column]) for row in rows if row['configuration'] == BASE] for rows in scales]
    return pooled((stdev(of_scale), len(of_scale)) for of_scale in values if len(of_scale) > 1)


def shown(rows: Sequence[Row], scales: Sequence[Sequence[Row]]) -> str:
    """Makes the table of a scale: each row's figures, in degrees with the change from the base's mean and its 95 % interval.

    Args:
        rows: the figures of the scale.
        scales: the figures of all scales, whose base tells how much seeds differ.
    """
    base = {column: [float(row[column]) for row in rows if row['configuration'] == BASE] for column in DEGREES}

    def cell(row: Row, column: str) -> str:
        value, known = number(row, column, 1), spread(column, scales)
        if row['configuration'] == BASE or not known.freedom:
            return value
        change, half = float(row[column]) - mean(base[column]), known.half(1, len(base[column]))
        told = f'**{change:+.1f}**' if abs(change) > half else f'{change:+.1f}'
        return f'{value}, {told} ± {half:.1f}'

    return table(
        ['configuration', 'seed', *DEGREES.values(), 'coarse, %', 'within 1 std, %'],
        (
            [
                f'`{row["configuration"]}`',
                row['seed'],
                *(cell(row, column) for column in DEGREES),
                *(number(row, column, 0, 100) for column in ('coarse', 'within_1')),
            ]
            for row in rows
        ),
    )


def ablations(name: str) -> str:
    """Makes the table of a file of `SCALES`."""
    return shown(read(name), [read(scale) for scale in SCALES])
