"""Small residual trunks of dense 3x3 convolutions and ReLU, which are fast on CPUs, on GPUs and in int8."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def conv_bn(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; padded so that only the stride reduces the size."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)
    )


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 with half the channels inside."""

    def __init__(self, channels: int):
        super().__init__()
        inner = channels // 2
        self.squeeze = conv_bn(channels, inner, 1)
        self.mix = conv_bn(inner, inner, 3)
        self.widen = nn.Conv2d(inner, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)  # the block is initialised as the identity (Goyal et al. 2017, section 5.1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return torch.relu(x + self.norm(self.widen(self.mix(self.squeeze(x)))))


class ResidualTrunk(nn.Module):
    """A stem of stride 4, then stages of bottlenecks; each stage after the first halves the size."""

    def __init__(self, channels_in: int, stem: int, widths: list[int], depths: list[int]):
        super().__init__()
        layers: list[nn.Module] = [conv_bn(channels_in, stem, 5, 2), conv_bn(stem, widths[0], 3, 2)]
        for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if i:
                layers.append(conv_bn(widths[i - 1], width, 3, 2))
            layers += [Bottleneck(width) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.channels = widths[-1]
        self.stride = 4 * 2 ** (len(widths) - 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) to (B, channels, S / stride, S / stride)."""
        return self.layers(x)
