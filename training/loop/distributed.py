"""Data-parallel training over processes that torchrun starts, or in one process.

A global batch is split into `shards`. Each shard has its own seed and batch statistics. Every process computes its share of the
shards, then the gradients are summed, so the step does not depend on the number of processes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from c2f_head_pose.engine import DEVICES


@dataclass(frozen=True)
class DistributedContext:
    """Rank, size and device of a process in its group.

    Attributes:
        rank: number of this process, from 0.
        world_size: number of processes.
        device: this process's device.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes files and prints."""
        return self.rank == 0

    def shards(self, count: int) -> range:
        """The shards of a step that this process computes.

        Raises:
            ValueError: if the number of shards is not a multiple of the number of processes.
        """
        if count % self.world_size:
            raise ValueError(f'{count} shards do not divide among {self.world_size} processes: set `shards` to a multiple')
        each = count // self.world_size
        return range(self.rank * each, (self.rank + 1) * each)


def init_distributed(device: str) -> DistributedContext:
    """Joins the process group that torchrun describes in the environment (NCCL on GPUs, gloo on CPUs); without torchrun, one process.

    Args:
        device: 'auto', 'cpu' or 'cuda'.

    Raises:
        ValueError: for an unknown device, or a GPU that does not exist.
    """
    if device not in DEVICES:
        raise ValueError(f'device {device!r} is none of {", ".join(map(repr, DEVICES))}')
    world_size = int(os.environ.get('WORLD_SIZE', '1'))
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cuda':
        number = int(os.environ.get('LOCAL_RANK', '0'))
        if number >= torch.cuda.device_count():
            raise ValueError(f'device cuda: PyTorch sees {torch.cuda.device_count()} GPUs, process {number} has none; take auto or cpu')
        device = f'cuda:{number}'
        torch.cuda.set_device(device)
    if world_size > 1 and not dist.is_initialized():
        dist.init_process_group('nccl' if device.startswith('cuda') else 'gloo')
    return DistributedContext(dist.get_rank() if world_size > 1 else 0, world_size, torch.device(device))


def barrier(context: DistributedContext) -> None:
    """Blocks until every process has reached this call."""
    if context.world_size > 1:
        dist.barrier()


def shutdown_distributed(context: DistributedContext) -> None:
    """Destroys the process group."""
    if context.world_size > 1:
        dist.destroy_process_group()


def broadcast_weights(network: nn.Module, context: DistributedContext) -> None:
    """Copies the weights of rank 0 to every process."""
    if context.world_size > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)


def all_reduce_gradients(network: nn.Module, context: DistributedContext) -> None:
    """Sums the gradients over all processes in one all-reduce of a flat buffer."""
    if context.world_size == 1:
        return
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in network.parameters()]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    for parameter, part in zip(network.parameters(), flat.split([g.numel() for g in gradients]), strict=True):
        parameter.grad = part.view_as(parameter).clone()


def average_buffers(network: nn.Module, context: DistributedContext) -> None:
    """Averages the batch statistics over all processes."""
    if context.world_size > 1:
        for buffer in network.buffers():
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer /= context.world_size


def broadcast_value(value: float, context: DistributedContext) -> float:
    """The value of rank 0, for decisions by the clock that every process must take alike."""
    if context.world_size == 1:
        return value
    tensor = torch.tensor([value], dtype=torch.float64, device=context.device)
    dist.broadcast(tensor, 0)
    return float(tensor.item())
