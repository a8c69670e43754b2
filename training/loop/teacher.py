"""Distillation: a trained network estimates the pose on the very crops that another network trains on."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.fx.proxy import TraceError

from ..data.augment import shrink
from ..models.symmetric import Symmetric
from . import checkpoint
from .config import RunConfig


class Targets(NamedTuple):
    """A teacher's estimates.

    Attributes:
        rotation: (B, 3, 3) R_crop_head.
        std: (B, 3) rad.
        logits: (B, 4) logits of the categories.
    """

    rotation: Tensor
    std: Tensor
    logits: Tensor


class Teacher:
    """A trained network that gives targets.

    Args:
        path: checkpoint of the teacher; the EMA of its weights is used.
        config: configuration of the run that it teaches.
        device: device that it runs on.

    Raises:
        ValueError: if the teacher's modality or its crops' margin differ from the run's, or for depth the size of its crops; for a run, or
            a teacher, on aligned crops.
    """

    def __init__(self, path: Path, config: RunConfig, device: torch.device | str):
        content = checkpoint.load(path)
        network = checkpoint.network_of(content).requires_grad_(False)
        self.size, self.modality = int(network.size), str(network.modality)
        if self.modality != config.modality:
            raise ValueError(f'{path} reads {self.modality} crops, the network to train {config.modality}: give another --teacher')
        if config.modality == 'depth' and self.size != config.size:
            raise ValueError(
                f'{path} reads depth crops of {self.size} pixels, the network to train {config.size}: holes in depth do not shrink as '
                'pictures do, so give a teacher of the same size'
            )
        student = checkpoint.Content(f'the network to train, {config.name},', {'config': config.as_dict()})
        checkpoint.check_margins((content, student))
        if any(one['config'].get('augment', {}).get('aligned_margin') is not None for one in (content, student)):
            raise ValueError(f'{path} can teach only where both networks read crops as they are, not aligned ones (augment.aligned_margin)')
        self.rendered: bool = content.get('rendered', True)
        self.provenance = {'name': path.name, 'hash': weights_hash(content['average']), 'trained_on': checkpoint.history(content)}
        if hasattr(network, 'trunk'):
            with suppress(TraceError):  # the convolutions then keep their batch normalisation: slower, the same function
                network.trunk = fuse(network.trunk)
        self.network: nn.Module = network.eval().to(device, memory_format=torch.channels_last)
        self.symmetric = Symmetric(self.network).to(device)

    @torch.no_grad()
    def targets(self, crops: Tensor, mirror: bool = True) -> Targets:
        """The estimates for crops.

        Args:
            crops: (B, 1, S, S) uint8, at least as large as the teacher's own; larger ones are reduced.
            mirror: whether to average over each crop and its mirror image (`models.symmetric`), at twice the arithmetic.
        """
        small = shrink(crops, self.size).contiguous(memory_format=torch.channels_last)
        return Targets(*(output.float() for output in (self.symmetric if mirror else self.network)(small)))


def weights_hash(weights: dict[str, Tensor]) -> str:
    """16 hex digits of a hash over a network's weights; it does not depend on the file that contains them."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
