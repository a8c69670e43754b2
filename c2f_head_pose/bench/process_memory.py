"""Reads the memory that this process uses, as far as the system states it."""

from __future__ import annotations

import sys
from pathlib import Path


def memory_bytes() -> tuple[int | None, int | None]:
    """Returns this process's resident memory, and the most that it was so far, bytes.

    None stands for what the system does not state: outside of Linux the present memory, on Windows both.

    Source: proc(5), VmRSS and VmHWM in kB; getrusage(2), ru_maxrss in bytes on macOS and in kB elsewhere.
    """
    try:
        status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
        return 1024 * int(status['VmRSS'].split()[0]), 1024 * int(status['VmHWM'].split()[0])
    except (OSError, KeyError):
        pass
    try:
        import resource
    except ImportError:
        return None, None
    return None, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)
