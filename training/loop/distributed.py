"""One process or many: what data-parallel training needs, started by torchrun or not at all.

A global batch is cut into `shards`, each drawn, augmented and normalised by itself with its own seed. A process works
through its share of them and the gradients are summed, so one process and many take the same step.
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
    """Which of how many processes this is, and its device."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def shards(self, count: int) -> range:
        """Which shards of a step are done by this process.

        Raises:
            ValueError: if the shards do not divide among the processes.
        """
        if count % self.world_size:
            raise ValueError(f'{count} shards do not divide among {self.world_size} processes: set `shards` to a multiple')
        each = count // self.world_size
        return range(self.rank * each, (self.rank + 1) * each)


def init_distributed(device: str) -> DistributedContext:
    """Joins the process group that torchrun describes in the environment (NCCL on GPUs, gloo on CPUs), or stands alone.

    Args:
        device: 'auto', 'cpu' or 'cuda'.

    Raises:
        ValueError: for another device, or a GPU that is not there.
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
    """Waits until every process has come so far."""
    if context.world_size > 1:
        dist.barrier()


def shutdown_distributed(context: DistributedContext) -> None:
    """Leaves the process group."""
    if context.world_size > 1:
        dist.destroy_process_group()


def broadcast_weights(network: nn.Module, context: DistributedContext) -> None:
    """Gives every process the first one's weights."""
    if context.world_size > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)


def all_reduce_gradients(network: nn.Module, context: DistributedContext) -> None:
    """Sums the gradients over all processes, in one flat buffer."""
    if context.world_size == 1:
        return
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in network.parameters()]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    for parameter, part in zip(network.parameters(), flat.split([g.numel() for g in gradients]), strict=True):
        parameter.grad = part.view_as(parameter).clone()


def average_buffers(network: nn.Module, context: DistributedContext) -> None:
    """Averages batch statistics over all processes."""
    if context.world_size > 1:
        for buffer in network.buffers():
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer /= context.world_size


def broadcast_value(value: float, context: DistributedContext) -> float:
    """The first process's value in all of them, so that clocks cannot part them."""
    if context.world_size == 1:
        return value
    tensor = torch.tensor([value], dtype=torch.float64, device=context.device)
    dist.broadcast(tensor, 0)
    return float(tensor.item())
