"""Finds params files on the command line that hold nothing for a node; ROS ignores such a file without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..files import read_yaml

_PARAMETERS = 'ros__parameters'
_WILDCARDS = {'/**': '(/[^/]+)*', '/*': '/[^/]+'}


def files_without(node_name: str, arguments: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Returns each params file that holds nothing for a node, with the names of the nodes for which it holds something.

    Args:
        node_name: the node's full name, such as /front/head_pose.
        arguments: the process's command line. A file that cannot be read is left to rcl, which reports it.
    """
    found = []
    for option, path in pairwise(arguments):
        if option == '--params-file':
            names = _node_names(path)
            if names and not any(_fits(name, node_name) for name in names):
                found.append((path, names))
    return found


def _node_names(path: str) -> list[str]:
    try:
        return sorted(set(_walk(read_yaml(Path(path)), '')))
    except (OSError, ValueError):
        return []


def _walk(block: Any, name: str) -> Iterator[str]:
    """The names above each `ros__parameters`: namespaces may be levels of their own, as in `front: {head_pose: {ros__parameters: ...}}`."""
    if not isinstance(block, dict):
        return
    for key, value in block.items():
        if key == _PARAMETERS:
            yield name or '/**'
        else:
            yield from _walk(value, f'{name}/{str(key).strip("/")}')


def _fits(pattern: str, node_name: str) -> bool:
    """Whether a name of a params file is the node's: `*` stands for one part of it, `**` for any number."""
    parts = re.findall('/[^/]+', pattern)
    return re.fullmatch(''.join(_WILDCARDS.get(part, re.escape(part)) for part in parts), node_name) is not None
