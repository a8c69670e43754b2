"""Learning rates over steps, and how a time budget bends them."""

from __future__ import annotations

from dataclasses import dataclass

BUDGET_FALL = 0.1
"""Last part of a time budget in which 'poly' and 'constant' fall to zero: neither does so by itself before its steps are done."""
LATE = 1.05
"""A fall that would end later than this, in budgets, is shortened."""


@dataclass
class Schedule:
    """The learning rate of every step.

    'cooldown' warms up, stays, then falls linearly to zero over the last part. 'poly' is peak * (1 - step / steps) ** power (Caffe's,
    as GoogLeNet's quick solver has it); 'constant' stays.

    Under a time budget the fall of 'cooldown' begins when its part of the time is left, and the other two get one of `BUDGET_FALL`.
    A fall too slow for the time that is left is bent: it goes on from the rate it has reached, over fewer steps. What became of it
    (`fall`) is part of the checkpoint, so a resumed run goes on with it.

    Attributes:
        kind: 'cooldown', 'poly' or 'constant'.
        peak_lr: highest rate.
        steps: planned steps.
        warmup: steps of linear rise.
        cooldown: last part of the run in which 'cooldown' falls, 0 to below 1.
        power: of 'poly'.
        decay_from: first step of the fall, -1 while not known.
        decay_steps: length of the fall.
        decay_level: share of the rate that the fall begins with, 1 unless it was bent.
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
        if not 0 <= self.cooldown < 1:
            raise ValueError(f'schedule cooldown {self.cooldown} is not a part of the run, 0 to below 1')

    @property
    def fall(self) -> tuple[int, int, float]:
        """First step of the fall (-1: not known yet), its length, and its share of the rate at its beginning."""
        return self.decay_from, self.decay_steps, self.decay_level

    def resume(self, decay_from: int, decay_steps: int, decay_level: float = 1.0) -> None:
        """Takes the `fall` of a checkpoint."""
        self.decay_from, self.decay_steps, self.decay_level = decay_from, decay_steps, decay_level

    def plan(self, by_time: bool) -> None:
        """Fixes the fall from the number of steps, unless a time budget will."""
        if self.kind == 'cooldown' and not by_time and self.decay_from < 0:
            self.decay_steps = max(1, round(self.steps * self.cooldown))
            self.decay_from = self.steps - self.decay_steps

    def falls(self, step: int) -> bool:
        """Whether the fall has begun by a step."""
        return 0 <= self.decay_from <= step

    def clock(self, step: int, time_used: float) -> None:
        """Begins the fall once only its share of the budget, in time or steps, is left; bends it where it would end too late.

        Args:
            step: the step about to be done.
            time_used: part of the time budget used, 0..1 and beyond.
        """
        share = self.cooldown if self.kind == 'cooldown' else BUDGET_FALL
        if self.falls(step):
            affordable = round(step * (LATE - time_used) / time_used) if time_used else self.steps  # at the run's mean speed
            if self.last_step - step > affordable:
                self._fall_over(step, affordable)
        elif time_used >= 1 - share or (self.kind == 'cooldown' and step >= self.steps * (1 - share)):
            self._fall_over(step, round(step * share / (1 - share)))

    def _fall_over(self, step: int, steps: int) -> None:
        """Lets the rate fall from what it is to zero over so many steps, if as many are left."""
        self.decay_level = self._share(step)
        self.decay_from, self.decay_steps = step, max(1, min(steps, self.steps - step))

    def _share(self, step: int) -> float:
        """What the fall leaves of a step's rate, 0..1."""
        if self.decay_from < 0:
            return 1.0
        return self.decay_level * max(0.0, min(1.0, 1 - (step - self.decay_from) / self.decay_steps))

    @property
    def last_step(self) -> int:
        """Steps after which the run is done."""
        return self.steps if self.decay_from < 0 else min(self.steps, self.decay_from + self.decay_steps)

    def lr(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rate = self.peak_lr * min(1.0, (step + 1) / self.warmup) if self.warmup else self.peak_lr
        if self.kind == 'poly':
            rate *= (1 - step / self.steps) ** self.power
        return rate * self._share(step)
