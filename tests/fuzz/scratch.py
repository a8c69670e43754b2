"""A file in memory for targets that read files."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path


@functools.cache
def _folder(process: int) -> Path:
    memory = Path('/dev/shm')
    folder = tempfile.mkdtemp(prefix='c2f_head_pose_fuzz_', dir=memory if os.access(memory, os.W_OK) else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def scratch_file(name: str, content: bytes) -> Path:
    """Writes a file of this process, over the last one of that name."""
    path = _folder(os.getpid()) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
