"""Reads YAML files and the stamps of ROS messages; several parts of the package need both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path) -> Any:
    """Reads a YAML file as plain values; tags cannot create other objects.

    Raises:
        ValueError: for text that is not YAML; the caller adds the remedy.
        OSError: when the file cannot be read.
    """
    text = path.read_text(encoding='utf-8')
    try:
        return yaml.safe_load(text)
    except Exception as error:  # PyYAML raises KeyError, IndexError, AttributeError and RecursionError for some texts, beside YAMLError
        raise ValueError(f'not YAML ({type(error).__name__}: {error})') from error


def stamp_ns(message: Any) -> int:
    """Returns a message's header stamp in nanoseconds.

    Args:
        message: message with a `header`, of rclpy or of rosbags.
    """
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def seconds_from_ns(nanoseconds: int) -> float:
    """Converts nanoseconds to seconds. Whole seconds are split off first, because a float cannot hold 1.7e18 ns exactly."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return seconds + 1e-9 * rest


def stamp_s(message: Any) -> float:
    """Returns a message's header stamp in seconds, computed as in the node."""
    return seconds_from_ns(stamp_ns(message))
