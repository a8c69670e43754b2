"""The GPU through cuda-python: what it is, its memory, streams, graphs and events. Works without torch."""

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


class CudaError(RuntimeError):
    """A CUDA call that failed; the message names the call and CUDA's own reason."""


@dataclass(frozen=True)
class Gpu:
    """The GPU that this process uses (CUDA's first; CUDA_VISIBLE_DEVICES chooses).

    Attributes:
        name: as the driver says it.
        compute_capability: (major, minor).
        multiprocessors: how many.
        memory_bytes: total.
        integrated: True where it shares the CPU's memory (Jetson).
        peak_copy_bytes_s: what the memory bus could move at most, bytes a second; 0 where the driver does not say.
    """

    name: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    memory_bytes: int
    integrated: bool
    peak_copy_bytes_s: float = 0.0

    @property
    def sm(self) -> str:
        """As compilers name it: 'sm89'."""
        return f'sm{self.compute_capability[0]}{self.compute_capability[1]}'


def call(function: str, *arguments: Any) -> Any:
    """Calls a CUDA runtime function by name.

    Returns:
        None, its only result, or the tuple of its results.

    Raises:
        CudaError: when it fails.
    """
    try:
        error, *results = getattr(cudart, function)(*arguments)
    except RuntimeError as reason:  # cuda-python before 12.9, when the driver's library cannot be loaded
        raise CudaError(f'{function}: {reason}') from reason
    if int(error) != 0:
        raise CudaError(f'{function}: {getattr(error, "name", error)}')
    return None if not results else results[0] if len(results) == 1 else tuple(results)


def has_driver() -> bool:
    """True where the NVIDIA driver's library is: desktops, Jetsons, WSL and containers that were given a GPU alike."""
    try:
        ctypes.CDLL('libcuda.so.1')
    except OSError:
        return False
    return True


def find_gpu() -> Gpu:
    """The GPU that this process uses.

    Raises:
        CudaError: when cuda-python, the driver or the GPU is missing, naming it and the remedy.
    """
    if not has_driver():
        raise CudaError("no NVIDIA driver ('nvidia-smi' must answer; start containers with --gpus all)")
    if cudart is None:
        raise CudaError("cuda-python is not installed (pip install 'cuda-python>=12,<13'; 13 where the driver knows CUDA 13)")
    try:
        count = call('cudaGetDeviceCount')
    except CudaError as error:
        if 'InsufficientDriver' in str(error):
            raise CudaError(
                "the NVIDIA driver is older than cuda-python's CUDA "
                '(update the driver, or install the cuda-python of its CUDA, which nvidia-smi shows)'
            ) from None
        raise CudaError(f'no usable GPU ({error}; nvidia-smi must list one, and CUDA_VISIBLE_DEVICES must not hide it)') from None
    if count == 0:
        raise CudaError('no GPU (nvidia-smi must list one; CUDA_VISIBLE_DEVICES must not hide it)')
    properties = call('cudaGetDeviceProperties', 0)
    name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
    clock_khz = getattr(properties, 'memoryClockRate', 0)  # gone in CUDA 13
    return Gpu(
        name.strip('\0 '),
        (properties.major, properties.minor),
        properties.multiProcessorCount,
        properties.totalGlobalMem,
        bool(properties.integrated),
        2e3 * clock_khz * properties.memoryBusWidth / 8,
    )


class Stream:
    """A CUDA stream with the memory and graphs that belong to it; all freed together by `close`."""

    def __init__(self) -> None:
        self._cleanup = ExitStack()
        self.handle = int(self._own(call('cudaStreamCreateWithFlags', 1), 'cudaStreamDestroy'))  # 1: not tied to the default stream
        self.device_bytes = 0
        self.pinned_bytes = 0

    def close(self) -> None:
        """Frees everything, in the reverse order; a second time does nothing."""
        self._cleanup.close()

    def on_close(self, function: Callable[[], None]) -> None:
        """Has a function called when the stream closes, before anything made earlier is freed."""
        self._cleanup.callback(function)

    def device_memory(self, size: int) -> int:
        """Address of `size` bytes on the GPU."""
        address = int(self._own(call('cudaMalloc', max(size, 1)), 'cudaFree'))
        self.device_bytes += size
        return address

    def pinned_memory(self, size: int) -> np.ndarray:
        """(size,) uint8 of page-locked host memory, which the GPU copies from and to without a detour."""
        address = int(self._own(call('cudaHostAlloc', size, 0), 'cudaFreeHost'))
        self.pinned_bytes += size
        return np.ctypeslib.as_array((ctypes.c_ubyte * size).from_address(address))

    def to_device(self, address: int, host: np.ndarray, size: int) -> None:
        """Starts a copy from pinned memory."""
        call('cudaMemcpyAsync', address, host.ctypes.data, size, cudart.cudaMemcpyKind.cudaMemcpyHostToDevice, self.handle)

    def to_host(self, host: np.ndarray, address: int, size: int) -> None:
        """Starts a copy to pinned memory."""
        call('cudaMemcpyAsync', host.ctypes.data, address, size, cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost, self.handle)

    def on_device(self, to: int, source: int, size: int) -> None:
        """Starts a copy within the GPU."""
        call('cudaMemcpyAsync', to, source, size, cudart.cudaMemcpyKind.cudaMemcpyDeviceToDevice, self.handle)

    def wait(self) -> None:
        """Waits until everything started is done."""
        call('cudaStreamSynchronize', self.handle)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Records what `work` starts on this stream as a CUDA graph.

        Returns:
            Starts the whole of it again, in one launch.
        """
        # Thread-local: other threads (a node's, ONNX Runtime's) may go on calling CUDA meanwhile.
        call('cudaStreamBeginCapture', self.handle, cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        try:
            work()
        finally:
            graph = call('cudaStreamEndCapture', self.handle)
        # Not cudaGraphInstantiate: its arguments changed between CUDA 11 and 12.
        executable = self._own(call('cudaGraphInstantiateWithFlags', graph, 0), 'cudaGraphExecDestroy')
        call('cudaGraphDestroy', graph)
        return lambda: call('cudaGraphLaunch', executable, self.handle)

    def time_ms(self, work: Callable[[], None], repeats: int) -> list[float]:
        """Milliseconds on the GPU of each of `repeats` runs of `work`, by CUDA events."""
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
