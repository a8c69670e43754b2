"""Trains a network unless its checkpoint exists, so that a study which is started again does not repeat its trainings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..data.crops import SyntheticCrops
from ..models import face_mesh, googlenet
from . import checkpoint
from .config import RunConfig
from .distributed import init_distributed, shutdown_distributed
from .run import Run
from .sources import TrainingCrops
from .teacher import weights_hash


@dataclass(frozen=True)
class Way:
    """Settings with which a training of a study is run.

    Attributes:
        device: 'auto', 'cpu' or 'cuda'.
        workers: processes that load batches ahead, for training on a CPU.
        minutes: time budget; None for the configured steps.
        keep_at: steps after which the checkpoint is also kept.
        start: checkpoint to begin with.
        teacher: checkpoint whose estimates are further targets.
    """

    device: str = 'auto'
    workers: int = 0
    minutes: float | None = None
    keep_at: tuple[int, ...] = ()
    start: Path | None = None
    teacher: Path | None = None


def beginning(start: Path | None, config: RunConfig) -> str:
    """What a checkpoint that begins with these weights states about them; '' for random ones."""
    if start is None:
        imagenet = config.network.get('imagenet')
        return googlenet.provenance(imagenet) if imagenet else ''
    return face_mesh.provenance(start) if start.suffix == face_mesh.SUFFIX else checkpoint.history(checkpoint.load(start))


def trained(
    config: RunConfig, train_set: TrainingCrops, out: Path, way: Way = Way(), val_set: SyntheticCrops | None = None
) -> checkpoint.Content:
    """Returns the last checkpoint of a run, and trains it first, or to its end, if there is none.

    Args:
        config: the run's configuration.
        train_set: crops to train on.
        out: the run's folder.
        way: settings of the training.
        val_set: held-out crops, or None.

    Raises:
        ValueError: if the checkpoint there was trained with other settings, data, another start or another teacher.
        InterruptedError: where the training is stopped by SIGTERM.
    """
    final = out / 'final.pt'
    if not final.exists():
        context = init_distributed(way.device)
        run = Run(config, train_set, val_set, out, context, way.minutes, way.start, way.workers, way.keep_at, way.teacher)
        try:
            run.go()
        finally:
            run.loader.close()
            shutdown_distributed(context)
        if not final.exists():
            raise InterruptedError(f'the training in {out} was stopped: the same command resumes it')
    content = checkpoint.load_trained(final, config.as_dict(), train_set.hashes)
    began = beginning(way.start, config)
    taught = '' if way.teacher is None else weights_hash(checkpoint.load(way.teacher)['average'])
    stated = content.get('started_from', '')
    went_on = '+' in content['data_hash'] and stated.endswith(began)  # with other data, as made again elsewhere, which come first
    other = [] if stated == began or went_on else ['weights to begin with']
    other += [] if (content.get('teacher') or {'hash': ''})['hash'] == taught else ['teacher']
    if other:
        raise ValueError(f'{final} was trained with other {", ".join(other)}: give another --out, or delete it')
    return content
