"""Commands under the names they had before 0.6: `demo` and `bench`, too general for names that pip installs for the whole system."""

from __future__ import annotations

import sys
from pathlib import Path


def demo() -> int:
    """The command c2f_head_pose_demo."""
    from .demo import main

    _print_new_name('demo')
    return main()


def bench() -> int:
    """The command c2f_head_pose_bench."""
    from .bench.command import main

    _print_new_name('bench')
    return main()


def _print_new_name(name: str) -> None:
    """Prints one line, except under `ros2 run c2f_head_pose NAME`: there the package is part of the name already."""
    if Path(sys.argv[0]).parent.name != 'c2f_head_pose':
        print(f'{name} is called c2f_head_pose_{name} now; the old name will be removed', file=sys.stderr)
