"""Engines run a model file on a device, all behind one interface."""

from __future__ import annotations

from ..models.registry import ModelError, model_path
from .contract import Engine, ModelContract, NetworkOutput

__all__ = ['DEVICES', 'Engine', 'ModelContract', 'ModelError', 'NetworkOutput', 'open_engine']

DEVICES = ('auto', 'cpu', 'cuda')


def open_engine(model: str, device: str = 'auto', threads: int = 1) -> Engine:
    """Opens a model on a device.

    Where the GPU's engine must be built first, ONNX Runtime serves meanwhile; the description says so, and how far the build is.

    Args:
        model: a shipped model's name, or the path of an .onnx file.
        device: 'cpu'; 'cuda', which fails where TensorRT cannot run; 'auto', which then takes 'cpu' and says why.
        threads: CPU threads of ONNX Runtime, at least 1.

    Returns:
        The engine, warmed up.

    Raises:
        ModelError: naming what is missing or wrong, and the remedy.
    """
    if device not in DEVICES:
        raise ModelError(f'device must be one of {", ".join(DEVICES)}, got {device!r}')
    from .onnxruntime_engine import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(model_path(model), threads)
    if device == 'cpu':
        return engine
    from .cuda import has_driver
    from .provision import engine_for_gpu

    try:
        return engine_for_gpu(engine, model, required=device == 'cuda')
    except ModelError as error:
        if device == 'cuda':
            raise ModelError(f"device 'cuda' cannot be used: {error}; or use device 'cpu' or 'auto'") from None
        engine.description += f'; no cuda: {error}' if has_driver() else '; no NVIDIA driver here'
        return engine
