"""Plans the node's events and their times: an endless sequence that a seed determines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from ....parameters import Change, ParameterError, Parameters

ACTIONS = {
    'camera lost': 'no images for a while',
    'camera replaced': 'its publishers go, and come again later',
    'stamps go back': 'by a round of the recording, as when it is played in a loop, and forward again later',
    'parameters changed': 'some of the live ones at random within their range, and back to their defaults later',
    'parameters refused': 'one beyond its range beside one within it: neither may change',
    'disabled': '~/enable false, and true later',
    'deactivated': 'and activated later',
    'cleaned up': 'deactivated and cleaned up, so that the models are freed; configured and activated later',
    'picture watched': 'a subscription of ~/image_annotated comes, and goes later',
    'neutral set': '~/set_neutral, and ~/clear_neutral later',
}
_PAUSE_S = (4.0, 16.0)
_HOLD_S = (2.0, 8.0)


@dataclass(frozen=True)
class Event:
    """One thing that happens.

    Attributes:
        at_s: when, in seconds since the first start; later where the one before takes longer.
        action: a key of ACTIONS.
        hold_s: the action's length, seconds.
        values: parameters to set, by name.
    """

    at_s: float
    action: str
    hold_s: float
    values: dict[str, Any] = field(default_factory=dict)


def events(seed: int, pace: float = 1.0) -> Iterator[Event]:
    """Yields the events in order, without an end: every action once in random order, then every action again.

    Args:
        seed: fixes them all.
        pace: 2 has everything happen twice as fast.
    """
    chance = random.Random(seed)
    at_s = 0.0
    while True:
        deck = list(ACTIONS)
        chance.shuffle(deck)
        for action in deck:
            at_s += chance.uniform(*_PAUSE_S) / pace
            hold_s = chance.uniform(*_HOLD_S) / pace
            values = {'parameters changed': live_values, 'parameters refused': refused_values}.get(action, lambda _: {})(chance)
            yield Event(at_s, action, hold_s, values)
            at_s += hold_s


def live_values(chance: random.Random) -> dict[str, Any]:
    """Draws one to four live parameters with values in their ranges."""
    rows = [row for row in fields(Parameters) if row.metadata['change'] is Change.LIVE]
    return {row.name: _any_value(row, chance) for row in chance.sample(rows, chance.randint(1, 4))}


def refused_values(chance: random.Random) -> dict[str, Any]:
    """Draws two live parameters: one within its range, one beyond it."""
    bounded = [row for row in fields(Parameters) if row.metadata['change'] is Change.LIVE and row.metadata['maximum'] is not None]
    right, wrong = chance.sample(bounded, 2)
    beyond = wrong.metadata['maximum'] + 1
    return {right.name: _any_value(right, chance), wrong.name: int(beyond) if isinstance(wrong.default, int) else float(beyond)}


def _any_value(row: Any, chance: random.Random) -> Any:
    """A value that the table accepts; drawn again where it does not, as an empty region."""
    low, high, kind = row.metadata['minimum'], row.metadata['maximum'], type(row.default)
    while True:
        if kind is bool:
            value: Any = chance.random() < 0.5
        elif row.metadata['choices']:
            value = chance.choice(row.metadata['choices'])
        elif kind is int:
            value = chance.randint(low, high)
        elif kind is float:
            value = chance.uniform(low, high)
        elif kind is tuple:
            value = [chance.uniform(low, high) for _ in row.default]
        else:
            raise TypeError(f'{row.name} has neither a range nor choices to draw from')
        try:
            Parameters.from_values({row.name: value})
        except ParameterError:
            continue
        return value
