"""Enlarges Fast DDS's shared memory, which by default is too small for images."""

from __future__ import annotations

import os
from pathlib import Path

from ..config_files import find_config

_PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
_TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'


def share_large_images() -> Path | None:
    """Selects config/fastdds.xml, whose shared memory is larger than an image, for this process and its children.

    It must be called before rclpy.init. A profile, or transports, that the user has set are kept; other DDS vendors ignore the setting.

    Returns:
        The profile in use; None where Fast DDS uses its default settings, or the transports of FASTDDS_BUILTIN_TRANSPORTS.
    """
    for variable in _PROFILES:
        if os.environ.get(variable):
            return Path(os.environ[variable])
    if os.environ.get(_TRANSPORTS):
        return None
    profile = find_config('fastdds.xml')
    if profile is not None:
        os.environ[_PROFILES[0]] = str(profile)
    return profile
