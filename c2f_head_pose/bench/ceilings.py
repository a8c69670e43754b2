"""What this machine can do at most: arithmetic and memory, measured with a model that does little else."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..engine.buckets import BUCKETS
from ..engine.contract import Engine
from ..engine.onnxruntime_engine import OnnxRuntimeEngine
from ..engine.parity import sample_crops
from .interleaved import measure
from .roofline import Ceilings, ceiling_model, count_work

_COPY_BYTES = 128 << 20  # beyond any GPU's cache
_CACHE_BYTES = 1 << 20  # on a CPU one crop's layers stay in the cache


def cpu_ceilings(folder: Path, threads: int) -> Ceilings:
    """FLOPs and bytes a second of ONNX Runtime here.

    Args:
        folder: for the model that is measured.
        threads: of ONNX Runtime.
    """
    path = ceiling_model(folder)
    engine = OnnxRuntimeEngine(path, threads)
    flops = sum(w.flops for w in count_work(onnx.load(path), 1))
    crops = crops_for(engine, 1)
    source = np.ones(_CACHE_BYTES, np.uint8)
    target = np.empty_like(source)
    return Ceilings(
        flops / (measure(lambda: engine.infer(crops), 1.0).best_ms / 1e3),
        2 * _CACHE_BYTES / (measure(lambda: np.copyto(target, source), 0.2).best_ms / 1e3),
    )


def gpu_copy_bytes_s() -> float:
    """Bytes a second that the GPU's memory moves, reads and writes together."""
    from ..engine import cuda

    with closing(cuda.Stream()) as stream:
        source, target = stream.device_memory(_COPY_BYTES), stream.device_memory(_COPY_BYTES)
        times = stream.time_ms(lambda: stream.on_device(target, source, _COPY_BYTES), 30)
    return 2 * _COPY_BYTES / (min(times) / 1e3)


def gpu_flops_s(trt: Any, gpu: Any, precision: str) -> float:
    """FLOPs a second of TensorRT at the largest batch, through the precision given."""
    from ..engine.tensorrt_builder import build_plan
    from ..engine.tensorrt_engine import TensorRTEngine

    # int8 would need a quantised model of its own: its ceiling is taken as fp16's, so int8 may come out below its floor.
    precision = 'fp16' if precision == 'int8' else precision
    with tempfile.TemporaryDirectory() as folder:
        path = ceiling_model(Path(folder))
        model, contract = onnx.load(path), OnnxRuntimeEngine(path).contract
    plan, _ = build_plan(trt, model, precision, 'the ceiling model')
    batch = BUCKETS[-1]
    with closing(TensorRTEngine(plan, contract, trt, gpu, precision)) as engine:
        seconds = min(engine.network_ms(batch, 30)) / 1e3
    return sum(w.flops for w in count_work(model, batch)) / seconds


def crops_for(engine: Engine, batch: int) -> np.ndarray:
    """(batch, 1, S, S) uint8 of what the model reads."""
    size = engine.contract.input_size
    return np.resize(sample_crops(size, engine.contract.modality), (batch, 1, size, size))
