"""Reads YAML files, paths with ~ and the stamps of ROS messages, and writes files whole; several parts of the package need these."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

FOREIGN_CLOCK_S = 60.0
"""A stamp that is older or newer than this at its message's arrival is of another clock, such as the camera's time since its start."""


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


def expand_user(path: str, error: type[Exception], remedy: str) -> Path:
    """Returns a path in which ~ or ~NAME at the beginning is replaced by that user's home folder.

    Args:
        path: the path as the user gave it.
        error: what to raise.
        remedy: what the user can do, which names the parameter, option or variable.

    Raises:
        error: where the system does not know the home folder, as of a container's user with neither HOME nor an entry in passwd.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise error(f'the system does not know the home folder of {path}; {remedy}') from None


@contextmanager
def written_whole(path: Path, part: Path | None = None) -> Iterator[Path]:
    """Gives a file to write, which is renamed to `path` when it is complete, so that no reader finds a part of it.

    Args:
        path: the file; replaced if it exists.
        part: the file to write, removed after an error; by default `path` with .part added to its name.

    Raises:
        OSError: when writing fails, naming the file.
    """
    part = part or path.with_name(path.name + '.part')
    try:
        yield part
        part.replace(path)
    except BaseException as error:
        if part.is_file():
            part.unlink()
        if isinstance(error, OSError):  # a full disk's names no file
            raise OSError(f'{path} cannot be written ({error.strerror or error})') from error
        raise


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


def age_ms(since_stamp_s: float) -> float | None:
    """Returns the age of a stamp in milliseconds; None where it is of another clock, so that its age is unknown.

    Args:
        since_stamp_s: time of our clock less the stamp, seconds.
    """
    return 1e3 * since_stamp_s if abs(since_stamp_s) < FOREIGN_CLOCK_S else None
