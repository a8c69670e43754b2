"""Opens a model file on a device. ONNX Runtime and TensorRT engines have one interface, `Engine`."""

from __future__ import annotations

import argparse

from ..models.registry import ModelError, model_path
from .contract import Engine, ModelContract, NetworkOutput

__all__ = ['DEVICES', 'Engine', 'ModelContract', 'ModelError', 'NetworkOutput', 'add_device_argument', 'open_engine']

DEVICES = ('auto', 'cpu', 'cuda')


def add_device_argument(parser: argparse._ActionsContainer) -> None:
    """Adds the command-line option `--device`."""
    parser.add_argument(
        '--device',
        default='auto',
        choices=DEVICES,
        help='where the network runs (default %(default)s: on the GPU where TensorRT works, otherwise on the CPU)',
    )


def open_engine(model: str, device: str = 'auto', threads: int = 1) -> Engine:
    """Opens a model on a device.

    If the GPU's engine must be built first, ONNX Runtime runs the model during the build; `description` then gives the build's progress.

    Args:
        model: a shipped model's name, or the path of an .onnx file.
        device: 'cpu'; 'cuda', which fails where TensorRT cannot run; or 'auto', which then uses the CPU and adds the reason to
            `description`.
        threads: CPU threads of ONNX Runtime, at least 1.

    Returns:
        The engine, warmed up.

    Raises:
        ModelError: for an unknown device, a model that cannot be read, or missing parts of 'cuda'; the message names the remedy.
    """
    if device not in DEVICES:
        raise ModelError(f'device must be one of {", ".join(DEVICES)}, got {device!r}')
    from .onnxruntime_engine import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(model_path(model), threads)
    if device == 'cpu':
        return engine
    from .cuda import has_driver

    if device == 'auto' and not has_driver():
        engine.description += '; no NVIDIA driver here'
        return engine
    from .provision import engine_for_gpu  # only now, so that a machine without a GPU needs nothing of what compiles and stores engines

    try:
        return engine_for_gpu(engine, model, required=device == 'cuda')
    except ModelError as error:
        if device == 'cuda':
            raise ModelError(f"device 'cuda' cannot be used: {error}; or use device 'cpu' or 'auto'") from None
        engine.description += f'; no cuda: {error}'
        return engine
