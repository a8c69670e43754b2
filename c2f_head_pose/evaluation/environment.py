"""Collects what an evaluation ran with: versions, hardware, commit, model file."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
from typing import Any

import cv2
import numpy as np

from ..models.registry import model_path
from ..options import EstimatorOptions
from ..provenance import commit, package_version, processor


def environment(
    model: str | None,
    model_name: str | None,
    device: str | None,
    threads: int,
    depth_model: str | None = None,
    options: EstimatorOptions | None = None,
) -> dict[str, Any]:
    """Returns the facts as plain values for metrics.json; None where one is unknown.

    Args:
        model: the model that the user named; None for recorded poses.
        model_name: the estimator's `model_name`; None likewise.
        device: the estimator's `device`; None likewise.
        threads: CPU threads of each network.
        depth_model: the depth model that the user named beside it; None without.
        options: the estimator's `options`; None likewise.
    """
    import onnxruntime

    return {
        'package': package_version(),
        'commit': commit(),
        'model': model_name,
        'model_sha256': None if model is None else _sha256(model),
        'depth_model': depth_model,
        'depth_model_sha256': None if depth_model is None else _sha256(depth_model),
        'device': device,
        'threads': threads,
        'parameters': None if options is None else dataclasses.asdict(options),
        'python': platform.python_version(),
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'onnxruntime': onnxruntime.__version__,
        'system': f'{platform.system()} {platform.machine()}',
        'processor': processor(),
        'cores': os.cpu_count(),
    }


def _sha256(model: str) -> str | None:
    try:
        return hashlib.sha256(model_path(model).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None
