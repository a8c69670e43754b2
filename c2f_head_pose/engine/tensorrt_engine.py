"""The network on TensorRT 8.5 to 11 and TensorRT-RTX.

What differs between them, all of it here and in tensorrt_builder.py:
    before 8.6  two contexts cannot share a profile: one profile a bucket
    before 10   explicit batch is a flag; precisions are flags and the builder may choose others, so fp32 parts are pinned;
                contexts without memory have a call of their own; a build says nothing of its progress
    10          strongly typed is a flag: the types are the file's own
    11, RTX     always strongly typed
    10.1, RTX   device_memory_size became device_memory_size_v2
    RTX         one engine for many GPUs, finished by a compiler when contexts are made; no timing cache, no workspace limit
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..models.registry import ModelError
from . import cuda
from .buckets import BUCKETS, run_in_buckets
from .contract import INPUT, OUTPUTS, ModelContract, NetworkOutput, check_crops

_RTX_CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (12, 0), (12, 1))  # TensorRT-RTX 1.7; Hopper and the Orins are not among them
_LARGEST_OUTPUT = 4 * (9 + 3 + 4)  # bytes a crop: rotation, deviations, logits
_ALIGNMENT = 256  # bytes, of cudaMalloc; TensorRT wants it of every tensor
_log = logging.getLogger(__name__)


class EngineError(RuntimeError):
    """A build that failed, or an engine that TensorRT will not load; the message has TensorRT's reasons."""


class RefusedEngineError(EngineError):
    """An engine that this TensorRT does not take; another must be built."""


@dataclass(frozen=True)
class TensorRT:
    """An installed TensorRT.

    Attributes:
        module: `tensorrt` or `tensorrt_rtx`.
        flavour: the module's name.
        version: as it says it, '10.3.0'.
        number: (major, minor) of plain TensorRT; RTX counts as (11, 0), whose calls it has.
    """

    module: ModuleType
    flavour: str
    version: str
    number: tuple[int, int]

    @property
    def is_rtx(self) -> bool:
        """True for TensorRT-RTX."""
        return self.flavour == 'tensorrt_rtx'

    @property
    def profiles(self) -> tuple[tuple[int, int, int], ...]:
        """(smallest, tuned for, largest) batch of each optimisation profile; every bucket is in one of them."""
        if self.number < (8, 6):
            return tuple((b, b, b) for b in BUCKETS)
        return (1, 1, 8), (16, 64, 64)


def find_tensorrt(gpu: cuda.Gpu | None = None) -> TensorRT:
    """The installed TensorRT; where both are, the full one.

    Args:
        gpu: what it must be able to serve.

    Raises:
        EngineError: when there is none, with the remedy.
    """
    for flavour in ('tensorrt', 'tensorrt_rtx'):
        if importlib.util.find_spec(flavour) is None:
            continue
        try:
            module = importlib.import_module(flavour)
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineError(f'{flavour} is installed but cannot be loaded ({error}); install one whole release of it') from error
        major, minor = (int(part) for part in module.__version__.split('.')[:2])
        found = TensorRT(module, flavour, module.__version__, (11, 0) if flavour == 'tensorrt_rtx' else (major, minor))
        if found.is_rtx and gpu is not None and gpu.compute_capability not in _RTX_CAPABILITIES:
            raise EngineError(f'TensorRT-RTX {found.version} does not serve {gpu.name} ({gpu.sm}); install tensorrt')
        if found.number < (8, 5):
            raise EngineError(f'{flavour} {found.version} is too old; 8.5 or newer is needed')
        return found
    raise EngineError(
        "TensorRT is not installed (pip install 'tensorrt>=10'; on a Jetson apt install python3-libnvinfer; docs/tensorrt.md)"
    )


def find_all() -> tuple[TensorRT, cuda.Gpu]:
    """What is needed to run on the GPU.

    Raises:
        ModelError: naming every part that is missing, each with its remedy.
    """
    missing, gpu, trt = [], None, None
    try:
        gpu = cuda.find_gpu()
    except cuda.CudaError as error:
        missing.append(str(error))
        if cuda.cudart is None and 'cuda-python' not in str(error):
            missing.append('cuda-python is not installed')
    try:
        trt = find_tensorrt(gpu)
    except EngineError as error:
        missing.append(str(error))
    if trt is None or gpu is None:
        raise ModelError('; '.join(missing))
    return trt, gpu


class TensorRTEngine:
    """Runs a compiled engine: per bucket one context and one CUDA graph of copy in, network, copy out. One thread at a time.

    Args:
        plan: the serialised engine.
        contract: of the model file it was built from.
        trt: the TensorRT that built it.
        gpu: the GPU it was built for.
        label: what to add to the description: precision, where the engine came from.

    Raises:
        RefusedEngineError: when TensorRT will not load the engine.
        EngineError: when it loads it but cannot run it.
        cuda.CudaError: when the GPU fails, or its memory is full.
    """

    def __init__(self, plan: bytes, contract: ModelContract, trt: TensorRT, gpu: cuda.Gpu, label: str) -> None:
        self.contract = contract
        self._trt = trt
        self.description = f'cuda ({gpu.name}, {trt.flavour} {trt.version}, {label})'
        log = logger_of(trt.module)
        runtime = trt.module.Runtime(log)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise RefusedEngineError(f'{trt.flavour} {trt.version} will not load the engine: {log.reasons()}')
        self.stream = cuda.Stream()
        self.close = weakref.finalize(self, self.stream.close)  # frees the GPU's memory: now if called, else with the engine
        self._lanes = _make_lanes(trt, engine, self.stream, contract.input_size)
        self._keep_alive = (runtime, engine)  # the contexts need them
        self.stream.on_close(self._lanes.clear)
        plain = [bucket for bucket, lane in self._lanes.items() if not lane.prepare()]
        if plain:
            self.description += f'; no CUDA graph for batches of {plain}, which TensorRT refuses to record'

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs the network on (B, 1, S, S) uint8 crops, B >= 1."""
        check_crops(crops, self.contract)
        return run_in_buckets(lambda some, bucket: self._lanes[bucket].run(some), crops)

    def network_ms(self, bucket: int, repeats: int) -> list[float]:
        """Milliseconds on the GPU of the network alone, without copies, replayed as a graph; by CUDA events."""
        return self.stream.time_ms(self.stream.capture(self._lanes[bucket].start_network), repeats)

    def kernels_ms(self, bucket: int) -> dict[str, float]:
        """Milliseconds of each of the network's kernels, by TensorRT's profiler; slower than without it in sum."""
        return self._lanes[bucket].profile(self._trt.module)


class _Lane:
    """One bucket's context, graph and its view of the shared buffers."""

    def __init__(
        self,
        stream: cuda.Stream,
        context: Any,
        crops: np.ndarray,
        outputs: list[np.ndarray],
        copy_in: Callable[[], None],
        copy_out: Callable[[], None],
    ) -> None:
        self._stream, self._context = stream, context
        self._crops, self._outputs = crops, outputs
        self._copy_in, self._copy_out = copy_in, copy_out
        self._replay: Callable[[], None] | None = None

    def prepare(self) -> bool:
        """Runs once plainly, as a changed shape demands, then records the graph and runs that; False where it cannot be recorded."""
        self._crops[:] = 0
        self._start_all()
        self._stream.wait()
        recordable = getattr(self._context, 'is_stream_capturable', None)  # RTX, 11
        graph = recordable is None or bool(recordable(self._stream.handle))
        self._replay = self._stream.capture(self._start_all) if graph else self._start_all
        self.run(self._crops)
        return graph

    def run(self, crops: np.ndarray) -> NetworkOutput:
        """The output of up to this bucket's number of crops; rows beyond are of whatever crops were there before."""
        count = len(crops)
        self._crops[:count] = crops
        assert self._replay is not None
        self._replay()
        self._stream.wait()
        return NetworkOutput(*(output[:count].copy() for output in self._outputs))

    def start_network(self) -> None:
        """Starts the network on what lies on the GPU."""
        if not self._context.execute_async_v3(self._stream.handle):
            raise EngineError('TensorRT could not start the network; its log has the reason')

    def profile(self, api: ModuleType) -> dict[str, float]:
        """Milliseconds of each kernel, the median of ten runs."""
        times: dict[str, list[float]] = {}

        class Profiler(api.IProfiler):  # type: ignore[misc,name-defined]
            def __init__(self) -> None:
                api.IProfiler.__init__(self)

            def report_layer_time(self, name: str, ms: float) -> None:
                times.setdefault(name, []).append(ms)

        self._context.profiler = Profiler()  # it stays: a context cannot be without one again, but graphs do not call it
        for _ in range(10):
            self.start_network()
            self._stream.wait()
        return {name: float(np.median(ms)) for name, ms in times.items()}

    def _start_all(self) -> None:
        self._copy_in()
        self.start_network()
        self._copy_out()


def _make_lanes(trt: TensorRT, engine: Any, stream: cuda.Stream, size: int) -> dict[int, _Lane]:
    """A lane a bucket. They run one after another, so all share one scratch memory and one set of buffers, the largest's."""
    contexts = {bucket: _make_context(trt, engine) for bucket in BUCKETS}
    scratch_size = engine.device_memory_size_v2 if hasattr(engine, 'device_memory_size_v2') else engine.device_memory_size
    scratch = stream.device_memory(scratch_size)
    crops_size = BUCKETS[-1] * size * size
    device_crops, host_crops = stream.device_memory(crops_size), stream.pinned_memory(crops_size)
    outputs_size = BUCKETS[-1] * _LARGEST_OUTPUT + len(OUTPUTS) * _ALIGNMENT
    device_outputs, host_outputs = stream.device_memory(outputs_size), stream.pinned_memory(outputs_size)
    lanes = {}
    for bucket in BUCKETS:
        context = contexts[bucket]
        profile = next(i for i, (smallest, _, largest) in enumerate(trt.profiles) if smallest <= bucket <= largest)
        if not context.set_optimization_profile_async(profile, stream.handle):
            raise EngineError(f'TensorRT will not use profile {profile} for batches of {bucket}')
        stream.wait()
        context.device_memory = scratch
        if not context.set_input_shape(INPUT, (bucket, 1, size, size)):
            raise EngineError(f'the engine does not take batches of {bucket}')
        shapes = [tuple(context.get_tensor_shape(name)) for name in OUTPUTS]
        offsets = np.cumsum([0] + [_aligned(4 * int(np.prod(shape))) for shape in shapes])
        if offsets[-1] > outputs_size:
            raise EngineError(f'the engine has outputs of shapes {shapes}, which are not to the contract')
        context.set_tensor_address(INPUT, device_crops)
        outputs = []
        for name, shape, offset in zip(OUTPUTS, shapes, offsets):
            context.set_tensor_address(name, device_outputs + int(offset))
            outputs.append(host_outputs[offset : offset + 4 * int(np.prod(shape))].view(np.float32).reshape(shape))
        crops = host_crops[: bucket * size * size].reshape(bucket, 1, size, size)
        lanes[bucket] = _Lane(
            stream,
            context,
            crops,
            outputs,
            lambda n=crops.size: stream.to_device(device_crops, host_crops, n),  # type: ignore[misc]
            lambda n=int(offsets[-1]): stream.to_host(host_outputs, device_outputs, n),  # type: ignore[misc]
        )
    return lanes


def _make_context(trt: TensorRT, engine: Any) -> Any:
    """A context that will be given its scratch memory."""
    strategy = getattr(trt.module, 'ExecutionContextAllocationStrategy', None)
    if trt.is_rtx:
        config = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy.USER_MANAGED)  # type: ignore[union-attr]
        # Kernels for exactly this bucket, compiled now: compiled later, the captured graph would never see them.
        config.dynamic_shapes_kernel_specialization_strategy = trt.module.DynamicShapesKernelSpecializationStrategy.EAGER
        context = engine.create_execution_context(config)
    elif strategy is not None:  # 10 and later
        context = engine.create_execution_context(strategy.USER_MANAGED)
    else:
        context = engine.create_execution_context_without_device_memory()
    if context is None:
        raise EngineError('TensorRT could not make a context; is the GPU memory full?')
    return context


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


@functools.cache
def logger_of(api: ModuleType) -> Any:
    """TensorRT's messages into Python's log; `reasons()` are the last errors.

    One for each TensorRT and for ever: TensorRT keeps the first it is given, for everything made later.
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
            """The last errors, which are then forgotten."""
            told = '; '.join(self.errors) or 'it gave no reason'
            self.errors.clear()
            return told

    return Log()
