"""Finds the package's config/ folder, wherever the package was installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def config_folders() -> list[Path]:
    """Returns the places where config/ can be, first come first: the checkout, a colcon or ROS installation, a pip installation.

    A place need not exist. ROS installations are those of the sourced workspaces.
    """
    prefixes = [*filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)), sys.prefix]
    return [Path(__file__).parents[1] / 'config', *(Path(prefix) / 'share' / 'c2f_head_pose' / 'config' for prefix in prefixes)]


def find_config(name: str) -> Path | None:
    """Returns the first existing file of a name in the config folders; None if there is none."""
    return next((path for folder in config_folders() if (path := folder / name).is_file()), None)
