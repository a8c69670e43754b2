"""Writes numbers with their nouns, for what commands print and pictures show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, such as '1 face' and '2 faces'; the noun's plural must end in s."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def whole_angles(ypr_deg: Iterable[float]) -> str:
    """Returns yaw, pitch, roll in whole degrees, such as 'yaw +12 pitch -3 roll +0'; small negative angles are +0, not -0."""
    return ' '.join(f'{name} {np.rint(angle) + 0.0:+.0f}' for name, angle in zip(('yaw', 'pitch', 'roll'), ypr_deg))
