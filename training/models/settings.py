"""Checks settings from yaml against a signature: names, types and ranges; each error names the setting."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

WORDS = {int: 'a whole number', float: 'a number', str: 'text', bool: 'true or false', NoneType: 'null', dict: 'a mapping of settings'}


def checked(settings: Any, name: str, *takers: Callable) -> dict[str, Any]:
    """Returns the settings if they fit the arguments of the takers.

    Args:
        settings: settings by name.
        name: name of the whole part, such as 'augment'; '' for a whole configuration.
        takers: annotated functions or classes; arguments of types that yaml does not have are no settings.

    Raises:
        ValueError: for a setting that is unknown, missing or of another type; the message lists the valid ones.
    """
    whole, prefix = (name, f'{name}.') if name else ('a configuration', '')
    if not isinstance(settings, dict):
        raise ValueError(f'{whole} {settings!r} is not {WORDS[dict]}')
    hints: dict[str, Any] = {}
    needed: set[str] = set()
    for taker in takers:
        types = get_type_hints(taker.__init__ if isinstance(taker, type) else taker)
        for argument in inspect.signature(taker).parameters.values():
            if argument.kind != argument.VAR_KEYWORD and _of_yaml(types[argument.name]):
                hints[argument.name] = types[argument.name]
                needed |= {argument.name} if argument.default is argument.empty else set()
    if unknown := sorted(map(str, set(settings) - set(hints))):
        raise ValueError(f'unknown {", ".join(prefix + key for key in unknown)}: {whole} has {", ".join(sorted(hints)) or "no settings"}')
    if missing := sorted(needed - set(settings)):
        raise ValueError(f'{whole} lacks {", ".join(missing)}')
    for key, value in settings.items():
        if not _fits(value, hints[key]):
            raise ValueError(f'{prefix}{key} {value!r} is not {_words(hints[key])}')
    return settings


def check_ranges(settings: Any, ranges: dict[str, tuple[float, float]], prefix: str = '') -> None:
    """Raises ValueError for an attribute outside of its range; both ends are included. None is in every range."""
    for key, (low, high) in ranges.items():
        value = getattr(settings, key)
        if value is not None and not low <= value <= high:
            raise ValueError(f'{prefix}{key} {value} is not ' + (f'at least {low}' if high == math.inf else f'between {low} and {high}'))


def _of_yaml(hint: Any) -> bool:
    return hint in (Any, *WORDS, ...) or (bool(get_args(hint)) and all(map(_of_yaml, get_args(hint))))


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin in (list, tuple):
        several = origin is list or ... in parts
        return (
            isinstance(value, (list, tuple))
            and len(value) > 0
            and (all(_fits(v, parts[0]) for v in value) if several else len(value) == len(parts) and all(map(_fits, value, parts)))
        )
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return hint is Any or (isinstance(value, origin or hint) and (hint is bool or not isinstance(value, bool)))


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return ' or '.join(dict.fromkeys(map(_words, parts)))
    if origin in (list, tuple):
        return f'a list, each {_words(parts[0])}'
    return WORDS[origin or hint]
