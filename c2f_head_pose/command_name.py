"""Names a command in its help as the user can type it: pip, `ros2 run` and `python -m` start the same command by different names."""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = __name__.partition('.')[0]


def typed_name(command: str) -> str:
    """Returns the name under which the help shows a command.

    Args:
        command: short name and module of the command, such as 'demo'.

    Returns:
        'demo' under `ros2 run c2f_head_pose demo`, 'c2f_head_pose_demo' for the script that pip installs, and
        'python -m c2f_head_pose.demo' otherwise.
    """
    program = Path(sys.argv[0])
    if program.name == command and under_ros2_run():
        return command
    if program.name in (command, f'{_PACKAGE}_{command}'):
        return f'{_PACKAGE}_{command}'
    return f'python -m {_PACKAGE}.{command}'


def under_ros2_run() -> bool:
    """Whether `ros2 run c2f_head_pose NAME` started this process: it runs lib/c2f_head_pose/NAME."""
    return Path(sys.argv[0]).parent.name == _PACKAGE
