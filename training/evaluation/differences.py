"""Says how much groups differ, and whether as much comes about by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from scipy.special import stdtr

SHOWN = 0.05
"""A difference that chance makes less often than this counts as shown."""
FAR = 2.0
"""Differences of so many standard errors are named."""


@dataclass(frozen=True)
class Measured:
    """A group's mean.

    Attributes:
        name: its name.
        kind: what the people are grouped by; groups of one kind have no person in common.
        people: number of its people.
        mean: mean error, degrees.
        se: the mean's standard error, degrees.
    """

    name: str
    kind: str
    people: int
    mean: float
    se: float


@dataclass(frozen=True)
class Difference:
    """What one group's mean exceeds another's by.

    Attributes:
        more: the group of the larger mean.
        less: the other one.
    """

    more: Measured
    less: Measured

    @property
    def degrees(self) -> float:
        """The difference of the means."""
        return self.more.mean - self.less.mean

    @property
    def se(self) -> float:
        """Its standard error."""
        return math.hypot(self.more.se, self.less.se)

    @property
    def errors(self) -> float:
        """The difference in standard errors."""
        return self.degrees / self.se

    @property
    def chance(self) -> float:
        """Probability of a difference so far from 0, to either side, of groups that do not differ (Welch 1947, Biometrika 34)."""
        parts = [(group.se**4 / (group.people - 1)) for group in (self.more, self.less)]
        return float(2 * stdtr(self.se**4 / sum(parts), -self.errors))

    def __str__(self) -> str:
        return f'{self.more.name} {self.degrees:.2f} ± {self.se:.2f} degrees above {self.less.name} ({self.errors:.1f} standard errors)'


def pairs(groups: Sequence[Measured]) -> list[Difference]:
    """The differences of every two groups of a kind that have at least two people, the largest in standard errors first."""
    some = [group for group in groups if group.people > 1]
    found = [
        Difference(*sorted((one, other), key=lambda group: -group.mean)) for one, other in combinations(some, 2) if one.kind == other.kind
    ]
    return sorted(found, key=lambda difference: -difference.errors)


def verdict(groups: Sequence[Measured]) -> str:
    """Says which two groups differ most, whether that is more than chance gives among so many pairs, and which others are far apart.

    The chance that any of m pairs is so far apart is at most m times that of one (Bonferroni).
    """
    most, *others = found = pairs(groups)
    chance = min(1.0, len(found) * most.chance)
    judged = '**a difference is shown**' if chance < SHOWN else '**no difference is shown**'
    far = '; '.join(str(difference) for difference in others if difference.errors >= FAR)
    further = f'; of the others more than {FAR:g} standard errors: {far}' if far else ''
    usual = f'by chance as large in at most {_percent(chance)} of cases' if chance < 1 else 'no more than chance gives'
    return f'the largest of {len(found)} differences is {most}, {usual}: {judged}{further}'


def _percent(chance: float) -> str:
    return f'{100 * chance:.0f} %' if chance >= 0.01 else f'{100 * chance:.1g} %'
