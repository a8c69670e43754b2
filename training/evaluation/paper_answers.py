"""Compares our figures with the paper's claims: reproduced, contradicted, or undecided.

Every sentence is computed from the csv files of training/results, so a page claims no more than the figures support. Rows are compared at
the largest scale at which all that the question is about were trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from c2f_head_pose.evaluation.metrics import student_t95

from ..paper.published import ANGLES, TABLES
from . import results
from .results import SCALES

NOT_YET = 'not trained yet'
Z95 = 1.96
"""Half of a 95 % interval over the standard error."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: the figure.
        half: half width of the interval: of the test's sample, and with several trainings of their spread too.
    """

    value: float
    half: float

    def __str__(self) -> str:
        return f'{self.value:.3g} ± {self.half:.2g}'

    def differs_from(self, other: Estimate) -> bool:
        """Whether the difference exceeds the intervals of both together."""
        return abs(self.value - other.value) > math.hypot(self.half, other.half)


REPEATS = {(6, 'angles'): 11, (6, 'intensities'): 10, (6, 'colours'): 10, (7, 'occlusion'): 2}
"""Test samples that show the same head in the same pose, by table and row: they count as one for the interval."""
Measure = Callable[[str], Estimate | None]
"""The figure at a scale, by the scale's name; None without one."""


def accuracy(folder: Path | None, table: int, row: str, cell: str, scale: str) -> Estimate | None:
    """A share of right categories, percent; its interval is the binomial's."""
    return _estimate(folder, table, row, cell, scale, lambda value, _: math.sqrt(max(value * (100 - value), 0.0)))


def mean_error(folder: Path | None, table: int, row: str, test: str, angles: Sequence[str], scale: str) -> Estimate | None:
    """The mean of the angles' mean errors, degrees, with the mean of their intervals: errors of one head's angles are not independent."""
    parts = [
        part
        for angle in angles
        if (part := _estimate(folder, table, row, f'{test} {angle}'.strip(), scale, lambda _, std: std)) is not None
    ]
    if len(parts) < len(angles):
        return None
    return Estimate(sum(part.value for part in parts) / len(parts), sum(part.half for part in parts) / len(parts))


def _estimate(
    folder: Path | None, table: int, row: str, cell: str, scale: str, deviation: Callable[[float, float], float]
) -> Estimate | None:
    """A figure with its interval; `deviation` gives one sample's standard deviation from the value and the cell of its deviation."""
    of_row = {f.cell: f for f in results.read(table, folder) if f.row == row and f.scale_name == scale}
    figure, std = of_row.get(cell), of_row.get(f'{cell}_std')
    if figure is None or not figure.n:
        return None
    value = float(figure.value)
    of_sample = deviation(value, float(std.value) if std else math.nan) / math.sqrt(figure.n / REPEATS.get((table, row), 1))
    # 1.96 standard errors that are estimated from two trainings would hold 70 %
    of_seeds = student_t95(figure.seeds - 1) * float(figure.spread) / math.sqrt(figure.seeds) if figure.spread else 0.0
    return Estimate(value, math.hypot(Z95 * of_sample, of_seeds))


def _at_a_shared_scale(measures: Mapping[str, Measure], needed: Sequence[str]) -> tuple[str, dict[str, Estimate]]:
    """The largest scale that has all needed figures, and its figures by name; '' without one."""
    for scale in reversed(SCALES):
        found = {name: value for name, measure in measures.items() if (value := measure(scale)) is not None}
        if all(name in found for name in needed):
            return scale, found
    return '', {}


def _verdict(as_claimed: bool, first: Estimate, second: Estimate) -> str:
    if not first.differs_from(second):
        return '**cannot be told at this scale**'
    return '**yes**' if as_claimed else '**no**'


def _listed(found: dict[str, Estimate], unit: str) -> str:
    return ', '.join(f'{name} {value}' for name, value in found.items()) + f' {unit}'


def strategies(folder: Path | None = None) -> str:
    """Table 2: whether dropping roll helps."""
    without, with_roll = 'pitch, yaw', 'pitch, yaw, roll'
    rows = {row: partial(accuracy, folder, 2, row, 'synthetic') for row in (without, with_roll)}
    scale, found = _at_a_shared_scale(rows, (without, with_roll))
    if not scale:
        return NOT_YET
    verdict = _verdict(found[without].value > found[with_roll].value, found[without], found[with_roll])
    return f'{verdict}: {without} {found[without]} %, with roll {found[with_roll]} % ({scale}; chance alone gives 25 and 12.5 %)'


def best_strategy(folder: Path | None = None) -> str:
    """Table 2: whether signs of pitch and yaw are told best of all seven."""
    rows, theirs = tuple(TABLES[2].rows), 'pitch, yaw'
    scale, found = _at_a_shared_scale({row: partial(accuracy, folder, 2, row, 'synthetic') for row in rows}, rows)
    if not scale:
        return NOT_YET
    order = sorted(found, key=lambda row: -found[row].value)
    rival = next(row for row in order if row != theirs)
    verdict = _verdict(found[theirs].value > found[rival].value, found[theirs], found[rival])
    return f'{verdict}: {"; ".join(f"{row} {found[row]}" for row in order)} % ({scale}; one angle has two categories, three have eight)'


def trunks(folder: Path | None = None) -> str:
    """Table 3: whether GoogLeNet is the best trunk."""
    rows = tuple(TABLES[3].rows)
    scale, found = _at_a_shared_scale({row: partial(accuracy, folder, 3, row, 'synthetic') for row in rows}, rows)
    if not scale:
        return NOT_YET
    best = max((row for row in found if row != 'Our method'), key=lambda row: found[row].value)
    verdict = _verdict(found['Our method'].value > found[best].value, found['Our method'], found[best])
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
    rival = min((row for row in found if row != 'Our method'), key=lambda row: found[row].value)
    verdict = _verdict(found['Our method'].value < found[rival].value, found['Our method'], found[rival])
    times = {f.row: f.value for f in results.read(4, folder) if f.cell == 'synthetic ms' and f.scale_name == scale and f.row in found}
    quick = f'; {", ".join(f"{row} {ms}" for row, ms in times.items())} ms a crop, one thread' if times else ''
    return f'{verdict}: {_listed(found, "degrees")} ({scale}; mean of the three angles{quick})'


def _training_data(folder: Path | None, rival: str) -> str:
    """Table 5: whether both kinds of data together are better than one, by error and by category."""
    by_error = {row: partial(mean_error, folder, 5, row, 'pointing04', ANGLES[:2]) for row in ('both', rival)}
    by_category = {row: partial(accuracy, folder, 5, row, 'pointing04 coarse') for row in ('both', rival)}
    scale, errors = _at_a_shared_scale(by_error, ('both', rival))
    if not scale:
        return NOT_YET
    shares = {row: share for row, measure in by_category.items() if (share := measure(scale)) is not None}
    text = f'by error {_verdict(errors["both"].value < errors[rival].value, *errors.values())}: {_listed(errors, "degrees")}'
    if len(shares) == len(errors):
        text += f'; by category {_verdict(shares["both"].value > shares[rival].value, *shares.values())}: {_listed(shares, "%")}'
    return f"{text} ({scale}; mean of pitch and yaw; Pointing'04's people 06 and 07, trained on 01 to 05)"


def disturbances(folder: Path | None = None) -> str:
    """Tables 6 and 7: whether masks cost most, by category and by error."""
    rows = {'masks': (7, 'occlusion'), 'blur': (7, 'blurred')}
    rows |= {'angles of light': (6, 'angles'), 'intensities': (6, 'intensities'), 'colours': (6, 'colours')}
    by_error = {name: partial(mean_error, folder, *row, '', ANGLES) for name, row in rows.items()}
    scale, shares = _at_a_shared_scale({name: partial(accuracy, folder, *row, 'coarse') for name, row in rows.items()}, tuple(rows))
    if not scale:
        return NOT_YET
    errors = {name: error for name, measure in by_error.items() if (error := measure(scale)) is not None}
    worst = sorted(errors, key=lambda name: -errors[name].value)
    least = sorted(shares, key=lambda name: shares[name].value)
    text = f'by error {_verdict(worst[0] == "masks", errors[worst[0]], errors[worst[1]])}, '
    text += f'by category {_verdict(least[0] == "masks", shares[least[0]], shares[least[1]])}: '
    text += ', '.join(f'{name} {errors[name]} degrees and {shares[name]} %' for name in worst)
    plain = accuracy(folder, 3, 'Our method', 'synthetic', scale)
    without = f'; without any of them {plain} %, with noise and off centre' if plain else ''
    return f'{text} (mean error and right sub-space; {scale}{without})'


def depth(folder: Path | None = None) -> str:
    """Table 8: whether depth is more accurate than colour."""
    measures: dict[str, Measure] = {
        'depth': partial(mean_error, folder, 8, 'Our method', 'synthetic', ANGLES),
        'colour': partial(mean_error, folder, 4, 'Our method', 'synthetic', ANGLES),
        'colour in light of 0.3 to 1.2': partial(mean_error, folder, 6, 'intensities', '', ANGLES),
    }
    scale, found = _at_a_shared_scale(measures, ('depth', 'colour'))
    if not scale:
        return NOT_YET
    verdict = _verdict(found['depth'].value < found['colour'].value, found['depth'], found['colour'])
    printed = [sum(TABLES[table].cells('Our method')[f'biwi {angle}'] or 0.0 for angle in ANGLES) / len(ANGLES) for table in (8, 4)]
    theirs = 'the paper, on Biwi, {:.3g} and {:.3g}'.format(*printed)
    return f'{verdict}: {_listed(found, "degrees")} ({scale}; mean of the three angles; {theirs}; light does not reach a depth image)'


ANSWERS: dict[str, Callable[[Path | None], str]] = {
    'Does dropping roll from the categories help (Table 2)?': strategies,
    'Are pitch and yaw the best of the seven strategies (Table 2)?': best_strategy,
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
