"""Makes descriptors, config/*.yaml and the README's table from the tables of the nodes' parameters.

python -m c2f_head_pose.ros.parameters --yaml > config/head_pose.yaml
python -m c2f_head_pose.ros.parameters --markdown
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import fields
from typing import Any

from ..parameters import Change, Parameters, ParameterTable, allowed, yaml_value


def descriptor(name: str, table: type[ParameterTable] = Parameters) -> Any:
    """Returns the rcl_interfaces ParameterDescriptor of a parameter."""
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    row = table.__dataclass_fields__[name]
    # Typed by our own validation, whose message names the parameter and which takes `1` for `1.0`.
    message = ParameterDescriptor(
        name=name, description=_description(row), dynamic_typing=True, read_only=row.metadata['change'] is Change.START
    )
    low, high = row.metadata['minimum'], row.metadata['maximum']
    if low is not None and isinstance(row.default, tuple):
        pass  # rcl checks ranges of single numbers only; ours checks these
    elif low is not None and isinstance(row.default, float):
        message.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)]
    elif low is not None:
        message.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    message.additional_constraints = allowed(row)
    return message


def _description(row: dataclasses.Field) -> str:
    unit = row.metadata['unit']
    return row.metadata['text'] + (f' Unit: {unit}.' if unit else '')


def yaml_text(table: type[ParameterTable] = Parameters, node: str = 'head_pose', module: str = 'parameters') -> str:
    """Returns the text of config/<node>.yaml: every parameter with its default."""
    lines = [
        f'# Every parameter of the node {node} with its default; a profile needs only what differs.',
        f'# Generated: python -m c2f_head_pose.ros.{module} --yaml > config/{node}.yaml',
        '/**:',
        '  ros__parameters:',
    ]
    for row in fields(table):
        lines += [
            f'    # {row.metadata["text"]} ({allowed(row)}; {row.metadata["change"].value})',
            f'    {row.name}: {yaml_value(row.default)}',
        ]
    return '\n'.join(lines) + '\n'


def markdown_table(table: type[ParameterTable] = Parameters) -> str:
    """Returns the README's table of a node's parameters."""
    lines = ['| Parameter | Default | Range | Changes | What it does |', '|---|---|---|---|---|']
    for row in fields(table):
        cells = f'`{row.name}`', f'`{yaml_value(row.default)}`', allowed(row), row.metadata['change'].value, row.metadata['text']
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def main(table: type[ParameterTable] = Parameters, node: str = 'head_pose', module: str = 'parameters') -> None:
    """Prints the yaml or the README's table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument('--yaml', action='store_true', help=f'config/{node}.yaml')
    form.add_argument('--markdown', action='store_true', help="the README's table")
    print(yaml_text(table, node, module) if parser.parse_args().yaml else markdown_table(table), end='')


if __name__ == '__main__':
    main()
