"""Writes report.html, one file that contains data, script and style and loads nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files import written_whole
from ..results import plain
from ..summary import Scored
from .data import drawn
from .worst import Thumbnail

_ASSETS = Path(__file__).parent / 'assets'


def write_report(path: Path, record: Mapping[str, Any], parts: Sequence[tuple[Scored, Sequence[Thumbnail]]]) -> None:
    """Writes the report.

    Args:
        path: the file.
        record: content of metrics.json.
        parts: results and thumbnails of each evaluated recording.
    """
    data = json.dumps(
        {'record': plain(record), 'recordings': [drawn(scored, worst) for scored, worst in parts]}, allow_nan=False, separators=(',', ':')
    )
    # '</' would end the script element that holds the data, and '<!--' would hide its end.
    data = data.replace('<', '\\u003c')
    names = [entry['name'] for entry in record['recordings']]
    pieces = {
        'TITLE': _escaped(', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')),
        'DATA': data,
        'STYLE': _asset('report.css'),
        'SCRIPT': _asset('plots.js') + _asset('timeline.js') + _asset('report.js'),
    }
    page = _asset('report.html')
    for name, piece in pieces.items():
        page = page.replace('{{' + name + '}}', piece, 1)
    with written_whole(path) as part:
        part.write_text(page, encoding='utf-8', errors='backslashreplace')


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding='utf-8')


def _escaped(text: str) -> str:
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;').replace('"', '&quot;')
