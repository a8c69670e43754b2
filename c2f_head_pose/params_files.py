"""Reads params files, and finds those on a command line that hold nothing for a node, which ROS ignores without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from .files import read_yaml

_PARAMETERS = 'ros__parameters'
_OF_EVERY_NODE = ('use_sim_time', 'start_type_description_service', 'qos_overrides')
"""Parameters, or the first part of their names, that rclpy gives every node."""
_WILDCARDS = {'/**': '(/[^/]+)*', '/*': '/[^/]+'}


def read_params(path: Path, node_name: str) -> dict[str, Any]:
    """Returns the values that a params file holds for a node, by name; of several the last one, as in ROS. rclpy's own are left out.

    Args:
        path: the file.
        node_name: the node's full name, such as /front/head_pose.

    Raises:
        ValueError: for a file that is no YAML or holds nothing for the node, with the remedy.
        OSError: when the file cannot be read.
    """
    blocks = [*_walk(read_yaml(path), '')]
    own = [values for name, values in blocks if _fits(name, node_name)]
    if not own:
        names = ', '.join(sorted({name for name, _ in blocks})) or 'no node'
        raise ValueError(f'{path} has no effect: it is for {names}; begin it with /**: or {node_name}:, and {_PARAMETERS}: below')
    given = {str(name): value for values in own if isinstance(values, dict) for name, value in values.items()}
    return {name: value for name, value in given.items() if name.split('.')[0] not in _OF_EVERY_NODE}


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
        return sorted({name for name, _ in _walk(read_yaml(Path(path)), '')})
    except (OSError, ValueError):
        return []


def _walk(block: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The names above each `ros__parameters`, and what is below it.

    Namespaces may be levels of their own, as in `front: {head_pose: {ros__parameters: ...}}`.
    """
    if not isinstance(block, dict):
        return
    for key, value in block.items():
        if key == _PARAMETERS:
            yield name or '/**', value
        else:
            yield from _walk(value, f'{name}/{str(key).strip("/")}')


def _fits(pattern: str, node_name: str) -> bool:
    """Whether a name of a params file is the node's: `*` stands for one part of it, `**` for any number."""
    parts = re.findall('/[^/]+', pattern)
    return re.fullmatch(''.join(_WILDCARDS.get(part, re.escape(part)) for part in parts), node_name) is not None
