"""Sub-spaces of head orientation: the classes of the coarse step and the anchors of the regressors.

A sub-space is a cell of azimuth and elevation of the face's direction, which is not singular in profile as Euler angles are. Every cell
lies in one category of the paper's Table 1; the exported graph sums the probabilities of a category's cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .rotations import ON_BORDER, face_direction, rotation_from_ypr


@dataclass(frozen=True)
class Subspace:
    """One cell.

    Attributes:
        azimuth_deg: lower and upper limit; the sign of yaw.
        elevation_deg: lower and upper limit; the sign of pitch.
        category: 0..3 for L1..L4.
        anchor_deg: azimuth and elevation of the anchor.
    """

    azimuth_deg: tuple[float, float]
    elevation_deg: tuple[float, float]
    category: int
    anchor_deg: tuple[float, float]


_SIGNS = ((1, 1), (1, -1), (-1, -1), (-1, 1))
"""(yaw, pitch) signs of L1, L2, L3, L4."""


def _cells(bands: list[tuple[float, float, float, float]]) -> tuple[Subspace, ...]:
    """Cells of all four sign combinations for bands of |azimuth|: (from, to, anchor's |azimuth|, anchor's |elevation|)."""
    cells = []
    for low, high, azimuth, elevation in bands:
        for category, (yaw, pitch) in enumerate(_SIGNS):
            span = (low, high) if yaw > 0 else (-high, -low)
            rise = (0.0, 90.0) if pitch > 0 else (-90.0, 0.0)
            cells.append(Subspace(span, rise, category, (yaw * azimuth, pitch * elevation)))
    return tuple(cells)


SUBSPACES = {'four': _cells([(0, 180, 25, 18)]), 'eight': _cells([(0, 45, 20, 18), (45, 180, 70, 18)])}
"""'four' is the paper's Table 1; 'eight' separates near-frontal faces from profiles."""


def anchors(cells: tuple[Subspace, ...]) -> Tensor:
    """(K, 3, 3) rotations relative to which the regressors predict."""
    return torch.stack(
        [rotation_from_ypr(torch.tensor([math.radians(c.anchor_deg[0]), math.radians(c.anchor_deg[1]), 0.0])) for c in cells]
    )


def membership(R: Tensor, cells: tuple[Subspace, ...], overlap_deg: float) -> Tensor:
    """Training weights of each pose for each sub-space's regressor.

    Args:
        R: (B, 3, 3) true rotations.
        cells: K sub-spaces.
        overlap_deg: angle outside of a cell from which a pose no longer trains its regressor; 0 means hard borders.

    Returns:
        (B, K) in [0, 1]: 1 inside the cell, decreasing linearly outside.
    """
    azimuth, elevation = _direction_deg(R)
    low_a, high_a = (torch.tensor([c.azimuth_deg[i] for c in cells], device=R.device) for i in (0, 1))
    low_e, high_e = (torch.tensor([c.elevation_deg[i] for c in cells], device=R.device) for i in (0, 1))
    from_middle = torch.remainder(azimuth - (low_a + high_a) / 2 + 180, 360) - 180  # either way round: cells meet at 180 degrees too
    outside = torch.stack([from_middle.abs() - (high_a - low_a) / 2, low_e - elevation, elevation - high_e]).amax(0).clamp(min=0)
    if overlap_deg <= 0:
        return (outside <= 0).to(R.dtype)
    return (1 - outside / overlap_deg).clamp(min=0)


def subspace_of(R: Tensor, cells: tuple[Subspace, ...]) -> Tensor:
    """(B,) int64 index of the sub-space that contains each pose."""
    azimuth, elevation = _direction_deg(R)
    inside = torch.stack(
        [
            (
                (azimuth >= c.azimuth_deg[0])
                & (azimuth <= c.azimuth_deg[1])
                & (elevation >= c.elevation_deg[0])
                & (elevation <= c.elevation_deg[1])
            )[:, 0]
            for c in cells
        ],
        1,
    )
    return inside.to(torch.uint8).argmax(1)


def _direction_deg(R: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 1) azimuth and elevation of the face's direction; 0 is just above, as for `category_of`."""
    border = math.degrees(ON_BORDER)
    azimuth, elevation = (torch.rad2deg(a)[:, None] for a in face_direction(R))
    return torch.where(azimuth.abs() < border, border, azimuth), torch.where(elevation.abs() < border, border, elevation)
