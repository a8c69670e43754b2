"""The report as one HTML file."""
from __future__ import annotations

from pathlib import Path
from typing import Any


def write_report(path: Path, record: dict[str, Any], parts: Any) -> None:
    """Writes the report."""
    path.write_text('')
