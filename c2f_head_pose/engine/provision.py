"""Gives a running program the engine for its GPU: from the cache, or built in another process while ONNX Runtime runs the model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path
from typing import Any

from ..models.registry import ModelError
from .cache import EngineCache
from .contract import Engine
from .switch import Report, SwitchingEngine


def engine_for_gpu(first: Engine, model: str, required: bool) -> Engine:
    """Returns the model's engine for this machine's GPU, or one that switches to it when it is built.

    Args:
        first: engine that runs the model until the GPU's engine is ready.
        model: a shipped model's name, or the path of an .onnx file.
        required: raise the reason at each call when the build fails, instead of continuing with `first`.

    Raises:
        ModelError: naming every part that is missing on this machine, each with its remedy.
    """
    from .tensorrt_installation import EngineError, find_all  # imports TensorRT only where it is installed, so a refusal is quick

    trt, gpu = find_all()
    from .build import load_engine, make_job
    from .precision import precisions_of, with_precision

    job = make_job(model, None, trt, gpu)
    try:
        # Another precision's: fp32 where fp16 was refused, which `build_engine --precision fp32` made.
        others = (make_job(model, precision, trt, gpu) for precision in precisions_of(job.model)[1:])
        for kept in chain((job,), others):
            if loaded := load_engine(kept, EngineCache()):
                return loaded.engine
    except RuntimeError as error:  # EngineError, CudaError and TensorRT's errors
        raise ModelError(str(error)) from error
    with_precision(job.model, job.precision, str(job.path))  # raises for a model that can never be built, before a process is started

    def prepare(report: Report) -> Engine:
        cache = EngineCache()
        with tempfile.TemporaryDirectory(prefix='c2f_head_pose_') as spare:
            built = [model, '--precision', job.precision, '--engines', str(cache.folder), '--spare', spare]
            not_kept = build_in_process(built, report)
            report('loading')
            loaded = load_engine(job, EngineCache(Path(spare)) if not_kept else cache)
        if loaded is None:
            raise EngineError('the engine that was built just now cannot be loaded; the log has the reason')
        if not_kept:
            loaded.engine.description += f', {not_kept}'
        return loaded.engine

    return SwitchingEngine(first, prepare, required)


def build_in_process(
    arguments: list[str], report: Report, command: tuple[str, ...] = (sys.executable, '-m', 'c2f_head_pose.engine.build')
) -> str:
    """Builds an engine in a separate process, so that a crash does not end this one and the builder's memory is freed.

    Args:
        arguments: arguments of the command `build_engine`.
        report: called with the progress as text.
        command: command line of the builder.

    Returns:
        '' when the engine is in the folder of engines, else the reason why it is in the folder of the argument --spare.

    Raises:
        ModelError: when the builder fails, with the last line that it printed.
    """
    environment = dict(os.environ)
    root = str(Path(__file__).parents[2])
    environment['PYTHONPATH'] = os.pathsep.join(filter(None, [root, environment.get('PYTHONPATH')]))
    not_kept = ''
    with tempfile.TemporaryFile('w+') as errors:
        with subprocess.Popen(
            [*command, *arguments, '--for-program'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                told = _told(line)
                if 'share' in told:
                    report(f'{100 * told["share"]:.0f} %, {told["what"]}')
                not_kept = told.get('not_kept', not_kept)
        if process.returncode != 0:
            errors.seek(0)
            last = [line.strip() for line in errors if line.strip()][-1:] or [f'the builder exited with status {process.returncode}']
            raise ModelError(last[0].removeprefix('build_engine: '))
    return not_kept


def _told(line: str) -> dict[str, Any]:
    """Parses a line of the builder; one that a library printed says nothing."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
