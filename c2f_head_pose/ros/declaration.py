"""The parameter table declared on a node; changes are validated whole, then applied whole."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, Generic

from rcl_interfaces.msg import SetParametersResult

from .parameters import ParameterError, Table, descriptor, nearest_name


class DeclaredParameters(Generic[Table]):
    """A node's parameters as one validated set.

    Attributes:
        parameters: the set in force. A value given at start that is wrong counts as its default here until `check` refuses it.
    """

    def __init__(self, node: Any, apply: Callable[[], None], table: type[Table]) -> None:
        """Declares the whole table.

        Args:
            node: the rclpy node; its attribute `configured` tells whether a model is loaded.
            apply: called after a change has been accepted and `parameters` is the new set.
            table: whose parameters.
        """
        self._node = node
        self._table = table
        self._apply = apply
        self._wrong: dict[str, str] = {}
        given = {name: parameter.value for name, parameter in getattr(node, '_parameter_overrides', {}).items()}
        for row in fields(table):
            try:
                table.from_values({row.name: given[row.name]} if row.name in given else {})
            except ParameterError as error:
                self._wrong[row.name] = str(error)
            node.declare_parameter(row.name, row.default, descriptor(row.name, table), ignore_override=row.name in self._wrong)
        self._warn_of_unknown(given)
        self.parameters = table.from_values({row.name: node.get_parameter(row.name).value for row in fields(table)})
        self._next = self.parameters
        node.add_on_set_parameters_callback(self._validate)
        self._applies_after = hasattr(node, 'add_post_set_parameters_callback')  # not in Humble
        if self._applies_after:
            node.add_post_set_parameters_callback(self._take_over)

    def check(self) -> None:
        """Refuses values given at start that were wrong and have not been set since.

        Raises:
            ParameterError: naming each parameter, its value and what it may be.
        """
        if self._wrong:
            raise ParameterError('; '.join(self._wrong.values()) + '; correct them and start again, or set them and configure again')

    def _validate(self, changes: Iterable[Any]) -> SetParametersResult:
        changes = {parameter.name: parameter.value for parameter in changes if parameter.name in self._table.__dataclass_fields__}
        if not changes:
            return SetParametersResult(successful=True)
        try:
            self._next = self.parameters.changed(changes, self._node.configured)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._wrong = {name: text for name, text in self._wrong.items() if name not in changes}
        if not self._applies_after:
            self._take_over()
        return SetParametersResult(successful=True)

    def _take_over(self, _: Any = None) -> None:
        if self._next is not self.parameters:
            self.parameters = self._next
            self._apply()

    def _warn_of_unknown(self, given: dict[str, Any]) -> None:
        for name in given:
            if name in self._table.__dataclass_fields__ or name.startswith('qos_overrides.') or self._node.has_parameter(name):
                continue
            near = nearest_name(name, self._table)
            self._node.get_logger().warning(f'parameter {name} is not known and does nothing' + (f'; did you mean {near}?' if near else ''))
