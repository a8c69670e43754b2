"""Stores the node's figures over time, a row every few seconds, in a file that later runs continue."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from .driver import Record


@dataclass(frozen=True)
class Sample:
    """One row.

    Attributes:
        at_s: seconds of soaking since the first start, pauses between runs left out.
        run: number of the run, from 1; each has a process of its own.
        action: the driver's action; empty for none.
        memory_mb: resident memory of the node.
        own_mb: the part of that memory that is not shared.
        mapped_mb: size of the shared memory that it has mapped.
        threads: number of the node's threads.
        handles: files and sockets that the node has open.
        cpu_share: processor seconds of the node per second.
        sent: images since the last row.
        answered: images since the last row.
        latency_median_ms: publish to arrival of the answer; nan where none came.
        latency_p99_ms: 99th percentile of the same.
        latency_worst_ms: the largest of the same.
        load: the machine's load over the last minute.
    """

    at_s: float
    run: int
    action: str
    memory_mb: float
    own_mb: float
    mapped_mb: float
    threads: int
    handles: int
    cpu_share: float
    sent: int
    answered: int
    latency_median_ms: float
    latency_p99_ms: float
    latency_worst_ms: float
    load: float


Row = TypeVar('Row', Sample, Record)


def append(path: Path, row: Sample | Record) -> None:
    """Adds a row; the file is whole after each, whenever the run is broken off."""
    old = path.read_bytes() if path.exists() else b''
    with open(path, 'a', newline='') as file:
        writer = csv.writer(file)
        if old and not old.endswith(b'\n'):
            file.write('\n')  # after a line that was broken off
        if not old:
            writer.writerow(asdict(row))
        writer.writerow(_text(value) for value in astuple(row))


def read(path: Path, kind: type[Row]) -> list[Row]:
    """Reads the rows of a file; none if there is no file. An incomplete last line is dropped, a missing column of numbers is nan."""
    if not path.exists():
        return []
    types = {'int': int, 'float': float, 'str': str}
    with open(path, newline='') as file:
        rows = list(csv.DictReader(file))
    whole = [row for row in rows if None not in row.values() and None not in row]
    return [kind(**{column.name: types[str(column.type)](row.get(column.name, 'nan')) for column in fields(kind)}) for row in whole]


def thin(samples: Iterable[Sample], period_s: float) -> list[Sample]:
    """Returns the first sample of each period, to keep the file small."""
    kept: list[Sample] = []
    for sample in samples:
        if not kept or sample.run != kept[-1].run or sample.at_s // period_s > kept[-1].at_s // period_s:
            kept.append(sample)
    return kept


def _text(value: Any) -> Any:
    return f'{value:.3f}' if isinstance(value, float) else value
