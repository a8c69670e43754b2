"""The table of what each source of training data is worth, from the figures of `training.studies.sources`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from .seed_spread import SHARE, SeedSpread, pooled

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
QUESTIONS = (
    ('Half of the samples are turned portraits', 'renders, portraits 50 %', 'renders'),
    ('A third of the renders have scanned shapes', 'renders, portraits 50 %, scans', 'renders, portraits 50 %'),
    ('A teacher', 'renders, portraits 50 %, scans, teacher', 'renders, portraits 50 %, scans'),
    ('A quarter of portraits instead of half', 'renders, portraits 25 %', 'renders, portraits 50 %'),
    ('Three quarters of portraits instead of half', 'renders, portraits 75 %', 'renders, portraits 50 %'),
    (
        "MediaPipe's weights instead of random ones, in its trunk",
        "renders, portraits 50 %, MediaPipe's trunk, pretrained weights",
        "renders, portraits 50 %, MediaPipe's trunk, random weights",
    ),
)
"""What is asked, the row with it and the row without it."""
Rows = Sequence[Mapping[str, str]]


def by_row(rows: Rows) -> dict[str, Rows]:
    """The trainings of each row, in the file's order."""
    return {name: [row for row in rows if row['row'] == name] for name in dict.fromkeys(row['row'] for row in rows)}


def spread(rows: Rows, column: str) -> SeedSpread:
    """The spread of a measure between the seeds of a row, pooled over all rows."""
    values = [[float(row[column]) for row in found if row[column]] for found in by_row(rows).values()]
    return pooled((stdev(several), len(several)) for several in values if len(several) > 1)


def cell(rows: Rows, name: str, column: str) -> str:
    """The mean of a measure over a row's seeds, with its 95 % interval by the spread between seeds of all rows."""
    values = [float(row[column]) for row in by_row(rows)[name] if row[column]]
    if not values:
        return '-'
    between_seeds = spread(rows, column)
    if name == START or not between_seeds.freedom:
        return f'{mean(values):.2f}'
    return f'{mean(values):.2f} ± {between_seeds.half(len(values)):.2f}'


def lines(rows: Rows) -> list[list[str]]:
    """The table's lines: its header, and one for each row."""
    header = ['', 'seeds', *COLUMNS.values()]
    return [header] + [
        [name, '-' if name == START else str(len(found)), *(cell(rows, name, column) for column in COLUMNS)]
        for name, found in by_row(rows).items()
    ]


def differences(rows: Rows) -> list[str]:
    """A line for each question whose rows are there: what changes in each measure, with its 95 % interval by the spread between seeds.

    Where there are intervals, a last line says how many differences were tested, and how many of them chance alone puts in bold.
    """
    found, out = by_row(rows), []
    for question, one, other in QUESTIONS:
        if one in found and other in found:
            parts = [part for column, title in COLUMNS.items() if (part := _difference(rows, found[one], found[other], column, title))]
            out.append(f'- {question}: {"; ".join(parts)}.')
    told = '\n'.join(out)
    if tested := told.count(' ± '):
        by_chance = f'about {tested * 2 * (1 - SHARE):.0f} of {tested} would be by chance if no source changed anything'
        out.append(f'- Of these {tested} differences {told.count("**") // 2} are in bold; {by_chance}.')
    return out


def _difference(rows: Rows, one: Rows, other: Rows, column: str, title: str) -> str:
    first, second = ([float(row[column]) for row in part if row[column]] for part in (one, other))
    if not first or not second:
        return ''
    change = mean(first) - mean(second)
    between_seeds = spread(rows, column)
    if not between_seeds.freedom:
        return f'{title} {change:+.2f}'
    interval = between_seeds.half(len(first), len(second))
    told = f'**{change:+.2f}**' if abs(change) > interval else f'{change:+.2f}'
    return f'{title} {told} ± {interval:.2f}'
