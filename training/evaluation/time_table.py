"""The table of single frames beside filtered ones, from the figures of `training.studies.temporal`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from .markdown import Row, number, read, table
from .seed_spread import pooled

_MEASURES = {'geodesic': 'error', 'jitter': 'jitter'}


def over_time(rows: Sequence[Row] | None = None) -> str:
    """Makes the table, a line for each recording, and says what the filter changes and how certain that is.

    Args:
        rows: the figures; None for those of the edge model on file.
    """
    rows = read('c2f_edge_temporal.csv') if rows is None else rows
    single, filtered = ({row['seed']: row for row in rows if row['way'] == way} for way in ('single frame', 'filtered'))
    lines = [
        [f'seed {seed}', number(one, 'found', 1, 100), *(number(row, name) for name in _MEASURES for row in (one, filtered[seed]))]
        for seed, one in single.items()
    ]
    means = [f'{_mean(found, name):.2f}' for name in _MEASURES for found in (single, filtered)]
    header = [f'{title}, {way}' for title in _MEASURES.values() for way in ('single frame', 'filtered')]
    changes = [
        f'{title} {_change([float(filtered[seed][name]) - float(one[name]) for seed, one in single.items()])}'
        for name, title in _MEASURES.items()
    ]
    whole = [*lines, ['mean', f'{100 * _mean(single, "found"):.1f}', *means]]
    return '\n'.join([table(['recording', 'found, %', *header], whole), '', f'- Filtered less single frame: {"; ".join(changes)}.'])


def _mean(found: dict[str, Row], name: str) -> float:
    return mean(float(row[name]) for row in found.values())


def _change(differences: Sequence[float]) -> str:
    """The mean of a change over recordings with its 95 % interval, its range, and whether the interval excludes none."""
    half = pooled([(stdev(differences), len(differences))]).half(len(differences))
    told = 'is within what three such recordings differ by' if len(differences) == 3 else 'is within what such recordings differ by'
    judged = f', which {told}' if abs(mean(differences)) <= half else ''
    return f'{mean(differences):+.2f} ± {half:.2f} degrees ({min(differences):+.2f} to {max(differences):+.2f}{judged})'
