"""A network that answers a mirrored picture with the mirrored pose, exactly: the mean of both pictures' answers.

Costs twice the arithmetic and is worth a twentieth of the error; a left-right bias cannot be left in it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .rotations import rotation_from_columns, sine_vector


class Symmetric(nn.Module):
    """Wraps a network of the model contract.

    Args:
        network: crops (B, 1, S, S) uint8 to rotation, rotation_std_rad, category_logits.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.size = network.size
        self.register_buffer('camera', torch.tensor([-1.0, 1.0, 1.0]), persistent=False)  # x to the right turns to the left
        self.register_buffer('head', torch.tensor([1.0, -1.0, 1.0]), persistent=False)  # y to the person's left likewise

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As the network's: the rotation between both answers, whose variance has their disagreement's added."""
        count = crops.shape[0]
        pixels = crops.float()  # TensorRT turns no bytes around
        rotation, std, logits = self.network(torch.cat([pixels, pixels.flip(3)]))
        mine = rotation[:count]
        mirrored = self.camera[:, None] * rotation[count:] * self.head
        total = mine + mirrored
        mean = rotation_from_columns(torch.cat([total[..., 0], total[..., 1]], -1) / 2)
        apart = sine_vector(mean.transpose(1, 2) @ mine)  # half of what lies between them
        variance = (std[:count].square() + std[count:].square()) / 2 + apart.square()
        # a mirrored L1, L2, L3, L4 is L4, L3, L2, L1
        chance = (logits[:count].softmax(1) + logits[count:].flip(1).softmax(1)) / 2
        return mean, variance.sqrt(), chance.clamp(min=1e-12).log()
