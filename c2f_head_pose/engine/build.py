"""Compiles a model for this machine's GPU ahead of its use, and compares the result with the reference, ONNX Runtime."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from ..interruption import INTERRUPTED
from ..models.registry import ModelError, model_path
from . import cuda
from .cache import EngineCache, EngineKey
from .onnxruntime_engine import OnnxRuntimeEngine
from .parity import LIMITS_DEG, Parity, compare
from .precision import PRECISIONS, natural_precision
from .tensorrt_builder import build_plan
from .tensorrt_engine import TensorRTEngine
from .tensorrt_installation import EngineError, RefusedEngineError, TensorRT, find_all, find_tensorrt

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Job:
    """A model file, and the engine that is wanted of it.

    Attributes:
        path: the model file.
        model: the file's content.
        precision: 'fp32', 'fp16' or 'int8'.
        trt: the TensorRT that builds the engine.
        gpu: the GPU that runs it.
        key: key of the engine in the cache.
    """

    path: Path
    model: onnx.ModelProto
    precision: str
    trt: TensorRT
    gpu: cuda.Gpu
    key: EngineKey


@dataclass(frozen=True)
class Built:
    """An engine ready to run.

    Attributes:
        engine: the engine, warmed up.
        seconds: time that the build or the loading took, seconds.
        built: False when the engine came from the cache.
        kept: '' when the engine is in the cache, else the reason why it is not.
        plan: the serialised engine.
        parity: difference from the reference; None for an engine from the cache, which was compared when it was built.
    """

    engine: TensorRTEngine
    seconds: float
    built: bool
    kept: str
    plan: bytes
    parity: Parity | None


def make_job(model: str, precision: str | None, trt: TensorRT, gpu: cuda.Gpu) -> Job:
    """Reads a model file and determines the engine that it needs.

    Args:
        model: a shipped model's name, or the path of an .onnx file.
        precision: 'fp32', 'fp16' or 'int8'; by default int8 for a quantised file, else fp16.
        trt: the TensorRT that builds the engine.
        gpu: the GPU that runs it.

    Raises:
        ModelError: for a file that cannot be read.
    """
    path = model_path(model)
    content = path.read_bytes()
    loaded = load_onnx(content, path)
    precision = precision or natural_precision(loaded)
    key = EngineKey(
        path.stem,
        hashlib.sha256(content).hexdigest(),
        trt.flavour,
        trt.version,
        gpu.name,
        gpu.sm,
        gpu.multiprocessors,
        precision,
        'batch ' + ' '.join('-'.join(map(str, profile)) for profile in trt.profiles),
    )
    return Job(path, loaded, precision, trt, gpu, key)


def load_onnx(content: bytes, path: Path) -> onnx.ModelProto:
    """Parses the bytes of a model file.

    Args:
        content: the file's bytes.
        path: the file, for messages.

    Raises:
        ModelError: for a damaged file.
    """
    try:
        return onnx.load_from_string(content)
    except Exception as error:  # protobuf's DecodeError, which has moved between its releases
        raise ModelError(f'{path} cannot be read as an ONNX model; fetch or export it again') from error


def load_engine(job: Job, cache: EngineCache) -> Built | None:
    """Loads the job's engine from the cache; returns None where it must be built.

    Raises:
        EngineError: when TensorRT accepts the engine but cannot run it now.
    """
    start = time.monotonic()
    plan = cache.find(job.key)
    if plan is None:
        return None
    try:
        engine = TensorRTEngine(plan, OnnxRuntimeEngine(job.path).contract, job.trt, job.gpu, job.precision)
    except RefusedEngineError:  # the file is complete and its key matches, so a driver or library changed under the same version
        cache.discard(job.key)
        return None
    return Built(engine, time.monotonic() - start, False, '', plan, None)


def get_engine(job: Job, cache: EngineCache, progress: Progress, must_keep: bool = False, again: bool = False) -> Built:
    """Loads the job's engine from the cache, or builds it and compares it with the reference.

    Args:
        job: the engine that is wanted.
        cache: folder of engines.
        progress: called with the share that is done and the present step.
        must_keep: raise when the engine cannot be stored in the cache.
        again: build even if the cache has the engine.

    Raises:
        EngineError: when TensorRT fails, or the engine's rotations differ from the reference's by more than `LIMITS_DEG`.
        CacheError: when `must_keep` and the cache cannot be written.
    """
    start = time.monotonic()
    if again:
        cache.discard(job.key)
    elif built := load_engine(job, cache):
        return built
    made: list[tuple[TensorRTEngine, Parity]] = []

    def build() -> bytes:
        plan, notes = build_plan(
            job.trt, job.model, job.precision, str(job.path), cache.notes(job.key), progress, min(1 << 30, job.gpu.memory_bytes // 4)
        )
        cache.keep_notes(job.key, notes)
        progress(1.0, 'comparing with the reference')
        reference = OnnxRuntimeEngine(job.path)
        engine = TensorRTEngine(plan, reference.contract, job.trt, job.gpu, job.precision)
        parity = compare(reference, engine)
        if not parity.within(job.precision):
            raise EngineError(
                f'the {job.precision} engine of {job.path} differs from the reference by up to {parity.worst_deg:.2f} degrees '
                f'(limit {LIMITS_DEG[job.precision]}); {_remedy(job)}'
            )
        made.append((engine, parity))
        return plan

    found = cache.get(job.key, build, lambda: progress(0.0, 'another process is building it'), must_keep)
    if not made:  # another process built it while this one waited
        if built := load_engine(job, cache):
            return built
        raise EngineError(f'TensorRT cannot load {cache.folder / job.key.file}, which was built just now; delete the file and build again')
    engine, parity = made[0]
    return Built(engine, time.monotonic() - start, True, found.note, found.plan, parity)


def _remedy(job: Job) -> str:
    """What to do where the job's engine was refused."""
    if job.precision == 'fp16':
        return f"build it once by 'build_engine {job.path} --precision fp32', and programs take that engine"
    return f'use the fp32 file that {job.path} was made from' if job.precision == 'int8' else 'run the model on the CPU'


def main(arguments: list[str] | None = None) -> int:
    """The command `build_engine`; returns its exit status."""
    parser = argparse.ArgumentParser(prog='build_engine', description=__doc__)
    parser.add_argument('model', help='name of a shipped model, or path of an .onnx file')
    parser.add_argument('--precision', choices=PRECISIONS, help='default: int8 for a quantised file, else fp16')
    parser.add_argument(
        '--engines', type=Path, metavar='FOLDER', help="folder of engines (default $C2F_HEAD_POSE_ENGINES, else the user's cache folder)"
    )
    parser.add_argument(
        '--spare', type=Path, metavar='FOLDER', help='folder for the engine where the folder of engines cannot be written (default: fail)'
    )
    parser.add_argument('--again', action='store_true', help='build even if the engine exists')
    parser.add_argument('--json', metavar='FILE', help='write the summary to this file; - for standard output')
    parser.add_argument(
        '--compute-capability',
        nargs='+',
        metavar='SM',
        help='TensorRT-RTX only: check that the model builds for these GPUs (SM86 SM89 ...) without one; nothing is compared or stored',
    )
    parser.add_argument(
        '--for-program', action='store_true', help='print progress as JSON lines on standard output, and exit when standard input is closed'
    )
    options = parser.parse_args(arguments)
    if options.for_program:
        threading.Thread(target=_end_with_input, daemon=True).start()
    progress = _print_json if options.for_program else _print_percent()
    try:
        summary = (
            _check_without_gpu(options.model, options.precision, options.compute_capability, progress)
            if options.compute_capability
            else _provision(options.model, options.precision, EngineCache(options.engines), progress, options.again, options.spare)
        )
        if options.json == '-':
            print(json.dumps(summary, indent=2))
        elif options.for_program:
            print(json.dumps({'not_kept': summary['not_kept']}), flush=True)
        else:
            print(_sentence(summary))
        if options.json and options.json != '-':
            Path(options.json).parent.mkdir(parents=True, exist_ok=True)
            Path(options.json).write_text(json.dumps(summary, indent=2) + '\n')
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ModelError, OSError, RuntimeError) as error:  # EngineError, CudaError and TensorRT's errors are RuntimeErrors
        print(f'build_engine: {error}', file=sys.stderr)
        return 1
    return 0


def _provision(model: str, precision: str | None, cache: EngineCache, progress: Progress, again: bool, spare: Path | None) -> dict:
    try:
        trt, gpu = find_all()
    except ModelError as error:
        raise ModelError(f'no engine can be built on this machine: {error}') from None
    job = make_job(model, precision, trt, gpu)
    built = get_engine(job, cache, progress, must_keep=spare is None, again=again)
    built.engine.close()
    if built.kept:
        cache = EngineCache(spare)
        cache.get(job.key, lambda: built.plan, must_keep=True)
    return {
        'model': str(job.path),
        'precision': job.precision,
        'built': built.built,
        'seconds': round(built.seconds, 2),
        'bytes': len(built.plan),
        'file': str(cache.folder / job.key.file),
        'not_kept': built.kept,
        'device': built.engine.description,
        'key': asdict(job.key),
        'limit_deg': LIMITS_DEG[job.precision],
        'parity': asdict(built.parity) if built.parity else None,
    }


def _check_without_gpu(model: str, precision: str | None, capabilities: list[str], progress: Progress) -> dict:
    trt = find_tensorrt()
    path = model_path(model)
    loaded = load_onnx(path.read_bytes(), path)
    precision = precision or natural_precision(loaded)
    start = time.monotonic()
    plan, _ = build_plan(trt, loaded, precision, str(path), progress=progress, compute_capabilities=capabilities)
    return {
        'model': str(path),
        'precision': precision,
        'built': True,
        'seconds': round(time.monotonic() - start, 2),
        'bytes': len(plan),
        'file': None,
        'not_kept': '',
        'device': f'{trt.flavour} {trt.version} for {", ".join(capabilities)}',
        'parity': None,
    }


def _sentence(summary: dict) -> str:
    did = f'built in {summary["seconds"]} s' if summary['built'] else 'loaded from the cache'
    parity = summary['parity']
    proof = (
        f'; largest difference from the reference {parity["worst_deg"]:.3f} deg on {parity["crops"]} crops, limit {summary["limit_deg"]}'
        if parity
        else ''
    )
    kept = summary['file'] or 'not stored and not compared: this was a check of the build only'
    return f'{summary["model"]} {summary["precision"]} {did}, {summary["bytes"] / 1e6:.1f} MB{proof}\n{summary["device"]}\n{kept}'


def _print_json(share: float, what: str) -> None:
    print(json.dumps({'share': round(share, 3), 'what': what}), flush=True)


def _end_with_input() -> None:
    """Exits when the program that started the build has ended, so that no build outlives it."""
    sys.stdin.read()
    os._exit(1)


def _print_percent() -> Progress:
    printed = [-1.0, 0.0]

    def show(share: float, what: str) -> None:
        if share - printed[0] >= 0.05 or time.monotonic() - printed[1] > 5:
            print(f'{100 * share:3.0f} %  {what}', file=sys.stderr, flush=True)
            printed[:] = [share, time.monotonic()]

    return show


if __name__ == '__main__':
    sys.exit(main())
