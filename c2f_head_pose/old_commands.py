"""Keeps the command names of before 0.6, `demo` and `bench`, which are too general for scripts that pip installs for a whole system."""

from __future__ import annotations

import sys

from .command_name import under_ros2_run


def demo() -> int:
    """Runs c2f_head_pose_demo; returns its exit status."""
    from .demo import main

    _print_new_name('demo')
    return main()


def bench() -> int:
    """Runs c2f_head_pose_bench; returns its exit status."""
    from .bench.command import main

    _print_new_name('bench')
    return main()


def _print_new_name(name: str) -> None:
    """Prints the new name, except under `ros2 run c2f_head_pose NAME`, where the package is part of the command line already."""
    if not under_ros2_run():
        print(f'{name} is called c2f_head_pose_{name} now; the old name will be removed', file=sys.stderr)
