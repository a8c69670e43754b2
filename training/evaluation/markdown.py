"""Reads the files of figures and lays them out as tables of a page."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from . import results

Row = dict[str, str]


def read(name: str) -> list[Row]:
    """The rows of a file of training/results."""
    with open(results.FOLDER / name, newline='') as file:
        return list(csv.DictReader(file))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in (header, ['---'] * len(header), *rows))


def number(row: Row, name: str, digits: int = 2, factor: float = 1.0) -> str:
    """A figure of a row with so many digits; '-' where it has none."""
    return f'{factor * float(row[name]):.{digits}f}' if row[name] else '-'
