"""Declares a parameter table on a node. A change is validated as a whole and then applied as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, Generic

from rcl_interfaces.msg import SetParametersResult

from ..parameters import ParameterError, Table, nearest_name
from ..params_files import files_without
from .overrides import names_given, value_given
from .parameters import descriptor


class DeclaredParameters(Generic[Table]):
    """A node's parameters as one validated set."""

    def __init__(self, node: Any, apply: Callable[[], None], table: type[Table]) -> None:
        """Declares the whole table.

        Args:
            node: the rclpy node; its attribute `configured` is true while a model is loaded.
            apply: called after a change was accepted, when `parameters` is the new set.
            table: the class whose fields are the parameters.
        """
        self._node = node
        self._table = table
        self._apply = apply
        self._wrong: dict[str, str] = {}
        for row in fields(table):
            given = value_given(node, row.name)
            try:
                table.from_values({} if given is None else {row.name: given})
            except ParameterError as error:
                self._wrong[row.name] = str(error)
            node.declare_parameter(row.name, row.default, descriptor(row.name, table), ignore_override=row.name in self._wrong)
        self._warn_of_unknown()
        self._warn_of_files_for_others()
        self._in_force = self._set_on_node()
        self._pending: dict[str, Any] = {}
        node.add_on_set_parameters_callback(self._validate)
        self._reports_success = hasattr(node, 'add_post_set_parameters_callback')  # not in Humble
        if self._reports_success:
            node.add_post_set_parameters_callback(self._take_over)

    @property
    def parameters(self) -> Table:
        """The set in force. A wrong value given at start counts as its default here, until `check` refuses it."""
        if self._pending:
            self._take_over_if_set()
        return self._in_force

    def check(self) -> None:
        """Refuses wrong values given at start that have not been replaced since.

        Raises:
            ParameterError: naming each parameter, its value and what it may be.
        """
        if self._wrong:
            raise ParameterError('; '.join(self._wrong.values()) + '; correct them and start again, or set them and configure again')

    def _validate(self, changes: Iterable[Any]) -> SetParametersResult:
        """Accepts or refuses a change. Another callback may still refuse it, so nothing is taken over here."""
        values = self._own(changes)
        try:
            self.parameters.changed(values, self._node.configured)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if not self._reports_success:
            self._pending = values
        return SetParametersResult(successful=True)

    def _take_over(self, changes: Iterable[Any]) -> None:
        """Takes over what the node's parameters have become."""
        values = self._own(changes)
        if values:
            self._wrong = {name: text for name, text in self._wrong.items() if name not in values}
            self._in_force = self._set_on_node()
            self._apply()

    def _take_over_if_set(self) -> None:
        """For Humble, which does not report that a change was accepted: compares the change with the node's parameters."""
        pending = self._pending  # another thread may replace it meanwhile
        changes = [self._node.get_parameter(name) for name in pending]
        if all(_plain(change.value) == _plain(pending[change.name]) for change in changes):
            if self._pending is pending:
                self._pending = {}
            self._take_over(changes)

    def _set_on_node(self) -> Table:
        return self._table.from_values({row.name: self._node.get_parameter(row.name).value for row in fields(self._table)})

    def _own(self, changes: Iterable[Any]) -> dict[str, Any]:
        names = {row.name for row in fields(self._table)}
        return {change.name: change.value for change in changes if change.name in names}

    def _warn_of_unknown(self) -> None:
        names = names_given(self._node)
        if names is None:
            self._node.get_logger().info('this rclpy does not show the parameters given at start, so misspelt names are not reported')
        for name in names or []:
            if name.startswith('qos_overrides.') or self._node.has_parameter(name):
                continue
            near = nearest_name(name, self._table)
            meant = f'; did you mean {near}?' if near else ''
            self._node.get_logger().warning(f'parameter {name} is not known and has no effect{meant}')

    def _warn_of_files_for_others(self) -> None:
        own = self._node.get_fully_qualified_name()
        for path, names in files_without(own, sys.argv):
            self._node.get_logger().warning(
                f'params file {path} has no effect: it is for {", ".join(names)}, and this node is {own}; begin it with /**: or {own}:'
            )


def _plain(value: Any) -> Any:
    """A value that compares like with like: arrays of any kind as tuples."""
    return value if value is None or isinstance(value, (str, bool, int, float)) else tuple(value)
