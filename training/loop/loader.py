"""Data loaders: training batches by step, in the training process or ahead of it in worker processes.

A batch depends on (seed, step, shard) alone, so both loaders return the same batches.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from c2f_head_pose.memory import keep_freed

from ..data.augment import Batch
from ..data.crops import Shuffler
from ..data.modalities import CROP_FUNCTIONS
from .config import RunConfig
from .sources import TrainingCrops, without_landmarks

AHEAD = 4
"""Batches that a worker prepares before it waits."""
_ORPHAN_CHECK_S = 5.0


def keep_freed_memory() -> None:
    """Makes glibc keep large freed blocks; otherwise page faults for every batch's tensors take a third of the step."""
    keep_freed(1 << 30, (1 << 31) - 1)


def step_seed(config: RunConfig, step: int, shard: int) -> int:
    """Seed of augmentation and dropout in one shard of one step."""
    return int(np.random.SeedSequence((config.seed, step, shard)).generate_state(1, np.uint64)[0] >> 1)


class BatchLoader:
    """Loads batches in this process.

    Args:
        data: crops to train on.
        config: the run's configuration.
        device: device on which batches are augmented.
        size: side of the crops, pixels; 0 for the network's.
    """

    def __init__(self, data: TrainingCrops, config: RunConfig, device: torch.device | str = 'cpu', size: int = 0):
        self.data, self.config, self.device, self.size = data, config, device, size or config.size
        self.shuffler = Shuffler(len(data), config.batch, config.seed, data.draw_weights(config.make_focus()))
        self.without_landmarks = without_landmarks(data)
        self.generator = torch.Generator(device)

    def batch(self, step: int, shard: int) -> Batch:
        """One shard of one step's global batch, augmented."""
        each = self.config.batch // self.config.shards
        rows = self.shuffler.rows(step)[shard * each : (shard + 1) * each]
        self.generator.manual_seed(step_seed(self.config, step, shard))
        augment = CROP_FUNCTIONS[self.config.modality].augment
        batch = augment(self.data.gather(rows).to(self.device), self.size, self.config.augmentation(), self.generator)
        if (unknown := self.without_landmarks[rows]).any():
            batch.landmarks[torch.from_numpy(unknown)] = torch.nan
        return batch

    def close(self) -> None:
        """Does nothing: there is no worker to stop."""


class WorkerLoader:
    """Loads the same batches ahead in worker processes, so that a network that trains on the CPU does not wait for them.

    Batches are passed through shared memory with `AHEAD` slots for each worker; a pipe announces each filled slot.

    Args:
        data: crops to train on.
        config: the run's configuration.
        first: first step; steps and their shards must be requested in order.
        shards: shards that this process trains on in every step.
        processes: number of workers; each loads every n-th step.
        size: side of the crops, pixels; 0 for the network's.
    """

    def __init__(self, data: TrainingCrops, config: RunConfig, first: int, shards: Iterable[int], processes: int, size: int = 0):
        context = torch.multiprocessing.get_context('spawn')
        self.first = first
        steps = [range(first + i, config.steps, processes) for i in range(processes)]
        self.workers = [_Worker(context, data, config, own, tuple(shards), size or config.size) for own in steps]

    def batch(self, step: int, shard: int) -> Batch:
        """The next batch, which must be that of the given step and shard.

        Raises:
            ValueError: for a batch out of order.
            RuntimeError: when the worker has died.
        """
        return self.workers[(step - self.first) % len(self.workers)].take(step, shard)

    def close(self) -> None:
        """Stops the workers."""
        for worker in self.workers:
            worker.process.terminate()
            worker.process.join()


class _Worker:
    """One worker process and its slots in shared memory."""

    def __init__(self, context: Any, data: TrainingCrops, config: RunConfig, steps: range, shards: tuple[int, ...], size: int):
        shape = (AHEAD, config.batch // config.shards)
        self.slots = Batch(
            torch.empty(*shape, 1, size, size, dtype=torch.uint8).share_memory_(),
            torch.empty(*shape, 3, 3).share_memory_(),
            torch.empty(*shape, 68, 2).share_memory_(),
        )
        self.free = context.Semaphore(AHEAD)
        self.filled, announce = context.Pipe(duplex=False)
        self.taken = 0
        loader = (data, config, 'cpu', size)
        self.process = context.Process(target=_draw, args=(loader, steps, shards, self.slots, self.free, announce), daemon=True)
        self.process.start()
        announce.close()  # the worker then holds the only end, so its death closes the pipe

    def take(self, step: int, shard: int) -> Batch:
        """A copy of the next batch."""
        try:
            named = self.filled.recv()
        except EOFError:
            raise RuntimeError('a worker that loads training batches died: see what it printed above') from None
        if named != (step, shard):
            raise ValueError(f'batches are loaded in order: {named} comes next, not {(step, shard)}')
        batch = Batch(*(tensor[self.taken % AHEAD].clone() for tensor in vars(self.slots).values()))
        self.taken += 1
        self.free.release()
        return batch


def _draw(arguments: tuple[Any, ...], steps: range, shards: tuple[int, ...], slots: Batch, free: Any, announce: Any) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    loader, drawn = BatchLoader(*arguments), 0
    for step in steps:
        for shard in shards:
            batch = loader.batch(step, shard)
            while not free.acquire(timeout=_ORPHAN_CHECK_S):
                if not multiprocessing.parent_process().is_alive():
                    return  # the parent was killed
            for slot, values in zip(vars(slots).values(), vars(batch).values(), strict=True):
                slot[drawn % AHEAD] = values
            announce.send((step, shard))
            drawn += 1
