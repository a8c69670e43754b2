"""Checkpoints: the state from which a run resumes with the same result, and the provenance of its weights."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from c2f_head_pose import provenance
from c2f_head_pose.files import written_whole

from ..data.augment import Augmentation
from ..models.factory import build
from .config import with_current_names
from .deviations import scaled

FORMAT = 1
WEIGHTS = (
    'average',
    'config',
    'step',
    'samples',
    'samples_before',
    'seed',
    'commit',
    'started_from',
    'data_hash',
    'data',
    'rendered',
    'std_measured',
    'teacher',
    'calibration',
)
"""Entries that are enough to evaluate a network or to initialise another run; the other entries serve to resume the run itself."""
CLOCK = ('elapsed_s', 'minutes', 'schedule')
"""Entries with which a run resumes at its place in the schedule."""


def commit() -> str:
    """The checkout's commit, '+' appended where tracked files have changes; 'unknown' outside of a checkout."""
    return provenance.commit() or 'unknown'


def save(path: Path, **content: Any) -> None:
    """Writes a checkpoint atomically: through a temporary file that replaces the old one."""
    with written_whole(path, path.with_suffix(f'.part{os.getpid()}')) as part:
        torch.save({'format': FORMAT, **content}, part)


class Content(dict):
    """A checkpoint's values by name; a missing name raises ValueError with the file's path, because the file is damaged."""

    def __init__(self, path: Path | str, values: dict[str, Any]):
        super().__init__(values)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise ValueError(f'{self.path} is damaged or no checkpoint of training: it has no entry {key}')


def load(path: Path | str) -> Content:
    """Reads a checkpoint: tensors and plain values only; nothing in the file is executed.

    Settings under old names (`config.RENAMED`) are returned under the new ones.

    Raises:
        ValueError: for a file that is damaged, of another format, or whose weights are not all numbers.
    """
    with open(path, 'rb') as file:
        try:
            with zipfile.ZipFile(file) as parts:
                if damaged := parts.testzip():
                    raise zipfile.BadZipFile(f'{damaged} differs from what was written')
            file.seek(0)
            values = torch.load(file, map_location='cpu', weights_only=True)
        except Exception as error:  # zipfile, pickle and torch raise many kinds; torch's message advises to load the file unsafely
            raise ValueError(f'{path} is damaged or no checkpoint') from error
    if not isinstance(values, dict) or values.get('format') != FORMAT:
        raise ValueError(f'{path} is no checkpoint of this project (format {FORMAT}): train again, or use the commit that wrote it')
    for name in {'average', 'network'} & set(values):
        if not all(tensor.isfinite().all() for tensor in values[name].values()):
            raise ValueError(f'{path} has weights that are not numbers: its training had failed; train again with a lower learning rate')
    if isinstance(values.get('config'), dict):
        values['config'] = with_current_names(values['config'])
    return Content(path, values)


def history(content: dict[str, Any], with_teacher: bool = True) -> str:
    """What a checkpoint's weights were trained on: its commit, samples and data, its teacher, and the runs that it began with.

    Args:
        content: a checkpoint's content.
        with_teacher: False leaves the teacher out, where the same run goes on with the same one.
    """
    teacher = content.get('teacher') if with_teacher else None
    own = f'{content["commit"]}, {content["samples"]} samples of {", ".join(content["data"])}'
    taught = f'taught by {teacher["name"]} {teacher["hash"]} ({teacher["trained_on"]})' if teacher else ''
    return '; '.join(filter(None, [own, taught, content.get('started_from')]))


def own_weights(content: Content, say: Callable[[str], None] = print) -> dict[str, Tensor]:
    """The EMA of a checkpoint's weights with the deviations that training gave them.

    The scale of `training.export --calibrate` was measured on this very network, so weights that are made of its weights begin without it.

    Args:
        content: a checkpoint's content.
        say: takes a line of text where there is a scale to undo.
    """
    if not (calibration := content.get('calibration')):
        return content['average']
    say(
        f'{content.path}: the calibration of its standard deviations ({calibration["std_scale"]}) is undone, because it is of '
        'that network alone: export what is made of it with --calibrate'
    )
    return scaled(content['average'], 1 / np.array([float(factor) for factor in calibration['std_scale'].split()]))


def check_margins(contents: Sequence[Content]) -> None:
    """Raises ValueError for checkpoints that were trained on crops of different margins."""
    margins = {content['config'].get('augment', {}).get('margin', Augmentation().margin) for content in contents}
    if len(margins) > 1:
        paths = ', '.join(str(content.path) for content in contents)
        raise ValueError(f'{paths} read crops of the margins {", ".join(f"{m:g}" for m in sorted(margins))}: train them with one')


def data_of(contents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries that say what weights made of several checkpoints learnt from.

    Each dataset is named once, and so is each teacher; the weights are of renders alone, and their deviations measured, only if all are.
    """
    teachers: list[dict[str, str]] = []
    known: set[str] = set()
    for teacher in sorted(filter(None, (content.get('teacher') for content in contents)), key=lambda one: -one['hash'].count(',')):
        if not known.issuperset(hashes := teacher['hash'].split(', ')):
            known.update(hashes)
            teachers.append(teacher)
    return {
        'data_hash': '+'.join(dict.fromkeys(part for content in contents for part in content['data_hash'].split('+'))),
        'data': list(dict.fromkeys(name for content in contents for name in content['data'])),
        'rendered': all(content.get('rendered', True) for content in contents),
        'std_measured': all(content.get('std_measured', True) for content in contents),
        'teacher': {key: ', '.join(t[key] for t in teachers) for key in ('name', 'hash', 'trained_on')} if teachers else None,
    }


def light(content: Content, half: bool = False) -> dict[str, Any]:
    """The entries of a checkpoint that is a third as large: the EMA of the weights, and the run's place in its schedule.

    A run resumes from it with the EMA as its weights and a new state of the optimiser, so not with the same result.

    Args:
        content: a checkpoint's content.
        half: whether to store the weights in half precision.
    """
    kept = {key: content[key] for key in (*WEIGHTS, *CLOCK) if key in content}
    if half:
        kept['average'] = {k: v.half() if v.is_floating_point() else v for k, v in content['average'].items()}
    return {**kept, 'light': True}


def differences(content: dict[str, Any], config: dict[str, Any], data_hashes: Sequence[str]) -> list[str]:
    """Names of the settings that differ from the checkpoint's, and 'data' if it has none of the training data's hashes.

    The arithmetic's precision may differ: it belongs to the machine, and a run may go on on another one.
    """
    other = [name for name, value in config.items() if name != 'precision' and content['config'].get(name) != value]
    return other + (['data'] if content['data_hash'].split('+')[0] not in data_hashes else [])  # those of earlier data follow


def load_trained(path: Path, config: dict[str, Any], data_hashes: Sequence[str]) -> Content:
    """Loads a checkpoint that must come from this configuration (plain values) and from data with one of these hashes.

    Raises:
        ValueError: names the settings that differ.
    """
    content = load(path)
    if other := differences(content, config, data_hashes):
        raise ValueError(f'{path} was trained with other {", ".join(other)}: give another --out, or delete it')
    return content


def network_of(content: Content, ema: bool = True) -> nn.Module:
    """The network of a checkpoint in inference mode: the EMA of its weights, or with `ema=False` the last step's."""
    network = build(content['config']['network'])
    try:
        network.load_state_dict(content['average' if ema else 'network'])
    except RuntimeError as error:
        raise ValueError(f'{content.path} is damaged: its weights are not those of the network that it names') from error
    return network.eval()
