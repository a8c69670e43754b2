"""Draws a plot of each of the paper's tables from training/results: `python -m training.evaluation.paper_plots`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..paper.published import ANGLES, TABLES
from . import results
from .results import NOT_RUN, Figure
from .table_text import by_row_and_scale

FOLDER = results.FOLDER.parents[1] / 'docs' / 'images'


def columns_by_unit(table: int, figures: list[Figure]) -> dict[str, list[str]]:
    """The columns that have figures, by unit: accuracies and mean errors."""
    cells = list(dict.fromkeys(f.cell for f in figures))
    shares = [c for c in cells if table == 2 or c.split()[-1] == 'coarse' or (table == 3 and ' ' not in c)]
    errors = [c for c in cells if c.split()[-1] in ANGLES and c not in shares]
    return {unit: columns for unit, columns in (('right category, %', shares), ('mean absolute error, degrees', errors)) if columns}


def plot(table: int, path: Path, folder: Path | None = None) -> bool:
    """Draws a table's rows as bars, errors with their standard deviation over seeds, and the paper's figures as diamonds.

    Returns:
        Whether there was a figure to draw.
    """
    figures = [f for f in results.read(table, folder) if f.value != NOT_RUN]
    if not figures:
        return False
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    rows = [(row, scale, of_row) for row, scales in by_row_and_scale(figures).items() for scale, of_row in scales]
    units = columns_by_unit(table, figures)
    most = max(map(len, units.values()))
    size = 1.5 + 5.5 * len(units), (1.2 if len(units) > 1 else 1.5) + max(0.42 * len(rows), 0.18 * most)
    picture, axes = plt.subplots(1, len(units), figsize=size, sharey=True, squeeze=False, layout='constrained')
    any_printed = False
    for axis, (unit, columns) in zip(axes[0], units.items(), strict=True):
        height = 0.8 / len(columns)
        for k, column in enumerate(columns):
            at = [i + (k - (len(columns) - 1) / 2) * height for i in range(len(rows))]
            values = [float(of_row[column].value) if column in of_row else 0.0 for _, _, of_row in rows]
            spreads = [float(of_row[column].spread or 0) if column in of_row else 0.0 for _, _, of_row in rows]
            bars = axis.barh(at, values, height * 0.9, xerr=spreads if any(spreads) else None, label=column)
            printed = [TABLES[table].cells(row).get(column) for row, _, _ in rows]
            known = [(value, y) for value, y in zip(printed, at, strict=True) if value is not None]
            if known:
                any_printed = True
                axis.scatter(
                    *zip(*known, strict=True), marker='D', s=18, color=bars.patches[0].get_facecolor(), edgecolor='black', zorder=3
                )
        axis.set_xlabel(unit)
        axis.grid(alpha=0.3, axis='x')
        axis.legend(fontsize=7, loc='upper left', bbox_to_anchor=(1, 1))
    axes[0][0].set_yticks(range(len(rows)), [f'{row} ({scale})' for row, scale, _ in rows])
    axes[0][0].invert_yaxis()
    diamonds = '; diamonds: the paper' if any_printed else f"; the paper's are of {TABLES[table].tested_on}, so not drawn"
    lines = f"The paper's Table {table}: {TABLES[table].title}", f'Bars: ours, on the set that is named{diamonds}'
    picture.suptitle(('. ' if len(units) > 1 else '\n').join(lines), fontsize=9)  # one panel is too narrow for both on a line
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=80)
    plt.close(picture)
    return True


def main() -> int:
    """The command."""
    argparse.ArgumentParser(
        prog='python -m training.evaluation.paper_plots', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    for table in TABLES:
        path = FOLDER / f'paper_table{table}.png'
        print(f'{path.relative_to(FOLDER.parents[1])}: {"drawn" if plot(table, path) else "no figures yet"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
