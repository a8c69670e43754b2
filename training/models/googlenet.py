"""GoogLeNet up to inception 5b (Szegedy et al. 2015, Table 1): the paper's shared trunk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

# 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection: Szegedy et al. 2015, Table 1
INCEPTIONS = {
    '3a': (64, 96, 128, 16, 32, 32),
    '3b': (128, 128, 192, 32, 96, 64),
    '4a': (192, 96, 208, 16, 48, 64),
    '4b': (160, 112, 224, 24, 64, 64),
    '4c': (128, 128, 256, 24, 64, 64),
    '4d': (112, 144, 288, 32, 64, 64),
    '4e': (256, 160, 320, 32, 128, 128),
    '5a': (256, 160, 320, 32, 128, 128),
    '5b': (384, 192, 384, 48, 128, 128),
}
NORMS = ('batch', 'response', 'none')


class Convolution(nn.Module):
    """Convolution, normalisation if any, ReLU; padded to keep the size at stride 1."""

    def __init__(self, channels_in: int, channels_out: int, size: int, stride: int = 1, batch_norm: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(channels_out, eps=1e-3) if batch_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        return functional.relu(self.norm(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Four parallel branches whose outputs are concatenated by channel."""

    def __init__(self, channels_in: int, widths: tuple[int, ...], batch_norm: bool):
        super().__init__()
        one, reduce3, three, reduce5, five, pool = widths
        self.one = Convolution(channels_in, one, 1, batch_norm=batch_norm)
        self.three = nn.Sequential(
            Convolution(channels_in, reduce3, 1, batch_norm=batch_norm), Convolution(reduce3, three, 3, batch_norm=batch_norm)
        )
        self.five = nn.Sequential(
            Convolution(channels_in, reduce5, 1, batch_norm=batch_norm), Convolution(reduce5, five, 5, batch_norm=batch_norm)
        )
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), Convolution(channels_in, pool, 1, batch_norm=batch_norm))
        self.channels = one + three + five + pool

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, channels, H, W)."""
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)


class GoogLeNet(nn.Module):
    """57 convolutions, 21 deep: 3 of the stem and 9 inception modules of depth 2. 256x256 becomes 8x8x1024.

    Args:
        norm: 'batch' after every convolution; 'response' as published in 2015 (local response normalisation, biases); 'none'.
        width: scales every channel count, for tests; 1 is the paper's.
        channels_in: 1 for gray.
    """

    stride = 32

    def __init__(self, norm: str = 'batch', width: float = 1.0, channels_in: int = 1):
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f'norm {norm!r} is none of {NORMS}')
        batch = norm == 'batch'

        def scaled(count: int) -> int:
            return count if width == 1 else max(4, round(count * width))

        def halve() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        def respond() -> nn.Module:
            return nn.LocalResponseNorm(5, 1e-4, 0.75) if norm == 'response' else nn.Identity()

        self.conv1 = Convolution(channels_in, scaled(64), 7, 2, batch)
        self.conv2_reduce = Convolution(scaled(64), scaled(64), 1, batch_norm=batch)
        self.conv2 = Convolution(scaled(64), scaled(192), 3, batch_norm=batch)
        self.halve, self.respond = halve(), respond()
        channels = scaled(192)
        self.inceptions = nn.ModuleDict()
        for name, widths in INCEPTIONS.items():
            self.inceptions[name] = Inception(channels, tuple(scaled(w) for w in widths), batch)
            channels = self.inceptions[name].channels
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, S, S) to (B, channels, S / 32, S / 32)."""
        x = self.respond(self.halve(self.conv1(x)))
        x = self.halve(self.respond(self.conv2(self.conv2_reduce(x))))
        for name, inception in self.inceptions.items():
            x = inception(self.halve(x) if name in ('4a', '5a') else x)
        return x


def load_imagenet(trunk: GoogLeNet, path: str | Path) -> None:
    """Loads ImageNet weights in torchvision's layout (a state dict, `googlenet-*.pth`) into a batch-normalised trunk.

    Two differences are converted so that each convolution's output for a gray picture stays the same: the red, green and blue filters are
    summed, and the 3x3 filters that torchvision has in place of 5x5 (for compatibility) get a ring of zeros. A third one stays: before
    inception 5a the trunk takes maxima over 3x3 as published in 2015, torchvision over 2x2, so 5a and 5b see somewhat larger values.

    Raises:
        ValueError: for a file of another layout, or a trunk without batch normalisation or of another width.
    """
    theirs = torch.load(path, map_location='cpu', weights_only=True)
    names = {'conv1': 'conv1', 'conv2_reduce': 'conv2', 'conv2': 'conv3'}
    branches = {
        'one': 'branch1',
        'three.0': 'branch2.0',
        'three.1': 'branch2.1',
        'five.0': 'branch3.0',
        'five.1': 'branch3.1',
        'pool.1': 'branch4.1',
    }
    for name in INCEPTIONS:
        names |= {f'inceptions.{name}.{mine}': f'inception{name}.{theirs_}' for mine, theirs_ in branches.items()}
    mine = trunk.state_dict()
    for to, source in names.items():
        for part, theirs_part in (('conv', 'conv'), ('norm', 'bn')):
            for key in (k for k in mine if k.startswith(f'{to}.{part}.')):
                value = theirs.get(f'{source}.{theirs_part}.{key.rsplit(".", 1)[1]}')
                if value is None:
                    raise ValueError(f'{path} has no {source}.{theirs_part}: it is no torchvision GoogLeNet with batch normalisation')
                if key == 'conv1.conv.weight' and mine[key].shape[1] == 1:
                    value = value.sum(1, keepdim=True)
                if value.ndim == 4 and value.shape[-1] == 3 and mine[key].shape[-1] == 5:
                    value = functional.pad(value, (1, 1, 1, 1))
                if value.shape != mine[key].shape:
                    raise ValueError(f'{key} is {tuple(mine[key].shape)} here and {tuple(value.shape)} in {path}: use the trunk at width 1')
                mine[key] = value
    trunk.load_state_dict(mine)


def provenance(path: str | Path) -> str:
    """Text on the weights in a file of `load_imagenet`, for the checkpoints that begin with them."""
    path = Path(path)
    return f'{path.name} of ImageNet, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}'
