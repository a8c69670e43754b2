"""Learning-rate schedules, by steps or within a time budget."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ..models.settings import check_ranges

BUDGET_FALL = 0.1
"""Last share of a time budget in which 'poly' and 'constant' decay to zero, because their own curves do not end with the budget."""
LATE = 1.05
"""A decay that would end after this multiple of the budget is shortened."""


@dataclass
class Schedule:
    """The learning rate of every step.

    'cooldown' warms up, holds, then decays linearly to zero over the last part. 'poly' is peak_lr * (1 - step / steps) ** power (Caffe's
    quick solver for GoogLeNet uses it); 'constant' holds.

    Under a time budget the decay of 'cooldown' begins when its share of the time is left, and the other two decay over the last
    `BUDGET_FALL`. A decay that is too slow for the time left is shortened: it continues from its present level over fewer steps. The state
    of the decay (`fall`) is part of the checkpoint, so a resumed run continues it.

    Attributes:
        kind: 'cooldown', 'poly' or 'constant'.
        peak_lr: highest learning rate.
        steps: planned steps.
        warmup: steps of linear rise.
        cooldown: share of the run in which 'cooldown' decays, 0 to below 1.
        power: exponent of 'poly'.
        decay_from: first step of the decay, -1 while not known.
        decay_steps: length of the decay.
        decay_level: share of the learning rate at the start of the decay, 1 unless it was shortened.
    """

    kind: str
    peak_lr: float
    steps: int
    warmup: int = 0
    cooldown: float = 0.25
    power: float = 0.5
    decay_from: int = -1
    decay_steps: int = 0
    decay_level: float = 1.0

    def __post_init__(self):
        if self.kind not in ('cooldown', 'poly', 'constant'):
            raise ValueError(f"schedule kind {self.kind!r} is none of 'cooldown', 'poly', 'constant'")
        check_ranges(self, {'peak_lr': (0, inf), 'warmup': (0, inf), 'power': (0, inf)}, 'schedule.')
        if not 0 <= self.cooldown < 1:
            raise ValueError(f'schedule cooldown {self.cooldown} is not a part of the run, 0 to below 1')

    @property
    def fall(self) -> tuple[int, int, float]:
        """First step of the decay (-1: not known yet), its length, and the share of the learning rate at its start."""
        return self.decay_from, self.decay_steps, self.decay_level

    def resume(self, decay_from: int, decay_steps: int, decay_level: float = 1.0) -> None:
        """Restores the `fall` of a checkpoint."""
        self.decay_from, self.decay_steps, self.decay_level = decay_from, decay_steps, decay_level

    def plan(self, by_time: bool) -> None:
        """Plans the decay by the number of steps; with a time budget, `clock` plans it."""
        if self.kind == 'cooldown' and not by_time and self.decay_from < 0:
            self.decay_steps = max(1, round(self.steps * self.cooldown))
            self.decay_from = self.steps - self.decay_steps

    def falls(self, step: int) -> bool:
        """Whether the decay has begun by a step."""
        return 0 <= self.decay_from <= step

    def clock(self, step: int, time_used: float) -> None:
        """Starts the decay when its share of the budget, in time or steps, is left; shortens a decay that would end too late.

        Args:
            step: next step.
            time_used: share of the time budget used, 0..1 and above.
        """
        share = self.cooldown if self.kind == 'cooldown' else BUDGET_FALL
        if self.falls(step):
            affordable = round(step * (LATE - time_used) / time_used) if time_used else self.steps  # at the mean speed so far
            if self.last_step - step > affordable:
                self._fall_over(step, affordable)
        elif time_used >= 1 - share or (self.kind == 'cooldown' and step >= self.steps * (1 - share)):
            self._fall_over(step, round(step * share / (1 - share)))

    def _fall_over(self, step: int, steps: int) -> None:
        """Starts a decay from the present level to zero over at most `steps` steps."""
        self.decay_level = self._share(step)
        self.decay_from, self.decay_steps = step, max(1, min(steps, self.steps - step))

    def _share(self, step: int) -> float:
        """Factor of the decay on a step's learning rate, 0..1."""
        if self.decay_from < 0:
            return 1.0
        return self.decay_level * max(0.0, min(1.0, 1 - (step - self.decay_from) / self.decay_steps))

    @property
    def last_step(self) -> int:
        """Number of steps after which the run ends."""
        return self.steps if self.decay_from < 0 else min(self.steps, self.decay_from + self.decay_steps)

    def lr(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rate = self.peak_lr * min(1.0, (step + 1) / self.warmup) if self.warmup else self.peak_lr
        if self.kind == 'poly':
            rate *= (1 - step / self.steps) ** self.power
        return rate * self._share(step)
