"""Describes why no image has a stamp within the truth's: both ranges, and the likely cause."""

from __future__ import annotations

import numpy as np

from ..rotations import bracket
from .heads import Truth

_UNITS = ((10**3, 'milliseconds', 'stamp_ms'), (10**6, 'microseconds', 'stamp_us'), (10**9, 'nanoseconds', 'stamp_ns'))
_UNIT_MARGIN = 0.01
_HOUR_S = 3600.0
_MARGIN_S = 60.0
_OWN_START_S = 1e7
"""A clock that shows less than this many seconds counts from its own start; times of day since 1970 are beyond 1e9."""


def describe_gap(truth: Truth, image_stamps_s: np.ndarray, max_gap_s: float) -> str | None:
    """Describes the fault if no image's stamp lies at or between samples of the truth; returns None if one does.

    Args:
        truth: the true heads, at least one.
        image_stamps_s: (n,) stamps of the images, n > 0.
        max_gap_s: largest gap in the truth that is interpolated over.
    """
    stamps_s = np.concatenate([head.stamps_s for head in truth.heads])
    if not len(stamps_s):
        return f'{truth.source} holds no usable rotation'
    true, seen = (stamps_s.min(), stamps_s.max()), (image_stamps_s.min(), image_stamps_s.max())
    if true[0] <= seen[1] and seen[0] <= true[1]:
        if any(bracket(head.stamps_s, image_stamps_s, max_gap_s)[2].any() for head in truth.heads):
            return None
        steps_s = [float(np.median(np.diff(head.stamps_s))) for head in truth.heads if len(head.stamps_s) > 1]
        apart = f'are {min(steps_s):.3g} s apart, more than' if steps_s else 'are single ones, without a second one within'
        return (
            f'the samples of the truth ({truth.source}) {apart} the {max_gap_s:g} s that are interpolated over: give a larger '
            '--max-gap-s if the head turns slowly enough'
        )
    return (
        f'the truth ({truth.source}) has stamps from {true[0]:.3f} to {true[1]:.3f} s, the images have stamps from {seen[0]:.3f} to '
        f'{seen[1]:.3f} s: they do not meet; {_likely_cause(true, seen)}'
    )


def _likely_cause(true: tuple[float, float], seen: tuple[float, float]) -> str:
    for factor, unit, column in _UNITS:
        if _same_time(true[0] / factor, seen[0]):
            return f'the truth looks like {unit}: name its column of stamps {column}'
        if _same_time(true[0] * factor, seen[0]):
            return f'the truth looks {factor:,} times too small: its column of stamps names a smaller unit than its stamps have'
    if abs(true[0]) < _OWN_START_S < abs(seen[0]):
        return (
            'the truth looks like seconds since its own start: add the time of its start, '
            f'{seen[0] - true[0]:.3f} s if it started with the images'
        )
    if abs(seen[0]) < _OWN_START_S < abs(true[0]):
        return (
            'the images look stamped with seconds since their own start (a clock of the camera, or a folder of pictures): '
            f'subtract {true[0] - seen[0]:.3f} s from the truth if both started together'
        )
    hours = (true[0] - seen[0]) / _HOUR_S
    if 0 < abs(round(hours)) <= 14 and abs(hours - round(hours)) * _HOUR_S < max(_MARGIN_S, seen[1] - seen[0]):
        return f'they are {round(hours):+d} h apart: one of the two clocks shows local time'
    return f'the truth is {true[0] - seen[0]:+.3f} s off: give --truth-offset-s if that is known, or the truth of this recording'


def _same_time(one: float, other: float) -> bool:
    return bool(abs(one - other) <= _UNIT_MARGIN * abs(other)) and other != 0
