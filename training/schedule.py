"""Learning rates over steps, and how a time budget bends them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Schedule:
    """The learning rate of every step.

    'cooldown' warms up, stays, then falls linearly to zero over the last part; under a time budget the fall begins when
    its part of the time is left, and what it became is part of the checkpoint, so a resumed run repeats it.
    'poly' is peak * (1 - step / steps) ** power (Caffe's, as GoogLeNet's quick solver has it); 'constant' stays.

    Attributes:
        kind: 'cooldown', 'poly' or 'constant'.
        peak: highest rate.
        steps: planned steps.
        warmup: steps of linear rise.
        cooldown: last part of the run in which 'cooldown' falls, 0..1.
        power: of 'poly'.
        decay_from: first step of the fall, -1 while not known.
        decay_steps: length of the fall.
    """

    kind: str
    peak: float
    steps: int
    warmup: int = 0
    cooldown: float = 0.25
    power: float = 0.5
    decay_from: int = -1
    decay_steps: int = 0

    def __post_init__(self):
        if self.kind not in ('cooldown', 'poly', 'constant'):
            raise ValueError(f"schedule kind {self.kind!r} is none of 'cooldown', 'poly', 'constant'")

    def plan(self, by_time: bool) -> None:
        """Fixes the fall from the number of steps, unless a time budget will."""
        if self.kind == 'cooldown' and not by_time and self.decay_from < 0:
            self.decay_steps = max(1, round(self.steps * self.cooldown))
            self.decay_from = self.steps - self.decay_steps

    def clock(self, step: int, time_used: float) -> None:
        """Begins the fall once only its share of the time budget is left.

        Args:
            step: the step about to be done.
            time_used: part of the budget used, 0..1.
        """
        if self.kind == 'cooldown' and self.decay_from < 0 and time_used >= 1 - self.cooldown:
            self.decay_from = step
            self.decay_steps = max(1, round(step * self.cooldown / (1 - self.cooldown)))

    @property
    def last_step(self) -> int:
        """Steps after which the run is done."""
        if self.kind == 'cooldown' and self.decay_from >= 0:
            return min(self.steps, self.decay_from + self.decay_steps)
        return self.steps

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rate = self.peak * min(1.0, (step + 1) / self.warmup) if self.warmup else self.peak
        if self.kind == 'poly':
            return rate * (1 - step / self.steps) ** self.power
        if self.kind == 'cooldown' and self.decay_from >= 0:
            rate *= max(0.0, min(1.0, 1 - (step - self.decay_from) / self.decay_steps))
        return rate
