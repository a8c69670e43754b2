"""Enlarges Fast DDS's shared memory, which by default is too small for images."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from ..config_files import find_config

_PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
_TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
_FOLDER = '/dev/shm'
_ROOM_MB = 150
"""For four processes, such as a camera, the node and two subscribers: each takes 36 MB with the profile, 1 MB without."""
_log = logging.getLogger(__name__)


def share_large_images() -> Path | None:
    """Selects config/fastdds.xml, whose shared memory is larger than an image, for this process and its children.

    With ROS_LOCALHOST_ONLY=1 of Humble it is config/fastdds_localhost.xml: Humble keeps to this machine by the interfaces of UDP, to
    which a profile would add all others; later distributions do it by discovery, whatever the profile.

    It must be called before rclpy.init. A profile, or transports, that the user has set are kept; other DDS vendors ignore the setting.
    Where the system has too little shared memory for it, as by default in containers, Fast DDS keeps its own, and the remedy is logged:
    with the profile, the first process would take it all, and the others would have none.

    Returns:
        The profile in use; None where Fast DDS uses its default settings, or the transports of FASTDDS_BUILTIN_TRANSPORTS.
    """
    for variable in _PROFILES:
        if os.environ.get(variable):
            return Path(os.environ[variable])
    if os.environ.get(_TRANSPORTS):
        return None
    profile = find_config('fastdds_localhost.xml' if _by_interface() else 'fastdds.xml')
    if profile is None:
        return None
    free_mb = _free_mb()
    if free_mb is not None and free_mb < _ROOM_MB:
        if 'fastrtps' in (os.environ.get('RMW_IMPLEMENTATION') or 'rmw_fastrtps_cpp'):
            _log.warning(
                '%s has %d MB free; for large images Fast DDS needs %d MB there, so best-effort subscribers may lose images: '
                'start the container with --shm-size=1g or --ipc=host',
                _FOLDER,
                free_mb,
                _ROOM_MB,
            )
        return None
    os.environ[_PROFILES[0]] = str(profile)
    return profile


def _by_interface() -> bool:
    """Whether ROS keeps to this machine by the interfaces of UDP."""
    return os.environ.get('ROS_DISTRO') == 'humble' and os.environ.get('ROS_LOCALHOST_ONLY') == '1'


def _free_mb() -> int | None:
    """Returns the free shared memory, 10^6 bytes; None where it has no folder, as outside of Linux."""
    try:
        return shutil.disk_usage(_FOLDER).free // 10**6
    except OSError:
        return None
