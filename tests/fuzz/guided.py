"""Runs one target under atheris: python -m fuzz.guided TARGET DEFECTS [libFuzzer's options] CORPUS.

Each kind of defect (exception and line) is kept once, the input in a file of DEFECTS beside its traceback, and fuzzing goes on; a hang,
a crash of the interpreter and a lack of memory end it.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris
import cv2
import numpy  # noqa: F401 libraries come first, so that only the modules named are instrumented

from .plain import LONGEST_S, modules_of, starting_inputs


def main() -> None:
    """Imports the target with its modules instrumented, and fuzzes until libFuzzer's options say stop."""
    name, defects = sys.argv.pop(1), Path(sys.argv.pop(1))
    cv2.setNumThreads(1)
    defects.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=list(modules_of(name))):
        target = importlib.import_module(f'fuzz.{name}')
    for data in starting_inputs(name):  # the first of each kind loads things, which is not the input's fault
        with suppress(Exception):
            target.check(data)
    if hasattr(target, 'limit_memory'):
        target.limit_memory()
    atheris.Setup(sys.argv, _keeping(target.check, defects))
    atheris.Fuzz()


def _keeping(check: Callable[[bytes], None], defects: Path) -> Callable[[bytes], None]:
    def checked(data: bytes) -> None:
        start_s = time.process_time()
        try:
            check(data)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            _keep(defects / f'{type(error).__name__}_{Path(last.filename).stem}_{last.lineno}', data, traceback.format_exc())
        if (took_s := time.process_time() - start_s) > LONGEST_S:
            _keep(defects / f'slow_{took_s:.0f}_s', data, f'{took_s} s of computing')

    return checked


def _keep(file: Path, data: bytes, text: str) -> None:
    if not file.exists():
        file.write_bytes(data)
        file.with_suffix('.txt').write_text(text)


if __name__ == '__main__':
    main()
