"""Encodes depth around the head as bytes, and augments it.

A byte is 0 where nothing was measured, or where the surface is farther than half the range behind the head; otherwise 1 (far) to 255
(near), linear over `DEPTH_RANGE_M` about the head's depth: the median of the valid pixels in the middle half of the crop.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .augment import Augmentation, Batch, View, centred_view, landmarks_in_view, random_view, rotation_in_view, sample
from .crops import Crops
from .photometric import blob, blur, some

DEPTH_RANGE_M = 0.5
"""Range mapped to 1..255: a head is 0.25 m deep, and the median of its visible surface lies near the face."""


def head_depth_mm(depth_mm: Tensor) -> Tensor:
    """Computes the (B, 1, 1, 1) median of the valid pixels in the middle half of (B, 1, S, S) crops; 1000 if none is valid."""
    size = depth_mm.shape[-1]
    quarter = size // 4
    middle = depth_mm[:, 0, quarter : size - quarter : 2, quarter : size - quarter : 2].flatten(1)
    median = torch.where(middle > 0, middle, torch.nan).nanmedian(1).values
    return torch.nan_to_num(median, nan=1000.0)[:, None, None, None]


def to_bytes(depth_mm: Tensor, head_mm: Tensor) -> Tensor:
    """Encodes (B, 1, S, S) depth in millimetres (0 unknown) about the head's depth as uint8, as `c2f_head_pose.depth.encode_depth`."""
    height = 0.5 - (depth_mm - head_mm) / (1000 * DEPTH_RANGE_M)
    return torch.where((depth_mm > 0) & (height >= 0), (1 + 254 * height + 0.5).clamp(1, 255), 0.0).to(torch.uint8)


def plain_depth(crops: Crops, size: int, margin: float) -> Batch:
    """Makes undisturbed, centred depth crops, for evaluation."""
    view = centred_view(crops, margin)
    depth = seen(crops, view, size)
    return Batch(to_bytes(depth, head_depth_mm(depth)), rotation_in_view(crops, view), landmarks_in_view(crops, view))


def seen(crops: Crops, view: View, size: int) -> Tensor:
    """Resamples the view to (B, 1, size, size) float millimetres by the nearest pixel, since interpolation would mix depths at edges."""
    if crops.depth_mm is None:
        raise ValueError('these crops were read without depth: SyntheticCrops(..., depth=True)')
    return sample(crops.depth_mm[:, None].float(), view, size, nearest=True)


def augment_depth(crops: Crops, size: int, how: Augmentation, generator: torch.Generator) -> Batch:
    """Makes depth crops of random views with the disturbances of depth cameras.

    These are noise and steps that grow with the square of the distance (structured light), holes at edges and in blobs, hands in front
    of the face, walls behind it, and motion blur that mixes depths. `how.photometric` has their strengths, as for RGB.
    """
    view = random_view(crops, how, generator)
    depth = seen(crops, view, size)
    n, device = len(depth), depth.device
    u = torch.rand(n, 6, 1, 1, 1, generator=generator, device=device)
    head = head_depth_mm(depth)
    wall = torch.where(u[:, 0] < 0.3, head + 120 + 600 * u[:, 1], 0.0)
    depth = torch.where(depth > 0, depth, wall)
    if how.photometric is not None:
        strengths = how.photometric
        depth = some(depth, strengths.occluder_share, generator, lambda x: _hold_before(x, size, generator))
        depth = some(depth, strengths.blur_share / 2, generator, lambda x: _smear(x, strengths.blur_sd, generator))
        depth = _measure(depth, generator)
        depth = some(depth, strengths.low_resolution_share, generator, lambda x: _coarsen(x, strengths.low_resolution_px, generator))
    head = head_depth_mm(depth) + 30 * torch.randn(n, 1, 1, 1, generator=generator, device=device)
    return Batch(to_bytes(depth, head), rotation_in_view(crops, view), landmarks_in_view(crops, view))


def _hold_before(depth: Tensor, size: int, generator: torch.Generator) -> Tensor:
    n, device = len(depth), depth.device
    u = torch.rand(n, 7, generator=generator, device=device)
    mask = blob(1.8 * u[:, :2] - 0.9, 0.1 + 0.3 * u[:, 2:4], 3.14 * u[:, 4], 2 + 4 * u[:, 5], size)[:, None] > 0.5
    nearer = head_depth_mm(depth) - 80 - 150 * u[:, 6, None, None, None]
    return torch.where(mask, nearer, depth)


def _smear(depth: Tensor, sd: float, generator: torch.Generator) -> Tensor:
    """Simulates motion during the exposure: neighbouring depths mix, and holes stay holes."""
    head = head_depth_mm(depth)
    filled = torch.where(depth > 0, depth, head + 400)
    return torch.where(depth > 0, blur(filled, sd, generator), 0.0)


def _measure(depth: Tensor, generator: torch.Generator) -> Tensor:
    n, size, device = len(depth), depth.shape[-1], depth.device
    u = torch.rand(n, 4, 1, 1, 1, generator=generator, device=device)
    metres = depth / 1000
    # structured light: sd and step both about 2.85 mm at 1 m, growing with z^2 (Khoshelham and Elberink 2012)
    noisy = depth + 2.85 * u[:, 0] * metres.square() * torch.randn(depth.shape, generator=generator, device=device)
    step = (2.85 * metres.square() * u[:, 1]).clamp(min=0.1)
    depth = torch.where(depth > 0, (noisy / step).round() * step, 0.0)
    near = -functional.max_pool2d(-torch.where(depth > 0, depth, 1e6), 3, 1, 1)
    edge = (depth - near > 40) & (torch.rand(depth.shape, generator=generator, device=device) < u[:, 2])
    grain = torch.rand(n, 1, 16, 16, generator=generator, device=device)
    holes = functional.interpolate(grain, (size, size), mode='bilinear', align_corners=False) < 0.35 * u[:, 3].square()
    return depth.masked_fill(edge | holes, 0)


def _coarsen(depth: Tensor, fewest_px: int, generator: torch.Generator) -> Tensor:
    size = depth.shape[-1]
    small = round(fewest_px * (size / fewest_px) ** float(torch.rand((), generator=generator, device=depth.device)))
    return functional.interpolate(functional.interpolate(depth, (small, small), mode='nearest'), (size, size), mode='nearest')
