"""How fast the networks run here, and how far from what this machine could do."""
from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
import time
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
from ..engine.buckets import BUCKETS
from ..engine.contract import Engine
from ..engine.onnxruntime_engine import OnnxRuntimeEngine
from ..engine.parity import sample_crops
from ..engine.precision import natural_precision
from ..evaluation.environment import environment
from ..models.registry import SHIPPED, ModelError, model_path
from .interleaved import Timing
from .roofline import ELEMENT_BYTES, Ceilings, ceiling_model, count_work, floor_s
from .whole_path import bench_path, page

_CPU_BATCHES = (1, 4, 16)
_COPY_BYTES = 128 << 20  # beyond any GPU's cache
_CACHE_BYTES = 1 << 20  # on a CPU one crop's layers stay in the cache


@dataclass(frozen=True)
class Row:
    """One model at one batch size.

    Attributes:
        model: name.
        precision: 'fp32', 'fp16' or 'int8'.
        batch: crops at once.
        stages: name to Timing; 'crop_to_pose' is from crops in host memory to HeadPoses, 'network' the network alone.
        crops_s: crops a second through 'crop_to_pose'.
        gflop: of the batch.
        megabytes: that must move.
        floor_ms: the least that the network can take here.
        over_floor: network's median over that floor.
        kernels_ms: cuda: sum of the kernels' times by the profiler.
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
    """A run of the benchmark: what ran, where, and the figures."""

    command: str
    commit: str
    date: str
    machine: dict[str, Any]
    ceilings: dict[str, Ceilings]
    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    build: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def measure(run: Callable[[], object], seconds: float, most: int = 5000) -> Timing:
    """Times a function for a while, after warming it up."""
    for _ in range(3):
        run()
    times_ms: list[float] = []
    end = time.perf_counter() + seconds
    while len(times_ms) < 5 or (time.perf_counter() < end and len(times_ms) < most):
        start = time.perf_counter()
        run()
        times_ms.append(1e3 * (time.perf_counter() - start))
    return Timing.of(times_ms)


def stages_of(engine: Engine, crops: np.ndarray) -> dict[str, Callable[[], object]]:
    """What is timed on the host's clock: name to function. Add a stage here, and it is in the table and the JSON."""
    return {'network': lambda: engine.infer(crops), 'crop_to_pose': lambda: decode(engine.infer(crops))}


def bench_cpu(models: Sequence[str], batches: Sequence[int], threads: int, seconds: float) -> Report:
    """Measures models on ONNX Runtime.

    Args:
        models: shipped names or .onnx files.
        batches: crops at once.
        threads: of ONNX Runtime.
        seconds: about how long each stage is timed.
    """
    with tempfile.TemporaryDirectory() as folder:
        ceilings = _cpu_ceilings(Path(folder), threads)
    report = _new_report({'device': f'cpu (onnxruntime {onnxruntime.__version__}, threads: {threads})'}, {'fp32': ceilings})
    for name in models:
        path = model_path(name)
        model = onnx.load(path)
        precision = 'int8' if natural_precision(model) == 'int8' else 'fp32'
        engine = OnnxRuntimeEngine(path, threads)
        for batch in batches:
            crops = _crops(engine, batch)
            timings = {stage: measure(run, seconds) for stage, run in stages_of(engine, crops).items()}
            report.rows.append(_row(model, path.stem, precision, batch, timings, ceilings))
        report.memory[path.stem] = {'resident_mb': round(_resident_mb(), 1)}
    return report


def bench_cuda(models: Sequence[str], batches: Sequence[int], precisions: Sequence[str] | None, seconds: float,
               say: Callable[[str], None] = lambda _: None) -> Report:
    """Measures models on TensorRT; builds and proves the engines where the cache lacks them.

    Args:
        models: shipped names or .onnx files.
        batches: crops at once; each is a bucket.
        precisions: which; by default each file's natural one.
        seconds: about how long each stage is timed.
        say: told what is being done.

    Raises:
        ModelError: naming what is missing here.
    """
    from ..engine import cuda
    from ..engine.build import get_engine, make_job
    from ..engine.cache import EngineCache
    from ..engine.tensorrt_engine import find_all
    trt, gpu = find_all()
    cache = EngineCache()
    report = _new_report({'device': f'cuda ({gpu.name}, {trt.flavour} {trt.version})', 'gpu': asdict(gpu),
                          'cuda_driver': cuda.call('cudaDriverGetVersion')}, {})
    bytes_s = _gpu_copy_bytes_s()

    def progress(share: float, what: str) -> None:
        say(f'{100 * share:.0f} %, {what}')

    for name in models:
        wanted: Sequence[str | None] = precisions or [None]
        for precision in wanted:
            job = make_job(name, precision, trt, gpu)
            label = f'{job.path.stem} {job.precision}'
            if job.precision not in report.ceilings:
                say(f'ceiling at {job.precision}')
                report.ceilings[job.precision] = Ceilings(_gpu_flops_s(trt, gpu, job.precision), bytes_s)
            say(label)
            free = cuda.call('cudaMemGetInfo')[0]
            built = get_engine(job, cache, progress)
            with _closed(built.engine):
                report.build[label] = {'built': built.built, 'seconds': round(built.seconds, 2), 'bytes': built.size, 'kept': built.kept,
                                       'parity': asdict(built.parity) if built.parity else None}
                report.memory[label] = {'gpu_mb': (free - cuda.call('cudaMemGetInfo')[0]) / 1e6,
                                        'buffers_mb': built.engine.stream.device_bytes / 1e6,
                                        'pinned_mb': built.engine.stream.pinned_bytes / 1e6}
                for batch in batches:
                    crops = _crops(built.engine, batch)
                    timings = {stage: measure(run, seconds) for stage, run in stages_of(built.engine, crops).items()}
                    timings['copies_and_network'] = timings.pop('network')  # on the host's clock; the GPU's own is next
                    timings['network'] = Timing.of(built.engine.network_ms(batch, 200))
                    row = _row(job.model, job.path.stem, job.precision, batch, timings, report.ceilings[job.precision])
                    report.rows.append(Row(**{**vars(row), 'kernels_ms': sum(built.engine.kernels_ms(batch).values())}))
    return report


def table(report: Report) -> str:
    """The rows as a Markdown table."""
    lines = ['| model | precision | batch | crop to pose ms (p99) | network ms (p99) | crops/s | floor ms | network / floor |',
             '| --- | --- | --- | --- | --- | --- | --- | --- |']
    for row in report.rows:
        whole, network = row.stages['crop_to_pose'], row.stages['network']
        lines.append(f'| {row.model} | {row.precision} | {row.batch} | {whole.median_ms:.3f} ({whole.p99_ms:.3f}) '
                     f'| {network.median_ms:.3f} ({network.p99_ms:.3f}) | {row.crops_s:.0f} | {row.floor_ms:.3f} | {row.over_floor:.1f} |')
    return '\n'.join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command `bench`; returns its exit status."""
    parser = argparse.ArgumentParser(prog='bench', description=__doc__)
    parser.add_argument('models', nargs='*', metavar='MODEL', help='shipped models or .onnx files; all shipped ones by default')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--batch', nargs='+', type=int, metavar='B', help='crops at once')
    parser.add_argument('--precision', nargs='+', choices=tuple(ELEMENT_BYTES), help="cuda: which; by default each model's own")
    parser.add_argument('--threads', type=int, default=1, help='cpu: of ONNX Runtime')
    parser.add_argument('--seconds', type=float, help='how long each stage is timed (1); with --path, each table (20)')
    parser.add_argument('--starts', type=int, default=5, help='with --path: processes that are started')
    parser.add_argument('--path', action='store_true', help='cpu: each stage and the whole path from an image, instead of the networks')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write everything there')
    options = parser.parse_args(arguments)
    models = options.models or sorted(SHIPPED)
    batches = options.batch or (BUCKETS if options.device == 'cuda' else _CPU_BATCHES)
    if options.device == 'cuda' and not set(batches) <= set(BUCKETS):
        parser.error(f"on cuda a batch is one of {', '.join(map(str, BUCKETS))}")
    if min(batches) < 1:
        parser.error('a batch is at least 1')
    if options.path and options.device != 'cpu':
        parser.error('--path is of the cpu')
    seconds = options.seconds or 1.0
    try:
        if options.path:
            path_report = bench_path(models, options.seconds or 20.0, options.starts,
                                     say=lambda text: print(text, file=sys.stderr))
            _write(options.json, path_report)
            print(page(path_report), end='')
            return 0
        if options.device == 'cuda':
            report = bench_cuda(models, batches, options.precision, seconds, lambda text: print(text, file=sys.stderr))
        else:
            report = bench_cpu(models, batches, options.threads, seconds)
    except (ModelError, RuntimeError) as error:
        print(f'bench: {error}', file=sys.stderr)
        return 1
    _write(options.json, report)
    print(f"{report.machine['device']}, {report.machine['processor']}, load {report.machine['load']}")
    for precision, ceilings in report.ceilings.items():
        print(f'ceilings at {precision}: {ceilings.flops_s / 1e12:.3g} TFLOP/s, {ceilings.bytes_s / 1e9:.3g} GB/s')
    print(table(report))
    return 0


def _write(path: Path | None, report: Any) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(report), indent=1) + '\n')


def _row(model: onnx.ModelProto, name: str, precision: str, batch: int, stages: dict[str, Timing], ceilings: Ceilings) -> Row:
    work = count_work(model, batch)
    floor_ms = 1e3 * floor_s(work, ceilings, ELEMENT_BYTES[precision])
    return Row(name, precision, batch, stages, 1e3 * batch / stages['crop_to_pose'].median_ms, sum(w.flops for w in work) / 1e9,
               sum(w.elements for w in work) * ELEMENT_BYTES[precision] / 1e6, floor_ms, stages['network'].median_ms / floor_ms)


def _new_report(machine: dict[str, Any], ceilings: dict[str, Ceilings]) -> Report:
    facts = environment(None, None, machine['device'], 0)
    machine |= {key: facts[key] for key in ('processor', 'cores', 'python')}
    machine |= {'load': round(os.getloadavg()[0], 2), 'system': platform.platform()}
    command = shlex.join(['python', '-m', 'c2f_head_pose.bench', *sys.argv[1:]])
    return Report(command, facts['commit'] or '', datetime.now(timezone.utc).isoformat(timespec='seconds'), machine, ceilings)


def _crops(engine: Engine, batch: int) -> np.ndarray:
    size = engine.contract.input_size
    return np.resize(sample_crops(size, engine.contract.modality), (batch, 1, size, size))


def _cpu_ceilings(folder: Path, threads: int) -> Ceilings:
    path = ceiling_model(folder)
    engine = OnnxRuntimeEngine(path, threads)
    flops = sum(w.flops for w in count_work(onnx.load(path), 1))
    crops = _crops(engine, 1)
    source = np.ones(_CACHE_BYTES, np.uint8)
    target = np.empty_like(source)
    return Ceilings(flops / (measure(lambda: engine.infer(crops), 1.0).best_ms / 1e3),
                    2 * _CACHE_BYTES / (measure(lambda: np.copyto(target, source), 0.2).best_ms / 1e3))


def _gpu_copy_bytes_s() -> float:
    from ..engine import cuda
    with closing(cuda.Stream()) as stream:
        source, target = stream.device_memory(_COPY_BYTES), stream.device_memory(_COPY_BYTES)
        times = stream.time_ms(lambda: stream.on_device(target, source, _COPY_BYTES), 30)
    return 2 * _COPY_BYTES / (min(times) / 1e3)


def _gpu_flops_s(trt: Any, gpu: Any, precision: str) -> float:
    from ..engine.tensorrt_builder import build_plan
    from ..engine.tensorrt_engine import TensorRTEngine
    # int8 would need a quantised model of its own: its ceiling is taken as fp16's, so int8 may come out below its floor.
    precision = 'fp16' if precision == 'int8' else precision
    with tempfile.TemporaryDirectory() as folder:
        path = ceiling_model(Path(folder))
        model, contract = onnx.load(path), OnnxRuntimeEngine(path).contract
    plan, _ = build_plan(trt, model, precision, 'the ceiling model')
    batch = BUCKETS[-1]
    with _closed(TensorRTEngine(plan, contract, trt, gpu, precision)) as engine:
        seconds = min(engine.network_ms(batch, 30)) / 1e3
    return sum(w.flops for w in count_work(model, batch)) / seconds


@contextmanager
def _closed(engine: Any) -> Iterator[Any]:
    try:
        yield engine
    finally:
        engine.close()


def _resident_mb() -> float:
    """Memory of this process now (Linux)."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


if __name__ == '__main__':
    sys.exit(main())
