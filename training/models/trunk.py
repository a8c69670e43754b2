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


def deepened(state: dict[str, Tensor], before: list[int], trunk: nn.Module, after: list[int], prefix: str = '') -> dict[str, Tensor]:
    """Weights for a trunk with more bottlenecks per stage that computes the same function: the new blocks are the identity.

    Source: function-preserving growth (Chen et al. 2016, Net2Net), here with Goyal et al.'s zero weights in place of an identity kernel.

    Args:
        state: of the shallower network.
        before: depths of the shallower trunk.
        trunk: the deeper trunk as built; its new blocks are copied.
        after: depths of the deeper trunk.
        prefix: of the trunk's names in the state, such as 'trunk.'.

    Raises:
        ValueError: if a stage would have fewer blocks than before.
    """
    if len(before) != len(after) or any(a < b for a, b in zip(after, before)):
        raise ValueError(f'a trunk of depths {before} cannot grow into {after}: no stage may lose blocks')
    place, old, new = {0: 0, 1: 1}, 2, 2
    for stage, (few, many) in enumerate(zip(before, after)):
        kept = few + (stage > 0)  # every stage but the first begins with the halving convolution
        place |= {old + i: new + i for i in range(kept)}
        old, new = old + kept, new + many + (stage > 0)
    ours = f'{prefix}layers.'
    grown = {f'{prefix}{name}': value for name, value in trunk.state_dict().items()}
    for name, value in state.items():
        if not name.startswith(ours):
            grown[name] = value
            continue
        number, rest = name.removeprefix(ours).split('.', 1)
        grown[f'{ours}{place[int(number)]}.{rest}'] = value
    return grown
