"""A lock on a run's folder, so that two trainings do not write to it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Creates a folder and locks it; the operating system releases the lock when the process ends for any reason.

    Raises:
        ValueError: if another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / '.lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f'another training writes to {folder}: give another --out, or wait for it') from None
        except OSError:
            pass  # a file system without locks: training goes on unprotected
        yield
