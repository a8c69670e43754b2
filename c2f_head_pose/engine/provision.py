"""Gives a running program the engine for its GPU: from the cache, or built in another process while ONNX Runtime runs the model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from ..models.registry import ModelError
from .cache import CacheError, EngineCache
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
    from .precision import with_precision

    job = make_job(model, None, trt, gpu)
    try:
        if loaded := load_engine(job, EngineCache()):
            return loaded.engine
    except RuntimeError as error:  # EngineError, CudaError and TensorRT's errors
        raise ModelError(str(error)) from error
    with_precision(job.model, job.precision, str(job.path))  # raises for a model that can never be built, before a process is started

    def prepare(report: Report) -> Engine:
        cache, note = EngineCache(), ''
        with ExitStack() as stack:
            if reason := unwritable(cache.folder):
                note = f', not stored: {reason}'
                cache = EngineCache(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='c2f_head_pose_'))))
            build_in_process([model, '--precision', job.precision, '--engines', str(cache.folder)], report)
            report('loading')
            loaded = load_engine(job, cache)
        if loaded is None:
            raise EngineError('the engine that was built just now cannot be loaded; the log has the reason')
        loaded.engine.description += note
        return loaded.engine

    return SwitchingEngine(first, prepare, required)


def build_in_process(
    arguments: list[str], report: Report, command: tuple[str, ...] = (sys.executable, '-m', 'c2f_head_pose.engine.build')
) -> None:
    """Builds an engine in a separate process, so that a crash does not end this one and the builder's memory is freed.

    Args:
        arguments: arguments of the command `build_engine`.
        report: called with the progress as text.
        command: command line of the builder.

    Raises:
        ModelError: when the builder fails, with the last line that it printed.
    """
    environment = dict(os.environ)
    root = str(Path(__file__).parents[2])
    environment['PYTHONPATH'] = os.pathsep.join(filter(None, [root, environment.get('PYTHONPATH')]))
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
                if progress := _progress(line):
                    report(progress)
        if process.returncode != 0:
            errors.seek(0)
            last = [line.strip() for line in errors if line.strip()][-1:] or [f'the builder exited with status {process.returncode}']
            raise ModelError(last[0].removeprefix('build_engine: '))


def unwritable(folder: Path) -> str:
    """Returns the reason why engines cannot be stored in a folder; '' when they can. Creates the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ''
    except OSError as error:
        return str(CacheError(f'{folder} cannot be written ({error.strerror}); set C2F_HEAD_POSE_ENGINES to another folder'))


def _progress(line: str) -> str:
    try:
        progress = json.loads(line)
        return f'{100 * progress["share"]:.0f} %, {progress["what"]}'
    except (ValueError, KeyError, TypeError):
        return ''  # a library printed this line
