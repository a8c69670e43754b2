"""Checkpoints: everything a run needs to go on to the same result, and where it came from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .models import build

FORMAT = 1
WEIGHTS = ('average', 'config', 'step', 'samples', 'seed', 'commit', 'started_from', 'data_hash', 'data', 'rendered')
"""What a checkpoint keeps that others only begin with or are measured by; the rest is for going on with its own run."""


def commit() -> str:
    """Short id of the checkout's commit, '+' appended where files were changed since; 'unknown' outside git."""

    def git(*args: str) -> str:
        return subprocess.run(['git', *args], cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git('rev-parse', '--short=12', 'HEAD') + ('+' if git('status', '--porcelain', '--untracked-files=no') else '')
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def save(path: Path, **content: Any) -> None:
    """Writes a checkpoint whole or not at all."""
    part = path.with_suffix(f'.part{os.getpid()}')
    torch.save({'format': FORMAT, **content}, part)
    part.replace(path)


def load(path: Path | str) -> dict[str, Any]:
    """A checkpoint's content: tensors and plain values only, nothing is executed.

    Raises:
        ValueError: for a file of another format.
    """
    content = torch.load(path, map_location='cpu', weights_only=True)
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise ValueError(f'{path} is no checkpoint of this project (format {FORMAT}): train again, or use the commit that wrote it')
    return content


def differences(content: dict[str, Any], config: dict[str, Any], data_hash: str) -> list[str]:
    """Which settings, by name, and whether the 'data' are others than those a checkpoint was trained with."""
    other = [name for name, value in config.items() if content['config'].get(name) != value]
    return other + (['data'] if content['data_hash'] != data_hash else [])


def load_trained(path: Path, config: dict[str, Any], data_hash: str) -> dict[str, Any]:
    """The checkpoint of a run that was to be trained with this configuration (plain values) on these data.

    Raises:
        ValueError: naming what differs.
    """
    content = load(path)
    if other := differences(content, config, data_hash):
        raise ValueError(f'{path} was trained with other {", ".join(other)}: give another --out, or delete it')
    return content


def network_of(content: dict[str, Any], average: bool = True) -> nn.Module:
    """The network of a checkpoint, ready for inference; its moving average unless told otherwise."""
    network = build(content['config']['network'])
    network.load_state_dict(content['average'] if average else content['network'])
    return network.eval()
