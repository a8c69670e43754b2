"""Measures models on a GPU: `python -m training.exporting.gpu_report [MODEL ...]`.

Builds every model at every precision that its file permits, compares it with ONNX Runtime and times it. If PyTorch sees the GPU, the same
network is timed there too: eager, as a CUDA graph, and compiled. Writes JSON, and prints the tables and which aims are met. Without a GPU
or TensorRT the reason is in the JSON, under `skipped`, if --json names a file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from c2f_head_pose.bench.interleaved import Timing
from c2f_head_pose.bench.networks import Report, bench_cuda, table
from c2f_head_pose.engine.buckets import BUCKETS
from c2f_head_pose.engine.build import load_onnx
from c2f_head_pose.engine.precision import precisions_of
from c2f_head_pose.models.registry import FOR_TENSORRT, ModelError, model_path

AIMS = {'crop to pose at batch 1': (0.20, 'ms'), 'batch 64 over the floor': (3.0, 'x'), "graph replay over its kernels' sum": (1.2, 'x')}
_RESULTS = Path(__file__).parents[1] / 'results'


def time_torch(path: Path, batch: int, precision: str, device: str = 'cuda', repeats: int = 50) -> dict[str, Timing | str]:
    """Times the same network in PyTorch with crops on the GPU, by way of execution, milliseconds; a way that fails has its error instead.

    Args:
        path: an fp32 model file.
        batch: crops at once.
        precision: 'fp32' or 'fp16'.
        device: 'cuda'; 'cpu' only tests the code.
        repeats: number of measurements of each way.
    """
    import torch

    from .onnx_in_torch import OnnxInTorch

    network = OnnxInTorch(path, batch, precision).eval().to(device)
    size = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[2].dim_value
    crops = torch.randint(0, 256, (batch, 1, size, size), dtype=torch.uint8, device=device)
    ways: dict[str, Callable[[], Callable[[], Any]]] = {
        'eager': lambda: lambda: network(crops),
        'cuda_graph': lambda: _captured(lambda: network(crops)),
        'compile': lambda: _compiled(network, crops),
    }
    times: dict[str, Timing | str] = {}
    with torch.inference_mode():
        for name, make in ways.items():
            try:
                times[name] = _timed(make(), device, repeats)
            except (RuntimeError, NotImplementedError) as error:
                times[name] = str(error).splitlines()[0][:200]
    return times


def aims_of(report: Report, model: str) -> list[dict[str, Any]]:
    """Returns for each aim the best figure over the model's precisions, and whether it is met."""
    rows = [row for row in report.rows if row.model == model]
    figures = {
        'crop to pose at batch 1': [row.stages['crop_to_pose'].median_ms for row in rows if row.batch == 1],
        'batch 64 over the floor': [row.over_floor for row in rows if row.batch == 64],
        "graph replay over its kernels' sum": [row.stages['network'].median_ms / row.kernels_ms for row in rows if row.kernels_ms],
    }
    worst = {"graph replay over its kernels' sum"}  # aims that every precision must meet
    found = []
    for aim, (limit, unit) in AIMS.items():
        if values := figures[aim]:
            value = max(values) if aim in worst else min(values)
            found.append({'model': model, 'aim': aim, 'limit': limit, 'unit': unit, 'value': value, 'met': value <= limit})
    return found


def main(arguments: list[str] | None = None) -> int:
    """Writes the report; returns 1 if a model could not be measured, for a reason that the report has, and 0 even if an aim is missed."""
    parser = argparse.ArgumentParser(
        prog='python -m training.exporting.gpu_report', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('models', nargs='*', metavar='MODEL', help='shipped models or .onnx files (default: all that TensorRT can build)')
    parser.add_argument('--seconds', type=float, default=1.0, help='time for each stage')
    parser.add_argument('--no-torch', action='store_true', help='do not time PyTorch')
    parser.add_argument('--json', type=Path, metavar='FILE', help='default: training/results/gpu_NAME.json')
    options = parser.parse_args(arguments)
    models = options.models or FOR_TENSORRT
    content: dict[str, Any] = {'reports': [], 'torch': {}, 'aims': [], 'skipped': ''}
    reports = []
    try:
        for model in models:
            path = model_path(model)
            precisions = precisions_of(load_onnx(path.read_bytes(), path))
            report = bench_cuda([model], BUCKETS, precisions, options.seconds, _print_progress)
            reports.append(report)
            content['reports'].append(asdict(report))
            content['aims'] += aims_of(report, path.stem)
            if not options.no_torch and precisions != ('int8',):
                content['torch'][model] = _torch_rows(path, precisions)
    except (ModelError, RuntimeError) as error:
        print(f'gpu_report: {error}', file=sys.stderr)
        content['skipped'] = str(error)
    if not reports and options.json is None:
        return 1
    name = re.sub(r'[^a-z0-9]+', '_', reports[0].machine['gpu']['name'].lower()).strip('_') if reports else ''
    target = options.json or _RESULTS / f'gpu_{name}.json'
    target.parent.mkdir(exist_ok=True, parents=True)
    target.write_text(json.dumps(content, indent=1, default=asdict) + '\n')
    for report in reports:
        print(report.machine['device'], table(report), sep='\n')
    for row in content['aims']:
        print(f'{"met   " if row["met"] else "missed"} {row["model"]}: {row["aim"]} {row["value"]:.3f} {row["unit"]}, aim {row["limit"]}')
    print(target)
    return 1 if content['skipped'] else 0


def _torch_rows(path: Path, precisions: Sequence[str]) -> Any:
    try:
        import torch
    except ImportError:
        return 'PyTorch is not installed'
    if not torch.cuda.is_available():
        return f'PyTorch {torch.__version__} finds no GPU'
    rows = []
    for precision in precisions:
        for batch in (1, 64):
            _print_progress(f'PyTorch {precision}, batch {batch}')
            try:
                times = time_torch(path, batch, precision)
            except NotImplementedError as error:  # a user's file; TensorRT's figures of it are complete
                return f'not timed in PyTorch: {error}'
            rows.append({'precision': precision, 'batch': batch, 'torch': torch.__version__, 'times': times})
    return rows


def _timed(run: Callable[[], Any], device: str, repeats: int) -> Timing:
    import time

    import torch

    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        if device == 'cpu':
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
            continue
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        marks[0].record()
        run()
        marks[1].record()
        torch.cuda.synchronize()
        times.append(float(marks[0].elapsed_time(marks[1])))
    return Timing.of(np.array(times).tolist())


def _captured(run: Callable[[], Any]) -> Callable[[], Any]:
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def _compiled(network: Any, crops: Any) -> Callable[[], Any]:
    import torch

    compiled = torch.compile(network, mode='max-autotune')
    return lambda: compiled(crops)


def _print_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
