"""What a command tells of the user's mistakes: a line, and status 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

Main = Callable[[list[str] | None], int | None]


def tells(*mistakes: type[Exception]) -> Callable[[Main], Main]:
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
