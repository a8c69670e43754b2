"""Writes numbers with their nouns, for what commands print."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, such as '1 face' and '2 faces'; the noun's plural must end in s."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'
