"""The paper's network (Wang et al. 2019, sections 3.1 to 3.4). README.md lists what the paper does not specify and our choices."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .googlenet import GoogLeNet
from .precision import runs_layers
from .rotations import rotation_from_ypr

RANGES_DEG = (50.0, 75.0, 20.0)
"""Yaw, pitch, roll: the synthetic data's ranges (sections 3 and 4.1); Biwi's has yaw and pitch the other way round."""
REGRESSION_CHANNELS = 64
HIDDEN = 300
START_STD = 0.01
"""Section 3.2. It suits 25 x 1024 inputs; a narrower trunk needs a larger deviation for outputs of the same strength."""


class PaperInput(nn.Module):
    """uint8 crops to [-1, 1]; depth to [0, 1] (section 4.5)."""

    def __init__(self, modality: str):
        super().__init__()
        self.scale, self.shift = (1 / 127.5, 1.0) if modality == 'rgb' else (1 / 255, 0.0)

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 1, S, S) uint8 to float32."""
        return crops.float() * self.scale - self.shift


def regression_network(
    channels: int, side: int, width: int = REGRESSION_CHANNELS, hidden: int = HIDDEN, dropout: tuple[float, float] = (0.5, 0.5)
) -> nn.Sequential:
    """One sub-space's regression network: three 5x5 convolutions, each with ReLU and 2x2 pooling, two layers of 300, three angles.

    Args:
        channels: channels of the trunk's map.
        side: side of the trunk's map.
        width: channels of its convolutions, which the paper omits.
        hidden: units of both fully connected layers.
        dropout: probability of dropout after the first and the second.
    """
    layers: list[nn.Module] = []
    for i in range(3):
        # ceil_mode matters below 256x256 only, where the map is 1x1 before the third pooling
        layers += [nn.Conv2d(channels if i == 0 else width, width, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2, ceil_mode=True)]
        side = math.ceil(side / 2)
    layers += [
        nn.Flatten(),
        nn.Linear(width * side * side, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout[0]),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout[1]),
        nn.Linear(hidden, 3),
    ]
    return nn.Sequential(*layers)


def _start_convolutions(regressor: nn.Module, std: float) -> None:
    """Draws the initial weights of a regression network's convolutions (section 3.2)."""
    for layer in regressor.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, std)


class PaperNetwork(nn.Module):
    """Coarse-to-fine as published: GoogLeNet, a softmax classifier of four sub-spaces, four regression networks, a cascade.

    Args:
        size: input side; 256 in the paper.
        modality: 'rgb' (gray) or 'depth'.
        norm: normalisation of the trunk: 'batch', 'response' or 'none'.
        width: scales the trunk's channels, for tests.
        channels: channels of the regression networks' convolutions.
        hidden: width of their fully connected layers.
        dropout: dropout of their fully connected layers, and before the classifier.
        imagenet: a torchvision GoogLeNet file that a new run starts the trunk from (`loop.run`); None starts from scratch. The network
            itself does not read it: its checkpoint has the weights.
        start_std: standard deviation of the regression networks' initial convolutions.
    """

    def __init__(
        self,
        size: int = 256,
        modality: str = 'rgb',
        norm: str = 'batch',
        width: float = 1.0,
        channels: int = REGRESSION_CHANNELS,
        hidden: int = HIDDEN,
        dropout: float = 0.5,
        imagenet: str | None = None,
        start_std: float = START_STD,
    ):
        super().__init__()
        if size < GoogLeNet.stride:
            raise ValueError(f'network.size {size} is less than the {GoogLeNet.stride} pixels that GoogLeNet makes one of')
        self.size, self.modality, self.imagenet = size, modality, imagenet
        self.normalise = PaperInput(modality)
        self.trunk = GoogLeNet(norm, width)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(min(dropout, 0.4)), nn.Linear(self.trunk.channels, 4)
        )
        side = math.ceil(size / 32)
        self.regressors = nn.ModuleList(
            regression_network(self.trunk.channels, side, channels, hidden, (dropout, dropout)) for _ in range(4)
        )
        self.register_buffer('ranges_rad', torch.deg2rad(torch.tensor(RANGES_DEG)), persistent=False)
        self.register_buffer('std_rad', torch.full((3,), math.radians(6.0)))
        self.apply(_initialise)
        for regressor in self.regressors:
            _start_convolutions(regressor, start_std)

    @runs_layers
    def features(self, crops: Tensor) -> Tensor:
        """(B, 1, S, S) uint8 to the shared map (B, 1024, S / 32, S / 32)."""
        return self.trunk(self.normalise(crops))

    @runs_layers
    def classify(self, features: Tensor) -> Tensor:
        """(B, 4) logits of L1..L4."""
        return self.classifier(features).float()

    @runs_layers
    def regress(self, features: Tensor) -> Tensor:
        """(B, 4, 3) every sub-space's yaw, pitch, roll as parts of their ranges, 0..1 (the sigmoid before the loss)."""
        return torch.stack([torch.sigmoid(regressor(features).float()) for regressor in self.regressors], 1)

    def normalised(self, ypr_rad: Tensor) -> Tensor:
        """(..., 3) angles as parts of their ranges, 0..1."""
        return (ypr_rad / self.ranges_rad + 1) / 2

    def angles(self, normalised: Tensor) -> Tensor:
        """(..., 3) yaw, pitch, roll in radians: the inverse of `normalised`."""
        return (2 * normalised - 1) * self.ranges_rad

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The cascade with the model contract's outputs, by the regressor of the most likely sub-space.

        All four run and a mask picks one, so the graph has neither a branch nor a gather. The paper states no uncertainty: the
        standard deviations are constants, measured on held-out renders when training ends.
        """
        features = self.features(crops)
        logits = self.classify(features)
        chosen = functional.one_hot(logits.argmax(1), 4).to(logits.dtype)
        ypr = self.angles((chosen[:, :, None] * self.regress(features)).sum(1))
        return rotation_from_ypr(ypr), self.std_rad.expand(ypr.shape), logits

    def fuse(self) -> None:
        """Does nothing: the network needs no preparation for export."""


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
