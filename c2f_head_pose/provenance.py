"""Finds what a result was made with: the package's version, the checkout's commit, the processor and its cores."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def package_version() -> str | None:
    """Returns the installed package's version; None for a checkout that is not installed."""
    try:
        return version('c2f_head_pose')
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """Returns twelve digits of the checkout's commit, with '+' if tracked files have changes; None outside of a checkout.

    Untracked files are ignored, so that results written into the checkout do not count as changes.
    """
    file = Path(__file__).resolve()

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(['git', '-C', str(file.parent), *arguments], capture_output=True, text=True, timeout=5, check=False)

    try:
        found = git('describe', '--always', '--dirty=+', '--abbrev=12', '--exclude=*')
        tracked = git('ls-files', '--error-unmatch', file.name)  # fails for a copy installed inside of another project's checkout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 and tracked.returncode == 0 else None


def processor() -> str | None:
    """Returns the processor's name as the system reports it; None where it reports none."""
    if sys.platform == 'linux':
        try:
            lines = Path('/proc/cpuinfo').read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine() or None


def usable_cores() -> int | None:
    """Returns the number of cores that this process may use; all of the machine's where the system has no such limit (macOS, Windows)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def load_average() -> float | None:
    """Returns the mean number of processes of the last minute that ran or waited for a core; None where none is kept (Windows)."""
    return round(os.getloadavg()[0], 2) if hasattr(os, 'getloadavg') else None
