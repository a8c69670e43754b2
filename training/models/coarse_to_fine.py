"""Our coarse-to-fine network: a shared trunk, a classifier of sub-spaces, a regressor per sub-space, and soft gating."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .precision import runs_layers
from .rotations import mixture, rotation_from_columns, rotation_from_ypr, ypr_from_rotation
from .subspaces import SUBSPACES, anchors

STD_RANGE_RAD = (math.radians(0.2), math.radians(60.0))
"""Limits of a regressor's standard deviation, so that one outlier cannot make the likelihood explode."""


class Raw(NamedTuple):
    """Outputs of all regressors, before they are mixed.

    Attributes:
        logits: (B, K) logits of the sub-spaces.
        rotations: (B, K, 3, 3) R_crop_head of every regressor.
        stds: (B, K, 3) rad, standard deviations about the head's axes.
        landmarks: (B, 68, 2) predicted landmarks in the crop, [-1, 1]; None if the network predicts none.
    """

    logits: Tensor
    rotations: Tensor
    stds: Tensor
    landmarks: Tensor | None = None


class Normalise(nn.Module):
    """Normalises uint8 crops to the trunk's input.

    An RGB crop gets zero mean and unit deviation, so that exposure and gain cancel. Depth is scaled to about [-1, 1], and the mask of
    the measured pixels becomes a second channel, because 0 is a hole.
    """

    def __init__(self, modality: str):
        super().__init__()
        if modality not in ('rgb', 'depth'):
            raise ValueError(f"modality {modality!r} is neither 'rgb' nor 'depth'")
        self.modality = modality
        self.channels = 1 if modality == 'rgb' else 2

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 1, S, S) uint8 to (B, channels, S, S) float32."""
        x = crops.float()
        if self.modality == 'depth':
            mask = (x > 0).to(x.dtype)
            return torch.cat([(x - 128) / 64 * mask, mask], 1)
        x = x - x.mean((2, 3), keepdim=True)
        return x / (x.square().mean((2, 3), keepdim=True) + 1.0).sqrt()


class Regressors(nn.Module):
    """K two-layer regressors over one embedding, computed in two matrix products.

    The first layers form one matrix. The second layers are block-diagonal: a (K, hidden, out) parameter for training, which `fuse`
    expands to one dense matrix for export. That costs 0.03 % of the FLOPs and needs no gather in the graph.
    """

    def __init__(self, features: int, count: int, hidden: int, out: int):
        super().__init__()
        self.count, self.out = count, out
        self.first = nn.Linear(features, count * hidden)
        self.weight = nn.Parameter(torch.randn(count, hidden, out) * 0.01)
        self.bias = nn.Parameter(torch.zeros(count, out))
        self.fused: nn.Linear | None = None

    def fuse(self) -> None:
        """Expands the second layers to one matrix; for inference and export only."""
        self.fused = nn.Linear(self.weight.shape[0] * self.weight.shape[1], self.count * self.out)
        with torch.no_grad():
            self.fused.weight.copy_(torch.block_diag(*self.weight).T)
            self.fused.bias.copy_(self.bias.flatten())

    def forward(self, x: Tensor) -> Tensor:
        """(B, features) to (B, K, out)."""
        h = torch.relu(self.first(x))
        if self.fused is not None:
            return self.fused(h).reshape(-1, self.count, self.out)
        return torch.einsum('bkh,kho->bko', h.reshape(len(h), self.count, -1), self.weight) + self.bias


class CoarseToFine(nn.Module):
    """Coarse-to-fine head orientation as a mixture of regressors.

    The classifier gives the mixture weights of the sub-spaces. Each regressor predicts a small rotation from its sub-space's anchor and
    three standard deviations. The output is the rotation nearest to the weighted mean, so it is continuous across borders, and the
    variance of the mixture: the regressors' own variances and their disagreement.

    Args:
        trunk: maps (B, C, S, S) to (B, trunk.channels, S / trunk.stride, S / trunk.stride).
        size: input side in pixels.
        modality: 'rgb' or 'depth'.
        subspaces: a name in `SUBSPACES`.
        gating: 'soft', 'hard' (the most likely regressor alone) or 'single' (one regressor; the classifier does not affect the rotation).
        squeeze: channels of the last 1x1 convolution, whose output is flattened.
        embedding: width of the shared embedding.
        hidden: width of a regressor's hidden layer.
        representation: form of a regressor's rotation: 'columns' (6D, from its anchor) or 'euler' (yaw, pitch, roll, from its anchor's).
        landmarks: whether the embedding also predicts the 68 landmarks. Used in training, and by an ensemble that aligns crops; no
            other exported graph contains them.
    """

    def __init__(
        self,
        trunk: nn.Module,
        size: int,
        modality: str = 'rgb',
        subspaces: str = 'eight',
        gating: str = 'soft',
        squeeze: int = 64,
        embedding: int = 256,
        hidden: int = 64,
        dropout: float = 0.0,
        representation: str = 'columns',
        landmarks: bool = False,
    ):
        super().__init__()
        if size < trunk.stride:
            raise ValueError(f'network.size {size} is less than the stride of its trunk, {trunk.stride} pixels')
        if subspaces not in SUBSPACES:
            raise ValueError(f'subspaces {subspaces!r} is none of {sorted(SUBSPACES)}')
        if gating not in ('soft', 'hard', 'single'):
            raise ValueError(f"gating {gating!r} is none of 'soft', 'hard', 'single'")
        if representation not in ('columns', 'euler'):
            raise ValueError(f"representation {representation!r} is neither 'columns' nor 'euler'")
        self.size, self.modality, self.gating, self.representation = size, modality, gating, representation
        self.cells = SUBSPACES[subspaces]
        self.normalise = Normalise(modality)
        self.trunk = trunk
        side = math.ceil(size / trunk.stride)
        self.squeeze = nn.Sequential(nn.Conv2d(trunk.channels, squeeze, 1, bias=False), nn.BatchNorm2d(squeeze), nn.ReLU(inplace=True))
        self.embed = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(squeeze * side * side, embedding), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(embedding, len(self.cells))
        self.landmarks = nn.Linear(embedding, 2 * 68) if landmarks else None
        count = 1 if gating == 'single' else len(self.cells)
        self.regressors = Regressors(embedding, count, hidden, 9)
        start = anchors(self.cells) if count > 1 else anchors(SUBSPACES['four']).mean(0, keepdim=True).round()
        self.register_buffer('anchors', start, persistent=False)
        with torch.no_grad():
            if representation == 'columns':
                self.regressors.bias[:, 0] = self.regressors.bias[:, 4] = 1.0  # the 6D identity: training begins at the anchors
            else:
                self.regressors.bias[:, :3] = ypr_from_rotation(start)
            self.regressors.bias[:, 6:] = math.log(math.radians(8.0))

    @runs_layers
    def features(self, crops: Tensor) -> Tensor:
        """(B, 1, S, S) uint8 crops to the shared embedding, float32."""
        return self.embed(self.squeeze(self.trunk(self.normalise(crops)))).float()

    def raw(self, crops: Tensor) -> Raw:
        """(B, 1, S, S) uint8 crops to the outputs of all regressors, whose few layers always compute in fp32."""
        features = self.features(crops)
        out = self.regressors(features)
        if self.representation == 'columns':
            rotations = rotation_from_columns(out[..., :6]) @ self.anchors
        else:
            rotations = rotation_from_ypr(out[..., :3])
        low, high = STD_RANGE_RAD
        stds = out[..., 6:].clamp(math.log(low), math.log(high)).exp()
        landmarks = None if self.landmarks is None else self.landmarks(features).reshape(-1, 68, 2)
        return Raw(self.classifier(features), rotations, stds, landmarks)

    def mix(self, raw: Raw) -> tuple[Tensor, Tensor]:
        """Mixes the regressors: one rotation (B, 3, 3) and its standard deviations (B, 3) rad."""
        if self.gating == 'single':
            return raw.rotations[:, 0], raw.stds[:, 0]
        if self.gating == 'hard':
            weights = nn.functional.one_hot(raw.logits.argmax(1), raw.logits.shape[1]).to(raw.stds.dtype)
        else:
            weights = raw.logits.softmax(1)
        return mixture(weights, raw.rotations, raw.stds)

    def category_logits(self, logits: Tensor) -> Tensor:
        """(B, 4) logits of L1..L4: the probabilities of each category's sub-spaces are summed."""
        if logits.shape[1] == 4:
            return logits
        parts = logits.reshape(-1, len(self.cells) // 4, 4)  # cells are listed band by band, each L1..L4
        return torch.logsumexp(parts, 1)

    def with_landmarks(self, crops: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """The model contract's outputs, and (B, 68, 2) landmarks in the crop, [-1, 1] from edge to edge."""
        raw = self.raw(crops)
        if raw.landmarks is None:
            raise ValueError('the network was trained without landmarks (network.landmarks)')
        return self._outputs(raw), raw.landmarks

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The model contract: crops (B, 1, S, S) uint8 to rotation (B, 3, 3), rotation_std_rad (B, 3), category_logits (B, 4)."""
        return self._outputs(self.raw(crops))

    def _outputs(self, raw: Raw) -> tuple[Tensor, Tensor, Tensor]:
        rotation, std = self.mix(raw)
        return rotation, std, self.category_logits(raw.logits)

    def fuse(self) -> None:
        """Prepares the network for export."""
        self.regressors.fuse()
