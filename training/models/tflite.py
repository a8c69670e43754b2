"""Opens .tflite files with LiteRT."""

from __future__ import annotations

from typing import Any


def read_interpreter(content: bytes) -> Any:
    """LiteRT's interpreter of a .tflite file's content. Raises OSError without LiteRT."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise OSError('LiteRT is not installed: pip install ai-edge-litert') from error
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
