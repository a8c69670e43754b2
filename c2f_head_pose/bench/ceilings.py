"""Measures the machine's limits: arithmetic on a model of large matrix products, and memory bandwidth by copies."""

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

_COPY_BYTES = 128 << 20  # larger than any GPU's cache
_CACHE_BYTES = 1 << 20  # on a CPU the layers of one crop fit into the cache


def cpu_ceilings(folder: Path, threads: int) -> Ceilings:
    """Measures FLOPs and bytes a second of ONNX Runtime on this machine.

    Args:
        folder: existing folder, into which the model that is measured is written.
        threads: threads of ONNX Runtime.
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
    """Measures the bandwidth of the GPU's memory in a copy, bytes a second, reads and writes together."""
    from ..engine import cuda

    with closing(cuda.Stream()) as stream:
        source, target = stream.device_memory(_COPY_BYTES), stream.device_memory(_COPY_BYTES)
        times = stream.time_ms(lambda: stream.on_device(target, source, _COPY_BYTES), 30)
    return 2 * _COPY_BYTES / (min(times) / 1e3)


def gpu_flops_s(trt: Any, gpu: Any, precision: str) -> float:
    """Measures FLOPs a second of TensorRT at the largest batch.

    Args:
        trt: the installed TensorRT.
        gpu: the GPU.
        precision: 'fp32', 'fp16' or 'int8'; for 'int8' the limit of fp16 is measured.
    """
    from ..engine.tensorrt_builder import build_plan
    from ..engine.tensorrt_engine import TensorRTEngine

    # int8 would need a quantised model, so fp16's limit is used; int8 networks can therefore be faster than their floor.
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
    """Returns (batch, 1, S, S) uint8 sample crops of the model's size and modality."""
    size = engine.contract.input_size
    return np.resize(sample_crops(size, engine.contract.modality), (batch, 1, size, size))
