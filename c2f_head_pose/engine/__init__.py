"""Engines run a model file on a device, all behind one interface."""
from __future__ import annotations

from ..models.registry import ModelError, model_path
from .contract import Engine, ModelContract, NetworkOutput

__all__ = ['DEVICES', 'Engine', 'ModelContract', 'ModelError', 'NetworkOutput', 'open_engine']

DEVICES = ('auto', 'cpu', 'cuda')


def open_engine(model: str, device: str = 'auto', threads: int = 1) -> Engine:
    """Opens a model on a device.

    Args:
        model: a shipped model's name, or the path of an .onnx file.
        device: 'cpu', 'cuda', or 'auto'.
        threads: CPU threads of ONNX Runtime, at least 1.

    Returns:
        The engine, warmed up.

    Raises:
        ModelError: naming what is missing or wrong, and the remedy.
    """
    if device not in DEVICES:
        raise ModelError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == 'cuda':
        raise ModelError("device 'cuda' is not built into this version; use device 'cpu' or 'auto'")
    from .onnxruntime_engine import OnnxRuntimeEngine
    return OnnxRuntimeEngine(model_path(model), threads)
