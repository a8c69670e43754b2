"""Configuration of a run: a yaml file whose keys, types and ranges are all checked when it is read."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import yaml

from ..data.augment import Augmentation
from ..data.crops import Focus
from ..data.photometric import PhotometricAugmentation
from ..models.factory import check_settings
from ..models.settings import check_ranges, checked
from .loss_settings import loss_settings
from .schedule import Schedule

RENAMED = {
    ('optimiser', 'rate'): 'lr',
    ('optimiser', 'decay'): 'weight_decay',
    ('schedule', 'peak'): 'peak_lr',
    ('augment', 'picture'): 'photometric',
    ('network', 'handover'): 'gating',
}
"""Settings that have a new name. Files and checkpoints written before still use the old one."""
CONFIGS = Path(__file__).parents[1] / 'configs'
NETWORKS_OF_LOSSES = {'coarse_to_fine': 'coarse_to_fine', 'paper': 'paper', 'classifier': 'classifier', 'angles': 'regressor'}
"""How the kinds of network that each loss trains begin."""
OPTIMISERS = {'adamw': {'lr', 'weight_decay'}, 'sgd': {'lr', 'weight_decay', 'momentum'}}
"""Settings of each kind of optimiser."""
RANGES = {
    **dict.fromkeys(('batch', 'shards', 'steps', 'validate_every', 'validate_on', 'log_every'), (1, inf)),
    **dict.fromkeys(('seed', 'clip', 'save_every_s'), (0, inf)),
    'ema': (0, 1),
}


@dataclass(frozen=True)
class RunConfig:
    """One experiment.

    Attributes:
        name: the model's name.
        network: `kind` and its settings, for `models.factory.build`.
        loss: `kind` and its settings, for `loss_settings.loss_settings`.
        augment: changes to `Augmentation`, and under `photometric` to `PhotometricAugmentation`; `photometric: null` disables it.
        optimiser: kind adamw or sgd, lr (the peak learning rate), weight_decay, momentum (sgd).
        schedule: `Schedule`'s settings except peak_lr and steps.
        modality: 'rgb' or 'depth'.
        batch: samples per step, over all processes.
        shards: parts of a batch, each with its own batch statistics; a multiple of the number of processes.
        steps: planned optimiser steps.
        seed: seed of initialisation, order, augmentation and dropout.
        precision: of the layers: 'bf16' (autocast), 'fp32', or 'auto': bf16 on a GPU or CPU with instructions for it, else fp32.
        ema: decay of the exponential moving average of the weights.
        clip: largest norm of the gradient; 0 disables clipping.
        pose_limits_deg: yaw, pitch, roll beyond which samples are excluded, or null.
        focus: `Focus`'s settings (sampling weights by pose), or null for uniform sampling.
        validate_every: steps between validations.
        validate_on: number of held-out samples.
        log_every: steps between rows of the log.
        save_every_s: seconds between checkpoints.
    """

    name: str
    network: dict[str, Any]
    loss: dict[str, Any]
    augment: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=lambda: {'kind': 'adamw', 'lr': 2e-3, 'weight_decay': 0.05})
    schedule: dict[str, Any] = field(default_factory=lambda: {'kind': 'cooldown', 'warmup': 200})
    modality: str = 'rgb'
    batch: int = 128
    shards: int = 1
    steps: int = 10000
    seed: int = 0
    precision: str = 'auto'
    ema: float = 0.999
    clip: float = 1.0
    pose_limits_deg: tuple[float, float, float] | None = None
    focus: dict[str, float] | None = None
    validate_every: int = 500
    validate_on: int = 1024
    log_every: int = 50
    save_every_s: float = 120.0

    def __post_init__(self):
        check_ranges(self, RANGES)
        if self.batch % self.shards:
            raise ValueError(f'batch {self.batch} does not divide into {self.shards} shards')
        if self.precision not in ('auto', 'bf16', 'fp32'):
            raise ValueError(f"precision {self.precision!r} is none of 'auto', 'bf16' and 'fp32'")
        kind = self.optimiser.get('kind')
        if kind not in OPTIMISERS:
            raise ValueError(f"optimiser kind {kind!r} is neither 'adamw' nor 'sgd'")
        if wrong := sorted(OPTIMISERS[kind] ^ set(self.optimiser) - {'kind'}):
            raise ValueError(f'optimiser {kind!r} takes {", ".join(sorted(OPTIMISERS[kind]))}: {", ".join(wrong)} is missing or unknown')
        for name, value in self.optimiser.items():
            if name != 'kind' and not (isinstance(value, (int, float)) and 0 <= value < inf):
                raise ValueError(f'optimiser.{name} {value!r} is not a number of at least 0')
        if self.modality not in ('rgb', 'depth'):
            raise ValueError(f"modality {self.modality!r} is neither 'rgb' nor 'depth'")
        if not isinstance(self.network.get('size'), int):
            raise ValueError('network needs a size, pixels')
        check_settings(self.network)
        check_ranges(self, {'size': (8, inf)}, 'network.')
        loss_settings(self.loss)
        kind, loss = self.network['kind'], self.loss['kind']
        if kind not in ('ensemble', 'symmetric') and not kind.startswith(NETWORKS_OF_LOSSES[loss]):
            raise ValueError(f'loss {loss!r} does not train a network of kind {kind!r}: set loss.kind and network.kind together')
        if self.augmentation().aligned_margin is not None and self.modality == 'depth':
            raise ValueError('augment.aligned_margin is for crops of pictures: holes in depth do not turn as pictures do')
        self.make_focus()
        self.make_schedule()

    @property
    def size(self) -> int:
        """Side of the network's input, pixels."""
        return int(self.network['size'])

    def augmentation(self) -> Augmentation:
        """The augmentation of training crops."""
        settings = dict(self.augment)
        photometric = settings.pop('photometric', {})
        if photometric is not None:
            photometric = PhotometricAugmentation(**checked(photometric, 'augment.photometric', PhotometricAugmentation))
        return Augmentation(**checked(settings, 'augment', Augmentation), photometric=photometric)

    def make_focus(self) -> Focus | None:
        """The sampling weights by pose, or None for uniform sampling."""
        if self.focus is None:
            return None
        return Focus(**{'upright': self.augmentation().roll_of == 'upright', **checked(self.focus, 'focus', Focus)})

    def make_schedule(self) -> Schedule:
        """The learning-rate schedule."""
        if extra := sorted({'steps', 'decay_from', 'decay_steps', 'decay_level'} & set(self.schedule)):
            raise ValueError(f'schedule.{extra[0]} is no setting: set steps')
        return Schedule(**checked({'peak_lr': self.optimiser['lr'], 'steps': self.steps, **self.schedule}, 'schedule', Schedule))

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values, the form that checkpoints store."""
        return asdict(self)


def with_current_names(values: dict[str, Any], source: str | None = None) -> dict[str, Any]:
    """The settings with those under an old name of `RENAMED` under the new one.

    Args:
        values: settings as read from a file, an option or a checkpoint.
        source: name of the source in the deprecation line printed for each; None prints nothing.

    Raises:
        ValueError: for a setting that is given under both names.
    """
    out = dict(values)
    for (part, old), new in RENAMED.items():
        settings = out.get(part)
        if not isinstance(settings, dict) or old not in settings:
            continue
        if new in settings:
            raise ValueError(f'{source or "configuration"} has both {part}.{old} and {part}.{new}: remove {old}, the old name of {new}')
        out[part] = {new if key == old else key: value for key, value in settings.items()}
        if source is not None:
            print(f'{source}: {part}.{old} is deprecated: name it {new}', file=sys.stderr)
    return out


class _YamlLoader(yaml.SafeLoader):
    """Reads 1e-3 as a number, as YAML 1.2 does; YAML 1.1 takes it for text."""


_YamlLoader.add_implicit_resolver('tag:yaml.org,2002:float', re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$'), list('-+.0123456789'))


def read_yaml(text: str, source: str) -> Any:
    """Parses yaml.

    Args:
        text: the text to parse.
        source: named in the error.

    Raises:
        ValueError: for text that is no yaml.
    """
    try:
        return _YamlLoader(text).get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(f'{source} is no yaml: {getattr(error, "problem", error)}') from error


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a yaml file, merged over those of the file that its `base` names."""
    values = read_yaml(path.read_text(), str(path))
    if not isinstance(values, dict):
        raise ValueError(f'{path} is no configuration: it has no line of the form KEY: VALUE')
    values = with_current_names(values, str(path))
    return merge(read_settings(path.parent / f'{values.pop("base")}.yaml'), values) if 'base' in values else values


def read_config(name: str | Path, changes: list[str] | None = None) -> RunConfig:
    """Reads and checks a configuration.

    Args:
        name: a path to a .yaml file, or a name in training/configs such as 'edge'.
        changes: 'key=value' or 'part.key=value', the value as yaml.

    Raises:
        ValueError: for a missing file, an unknown key or a bad value, naming it.
    """
    path = Path(name) if Path(name).suffix == '.yaml' else CONFIGS / f'{name}.yaml'
    if not path.exists():
        raise ValueError(f'no configuration {path}: there are {sorted(p.stem for p in CONFIGS.glob("*.yaml"))}')
    values = read_settings(path)
    for change in changes or []:
        key, sign, text = change.partition('=')
        if not sign:
            raise ValueError(f'{change!r} is not KEY=VALUE')
        value = read_yaml(text, change)
        for part in reversed(key.split('.')):
            value = {part: value}
        values = merge(values, with_current_names(value, '--set'))
    return config_of(values, str(path))


def config_of(values: dict[str, Any], source: str = 'configuration') -> RunConfig:
    """Checks plain values and returns the configuration."""
    try:
        values = dict(checked(values, '', RunConfig))
        if values.get('pose_limits_deg') is not None:
            values['pose_limits_deg'] = tuple(values['pose_limits_deg'])
        return RunConfig(**values)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Merges changes into the base: nested settings key by key, except where `kind` changes, which replaces the whole part."""
    out = dict(base)
    for key, value in changes.items():
        old = out.get(key)
        same_kind = isinstance(old, dict) and isinstance(value, dict) and value.get('kind', old.get('kind')) == old.get('kind')
        out[key] = merge(old, value) if same_kind else value
    return out
