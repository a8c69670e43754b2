"""Access to the GPU through cuda-python, without torch: properties, memory, streams, graphs and events."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

try:
    from cuda.bindings import runtime as cudart  # cuda-python 12.6 and later
except ImportError:
    try:
        from cuda import cudart  # cuda-python 11 to 12.5
    except ImportError:
        cudart = None

NOT_INSTALLED = "cuda-python is not installed (pip install 'cuda-python>=12,<13'; version 13 if the driver supports CUDA 13)"
"""The fault and its remedy where `cudart` is None."""


class CudaError(RuntimeError):
    """A CUDA call failed; the message names the call and CUDA's reason."""


@dataclass(frozen=True)
class Gpu:
    """The GPU that this process uses: CUDA's first, which CUDA_VISIBLE_DEVICES selects.

    Attributes:
        name: the driver's name for it.
        compute_capability: (major, minor).
        multiprocessors: number of multiprocessors.
        memory_bytes: total memory, bytes.
        integrated: True where the GPU shares the CPU's memory (Jetson).
        peak_copy_bytes_s: bandwidth of the memory bus, bytes a second; 0 where the driver does not report it.
    """

    name: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    memory_bytes: int
    integrated: bool
    peak_copy_bytes_s: float = 0.0

    @property
    def sm(self) -> str:
        """The compute capability in the compilers' form, 'sm89'."""
        return f'sm{self.compute_capability[0]}{self.compute_capability[1]}'


def call(function: str, *arguments: Any) -> Any:
    """Calls a function of the CUDA runtime by name.

    Returns:
        None, the function's only result, or the tuple of its results.

    Raises:
        CudaError: when the call fails.
    """
    try:
        error, *results = getattr(cudart, function)(*arguments)
    except RuntimeError as reason:  # raised by cuda-python before 12.9 when the driver's library cannot be loaded
        raise CudaError(f'{function}: {reason}') from reason
    if int(error) != 0:
        raise CudaError(f'{function}: {getattr(error, "name", error)}')
    return None if not results else results[0] if len(results) == 1 else tuple(results)


def has_driver() -> bool:
    """Whether the NVIDIA driver's library can be loaded, as on desktops, Jetsons, WSL and in containers with a GPU."""
    try:
        ctypes.CDLL('libcuda.so.1')
    except OSError:
        return False
    return True


def find_gpu() -> Gpu:
    """Returns the GPU that this process uses.

    Raises:
        CudaError: when cuda-python, the driver or the GPU is missing; the message names the missing part and the remedy.
    """
    if not has_driver():
        raise CudaError("no NVIDIA driver was found ('nvidia-smi' must list the GPU; start containers with --gpus all)")
    if cudart is None:
        raise CudaError(NOT_INSTALLED)
    try:
        count = call('cudaGetDeviceCount')
    except CudaError as error:
        if 'InsufficientDriver' in str(error):
            raise CudaError(
                "the NVIDIA driver is older than cuda-python's CUDA "
                '(update the driver, or install the cuda-python of the CUDA version that nvidia-smi shows)'
            ) from None
        raise CudaError(f'no usable GPU ({error}; nvidia-smi must list one, and CUDA_VISIBLE_DEVICES must not hide it)') from None
    if count == 0:
        raise CudaError('no GPU (nvidia-smi must list one; CUDA_VISIBLE_DEVICES must not hide it)')
    properties = call('cudaGetDeviceProperties', 0)
    name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
    clock_khz = getattr(properties, 'memoryClockRate', 0)  # removed in CUDA 13
    return Gpu(
        name.strip('\0 '),
        (properties.major, properties.minor),
        properties.multiProcessorCount,
        properties.totalGlobalMem,
        bool(properties.integrated),
        2e3 * clock_khz * properties.memoryBusWidth / 8,
    )


class Stream:
    """A CUDA stream with its memory and graphs, which `close` frees together.

    Attributes:
        handle: CUDA's handle of the stream.
        device_bytes: bytes of GPU memory that were allocated.
        pinned_bytes: bytes of page-locked host memory that were allocated.
    """

    def __init__(self) -> None:
        self._cleanup = ExitStack()
        self.handle = int(self._own(call('cudaStreamCreateWithFlags', 1), 'cudaStreamDestroy'))  # 1: cudaStreamNonBlocking
        self.device_bytes = 0
        self.pinned_bytes = 0

    def close(self) -> None:
        """Frees everything in reverse order. A second call does nothing."""
        self._cleanup.close()

    def on_close(self, function: Callable[[], None]) -> None:
        """Registers a function that is called when the stream closes, before anything made earlier is freed."""
        self._cleanup.callback(function)

    def device_memory(self, size: int) -> int:
        """Allocates `size` bytes on the GPU and returns their address."""
        address = int(self._own(call('cudaMalloc', max(size, 1)), 'cudaFree'))
        self.device_bytes += size
        return address

    def pinned_memory(self, size: int) -> np.ndarray:
        """Allocates page-locked host memory, (size,) uint8, which the GPU copies from and to without a staging buffer."""
        address = int(self._own(call('cudaHostAlloc', size, 0), 'cudaFreeHost'))
        self.pinned_bytes += size
        return np.ctypeslib.as_array((ctypes.c_ubyte * size).from_address(address))

    def to_device(self, address: int, host: np.ndarray, size: int) -> None:
        """Starts a copy of `size` bytes from pinned memory to an address on the GPU."""
        call('cudaMemcpyAsync', address, host.ctypes.data, size, cudart.cudaMemcpyKind.cudaMemcpyHostToDevice, self.handle)

    def to_host(self, host: np.ndarray, address: int, size: int) -> None:
        """Starts a copy of `size` bytes from an address on the GPU to pinned memory."""
        call('cudaMemcpyAsync', host.ctypes.data, address, size, cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost, self.handle)

    def on_device(self, to: int, source: int, size: int) -> None:
        """Starts a copy of `size` bytes between two addresses on the GPU."""
        call('cudaMemcpyAsync', to, source, size, cudart.cudaMemcpyKind.cudaMemcpyDeviceToDevice, self.handle)

    def wait(self) -> None:
        """Waits until all work that was started on the stream is done."""
        call('cudaStreamSynchronize', self.handle)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Records the work that a function starts on this stream as a CUDA graph.

        Returns:
            A function that starts the recorded work again, with one launch.
        """
        # Thread-local, so that other threads (a node's, ONNX Runtime's) may call CUDA during the capture.
        call('cudaStreamBeginCapture', self.handle, cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        try:
            work()
        finally:
            graph = call('cudaStreamEndCapture', self.handle)
        # cudaGraphInstantiate is not used, because its arguments changed between CUDA 11 and 12.
        executable = self._own(call('cudaGraphInstantiateWithFlags', graph, 0), 'cudaGraphExecDestroy')
        call('cudaGraphDestroy', graph)
        return lambda: call('cudaGraphLaunch', executable, self.handle)

    def time_ms(self, work: Callable[[], None], repeats: int) -> list[float]:
        """Measures the GPU time of each of `repeats` runs of a function with CUDA events, milliseconds."""
        with ExitStack() as events:
            marks = []
            for _ in range(2):
                mark = call('cudaEventCreate')
                events.callback(call, 'cudaEventDestroy', mark)
                marks.append(mark)
            times = []
            for _ in range(repeats):
                call('cudaEventRecord', marks[0], self.handle)
                work()
                call('cudaEventRecord', marks[1], self.handle)
                call('cudaEventSynchronize', marks[1])
                times.append(float(call('cudaEventElapsedTime', *marks)))
        return times

    def _own(self, thing: Any, free: str) -> Any:
        self._cleanup.callback(call, free, thing)
        return thing
