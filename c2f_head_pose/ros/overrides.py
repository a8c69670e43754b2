"""Reads the parameter values that the user gave at start, on the command line or in a params file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor


def value_given(node: Any, name: str) -> Any:
    """Returns the value given at start for a parameter that is not declared yet; None if none was given.

    rclpy has no public list of these values, so the parameter is declared for a moment: a given value replaces the missing default.

    Args:
        node: the rclpy node.
        name: the parameter's name.
    """
    if node.has_parameter(name):
        return node.get_parameter(name).value
    value = node.declare_parameter(name, None, ParameterDescriptor(dynamic_typing=True)).value
    node.undeclare_parameter(name)
    return value


def names_given(node: Any) -> list[str] | None:
    """Returns the names of all values given at start; None if this rclpy does not show them (the attribute is private)."""
    given: Mapping[str, Any] | None = getattr(node, '_parameter_overrides', None)
    return None if given is None else list(given)
