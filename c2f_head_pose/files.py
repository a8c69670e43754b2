"""YAML files that others wrote."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path) -> Any:
    """The plain values in a YAML file; no tag makes it build anything else.

    Raises:
        ValueError: for text that is no YAML; the caller names the remedy.
        OSError: where the file cannot be read.
    """
    text = path.read_text(encoding='utf-8')
    try:
        return yaml.safe_load(text)
    except Exception as error:  # beside YAMLError, PyYAML lets KeyError, IndexError, AttributeError and RecursionError of odd text through
        raise ValueError(f'not YAML ({type(error).__name__}: {error})') from error
