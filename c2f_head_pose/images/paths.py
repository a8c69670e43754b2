"""Writes the paths of files as OpenCV takes them, and as text to print and store."""

from __future__ import annotations

from pathlib import Path


def utf8_path(path: Path | str) -> str:
    """Returns a path as text for a library that takes UTF-8 only; OpenCV crashes on other names of videos.

    Raises:
        ValueError: for a path with other bytes, with the remedy.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(f'{shown_path(path)} cannot be used: its name is not UTF-8; rename it') from None
    return str(path)


def shown_path(path: Path | str) -> str:
    r"""Returns a path as text that can be printed and stored: a byte that is not UTF-8 is written as \xe9."""
    return str(path).encode(errors='surrogateescape').decode(errors='backslashreplace')
