"""The trunk of MediaPipe's face-landmark network (468 points), whose weights were learnt on photographs and are Apache-2.0.

Residual blocks of a depthwise 3x3 and a 1x1 convolution with PReLU, in six stages of half the side each. Source: the graph of
mediapipe/modules/face_landmark/face_landmark.tflite in the wheel mediapipe 0.10.21, without the branch that tells whether there is a face.
`FaceMeshTrunk` ends before its last layers, from 128 channels to the points; `FacePoints` has them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .tflite import read_interpreter

SUFFIX = '.tflite'
POINTS = 468
STAGES = ((16, 2), (32, 2), (64, 2), (128, 2), (128, 2), (128, 2))
"""Channels of each stage, and its number of blocks after the one that halves the side."""


class PReLU(nn.PReLU):
    """PReLU, exported as the sum of two depthwise 1x1 convolutions.

    ONNX Runtime keeps convolutions in a blocked layout and has no PReLU in it: with PReLU's own operator the network takes 1.8 times as
    long.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape: x where it is positive, weight * x elsewhere."""
        if not torch.onnx.is_in_onnx_export():
            return super().forward(x)
        slope = self.weight[:, None, None, None]
        return functional.conv2d(functional.relu(x), 1 - slope, groups=len(slope)) + functional.conv2d(x, slope, groups=len(slope))


def _halving(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution of kernel 3 and stride 2 with TensorFlow's padding, which is at the end only.

    Exported, padding of 1 on every side and a row and a column of zeros before the kernel: the same without ONNX's Pad, for which
    ONNX Runtime leaves its blocked layout.
    """
    if not torch.onnx.is_in_onnx_export():
        return convolution(functional.pad(x, (0, 1, 0, 1)))
    weight = convolution.weight
    weight = torch.cat([torch.zeros_like(weight[:, :, :1]), weight], 2)
    weight = torch.cat([torch.zeros_like(weight[:, :, :, :1]), weight], 3)
    return functional.conv2d(x, weight, convolution.bias, 2, 1, groups=convolution.groups)


class Block(nn.Module):
    """Residual block: depthwise 3x3, 1x1, sum, PReLU.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output; the sum takes the missing ones of the input as zeros.
        stride: 1, or 2 to halve the side; the input of the sum is then a maximum over 2x2 pixels.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1):
        super().__init__()
        self.stride, self.missing = stride, channels_out - channels_in
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, stride, 2 - stride, groups=channels_in)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1)
        self.activate = PReLU(channels_out)
        self.register_buffer('identity', torch.eye(channels_out, channels_in)[:, :, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) to (B, channels_out, H / stride, W / stride)."""
        y = _halving(self.depthwise, x) if self.stride == 2 else self.depthwise(x)
        if self.stride == 2:
            x = functional.max_pool2d(x, 2)
        if self.missing:  # zeros in the new channels; exported as a convolution, again without Pad
            x = functional.conv2d(x, self.identity) if torch.onnx.is_in_onnx_export() else functional.pad(x, (0, 0, 0, 0, 0, self.missing))
        return self.activate(x + self.pointwise(y))


class FaceMeshTrunk(nn.Module):
    """The network's convolutions: six stages, the side halved before each.

    Args:
        frozen: number of blocks, from the input, whose weights stay as they are; the first convolution is frozen with them.
    """

    channels, stride = STAGES[-1][0], 2 ** len(STAGES)

    def __init__(self, frozen: int = 0):
        super().__init__()
        width = STAGES[0][0]
        self.stem, self.activate = nn.Conv2d(1, width, 3, 2), PReLU(width)
        blocks: list[nn.Module] = []
        for i, (channels, count) in enumerate(STAGES):
            if i:
                blocks.append(Block(width, channels, 2))
            blocks += [Block(channels, channels) for _ in range(count)]
            width = channels
        self.blocks = nn.Sequential(*blocks)
        if not 0 <= frozen <= len(blocks):
            raise ValueError(f'network.frozen {frozen} is not between 0 and {len(blocks)}')
        for part in (self.stem, self.activate, *blocks[:frozen]) if frozen else ():
            part.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, S, S) of zero mean and unit deviation to (B, 128, S / 64, S / 64)."""
        x = 0.5 + 0.25 * x  # the network was trained on pixels from 0 to 1
        return self.blocks(self.activate(_halving(self.stem, x)))


class FacePoints(nn.Module):
    """The whole network, all of it frozen, as a trunk whose features are the points.

    A network that is trained on renders and portraits forgets other faces; one whose weights stay as they are finds the points of
    photographs as it did before. On renders it finds them badly (training/RESULTS.md).
    """

    channels, stride = 3 * POINTS, 192

    def __init__(self):
        super().__init__()
        width = FaceMeshTrunk.channels // 4
        self.mesh = FaceMeshTrunk()
        self.reduce, self.activate = nn.Conv2d(FaceMeshTrunk.channels, width, 1), PReLU(width)
        self.last = Block(width, width)
        self.points = nn.Conv2d(width, self.channels, self.stride // FaceMeshTrunk.stride)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 192, 192) of zero mean and unit deviation to (B, 1404, 1, 1): x, y, z of each point about their mean, in units of the
        root mean square of x and y.
        """
        with torch.autocast(x.device.type, enabled=False):  # 8 bits are too few for a place among 192 pixels
            points = self.points(self.last(self.activate(self.reduce(self.mesh(x.float())))))
            points = points.reshape(-1, POINTS, 3)
            points = points - points.mean(1, keepdim=True)
            size = points[..., :2].square().mean((1, 2), keepdim=True).add(1e-6).sqrt()
            return (points / size).reshape(-1, self.channels, 1, 1)


@torch.no_grad()
def read_weights(trunk: FaceMeshTrunk | FacePoints, path: Path) -> None:
    """Copies the weights of face_landmark.tflite into a trunk.

    Raises:
        OSError: without LiteRT.
        ValueError: for another network.
    """
    constants = _constants(path)
    try:
        for layer in trunk.modules():
            if isinstance(layer, nn.Conv2d):
                weight = next(constants)
                weight = weight.permute(3, 0, 1, 2) if layer.groups > 1 else weight.permute(0, 3, 1, 2)
                if weight.shape[1] == 3:
                    weight = weight.sum(1, keepdim=True)  # gray pixels: red, green and blue are equal
                _copy(layer.weight, weight)
                _copy(layer.bias, next(constants))
            elif isinstance(layer, PReLU):
                _copy(layer.weight, next(constants).flatten())
    except StopIteration:
        raise ValueError(f'{path} has fewer layers than face_landmark.tflite') from None
    except ValueError as error:
        raise ValueError(f'{path} is not face_landmark.tflite: {error}') from error


def _copy(mine: Tensor, theirs: Tensor) -> None:
    if mine.shape != theirs.shape:
        raise ValueError(f'a layer has the weights {tuple(theirs.shape)}, not {tuple(mine.shape)}')
    mine.copy_(theirs)


def provenance(path: Path) -> str:
    """Text on the weights in face_landmark.tflite, for the checkpoints that begin with them."""
    return f'{path.name} of MediaPipe, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}'


def _constants(path: Path) -> Iterator[Tensor]:
    """The constants of the layers that lead to the points, in the graph's order: weights and biases, float32."""
    interpreter = read_interpreter(path.read_bytes())
    layers = [o for o in interpreter._get_ops_details() if o['op_name'] != 'DELEGATE']
    points = max(interpreter.get_output_details(), key=lambda output: math.prod(output['shape']))
    wanted, kept = {points['index']}, []
    for layer in reversed(layers):
        if wanted & set(map(int, layer['outputs'])):
            wanted |= set(map(int, layer['inputs']))
            kept.append(layer)
    half = {int(layer['outputs'][0]): int(layer['inputs'][0]) for layer in layers if layer['op_name'] == 'DEQUANTIZE'}
    for layer in reversed(kept):
        if layer['op_name'] in ('CONV_2D', 'DEPTHWISE_CONV_2D', 'PRELU'):
            for index in map(int, layer['inputs'][1:]):
                yield torch.from_numpy(interpreter.get_tensor(half.get(index, index)).astype(np.float32))
