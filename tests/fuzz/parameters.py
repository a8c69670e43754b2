"""Parameter sets of both nodes, of any names, types and values."""

from __future__ import annotations

from array import array
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any

from c2f_head_pose.parameters import ParameterError, Parameters
from c2f_head_pose.ros.attention.parameters import AttentionParameters

from .choices import Choices

MODULES = ('c2f_head_pose.parameters', 'c2f_head_pose.ros.attention.parameters', 'c2f_head_pose.estimator', 'c2f_head_pose.attention')
_TABLES = (Parameters, AttentionParameters)
_WORDS = (
    '',
    'cpu',
    'cuda',
    'rgb',
    'rgbd',
    'compressed',
    'nearest',
    'mount',
    'none',
    'left',
    'passenger_car_rhd',
    'a\0b',
    '/',
    '../x.yaml',
    'x' * 300 + '.yaml',
    'camera, gaze',
)


def seeds() -> list[bytes]:
    """One change of each kind of value, on each table."""
    return [bytes([table, row % 40, kind, 1, 2, 3, 4, 5, 6, 7, 8]) for table in (0, 1) for row in range(0, 40, 3) for kind in range(8)]


def check(data: bytes) -> None:
    """Makes a set of up to five values; one that is accepted is accepted again, and may be changed back."""
    choices = Choices(data)
    table = choices.pick(_TABLES)
    rows = fields(table)
    given = {}
    for _ in range(1 + choices.integer() % 5):
        given[choices.pick(rows).name if choices.integer() < 250 else choices.text()] = _value(choices)
    try:
        made = table.from_values(given)
    except ParameterError as error:
        assert str(error)
        return
    assert table.from_values(asdict(made)) == made
    with suppress(ParameterError):
        table().changed(given, configured=choices.integer() > 127)


def _value(choices: Choices) -> Any:
    """A value of any kind that ROS or YAML can give."""
    kind = choices.integer() % 9
    if kind == 0:
        return choices.integer() > 127
    if kind == 1:
        return choices.integer(64) - 2**63
    if kind == 2:
        return choices.number()
    if kind == 3:
        return choices.pick(_WORDS)
    if kind == 4:
        return choices.text()
    if kind == 5:
        return [choices.number() for _ in range(choices.integer() % 6)]
    if kind == 6:
        return array('d', [choices.number() for _ in range(choices.integer() % 6)])
    if kind == 7:
        return 10 ** (choices.integer() * 4)
    return choices.pick((None, [], {}, (), b'x', [None], ['a', 1], {'a': []}, choices.integer() % 8, float(choices.integer() % 8)))
