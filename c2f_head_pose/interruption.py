"""How the commands take an interruption: as KeyboardInterrupt, whether it is Ctrl-C (SIGINT) or SIGTERM, and with one exit status."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130
"""Exit status of a command that was interrupted, as a shell has it for SIGINT."""


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raises KeyboardInterrupt for SIGTERM, too, so that what was done until then is kept."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(signal_number: int, frame: Any) -> None:
    raise KeyboardInterrupt
