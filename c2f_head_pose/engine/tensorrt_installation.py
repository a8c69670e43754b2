"""Finds the installed TensorRT or TensorRT-RTX and the GPU, and routes TensorRT's messages into Python's log."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from collections import deque
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..models.registry import ModelError
from . import cuda
from .buckets import BUCKETS

_RTX_CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (12, 0), (12, 1))
"""Compute capabilities that TensorRT-RTX 1.7 supports; Hopper and the Orins are not among them."""
_log = logging.getLogger(__name__)


class EngineError(RuntimeError):
    """A build failed, or TensorRT cannot load or run an engine; the message has TensorRT's reasons."""


class RefusedEngineError(EngineError):
    """The installed TensorRT cannot load an engine, so another must be built."""


@dataclass(frozen=True)
class TensorRT:
    """An installed TensorRT.

    Attributes:
        module: `tensorrt` or `tensorrt_rtx`.
        flavour: the module's name.
        version: version as the module states it, '10.3.0'.
        number: (major, minor) of TensorRT; (11, 0) for TensorRT-RTX, which has the calls of that version.
    """

    module: ModuleType
    flavour: str
    version: str
    number: tuple[int, int]

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT-RTX."""
        return self.flavour == 'tensorrt_rtx'

    @property
    def profiles(self) -> tuple[tuple[int, int, int], ...]:
        """Batch sizes of each optimisation profile: (smallest, tuned for, largest). Every bucket lies in one of the profiles."""
        if self.number < (8, 6):
            return tuple((b, b, b) for b in BUCKETS)
        return (1, 1, 8), (16, 64, 64)


def find_tensorrt(gpu: cuda.Gpu | None = None) -> TensorRT:
    """Finds the installed TensorRT; where TensorRT and TensorRT-RTX are installed, returns TensorRT.

    Args:
        gpu: the GPU that it must support; None for any.

    Raises:
        EngineError: when none is installed, or it cannot be loaded or lacks support for the GPU, with the remedy.
    """
    for flavour in ('tensorrt', 'tensorrt_rtx'):
        if importlib.util.find_spec(flavour) is None:
            continue
        try:
            module = importlib.import_module(flavour)
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineError(f'{flavour} is installed but cannot be loaded ({error}); install all its packages of one release') from error
        major, minor = (int(part) for part in module.__version__.split('.')[:2])
        found = TensorRT(module, flavour, module.__version__, (11, 0) if flavour == 'tensorrt_rtx' else (major, minor))
        if found.is_rtx and gpu is not None and gpu.compute_capability not in _RTX_CAPABILITIES:
            raise EngineError(f'TensorRT-RTX {found.version} does not support {gpu.name} ({gpu.sm}); install tensorrt')
        if found.number < (8, 5):
            raise EngineError(f'{flavour} {found.version} is too old; install 8.5 or newer')
        return found
    raise EngineError(
        "TensorRT is not installed (pip install 'tensorrt>=10'; on a Jetson apt install python3-libnvinfer; docs/tensorrt.md)"
    )


def find_all() -> tuple[TensorRT, cuda.Gpu]:
    """Finds TensorRT and the GPU, which are needed to run on the GPU.

    Raises:
        ModelError: naming every part that is missing, each with its remedy.
    """
    missing, gpu, trt = [], None, None
    try:
        gpu = cuda.find_gpu()
    except cuda.CudaError as error:
        missing.append(str(error))
        if cuda.cudart is None and str(error) != cuda.NOT_INSTALLED:
            missing.append(cuda.NOT_INSTALLED)
    try:
        trt = find_tensorrt(gpu)
    except EngineError as error:
        missing.append(str(error))
    if trt is None or gpu is None:
        raise ModelError('; '.join(missing))
    return trt, gpu


@functools.cache
def logger_of(api: ModuleType) -> Any:
    """Returns the logger that passes TensorRT's messages to Python's log; its `reasons()` returns the last errors.

    There is one for each TensorRT module, because TensorRT uses the first logger that it receives for all later objects.
    """
    levels = {api.ILogger.INTERNAL_ERROR: logging.ERROR, api.ILogger.ERROR: logging.ERROR, api.ILogger.WARNING: logging.INFO}

    class Log(api.ILogger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            api.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=3)

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            _log.log(level, 'TensorRT: %s', message)
            if level == logging.ERROR:
                self.errors.append(message)

        def reasons(self) -> str:
            """Returns the last errors and clears them."""
            errors = '; '.join(self.errors) or 'TensorRT gave no reason'
            self.errors.clear()
            return errors

    return Log()
