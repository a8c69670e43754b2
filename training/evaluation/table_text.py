"""Formats a table as text, with the paper's figures beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from ..paper.published import TABLES
from .results import SCALES, Figure


def show(table: int, figures: list[Figure], tiny: bool) -> str:
    """Formats a table as text: the paper's figures, then ours."""
    paper = TABLES[table]
    rows = by_row_and_scale(figures)
    extra = list(dict.fromkeys(f.cell for f in figures if f.cell not in paper.columns))
    lines = [
        f'Table {table}: {paper.title}. Each cell: the paper, on {paper.tested_on} / ours.'
        + (' TINY: a trial of the machinery, the figures mean nothing.' if tiny else '')
    ]
    for label in dict.fromkeys([*paper.rows, *(f.row for f in figures)]):
        printed = paper.cells(label)
        for number, (scale, mine) in enumerate(rows.get(label, [('', {})])):
            cells = []
            for column in (*paper.columns, *extra):
                figure = mine.get(column)
                theirs = '-' if printed.get(column) is None else f'{printed[column]:g}'
                if figure is not None or (theirs != '-' and not number):
                    cells.append(f'{column} {theirs} / {_shown(figure)}')
            name = f'{label}, {scale}' if number else label
            lines.append(f'  {name:18s} ' + '   '.join(cells))
    scales = dict.fromkeys(f.scale for f in figures)
    for scale in scales:
        of = f' of {_those(figures, scale)}' if len(scales) > 1 else ''
        lines.append(f'  scale{of}: {scale}')
    lines += [f'  tested on: {protocol}' for protocol in dict.fromkeys(f.protocol for f in figures) if protocol]
    return '\n'.join(lines)


def by_row_and_scale(figures: Sequence[Figure]) -> dict[str, list[tuple[str, dict[str, Figure]]]]:
    """Groups figures by row, by scale from the largest to the smallest, and by cell; cells that were not run are under the first scale."""
    out: dict[str, list[tuple[str, dict[str, Figure]]]] = {}
    for row in dict.fromkeys(f.row for f in figures):
        mine = [f for f in figures if f.row == row]
        names = [name for name in reversed(SCALES) if any(f.scale_name == name for f in mine)] or ['']
        out[row] = [(name, {f.cell: f for f in mine if f.scale_name == name or (not f.scale_name and name == names[0])}) for name in names]
    return out


def _shown(figure: Figure | None) -> str:
    """Our figure, with its standard deviation over seeds where there are several."""
    if figure is None:
        return '-'
    return f'{figure.value} ± {figure.spread}' if figure.spread else figure.value


def _those(figures: list[Figure], scale: str) -> str:
    """The rows whose figures have a scale, with their cells where others of the row have another."""
    rows: dict[str, list[str]] = {}
    for figure in figures:
        if figure.scale == scale:
            rows.setdefault(figure.row, []).append(figure.cell)
    whole = {row for row in rows if all(f.scale == scale for f in figures if f.row == row)}
    return '; '.join(row if row in whole else f'{row} ({", ".join(cells)})' for row, cells in rows.items())
