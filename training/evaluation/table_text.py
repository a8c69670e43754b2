"""A table as text: the paper's figures beside ours."""

from __future__ import annotations

from ..paper.published import TABLES
from .results import Figure


def show(table: int, figures: list[Figure], tiny: bool) -> str:
    """The table as text: the paper's figure, then ours."""
    paper = TABLES[table]
    mine = {(f.row, f.cell): f for f in figures}
    extra = list(dict.fromkeys(f.cell for f in figures if f.cell not in paper.columns))
    lines = [
        f'Table {table}: {paper.title}. Each cell: the paper / ours.'
        + (' TINY: a trial of the machinery, the figures mean nothing.' if tiny else '')
    ]
    for label in dict.fromkeys([*paper.rows, *(f.row for f in figures)]):
        printed = paper.cells(label)
        cells = []
        for column in (*paper.columns, *extra):
            figure = mine.get((label, column))
            theirs = '-' if printed.get(column) is None else f'{printed[column]:g}'
            if theirs != '-' or figure is not None:
                cells.append(f'{column} {theirs} / {_shown(figure)}')
        lines.append(f'  {label:18s} ' + '   '.join(cells))
    scales = dict.fromkeys(f.scale for f in figures)
    for scale in scales:
        of = f' of {_those(figures, scale)}' if len(scales) > 1 else ''
        lines.append(f'  scale{of}: {scale}')
    lines += [f'  tested on: {protocol}' for protocol in dict.fromkeys(f.protocol for f in figures) if protocol]
    return '\n'.join(lines)


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
