"""The spread of a figure between trainings that differ in their seed alone, and the 95 % intervals that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from scipy.special import stdtrit

SHARE = 0.975
"""Share of the distribution below the upper end of a two-sided 95 % interval."""


@dataclass(frozen=True)
class SeedSpread:
    """Standard deviation of a figure between trainings with different seeds.

    Attributes:
        deviation: in the figure's unit.
        freedom: degrees of freedom of its estimate; 0 where nothing was trained twice, so that it is not known.
    """

    deviation: float = 0.0
    freedom: int = 0

    def half(self, *trainings: int) -> float:
        """Half of the 95 % interval of a mean over so many trainings, or with two numbers of the difference of two means.

        Raises:
            ValueError: where the deviation is not known.
        """
        if not self.freedom:
            raise ValueError('the spread between seeds is not known: train a row with a second seed')
        # 1.96 standard errors that are estimated from two trainings would hold 70 %
        return float(stdtrit(self.freedom, SHARE)) * self.deviation * sqrt(sum(1 / count for count in trainings))


def pooled(rows: Iterable[tuple[float, int]]) -> SeedSpread:
    """Pools the variances of rows, each weighted by its degrees of freedom.

    Args:
        rows: each row's standard deviation between seeds and its number of trainings; a row of one training adds nothing.
    """
    several = [(deviation, count - 1) for deviation, count in rows if count > 1]
    freedom = sum(degrees for _, degrees in several)
    if not freedom:
        return SeedSpread()
    return SeedSpread(sqrt(sum(degrees * deviation**2 for deviation, degrees in several) / freedom), freedom)
