"""Compares our figures with the paper's claims: reproduced, contradicted, or undecided.

Every sentence is computed from the csv files of training/results, so a page claims no more than the figures support. Rows are compared at
the largest scale at which all that the question is about were trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

from ..paper.published import ANGLES, TABLES
from . import results
from .results import SCALES
from .seed_spread import SeedSpread, pooled

NOT_YET = 'not trained yet'
Z95 = 1.96
"""Half of a 95 % interval over the standard error."""
ONE_NETWORK: tuple[int, ...] = ()
"""In place of the tables that are compared: one network is compared with itself over test sets, so seeds do not matter."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: the figure.
        half: half width of the interval: of the test's sample, and of the spread between trainings where it is known.
        comparable: whether the interval covers what differs between the networks that are compared, their seeds too.
    """

    value: float
    half: float
    comparable: bool = True

    def __str__(self) -> str:
        return f'{self.value:.3g} ± {self.half:.2g}'

    def differs_from(self, other: Estimate) -> bool:
        """Whether the difference exceeds the intervals of both together, which must be known."""
        return self.comparable and other.comparable and abs(self.value - other.value) > math.hypot(self.half, other.half)


REPEATS = {(6, 'angles'): 14, (6, 'intensities'): 18, (6, 'colours'): 18, (7, 'blurred'): 1.6, (7, 'occlusion'): 2.9}
"""Test samples that count as one for the interval, by table and row, because they show the same people, most of them in the same poses.

The largest of n (se / std)^2 of pitch, yaw and roll, se clustered by person, of both our networks on sets drawn alike
(results/c2f_conditions.csv, results/c2f_edge_conditions.csv); of categories it is smaller.
"""
Measure = Callable[[str], Estimate | None]
"""The figure at a scale, by the scale's name; None without one."""


def accuracy(
    folder: Path | None, table: int, row: str, cell: str, scale: str, compared: Sequence[int] | None = None, spread_of: str | None = None
) -> Estimate | None:
    """A share of right categories, percent; its interval is the binomial's, with the spread between trainings.

    Args:
        folder: folder of the csv files.
        table: the table.
        row: its row.
        cell: the figure.
        scale: name of the scale.
        compared: the tables that the question compares (`_between_seeds`); None for the table alone.
        spread_of: the cell whose spread between trainings counts; None for `cell`.
    """
    return _estimate(folder, table, row, cell, scale, lambda value, _: math.sqrt(max(value * (100 - value), 0.0)), compared, spread_of)


def mean_error(
    folder: Path | None, table: int, row: str, test: str, angles: Sequence[str], scale: str, compared: Sequence[int] | None = None
) -> Estimate | None:
    """The mean of the angles' mean errors, degrees, with the mean of their intervals: errors of one head's angles are not independent."""
    cells = [f'{test} {angle}'.strip() for angle in angles]
    parts = [part for cell in cells if (part := _estimate(folder, table, row, cell, scale, lambda _, std: std, compared))]
    if len(parts) < len(cells):
        return None
    return Estimate(mean(part.value for part in parts), mean(part.half for part in parts), all(part.comparable for part in parts))


def _estimate(
    folder: Path | None,
    table: int,
    row: str,
    cell: str,
    scale: str,
    deviation: Callable[[float, float], float],
    compared: Sequence[int] | None,
    spread_of: str | None = None,
) -> Estimate | None:
    """A figure with its interval; `deviation` gives one sample's standard deviation from the value and the cell of its deviation."""
    compared = (table,) if compared is None else compared
    of_row = {f.cell: f for f in results.read(table, folder) if f.row == row and f.scale_name == scale}
    figure, std = of_row.get(cell), of_row.get(f'{cell}_std')
    if figure is None or not figure.n:
        return None
    value = float(figure.value)
    of_sample = deviation(value, float(std.value) if std else math.nan) / math.sqrt(figure.n / REPEATS.get((table, row), 1))
    between_seeds = _between_seeds(folder, compared, spread_of or cell)
    of_seeds = between_seeds.half(figure.seeds) if between_seeds.freedom else 0.0
    return Estimate(value, math.hypot(Z95 * of_sample, of_seeds), not compared or between_seeds.freedom > 0)


def _between_seeds(folder: Path | None, compared: Sequence[int], cell: str) -> SeedSpread:
    """The spread of a figure between trainings with different seeds: that of all rows, of any scale, with several in the tables compared.

    Two trainings alone would tell it with one degree of freedom, so that a row trained twice seemed less certain than one trained once.

    Args:
        folder: folder of the csv files.
        compared: the tables that the spread is pooled over; none where seeds do not matter.
        cell: the figure.
    """
    repeated = [f for table in compared for f in results.read(table, folder) if f.cell == cell and f.spread]
    return pooled((float(f.spread), f.seeds) for f in repeated)


def _at_a_shared_scale(measures: Mapping[str, Measure], needed: Sequence[str]) -> tuple[str, dict[str, Estimate]]:
    """The largest scale that has all needed figures, and its figures by name; '' without one."""
    for scale in reversed(SCALES):
        found = {name: value for name, measure in measures.items() if (value := measure(scale)) is not None}
        if all(name in found for name in needed):
            return scale, found
    return '', {}


def _verdict(ours: Estimate, others: Iterable[Estimate], sign: int) -> str:
    """Yes where ours is told from every other and beyond it, larger for sign 1 and smaller for -1; no where another is beyond ours."""
    rivals = list(others)
    told = [other for other in rivals if ours.differs_from(other)]
    if any(sign * (other.value - ours.value) > 0 for other in told):
        return '**no**'
    if len(told) == len(rivals):
        return '**yes**'
    alone = not all(one.comparable for one in (ours, *rivals))
    return f'**cannot be told {"from one training each" if alone else "at this scale"}**'


def _listed(found: Mapping[str, Estimate], unit: str) -> str:
    return ', '.join(f'{name} {value}' for name, value in found.items()) + f' {unit}'


def _without(found: Mapping[str, Estimate], name: str) -> list[Estimate]:
    return [estimate for other, estimate in found.items() if other != name]


def strategies(folder: Path | None = None) -> str:
    """Table 2: whether dropping roll helps to tell pitch and yaw; a network that tells roll too is right less often by construction."""
    without, with_roll = 'pitch, yaw', 'pitch, yaw, roll'
    rows = {row: partial(accuracy, folder, 2, row, 'synthetic') for row in (without, with_roll)}
    alike = {without: rows[without], with_roll: partial(accuracy, folder, 2, with_roll, 'synthetic pitch yaw', spread_of='synthetic')}
    scale, found = _at_a_shared_scale(alike, (without, with_roll))
    if scale:
        verdict = _verdict(found[without], [found[with_roll]], 1)
        return (
            f'{verdict}: the signs of pitch and yaw are right in {found[without]} % without roll, in {found[with_roll]} % with it ({scale})'
        )
    scale, found = _at_a_shared_scale(rows, (without, with_roll))
    if not scale:
        return NOT_YET
    return (
        f'**cannot be told yet**: one of four categories is right in {found[without]} % without roll, one of eight in {found[with_roll]} % '
        f'with it, which is not comparable ({scale}; chance gives 25 and 12.5 %); how often pitch and yaw alone are right with roll is not '
        'measured yet'
    )


def best_strategy(folder: Path | None = None) -> str:
    """Table 2: whether of two angles pitch and yaw are told best; the rows of one and three have other numbers of categories."""
    rows = [row for row in TABLES[2].rows if row.count(',') == 1]
    scale, found = _at_a_shared_scale({row: partial(accuracy, folder, 2, row, 'synthetic') for row in rows}, rows)
    if not scale:
        return NOT_YET
    verdict = _verdict(found['pitch, yaw'], _without(found, 'pitch, yaw'), 1)
    order = sorted(found, key=lambda row: -found[row].value)
    why = 'four categories each; the other strategies have two or eight, so their shares are not comparable'
    return f'{verdict}: {"; ".join(f"{row} {found[row]}" for row in order)} % ({scale}; {why})'


def trunks(folder: Path | None = None) -> str:
    """Table 3: whether GoogLeNet is the best trunk."""
    rows = tuple(TABLES[3].rows)
    scale, found = _at_a_shared_scale({row: partial(accuracy, folder, 3, row, 'synthetic') for row in rows}, rows)
    if not scale:
        return NOT_YET
    verdict = _verdict(found['Our method'], _without(found, 'Our method'), 1)
    text = f'{verdict}: {_listed(found, "%")} ({scale}; our method learns categories from half of its samples, the others from all)'
    for larger in SCALES[SCALES.index(scale) + 1 :]:
        some = {row: value for row in rows if (value := accuracy(folder, 3, row, 'synthetic', larger)) is not None}
        text += f'; {_listed(some, "%")} ({larger})' if 'Our method' in some and len(some) > 1 else ''
    return text


def cascade(folder: Path | None = None) -> str:
    """Table 4: whether the cascade is better than one regressor."""
    rows = ('Our method', 'Single GoogLeNet regressor', 'Liu et al.', 'Ahn et al.')
    measures = {row: partial(mean_error, folder, 4, row, 'synthetic', ANGLES) for row in rows}
    scale, found = _at_a_shared_scale(measures, rows[:2])
    if not scale:
        return NOT_YET
    verdict = _verdict(found['Our method'], _without(found, 'Our method'), -1)
    return f'{verdict}: {_listed(found, "degrees")} ({scale}; mean of the three angles, on renders)'


def _training_data(folder: Path | None, rival: str) -> str:
    """Table 5: whether both kinds of data together are better than one, by error and by category."""
    by_error = {row: partial(mean_error, folder, 5, row, 'pointing04', ANGLES[:2]) for row in ('both', rival)}
    by_category = {row: partial(accuracy, folder, 5, row, 'pointing04 coarse') for row in ('both', rival)}
    scale, errors = _at_a_shared_scale(by_error, ('both', rival))
    if not scale:
        return NOT_YET
    shares = {row: share for row, measure in by_category.items() if (share := measure(scale)) is not None}
    text = f'by error {_verdict(errors["both"], [errors[rival]], -1)}: {_listed(errors, "degrees")}'
    if len(shares) == len(errors):
        text += f'; by category {_verdict(shares["both"], [shares[rival]], 1)}: {_listed(shares, "%")}'
    return f"{text} ({scale}; mean of pitch and yaw; Pointing'04's people 06 and 07, trained on 01 to 05)"


def disturbances(folder: Path | None = None) -> str:
    """Tables 6 and 7: whether masks cost most, by category and by error; all rows are one network."""
    rows = {'masks': (7, 'occlusion'), 'blur': (7, 'blurred')}
    rows |= {'angles of light': (6, 'angles'), 'intensities': (6, 'intensities'), 'colours': (6, 'colours')}
    by_error = {name: partial(mean_error, folder, *row, '', ANGLES, compared=ONE_NETWORK) for name, row in rows.items()}
    by_category = {name: partial(accuracy, folder, *row, 'coarse', compared=ONE_NETWORK) for name, row in rows.items()}
    scale, shares = _at_a_shared_scale(by_category, tuple(rows))
    if not scale:
        return NOT_YET
    errors = {name: error for name, measure in by_error.items() if (error := measure(scale)) is not None}
    text = f'by error {_verdict(errors["masks"], _without(errors, "masks"), 1)}, '
    text += f'by category {_verdict(shares["masks"], _without(shares, "masks"), -1)}: '
    worst_first = sorted(errors, key=lambda name: -errors[name].value)
    text += ', '.join(f'{name} {errors[name]} degrees and {shares[name]} %' for name in worst_first)
    plain = accuracy(folder, 3, 'Our method', 'synthetic', scale, compared=ONE_NETWORK)
    without = f'; without any of them {plain} %, with noise and off centre' if plain else ''
    return f'{text} (mean error and right sub-space; {scale}{without})'


def depth(folder: Path | None = None) -> str:
    """Tables 4 and 8: whether depth is more accurate than colour."""
    rows = {'depth': 8, 'colour': 4}
    measures = {
        name: partial(mean_error, folder, table, 'Our method', 'synthetic', ANGLES, compared=(4, 8)) for name, table in rows.items()
    }
    scale, found = _at_a_shared_scale(measures, ('depth', 'colour'))
    if not scale:
        return NOT_YET
    printed = [sum(TABLES[table].cells('Our method')[f'biwi {angle}'] or 0.0 for angle in ANGLES) / len(ANGLES) for table in (8, 4)]
    theirs = 'the paper, on Biwi, {:.3g} and {:.3g}'.format(*printed)
    verdict = _verdict(found['depth'], [found['colour']], -1)
    return f'{verdict}: {_listed(found, "degrees")} ({scale}; mean of the three angles, each on renders of its kind; {theirs})'


ANSWERS: dict[str, Callable[[Path | None], str]] = {
    'Does dropping roll from the categories help (Table 2)?': strategies,
    'Are pitch and yaw the best two angles for the categories (Table 2)?': best_strategy,
    'Is GoogLeNet the best trunk (Table 3)?': trunks,
    'Is the cascade better than one regressor (Table 4)?': cascade,
    'Do synthetic data help beside real ones (Table 5)?': partial(_training_data, rival='real only'),
    'Do real data help beside synthetic ones (Table 5)?': partial(_training_data, rival='synthetic only'),
    'Do masks cost most of all disturbances (Tables 6, 7)?': disturbances,
    'Is depth more accurate than colour (Tables 4 and 8; the paper does not say so)?': depth,
}


def answers(folder: Path | None = None) -> str:
    """Returns a line for each of the paper's claims, whether our figures reproduce it, and one for depth against colour."""
    return '\n'.join(f'- {question} {answer(folder)}.' for question, answer in ANSWERS.items())
