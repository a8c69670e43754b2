"""Training batches by step: drawn where they are used, or ahead of their use in processes of their own.

A batch follows from (seed, step, shard) alone, so it does not matter who draws it, or when.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from c2f_head_pose.memory import keep_freed

from ..data.augment import Batch
from ..data.crops import Shuffler, SyntheticCrops
from ..data.modalities import CROP_FUNCTIONS
from .config import RunConfig
from .sources import TrainingCrops, without_landmarks

AHEAD = 4
"""Batches that a process draws before it waits."""
_ORPHAN_CHECK_S = 5.0


def keep_freed_memory() -> None:
    """Tells glibc to keep large freed blocks: otherwise every batch's tensors are page-faulted in anew (a third of the step)."""
    keep_freed(1 << 30, (1 << 31) - 1)


def step_seed(config: RunConfig, step: int, shard: int) -> int:
    """What everything random in one shard of one step is seeded with."""
    return int(np.random.SeedSequence((config.seed, step, shard)).generate_state(1, np.uint64)[0] >> 1)


class BatchLoader:
    """Draws batches in this process.

    Args:
        data: crops to train on.
        config: the run's.
        device: where batches are augmented.
    """

    def __init__(self, data: TrainingCrops, config: RunConfig, device: torch.device | str = 'cpu'):
        self.data, self.config, self.device = data, config, device
        focus = config.make_focus()
        if isinstance(data, SyntheticCrops):
            weights = data.draw_weights(focus)
        else:
            weights = None if focus is None else focus.weights(data.R_crop_head)
        self.shuffler = Shuffler(len(data), config.batch, config.seed, weights)
        self.without_landmarks = without_landmarks(data)
        self.generator = torch.Generator(device)

    def batch(self, step: int, shard: int) -> Batch:
        """One shard of one step's global batch, augmented; the same whoever draws it, whenever."""
        each = self.config.batch // self.config.shards
        rows = self.shuffler.rows(step)[shard * each : (shard + 1) * each]
        self.generator.manual_seed(step_seed(self.config, step, shard))
        augment = CROP_FUNCTIONS[self.config.modality].augment
        batch = augment(self.data.gather(rows).to(self.device), self.config.size, self.config.augmentation(), self.generator)
        if (unknown := self.without_landmarks[rows]).any():
            batch.landmarks[torch.from_numpy(unknown)] = torch.nan
        return batch

    def close(self) -> None:
        """Nothing to end here."""


class WorkerLoader:
    """Draws the same batches ahead, in processes of their own: a network that trains on the CPU does not wait for them.

    Batches come through shared memory, `AHEAD` places for each process; a pipe tells which one is filled.

    Args:
        data: crops to train on.
        config: the run's.
        first: step that training begins with; steps and their shards must be asked for in order.
        shards: of every step.
        processes: how many draw, each every n-th step.
    """

    def __init__(self, data: TrainingCrops, config: RunConfig, first: int, shards: Iterable[int], processes: int):
        context = torch.multiprocessing.get_context('spawn')
        self.first = first
        self.workers = [_Worker(context, data, config, range(first + i, config.steps, processes), tuple(shards)) for i in range(processes)]

    def batch(self, step: int, shard: int) -> Batch:
        """The next batch, which must be this one.

        Raises:
            RuntimeError: when the process that draws it has died.
        """
        return self.workers[(step - self.first) % len(self.workers)].take(step, shard)

    def close(self) -> None:
        """Ends the processes."""
        for worker in self.workers:
            worker.process.terminate()
            worker.process.join()


class _Worker:
    """One process that draws ahead, and its places in shared memory."""

    def __init__(self, context: Any, data: TrainingCrops, config: RunConfig, steps: range, shards: tuple[int, ...]):
        shape, size = (AHEAD, config.batch // config.shards), config.size
        self.places = Batch(
            torch.empty(*shape, 1, size, size, dtype=torch.uint8).share_memory_(),
            torch.empty(*shape, 3, 3).share_memory_(),
            torch.empty(*shape, 68, 2).share_memory_(),
        )
        self.free = context.Semaphore(AHEAD)
        self.filled, told = context.Pipe(duplex=False)
        self.taken = 0
        self.process = context.Process(target=_draw, args=(data, config, steps, shards, self.places, self.free, told), daemon=True)
        self.process.start()
        told.close()  # so that the process's death ends the pipe

    def take(self, step: int, shard: int) -> Batch:
        """A copy of the next batch."""
        try:
            named = self.filled.recv()
        except EOFError:
            raise RuntimeError('a process that draws training batches died: what it printed says why') from None
        if named != (step, shard):
            raise ValueError(f'batches are drawn in order: {named} comes next, not {(step, shard)}')
        batch = Batch(*(tensor[self.taken % AHEAD].clone() for tensor in vars(self.places).values()))
        self.taken += 1
        self.free.release()
        return batch


def _draw(data: TrainingCrops, config: RunConfig, steps: range, shards: tuple[int, ...], places: Batch, free: Any, told: Any) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    loader, drawn = BatchLoader(data, config), 0
    for step in steps:
        for shard in shards:
            batch = loader.batch(step, shard)
            while not free.acquire(timeout=_ORPHAN_CHECK_S):
                if not multiprocessing.parent_process().is_alive():
                    return  # it was killed: nobody wants the rest
            for place, values in zip(vars(places).values(), vars(batch).values(), strict=True):
                place[drawn % AHEAD] = values
            told.send((step, shard))
            drawn += 1
