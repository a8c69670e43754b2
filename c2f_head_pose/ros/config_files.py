"""Finds the package's config/ folder, wherever the package was installed."""

from __future__ import annotations

import sys
from pathlib import Path


def config_folders() -> list[Path]:
    """Returns the places where config/ can be, first come first: the checkout, a colcon or ROS installation, a pip installation.

    A place need not exist. The ROS installation is left out where ament or a sourced workspace is missing.
    """
    folders = [Path(__file__).parents[2] / 'config']
    try:
        from ament_index_python.packages import get_package_share_directory

        folders.append(Path(get_package_share_directory('c2f_head_pose')) / 'config')
    except (ImportError, LookupError, OSError):  # no ament, not built with colcon, no sourced workspace
        pass
    return [*folders, Path(sys.prefix) / 'share' / 'c2f_head_pose' / 'config']


def find_config(name: str) -> Path | None:
    """Returns the first existing file of a name in the config folders; None if there is none."""
    return next((path for folder in config_folders() if (path := folder / name).is_file()), None)
