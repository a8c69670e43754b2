"""Fast DDS's shared memory, which is too small for images by default."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
_FILE = Path('config') / 'fastdds.xml'


def share_large_images() -> Path | None:
    """Gives this process and its children shared memory larger than an image; to be called before rclpy.init.

    Source: config/fastdds.xml, which says why. A profile that the user has set is left alone, and so are other DDS vendors.

    Returns:
        The profile in use; None if the default settings are.
    """
    for variable in _VARIABLES:
        if os.environ.get(variable):
            return Path(os.environ[variable])
    profile = find_profile()
    if profile is not None:
        os.environ[_VARIABLES[0]] = str(profile)
    return profile


def find_profile() -> Path | None:
    """config/fastdds.xml: of the checkout, of a colcon or ROS installation, or of a pip installation; None if there is none."""
    candidates = [Path(__file__).parents[2] / _FILE]
    try:
        from ament_index_python.packages import get_package_share_directory

        candidates.append(Path(get_package_share_directory('c2f_head_pose')) / _FILE)
    except (ImportError, LookupError, OSError):  # no ament, not built with colcon, no sourced workspace
        pass
    candidates.append(Path(sys.prefix) / 'share' / 'c2f_head_pose' / _FILE)
    return next((candidate for candidate in candidates if candidate.is_file()), None)
