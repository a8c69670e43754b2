"""Baseline networks of the tables: classifiers of Tables 2 and 3, single regressors of Table 4."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .googlenet import GoogLeNet
from .paper_network import REGRESSION_CHANNELS, START_STD, PaperInput, _initialise, _start_convolutions, regression_network
from .precision import runs_layers
from .rotations import category_of, rotation_from_ypr

ANGLES = ('pitch', 'yaw', 'roll')
STRATEGIES = (('pitch', 'yaw', 'roll'), ('pitch', 'yaw'), ('pitch', 'roll'), ('yaw', 'roll'), ('pitch',), ('yaw',), ('roll',))
"""The seven classification strategies of Table 2: categories by the signs of these angles."""


class AlexNet(nn.Module):
    """Krizhevsky et al. 2012 in one tower: five convolutions; `Classifier` has the fully connected layers."""

    def __init__(self, width: float = 1.0):
        super().__init__()
        c = [max(4, round(n * width)) for n in (96, 256, 384, 384, 256)]
        self.layers = nn.Sequential(
            nn.Conv2d(1, c[0], 11, 4, 2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c[0], c[1], 5, padding=2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c[1], c[2], 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c[2], c[3], 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c[3], c[4], 3, padding=1),
            nn.ReLU(inplace=True),
            nn.AdaptiveMaxPool2d(6),
        )
        self.features = c[4] * 36
        self.hidden = max(16, round(4096 * width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, S, S) to (B, C, 6, 6)."""
        return self.layers(x)


class VGG16(nn.Module):
    """Simonyan and Zisserman 2015, configuration D: thirteen 3x3 convolutions."""

    def __init__(self, width: float = 1.0):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for count, out in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
            out = max(4, round(out * width))
            for _ in range(count):
                layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(inplace=True)]
                channels = out
            layers.append(nn.MaxPool2d(2, 2))
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(7))
        self.features = channels * 49
        self.hidden = max(16, round(4096 * width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, S, S) to (B, C, 7, 7)."""
        return self.layers(x)


class _Residual(nn.Module):
    def __init__(self, channels_in: int, inner: int, stride: int):
        super().__init__()
        out = 4 * inner
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.skip = (
            nn.Identity()
            if channels_in == out and stride == 1
            else nn.Sequential(nn.Conv2d(channels_in, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.skip(x))


class ResNet50(nn.Module):
    """He et al. 2016: bottlenecks 3, 4, 6, 3."""

    def __init__(self, width: float = 1.0):
        super().__init__()
        channels = max(4, round(64 * width))
        layers: list[nn.Module] = [
            nn.Conv2d(1, channels, 7, 2, 3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]
        for i, count in enumerate((3, 4, 6, 3)):
            inner = max(4, round(64 * width)) * 2**i
            for k in range(count):
                layers.append(_Residual(channels, inner, 2 if i and k == 0 else 1))
                channels = 4 * inner
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))
        self.features, self.hidden = channels, 0

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, S, S) to (B, C, 1, 1)."""
        return self.layers(x)


class _PooledGoogLeNet(nn.Module):
    def __init__(self, width: float = 1.0):
        super().__init__()
        self.trunk = GoogLeNet('batch', width)
        self.features, self.hidden = self.trunk.channels, 0

    def forward(self, x: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(self.trunk(x), 1)


BACKBONES = {'alexnet': AlexNet, 'vgg': VGG16, 'resnet50': ResNet50, 'googlenet': _PooledGoogLeNet}


def _he(layer: nn.Module) -> None:
    """He et al. 2015. Glorot's weights halve the variance at each ReLU: after VGG's sixteen layers nothing of a crop would be left, and
    its training would stay at chance.
    """
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
        nn.init.zeros_(layer.bias)


class Classifier(nn.Module):
    """A backbone that classifies a pose by the signs of some angles.

    Args:
        backbone: a key of BACKBONES.
        size: input side.
        angles: which signs define the categories; pitch and yaw are the paper's.
        width: factor on the backbone's channels, for tests.
        dropout: probability of dropout before each fully connected layer.
    """

    modality = 'rgb'

    def __init__(
        self,
        backbone: str,
        size: int = 256,
        angles: tuple[str, ...] | list[str] = ('pitch', 'yaw'),
        width: float = 1.0,
        dropout: float = 0.5,
    ):
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f'backbone {backbone!r} is none of {sorted(BACKBONES)}')
        if not angles or set(angles) - set(ANGLES):
            raise ValueError(f'angles {angles!r} are not some of {ANGLES}')
        self.size, self.by = size, tuple(angles)
        self.normalise = PaperInput('rgb')
        self.trunk = BACKBONES[backbone](width)
        features, hidden = self.trunk.features, self.trunk.hidden
        layers: list[nn.Module] = [nn.Flatten()]
        for _ in range(2 if hidden else 0):
            layers += [nn.Dropout(dropout), nn.Linear(features, hidden), nn.ReLU(inplace=True)]
            features = hidden
        self.head = nn.Sequential(*layers, nn.Linear(features, 2 ** len(self.by)))
        self.apply(_he if backbone == 'vgg' else _initialise)

    @runs_layers
    def classify(self, crops: Tensor) -> Tensor:
        """(B, classes) logits."""
        return self.head(self.trunk(self.normalise(crops))).float()

    def target(self, ypr_rad: Tensor, angles: Sequence[str] | None = None) -> Tensor:
        """(B,) int64: the category of (B, 3) yaw, pitch, roll by these angles (None: its own), a bit for the sign of each."""
        column = {'yaw': 0, 'pitch': 1, 'roll': 2}
        return sum(((ypr_rad[:, column[name]] >= 0).long() << i) for i, name in enumerate(angles or self.by))

    def probabilities(self, logits: Tensor, angles: Sequence[str] | None = None) -> Tensor:
        """(B, 2^angles) probabilities of the categories by some of its angles (None: all), summed over the signs of the others.

        Args:
            logits: (B, classes), of `classify`.
            angles: some of its angles, which define the categories as in `target`.
        """
        kept = tuple(angles or self.by)
        own = torch.arange(2 ** len(self.by), device=logits.device)
        place = sum(((own >> self.by.index(name)) & 1) << i for i, name in enumerate(kept))
        return logits.new_zeros(len(logits), 2 ** len(kept)).index_add(1, place, logits.softmax(1))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The model contract's outputs from the category alone: the rotation is the middle of the category, with a wide deviation."""
        logits = self.classify(crops)
        signs = torch.stack([((logits.argmax(1) >> i) & 1) * 2 - 1 for i in range(len(self.by))], 1).float()
        middle = {'yaw': 25.0, 'pitch': 37.0, 'roll': 10.0}
        column = {name: i for i, name in enumerate(self.by)}
        ypr = torch.stack(
            [
                signs[:, column[name]] * math.radians(middle[name]) if name in column else torch.zeros(len(logits), device=logits.device)
                for name in ('yaw', 'pitch', 'roll')
            ],
            1,
        )
        rotation = rotation_from_ypr(ypr)
        return rotation, torch.full_like(ypr, math.radians(20.0)), functional.one_hot(category_of(rotation), 4).float() * 10

    def fuse(self) -> None:
        """Does nothing: the network needs no preparation for export."""


def _liu(width: float) -> tuple[nn.Module, int, int]:
    """In the style of Liu et al. 2016 [15]: three 5x5 convolutions with pooling on 96x96, fully connected layers."""
    c = [max(4, round(n * width)) for n in (32, 64, 128)]
    layers: list[nn.Module] = []
    for a, b in zip((1, *c[:2]), c):
        layers += [nn.Conv2d(a, b, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(6)), c[2] * 36, 96


def _ahn(width: float) -> tuple[nn.Module, int, int]:
    """In the style of Ahn et al. 2014 [16]: a small network on 32x32."""
    c = [max(4, round(n * width)) for n in (16, 32, 64)]
    layers: list[nn.Module] = []
    for a, b in zip((1, *c[:2]), c):
        layers += [nn.Conv2d(a, b, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
    return nn.Sequential(*layers), c[2] * 16, 32


class Regressor(nn.Module):
    """One network for all poses, without a coarse step.

    Args:
        style: 'liu' [15], 'ahn' [16], or 'googlenet' (the paper's trunk with a single one of its regression networks).
        size: input side; 96, 32 or 256.
        width: scales the channels, for tests.
        hidden: units of the fully connected layers.
        dropout: probability of dropout between them.
        channels: channels of the regression network's convolutions; of 'googlenet' alone.
        start_std: standard deviation of their initial weights; of 'googlenet' alone.
        ranges_deg: yaw, pitch, roll, degrees, that the outputs 0..1 span from minus to plus.
    """

    modality = 'rgb'

    def __init__(
        self,
        style: str,
        size: int = 256,
        width: float = 1.0,
        hidden: int = 300,
        dropout: float = 0.5,
        channels: int = REGRESSION_CHANNELS,
        start_std: float = START_STD,
        ranges_deg: Sequence[float] = (100.0, 90.0, 90.0),
    ):
        super().__init__()
        self.normalise = PaperInput('rgb')
        if style == 'googlenet':
            self.size = size
            self.trunk = GoogLeNet('batch', width)
            self.head = regression_network(self.trunk.channels, math.ceil(self.size / 32), channels, hidden, (dropout, dropout))
        elif style in ('liu', 'ahn'):
            self.trunk, features, self.size = (_liu if style == 'liu' else _ahn)(width)
            if size != self.size:
                raise ValueError(f'style {style!r} works on {self.size}x{self.size}, not {size}')
            self.head = nn.Sequential(
                nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(hidden, 3)
            )
        else:
            raise ValueError(f"style {style!r} is none of 'liu', 'ahn', 'googlenet'")
        self.register_buffer('ranges_rad', torch.deg2rad(torch.tensor(ranges_deg)), persistent=False)
        self.register_buffer('std_rad', torch.full((3,), math.radians(8.0)))
        self.apply(_initialise)
        if style == 'googlenet':
            _start_convolutions(self.head, start_std)

    @runs_layers
    def regress(self, crops: Tensor) -> Tensor:
        """(B, 3) yaw, pitch, roll as fractions of their ranges, 0..1."""
        return torch.sigmoid(self.head(self.trunk(self.normalise(crops))).float())

    def normalised(self, ypr_rad: Tensor) -> Tensor:
        """(..., 3) angles as fractions of their ranges, 0..1."""
        return (ypr_rad / self.ranges_rad + 1) / 2

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The model contract's outputs; the category follows from the signs of the angles."""
        ypr = (2 * self.regress(crops) - 1) * self.ranges_rad
        rotation = rotation_from_ypr(ypr)
        return rotation, self.std_rad.expand(ypr.shape), functional.one_hot(category_of(rotation), 4).float() * 10

    def fuse(self) -> None:
        """Does nothing: the network needs no preparation for export."""
