"""Configuration of a run: a yaml file, checked whole when it is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from .augment import Augmentation
from .batches import Focus
from .picture import Picture
from .schedule import Schedule

CONFIGS = Path(__file__).parent / 'configs'
OPTIMISERS = {'adamw': {'rate', 'decay'}, 'sgd': {'rate', 'decay', 'momentum'}}
"""Settings of each kind."""


@dataclass(frozen=True)
class RunConfig:
    """One experiment.

    Attributes:
        name: of the model.
        network: `kind` and its settings, for `models.build`.
        loss: `kind` and its settings, for `losses.make_loss`.
        augment: changes to `Augmentation`, and under `picture` to `Picture`; `picture: null` leaves pictures clean.
        optimiser: kind adamw or sgd, rate, decay, momentum (sgd).
        schedule: `Schedule`'s settings except peak and steps.
        modality: 'rgb' or 'depth'.
        batch: samples per step, over all processes.
        shards: parts of a batch, each normalised by itself; a multiple of the processes.
        steps: planned optimiser steps.
        seed: of everything.
        precision: 'bf16' (autocast) or 'fp32'.
        ema: decay of the moving average.
        clip: largest norm of the gradient, 0 for none.
        pose_limits_deg: yaw, pitch, roll beyond which samples are left out, or null.
        focus: `Focus`'s settings, or null to draw every rendered pose alike.
        validate_every: steps.
        validate_on: held-out samples.
        log_every: steps.
        save_every_s: seconds between checkpoints.
    """

    name: str
    network: dict[str, Any]
    loss: dict[str, Any]
    augment: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=lambda: {'kind': 'adamw', 'rate': 2e-3, 'decay': 0.05})
    schedule: dict[str, Any] = field(default_factory=lambda: {'kind': 'cooldown', 'warmup': 200})
    modality: str = 'rgb'
    batch: int = 128
    shards: int = 1
    steps: int = 10000
    seed: int = 0
    precision: str = 'bf16'
    ema: float = 0.999
    clip: float = 1.0
    pose_limits_deg: tuple[float, float, float] | None = None
    focus: dict[str, float] | None = None
    validate_every: int = 500
    validate_on: int = 1024
    log_every: int = 50
    save_every_s: float = 120.0

    def __post_init__(self):
        for name in ('batch', 'shards', 'steps'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} {getattr(self, name)} is not at least 1')
        if self.batch % self.shards:
            raise ValueError(f'batch {self.batch} does not divide into {self.shards} shards')
        if self.precision not in ('bf16', 'fp32'):
            raise ValueError(f"precision {self.precision!r} is neither 'bf16' nor 'fp32'")
        kind = self.optimiser.get('kind')
        if kind not in OPTIMISERS:
            raise ValueError(f"optimiser kind {kind!r} is neither 'adamw' nor 'sgd'")
        if wrong := sorted(OPTIMISERS[kind] ^ set(self.optimiser) - {'kind'}):
            raise ValueError(f'optimiser {kind!r} takes {", ".join(sorted(OPTIMISERS[kind]))}: {", ".join(wrong)} is missing or too much')
        if self.modality not in ('rgb', 'depth'):
            raise ValueError(f"modality {self.modality!r} is neither 'rgb' nor 'depth'")
        if not isinstance(self.network.get('size'), int):
            raise ValueError('network needs a size, pixels')
        self.augmentation()
        self.make_focus()
        self.make_schedule()

    @property
    def size(self) -> int:
        """Side of the network's input, pixels."""
        return int(self.network['size'])

    def augmentation(self) -> Augmentation:
        """How training crops vary."""
        settings = dict(self.augment)
        picture = settings.pop('picture', {})
        return Augmentation(**settings, picture=None if picture is None else Picture(**picture))

    def make_focus(self) -> Focus | None:
        """Which poses are drawn more often."""
        return None if self.focus is None else Focus(**self.focus)

    def make_schedule(self) -> Schedule:
        """The learning rate of every step."""
        return Schedule(peak=self.optimiser['rate'], steps=self.steps, **self.schedule)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as stored in a checkpoint."""
        return asdict(self)


def read_config(name: str | Path, changes: list[str] | None = None) -> RunConfig:
    """A configuration by file or by name in training/configs.

    Args:
        name: a path, or a name such as 'edge'.
        changes: 'key=value' or 'part.key=value', the value as yaml.

    Raises:
        ValueError: for a missing file, an unknown key or a bad value, naming it.
    """
    path = Path(name) if Path(name).suffix == '.yaml' else CONFIGS / f'{name}.yaml'
    if not path.exists():
        raise ValueError(f'no configuration {path}: there are {sorted(p.stem for p in CONFIGS.glob("*.yaml"))}')
    values = yaml.safe_load(path.read_text())
    if 'base' in values:
        values = merge(yaml.safe_load((path.parent / f'{values.pop("base")}.yaml').read_text()), values)
    for change in changes or []:
        key, sign, text = change.partition('=')
        if not sign:
            raise ValueError(f'{change!r} is not KEY=VALUE')
        for part in reversed(key.split('.')):
            text = {part: yaml.safe_load(text) if isinstance(text, str) else text}
        values = merge(values, text)
    return config_of(values, str(path))


def config_of(values: dict[str, Any], source: str = 'configuration') -> RunConfig:
    """A checked configuration of plain values."""
    unknown = sorted(set(values) - {f.name for f in fields(RunConfig)})
    if unknown:
        raise ValueError(f'{source}: unknown {", ".join(unknown)}')
    values = dict(values)
    if values.get('pose_limits_deg') is not None:
        values['pose_limits_deg'] = tuple(values['pose_limits_deg'])
    try:
        return RunConfig(**values)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f'{source}: {error}') from error


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with changes put over it; parts are merged key by key, unless they change their `kind`."""
    out = dict(base)
    for key, value in changes.items():
        old = out.get(key)
        same_kind = isinstance(old, dict) and isinstance(value, dict) and value.get('kind', old.get('kind')) == old.get('kind')
        out[key] = merge(old, value) if same_kind else value
    return out
