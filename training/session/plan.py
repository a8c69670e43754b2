"""What a session does: the report on TensorRT, the models, the tables' rows, and the data that they need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from c2f_head_pose.models.registry import FOR_TENSORRT

from ..paper.experiments import of_table

CHECKPOINTS = Path(__file__).parents[1] / 'checkpoints'


@dataclass(frozen=True)
class Part:
    """A part of a preset's renders: shards `number`, `number` + `of`, ...

    Attributes:
        preset: preset of `training.render`.
        number: the part's number, from 0.
        of: number of parts.
    """

    preset: str
    number: int = 0
    of: int = 1


@dataclass(frozen=True)
class Training:
    """A model to train.

    Attributes:
        name: name of the model and of its run's folder.
        config: name of the configuration.
        presets: presets of the renders to train on; the first part of the first one is needed to begin.
        share: share of the time of all trainings.
        portraits: whether half of the samples are turned portraits, once there are any.
        start: checkpoint to begin with.
        settings: changes to the configuration.
    """

    name: str
    config: str
    presets: tuple[str, ...]
    share: float
    portraits: bool = False
    start: Path | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The work of a session, in the order of its worth.

    Attributes:
        reports: shipped models to measure on TensorRT.
        report_options: options of `training.exporting.gpu_report`.
        trainings: models to train.
        table_rows: rows of Table 2.
        counts: samples of each preset.
        shard_size: samples of a shard; a stopped renderer loses the shards that it has begun.
        order: the parts of the renders, in the order in which trainings need them.
        portraits: turned pictures of each portrait; 0 for none.
        first_part_minutes: length of a training's first part, after which it reads the data that are new by then.
        needs_gpu: whether trainings wait for a machine with a GPU.
    """

    reports: tuple[str, ...]
    report_options: tuple[str, ...]
    trainings: tuple[Training, ...]
    table_rows: tuple[str, ...]
    counts: dict[str, int]
    shard_size: int
    order: tuple[Part, ...]
    portraits: int
    first_part_minutes: float
    needs_gpu: bool = True


FULL = Plan(
    reports=FOR_TENSORRT,
    report_options=('--no-torch', '--seconds', '0.3'),
    trainings=(
        Training('c2f', 'edge_128_gpu', ('wide', 'scans'), 0.5, True, CHECKPOINTS / 'c2f.pt'),
        Training('c2f_paper', 'paper', ('paper',), 0.5, settings=('save_every_s=60',)),
    ),
    table_rows=tuple(row.row for row in of_table(2)),
    counts={'wide': 40_000, 'scans': 10_000, 'paper': 310_000},
    shard_size=250,
    order=(Part('wide', 0, 4), Part('scans'), *(Part('wide', i, 4) for i in (1, 2, 3)), *(Part('paper', i, 16) for i in range(16))),
    portraits=16,
    first_part_minutes=1.0,
)
_TINY = ('batch=8', 'precision=fp32', 'validate_on=8', 'log_every=2', 'save_every_s=1', 'schedule.warmup=2')
TINY = Plan(
    reports=('c2f_edge',),
    report_options=('--no-torch',),
    trainings=(
        Training('c2f', 'edge_128', ('wide',), 0.5, True, CHECKPOINTS / 'c2f.pt', (*_TINY, 'steps=24')),
        Training(
            'c2f_paper',
            'paper',
            ('paper',),
            0.5,
            settings=(*_TINY, 'steps=4', 'network.width=0.0625', 'network.size=64', 'network.channels=4', 'network.hidden=8'),
        ),
    ),
    table_rows=(),
    counts={'wide': 12, 'paper': 8},
    shard_size=6,
    order=(Part('wide', 0, 2), Part('paper'), Part('wide', 1, 2)),
    portraits=1,
    first_part_minutes=0.1,
    needs_gpu=False,
)
"""Only tests the code: a handful of renders, a few steps, on any machine."""
