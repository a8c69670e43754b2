"""Times the networks alone and from crops to poses, and compares the times with the machine's limits."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from ..decode import decode
from ..engine.build import load_onnx
from ..engine.contract import Engine
from ..engine.onnxruntime_engine import OnnxRuntimeEngine
from ..engine.precision import natural_precision, with_precision
from ..models.registry import model_path
from ..provenance import commit, load_average, processor
from .ceilings import cpu_ceilings, crops_for, gpu_copy_bytes_s, gpu_flops_s
from .interleaved import Timing, measure
from .process_memory import memory_bytes
from .roofline import ELEMENT_BYTES, Ceilings, count_work, floor_s


@dataclass(frozen=True)
class Row:
    """One model at one batch size.

    Attributes:
        model: the model's name.
        precision: 'fp32', 'fp16' or 'int8'.
        batch: crops in one call.
        stages: timing by stage; 'crop_to_pose' is from crops in host memory to HeadPoses, 'network' is the network alone.
        crops_s: crops a second of 'crop_to_pose'.
        gflop: floating-point operations of the batch, 10^9.
        megabytes: weights and activations that are read and written, 10^6 bytes.
        floor_ms: shortest time that the network can take on this machine, milliseconds.
        over_floor: the network's median divided by that time.
        kernels_ms: sum of the kernels' times by the profiler on cuda, milliseconds.
    """

    model: str
    precision: str
    batch: int
    stages: dict[str, Timing]
    crops_s: float
    gflop: float
    megabytes: float
    floor_ms: float
    over_floor: float
    kernels_ms: float | None = None


@dataclass(frozen=True)
class Report:
    """The results of a run of the benchmark.

    Attributes:
        command: the command that was run.
        commit: the checkout's commit; empty outside of a checkout.
        date: time of the run, UTC, ISO 8601.
        machine: device, processor, versions and load.
        ceilings: the machine's limits by precision.
        memory: megabytes by model; None where the system does not state them.
        build: time, size and parity of each engine (cuda).
        rows: figures by model and batch size.
    """

    command: str
    commit: str
    date: str
    machine: dict[str, Any]
    ceilings: dict[str, Ceilings]
    memory: dict[str, dict[str, float | None]] = field(default_factory=dict)
    build: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


class Stopped(KeyboardInterrupt):
    """The user stopped the benchmark.

    Attributes:
        report: what was measured until then.
    """

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


@contextmanager
def _stoppable(report: Report) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(report) from None


def stages_of(engine: Engine, crops: np.ndarray) -> dict[str, Callable[[], object]]:
    """Returns the functions that are timed with the host's clock, by stage. A stage added here appears in the table and the JSON."""
    return {'network': lambda: engine.infer(crops), 'crop_to_pose': lambda: decode(engine.infer(crops))}


def bench_cpu(models: Sequence[str], batches: Sequence[int], threads: int, seconds: float) -> Report:
    """Measures models on ONNX Runtime.

    Args:
        models: names of shipped models, or paths of .onnx files.
        batches: batch sizes.
        threads: threads of ONNX Runtime.
        seconds: approximate time for each stage.

    Raises:
        ModelError: for a model that cannot be opened.
        Stopped: when the user interrupts it.
    """
    with tempfile.TemporaryDirectory() as folder:
        ceilings = cpu_ceilings(Path(folder), threads)
    report = _new_report({'device': f'cpu (onnxruntime {onnxruntime.__version__}, threads: {threads})'}, {'fp32': ceilings})
    with _stoppable(report):
        for name in models:
            path = model_path(name)
            model = load_onnx(path.read_bytes(), path)
            precision = 'int8' if natural_precision(model) == 'int8' else 'fp32'
            engine = OnnxRuntimeEngine(path, threads)
            for batch in batches:
                crops = crops_for(engine, batch)
                timings = {stage: measure(run, seconds) for stage, run in stages_of(engine, crops).items()}
                report.rows.append(_row(model, path.stem, precision, batch, timings, ceilings))
            resident_bytes, _ = memory_bytes()
            report.memory[path.stem] = {'resident_mb': None if resident_bytes is None else round(resident_bytes / 1e6, 1)}
    return report


def bench_cuda(
    models: Sequence[str],
    batches: Sequence[int],
    precisions: Sequence[str] | None,
    seconds: float,
    report_progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measures models on TensorRT; builds the engines that the cache lacks and compares them with the reference.

    Args:
        models: names of shipped models, or paths of .onnx files.
        batches: batch sizes, each one of BUCKETS.
        precisions: precisions to measure; by default each file's natural one.
        seconds: approximate time for each stage.
        report_progress: called with the present step as text.

    Raises:
        ModelError: naming the parts that are missing on this machine, or a model that TensorRT cannot take, before anything is measured.
        Stopped: when the user interrupts it.
    """
    from ..engine import cuda
    from ..engine.build import get_engine, make_job
    from ..engine.cache import EngineCache
    from ..engine.tensorrt_installation import find_all

    trt, gpu = find_all()
    cache = EngineCache()
    report = _new_report(
        {'device': f'cuda ({gpu.name}, {trt.flavour} {trt.version})', 'gpu': asdict(gpu), 'cuda_driver': cuda.call('cudaDriverGetVersion')},
        {},
    )
    bytes_s = gpu_copy_bytes_s()

    def progress(share: float, what: str) -> None:
        report_progress(f'{100 * share:.0f} %, {what}')

    jobs = [make_job(name, precision, trt, gpu) for name in models for precision in precisions or (None,)]
    for job in jobs:
        with_precision(job.model, job.precision, str(job.path))  # refuses before minutes of measuring
    with _stoppable(report):
        for job in jobs:
            label = f'{job.path.stem} {job.precision}'
            if job.precision not in report.ceilings:
                report_progress(f'ceiling at {job.precision}')
                report.ceilings[job.precision] = Ceilings(gpu_flops_s(trt, gpu, job.precision), bytes_s)
            report_progress(label)
            free = cuda.call('cudaMemGetInfo')[0]
            built = get_engine(job, cache, progress)
            with closing(built.engine):
                report.build[label] = {
                    'built': built.built,
                    'seconds': round(built.seconds, 2),
                    'bytes': len(built.plan),
                    'kept': built.kept,
                    'parity': asdict(built.parity) if built.parity else None,
                }
                report.memory[label] = {
                    'gpu_mb': (free - cuda.call('cudaMemGetInfo')[0]) / 1e6,
                    'buffers_mb': built.engine.stream.device_bytes / 1e6,
                    'pinned_mb': built.engine.stream.pinned_bytes / 1e6,
                }
                for batch in batches:
                    crops = crops_for(built.engine, batch)
                    timings = {stage: measure(run, seconds) for stage, run in stages_of(built.engine, crops).items()}
                    timings['copies_and_network'] = timings.pop('network')  # by the host's clock; the next line measures by the GPU's
                    timings['network'] = Timing.of(built.engine.network_ms(batch, 200))
                    row = _row(job.model, job.path.stem, job.precision, batch, timings, report.ceilings[job.precision])
                    report.rows.append(Row(**{**vars(row), 'kernels_ms': sum(built.engine.kernels_ms(batch).values())}))
    return report


def table(report: Report) -> str:
    """Formats the rows as a Markdown table."""
    lines = [
        '| model | precision | batch | crop to pose ms (p99) | network ms (p99) | crops/s | floor ms | network / floor |',
        '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ]
    for row in report.rows:
        whole, network = row.stages['crop_to_pose'], row.stages['network']
        lines.append(
            f'| {row.model} | {row.precision} | {row.batch} | {whole.median_ms:.3f} ({whole.p99_ms:.3f}) '
            f'| {network.median_ms:.3f} ({network.p99_ms:.3f}) | {row.crops_s:.0f} | {row.floor_ms:.3f} | {row.over_floor:.1f} |'
        )
    return '\n'.join(lines)


def _row(model: onnx.ModelProto, name: str, precision: str, batch: int, stages: dict[str, Timing], ceilings: Ceilings) -> Row:
    work = count_work(model, batch)
    floor_ms = 1e3 * floor_s(work, ceilings, ELEMENT_BYTES[precision])
    return Row(
        name,
        precision,
        batch,
        stages,
        1e3 * batch / stages['crop_to_pose'].median_ms,
        sum(w.flops for w in work) / 1e9,
        sum(w.elements for w in work) * ELEMENT_BYTES[precision] / 1e6,
        floor_ms,
        stages['network'].median_ms / floor_ms,
    )


def _new_report(machine: dict[str, Any], ceilings: dict[str, Ceilings]) -> Report:
    machine |= {'processor': processor(), 'cores': os.cpu_count(), 'python': platform.python_version()}
    machine |= {'load': load_average(), 'system': platform.platform()}
    command = shlex.join(['python', '-m', 'c2f_head_pose.bench', *sys.argv[1:]])
    return Report(command, commit() or '', datetime.now(timezone.utc).isoformat(timespec='seconds'), machine, ceilings)
