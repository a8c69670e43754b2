"""What produced a result: versions, hardware, commit, model file."""
from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..models.registry import model_path


def environment(model: str | None, model_name: str | None, device: str | None, threads: int) -> dict[str, Any]:
    """Plain facts for metrics.json; None where one cannot be told.

    Args:
        model: as given by the user; None where recorded poses are scored.
        model_name: as the estimator calls it.
        device: as the estimator describes it.
        threads: CPU threads of each network.
    """
    import onnxruntime
    return {
        'package': package_version(), 'commit': commit(), 'model': model_name, 'model_sha256': None if model is None else _sha256(model),
        'device': device, 'threads': threads, 'python': platform.python_version(), 'numpy': np.__version__, 'opencv': cv2.__version__,
        'onnxruntime': onnxruntime.__version__, 'system': f'{platform.system()} {platform.machine()}', 'processor': _processor(),
        'cores': os.cpu_count(),
    }


def package_version() -> str | None:
    """The installed package's version; None when run from a checkout that is not installed."""
    try:
        return version('c2f_head_pose')
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """The checkout's commit, with '+' where it has changes; None outside of a checkout."""
    folder = Path(__file__).resolve().parent
    try:
        # --dirty looks at tracked files only, so results that were written into the checkout do not count
        found = subprocess.run(['git', '-C', str(folder), 'describe', '--always', '--dirty=+', '--abbrev=12', '--exclude=*'],
                               capture_output=True, text=True, timeout=5, check=False)
        inside = subprocess.run(['git', '-C', str(folder), 'ls-files', '--error-unmatch', 'environment.py'],
                                capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 and inside.returncode == 0 else None


def _sha256(model: str) -> str | None:
    try:
        return hashlib.sha256(model_path(model).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None


def _processor() -> str | None:
    if sys.platform == 'linux':
        try:
            for line in Path('/proc/cpuinfo').read_text().splitlines():
                if line.startswith('model name'):
                    return line.partition(':')[2].strip()
        except OSError:
            return None
    return platform.processor() or None
