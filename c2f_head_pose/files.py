"""What several rooms read and write alike: YAML files that others wrote, and the stamps of ROS messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path) -> Any:
    """The plain values in a YAML file; no tag makes it build anything else.

    Raises:
        ValueError: for text that is no YAML; the caller names the remedy.
        OSError: where the file cannot be read.
    """
    text = path.read_text(encoding='utf-8')
    try:
        return yaml.safe_load(text)
    except Exception as error:  # beside YAMLError, PyYAML lets KeyError, IndexError, AttributeError and RecursionError of odd text through
        raise ValueError(f'not YAML ({type(error).__name__}: {error})') from error


def stamp_ns(message: Any) -> int:
    """A message's header stamp in nanoseconds.

    Args:
        message: anything with a `header`, ROS's or rosbags'.
    """
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def seconds_from_ns(nanoseconds: int) -> float:
    """Seconds of a time in nanoseconds; whole seconds are split off first, since 1.7e18 ns do not fit into a float exactly."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return seconds + 1e-9 * rest


def stamp_s(message: Any) -> float:
    """A message's header stamp in seconds, as the node computes it."""
    return seconds_from_ns(stamp_ns(message))
