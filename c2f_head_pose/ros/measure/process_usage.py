"""Measures the memory, threads, handles and processor time of a process (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """A process at one moment.

    Attributes:
        memory_mb: resident memory.
        own_mb: the part of that memory that is not shared (Fast DDS shares the images in transit).
        mapped_mb: size of the shared memory that it has mapped, whether touched yet or not.
        threads: number of threads.
        handles: open files and sockets.
        cpu_s: processor time since it was started.
    """

    memory_mb: float
    own_mb: float
    mapped_mb: float
    threads: int
    handles: int
    cpu_s: float


def usage_of(pid: int) -> Usage:
    """Reads a process.

    Raises:
        OSError: when it has ended.
    """
    folder = Path('/proc') / str(pid)
    status = dict(line.split(':', 1) for line in (folder / 'status').read_text().splitlines())
    if 'VmRSS' not in status:
        raise ProcessLookupError(f'process {pid} has ended')
    resident_kb, shared_kb = (int(status.get(key, '0 kB').split()[0]) for key in ('VmRSS', 'RssShmem'))
    times = (folder / 'stat').read_text().rsplit(')', 1)[1].split()
    mapped = [line.split()[0].split('-') for line in (folder / 'maps').read_text().splitlines() if '/dev/shm/' in line]
    mapped_mb = sum(int(end, 16) - int(start, 16) for start, end in mapped) / 2**20
    return Usage(
        resident_kb / 1024,
        (resident_kb - shared_kb) / 1024,
        mapped_mb,
        int(status['Threads']),
        len(os.listdir(folder / 'fd')),
        (int(times[11]) + int(times[12])) / os.sysconf('SC_CLK_TCK'),
    )
