"""What a command takes and tells: numbers in their ranges; of the user's mistakes a line, and status 2."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from functools import wraps

Main = Callable[[list[str] | None], int | None]


def exits_with_message(*mistakes: type[Exception]) -> Callable[[Main], Main]:
    """Has a command print `error: ...` and return 2 for these exceptions, which a user can mend, instead of a traceback."""

    def decorate(main: Main) -> Main:
        @wraps(main)
        def told(arguments: list[str] | None = None) -> int | None:
            try:
                return main(arguments)
            except mistakes as error:
                print(f'error: {error}', file=sys.stderr)
                return 2

        return told

    return decorate


def _number(kind: Callable[[str], float], words: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and fits(value)):
            raise argparse.ArgumentTypeError(f'{text} is not {words}')
        return value

    return read


positive_int = _number(int, 'a whole number of at least 1', lambda value: value >= 1)
natural = _number(int, 'a whole number of at least 0', lambda value: value >= 0)
positive_float = _number(float, 'a number above 0', lambda value: value > 0)
not_negative = _number(float, 'a number of at least 0', lambda value: value >= 0)
half_turn = _number(float, 'a number of degrees from 0 to 180', lambda value: 0 <= value <= 180)
"""Types of arguments."""
