"""Runs a compiled engine with TensorRT 8.5 to 11 or TensorRT-RTX.

The code for the differences between the versions is here, in tensorrt_builder.py and in tensorrt_installation.py:
    before 8.6  two contexts cannot share a profile, so each bucket has its own profile
    before 10   explicit batch is a flag; precisions are flags that the builder need not follow, so fp32 layers are pinned;
                a separate call makes contexts without memory; a build reports no progress
    10          strong typing is a flag: the builder uses the types of the file
    11, RTX     networks are always strongly typed
    10.1, RTX   device_memory_size_v2 replaces device_memory_size
    RTX         one engine serves many GPUs and is compiled further when a context is made; it has no timing cache and no workspace limit
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from . import cuda
from .buckets import BUCKETS, run_in_buckets
from .contract import INPUT, OUTPUTS, ModelContract, NetworkOutput, check_crops
from .tensorrt_installation import EngineError, RefusedEngineError, TensorRT, logger_of

_LARGEST_OUTPUT = 4 * (9 + 3 + 4)  # bytes a crop: rotation, deviations, logits
_ALIGNMENT = 256  # bytes; TensorRT requires cudaMalloc's alignment for every tensor


class TensorRTEngine:
    """Runs a compiled engine. Each bucket has a context and a CUDA graph of copy in, network, copy out. Not thread-safe.

    Args:
        plan: the serialised engine.
        contract: contract of the model file that the engine was built from.
        trt: the TensorRT that built the engine.
        gpu: the GPU that the engine was built for.
        label: text that is added to the description: the precision.

    Raises:
        RefusedEngineError: when TensorRT cannot load the engine.
        EngineError: when TensorRT loads the engine but cannot run it.
        cuda.CudaError: when the GPU fails or its memory is full.
    """

    def __init__(self, plan: bytes, contract: ModelContract, trt: TensorRT, gpu: cuda.Gpu, label: str) -> None:
        self.contract = contract
        self._trt = trt
        self.description = f'cuda ({gpu.name}, {trt.flavour} {trt.version}, {label})'
        log = logger_of(trt.module)
        runtime = trt.module.Runtime(log)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise RefusedEngineError(f'{trt.flavour} {trt.version} cannot load the engine: {log.reasons()}')
        self.stream = cuda.Stream()
        self.close = weakref.finalize(self, self.stream.close)  # frees the GPU's memory when called, or else with this object
        self._lanes = _make_lanes(trt, engine, self.stream, contract.input_size)
        self._keep_alive = (runtime, engine)  # the contexts need them
        self.stream.on_close(self._lanes.clear)
        plain = [bucket for bucket, lane in self._lanes.items() if not lane.prepare()]
        if plain:
            self.description += f'; no CUDA graph for batches of {plain}, because TensorRT cannot record them'

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs the network on (B, 1, S, S) uint8 crops, B >= 1."""
        check_crops(crops, self.contract)
        return run_in_buckets(lambda some, bucket: self._lanes[bucket].run(some), crops)

    def network_ms(self, bucket: int, repeats: int) -> list[float]:
        """Measures the network's GPU time without copies, replayed as a graph, with CUDA events; milliseconds of each repeat."""
        return self.stream.time_ms(self.stream.capture(self._lanes[bucket].start_network), repeats)

    def kernels_ms(self, bucket: int) -> dict[str, float]:
        """Measures each of the network's kernels with TensorRT's profiler, milliseconds. The profiler itself makes the sum larger."""
        return self._lanes[bucket].profile(self._trt.module)


class _Lane:
    """One bucket's context and graph, and its views of the shared buffers."""

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
        """Runs once without a graph, as TensorRT requires after a change of shape, then records the graph and runs it.

        Returns:
            False where TensorRT cannot record the graph.
        """
        self._crops[:] = 0
        self._start_all()
        self._stream.wait()
        recordable = getattr(self._context, 'is_stream_capturable', None)  # exists in RTX and 11
        graph = recordable is None or bool(recordable(self._stream.handle))
        self._replay = self._stream.capture(self._start_all) if graph else self._start_all
        self.run(self._crops)
        return graph

    def run(self, crops: np.ndarray) -> NetworkOutput:
        """Runs the network on at most as many crops as the bucket has. Earlier crops fill the other rows; their output is dropped."""
        count = len(crops)
        self._crops[:count] = crops
        assert self._replay is not None
        self._replay()
        self._stream.wait()
        return NetworkOutput(*(output[:count].copy() for output in self._outputs))

    def start_network(self) -> None:
        """Starts the network on the crops in GPU memory."""
        if not self._context.execute_async_v3(self._stream.handle):
            raise EngineError('TensorRT could not start the network; the log has its reason')

    def profile(self, api: ModuleType) -> dict[str, float]:
        """Measures each kernel, milliseconds, the median of ten runs."""
        times: dict[str, list[float]] = {}

        class Profiler(api.IProfiler):  # type: ignore[misc,name-defined]
            def __init__(self) -> None:
                api.IProfiler.__init__(self)

            def report_layer_time(self, name: str, ms: float) -> None:
                times.setdefault(name, []).append(ms)

        self._context.profiler = Profiler()  # TensorRT cannot remove a profiler, but graphs do not call it
        for _ in range(10):
            self.start_network()
            self._stream.wait()
        return {name: float(np.median(ms)) for name, ms in times.items()}

    def _start_all(self) -> None:
        self._copy_in()
        self.start_network()
        self._copy_out()


def _make_lanes(trt: TensorRT, engine: Any, stream: cuda.Stream, size: int) -> dict[int, _Lane]:
    """Makes one lane for each bucket. Lanes run one after another, so they share scratch memory and buffers of the largest's size."""
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
            raise EngineError(f'TensorRT cannot use profile {profile} for batches of {bucket}; build the engine again')
        stream.wait()
        context.device_memory = scratch
        if not context.set_input_shape(INPUT, (bucket, 1, size, size)):
            raise EngineError(f'the engine cannot run batches of {bucket}; build it again')
        shapes = [tuple(context.get_tensor_shape(name)) for name in OUTPUTS]
        offsets = np.cumsum([0] + [_aligned(4 * int(np.prod(shape))) for shape in shapes])
        if offsets[-1] > outputs_size:
            raise EngineError(f'the engine has outputs of shapes {shapes}, which are outside the contract; build it again')
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
    """Makes a context whose scratch memory the caller provides."""
    strategy = getattr(trt.module, 'ExecutionContextAllocationStrategy', None)
    if trt.is_rtx:
        config = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy.USER_MANAGED)  # type: ignore[union-attr]
        # Compile the kernels for this bucket's size now: the captured graph could not use kernels that are compiled later.
        config.dynamic_shapes_kernel_specialization_strategy = trt.module.DynamicShapesKernelSpecializationStrategy.EAGER
        context = engine.create_execution_context(config)
    elif strategy is not None:  # 10 and later
        context = engine.create_execution_context(strategy.USER_MANAGED)
    else:
        context = engine.create_execution_context_without_device_memory()
    if context is None:
        raise EngineError('TensorRT could not make a context; free GPU memory, which is probably full')
    return context


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
