"""The GPU's engine for a program that is already running: loaded if it is there, else built aside while ONNX Runtime serves."""

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
from .switch import Say, SwitchingEngine


def engine_for_gpu(first: Engine, model: str, required: bool) -> Engine:
    """The model's engine for this machine's GPU.

    Args:
        first: serves until it is ready.
        model: a shipped model's name, or the path of an .onnx file.
        required: when the build fails, calls fail with the reason, rather than go on with `first`.

    Raises:
        ModelError: naming every part that is missing here, each with its remedy.
    """
    from .tensorrt_engine import EngineError, find_all  # cheap to refuse: TensorRT is imported only where it is installed

    trt, gpu = find_all()
    from .build import load_engine, make_job
    from .precision import with_precision

    job = make_job(model, None, trt, gpu)
    try:
        if loaded := load_engine(job, EngineCache()):
            return loaded.engine
    except RuntimeError as error:  # EngineError, CudaError, and TensorRT's own
        raise ModelError(str(error)) from error
    with_precision(job.model, job.precision, str(job.path))  # refuses what can never be built before anything is started

    def prepare(say: Say) -> Engine:
        cache, note = EngineCache(), ''
        with ExitStack() as stack:
            if reason := unwritable(cache.folder):
                note = f', not kept: {reason}'
                cache = EngineCache(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='c2f_head_pose_'))))
            build_aside([model, '--precision', job.precision, '--engines', str(cache.folder)], say)
            say('loading')
            loaded = load_engine(job, cache)
        if loaded is None:
            raise EngineError('the engine built just now is not to be found or was refused; the log has the reason')
        loaded.engine.description += note
        return loaded.engine

    return SwitchingEngine(first, prepare, required)


def build_aside(arguments: list[str], say: Say, command: tuple[str, ...] = (sys.executable, '-m', 'c2f_head_pose.engine.build')) -> None:
    """Builds in a process of its own: its crash is not ours, and what it took of memory it gives back.

    Args:
        arguments: of `build_engine`.
        say: told how far it is.
        command: the builder.

    Raises:
        ModelError: with the builder's last words.
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
                if said := _progress(line):
                    say(said)
        if process.returncode != 0:
            errors.seek(0)
            last = [line.strip() for line in errors if line.strip()][-1:] or [f'the builder ended with status {process.returncode}']
            raise ModelError(last[0].removeprefix('build_engine: '))


def unwritable(folder: Path) -> str:
    """Why engines cannot be kept in a folder; '' when they can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ''
    except OSError as error:
        return str(CacheError(f'{folder} cannot be written ({error.strerror}); set C2F_HEAD_POSE_ENGINES to another folder'))


def _progress(line: str) -> str:
    try:
        told = json.loads(line)
        return f'{100 * told["share"]:.0f} %, {told["what"]}'
    except (ValueError, KeyError, TypeError):
        return ''  # a line of some library's
