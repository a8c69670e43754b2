"""Compresses tensors as JPEG does, for augmentation."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _dct_matrix(device: torch.device) -> Tensor:
    """(8, 8) orthonormal DCT-II."""
    k = torch.arange(8, dtype=torch.float32, device=device)
    matrix = torch.cos(math.pi / 8 * (k[None] + 0.5) * k[:, None]) / 2
    matrix[0] /= math.sqrt(2)
    return matrix


# ITU-T T.81, Annex K, table K.1
_LUMINANCE = (
    16,
    11,
    10,
    16,
    24,
    40,
    51,
    61,
    12,
    12,
    14,
    19,
    26,
    58,
    60,
    55,
    14,
    13,
    16,
    24,
    40,
    57,
    69,
    56,
    14,
    17,
    22,
    29,
    51,
    87,
    80,
    62,
    18,
    22,
    37,
    56,
    68,
    109,
    103,
    77,
    24,
    35,
    55,
    64,
    81,
    104,
    113,
    92,
    49,
    64,
    78,
    87,
    103,
    121,
    120,
    101,
    72,
    92,
    95,
    98,
    112,
    100,
    103,
    99,
)


def jpeg(image: Tensor, generator: torch.Generator) -> Tensor:
    """Compresses and decompresses: 8x8 blocks, DCT, quantised with the standard table at a random quality from 20 to 90."""
    n, size = len(image), image.shape[-1]
    blocks = size // 8
    side = blocks * 8
    quality = 20 + 70 * torch.rand(n, 1, 1, generator=generator, device=image.device)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)  # libjpeg's rule
    table = (torch.tensor(_LUMINANCE, device=image.device, dtype=torch.float32).reshape(8, 8) * scale).clamp(min=1)
    # Two products with a block-diagonal matrix transform all blocks of a picture: many times faster than thousands of 8x8 products.
    dct = torch.block_diag(*[_dct_matrix(image.device)] * blocks)
    table = table.repeat(1, blocks, blocks)
    coefficients = dct @ (image[:, 0, :side, :side] - 128) @ dct.T
    out = image.clone()
    out[:, 0, :side, :side] = dct.T @ ((coefficients / table).round() * table) @ dct + 128
    return out
