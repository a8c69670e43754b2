"""How many lines of a target's modules its inputs reach: python -m fuzz.lines TARGET CORPUS"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any


def reached(name: str, corpus: Path) -> tuple[int, int]:
    """Lines reached, and lines that there are, in the functions of the target's modules that the inputs enter at all.

    A function that no input enters, such as one that writes, belongs to no reader and does not count.
    """
    target = importlib.import_module(f'fuzz.{name}')
    files = {importlib.import_module(module).__file__ for module in target.MODULES}
    entered: dict[CodeType, set[int]] = {}

    def local(frame: FrameType, event: str, _: Any) -> Any:
        entered[frame.f_code].add(frame.f_lineno)
        return local

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        entered.setdefault(frame.f_code, set())
        return local

    for file in sorted(corpus.iterdir()):
        data = file.read_bytes()
        sys.settrace(trace)
        try:
            target.check(data)
        except Exception:  # a defect; the fuzzer keeps it
            pass
        finally:
            sys.settrace(None)
    there = {code: {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno} for code in entered}
    return sum(len(entered[code] & lines) for code, lines in there.items()), sum(map(len, there.values()))


if __name__ == '__main__':
    print(*reached(sys.argv[1], Path(sys.argv[2])))
