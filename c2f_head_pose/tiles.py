"""Plans the search of an image for faces: a pyramid of tiles, each with its resolution, of bounded cost.

The detector finds a face from `FOUND_PX` pixels in its input up to a face that fills it. The image is therefore searched as a whole at a
low resolution, and in tiles at resolutions that grow by up to two until the smallest face wanted has `FOUND_PX` pixels. Neighbouring tiles
overlap by the size of the largest face to find in them, so each face lies whole in one tile; larger faces are found at a lower resolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

FOUND_PX = 28
"""Of faces of so many pixels (longer side) in the detector's input nine of ten are found before the hardest backgrounds, at 30 all."""
LEAST_FACE_PX = 14
"""Smaller faces are not found, however much they are enlarged."""
WHOLE_LONG_SIDE_PX = 320
_TILE_AREA_PX = 320 * 256
"""Largest tile in pixels of the detector's input, about 2 ms on one CPU core: what the search may add to an image of a stream."""
_RUN_AREA_PX = 6000
"""What a further run costs, in pixels."""
_SIZE_SLACK = 1.15
"""A box may come out larger than the face that a tile is responsible for."""
_EDGE_PX = 4
"""Pixels of background that a face needs about it, in the detector's input."""
_IMAGES_SMALLEST = 30
"""The smallest face wanted by default is this part of the side of a square of the image's area, so a search of any image costs alike."""


@dataclass(frozen=True)
class Tile:
    """A part of an image, and how it is searched.

    Attributes:
        left: first column, pixels of the image.
        top: first row.
        right: column after the last.
        bottom: row after the last.
        width: columns of the detector's input.
        height: rows of the detector's input.
        largest_px: size in pixels of the image above which faces are left to another tile; infinite for the whole image.
        edges: x1, y1, x2, y2 that a box must not cross because a neighbour sees it whole; infinite at the image's edges.
    """

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int
    largest_px: float = math.inf
    edges: tuple[float, float, float, float] = (-math.inf, -math.inf, math.inf, math.inf)


def smallest_face_px(width: int, height: int, min_face_px: int = 0) -> float:
    """Returns the size of the smallest face to search for: as given, or for 0 a 30th of the side of a square of the image's area."""
    return float(min_face_px) if min_face_px else max(float(FOUND_PX), math.sqrt(width * height) / _IMAGES_SMALLEST)


@lru_cache(maxsize=64)
def plan_search(width: int, height: int, min_face_px: int = 0) -> tuple[Tile, ...]:
    """Returns the tiles of a whole search: the whole image first, then tiles from low to high resolution.

    Args:
        width: the image's width, pixels.
        height: the image's height, pixels.
        min_face_px: the smallest face wanted, longer side in pixels; 0 chooses by the image's size.
    """
    lowest = WHOLE_LONG_SIDE_PX / max(width, height)
    finest = FOUND_PX / smallest_face_px(width, height, min_face_px)
    whole = Tile(0, 0, width, height, max(1, round(width * lowest)), max(1, round(height * lowest)))
    steps = math.ceil(math.log2(finest / lowest) - 1e-6)
    if steps < 1:
        return (whole,)
    ratio = (finest / lowest) ** (1 / steps)
    return whole, *(tile for step in range(steps) for tile in _level(width, height, lowest * ratio ** (step + 1), ratio))


def _level(width: int, height: int, scale: float, ratio: float) -> Iterator[Tile]:
    """Returns the tiles of one resolution: `scale` pixels of the detector's input for each pixel of the image."""
    largest = FOUND_PX * ratio * _SIZE_SLACK
    overlap = FOUND_PX * ratio + 2 * _EDGE_PX
    columns, rows = _cheapest_grid(width * scale, height * scale, overlap)
    across, down = _parts(width, columns, overlap / scale), _parts(height, rows, overlap / scale)
    for top, bottom in down:
        for left, right in across:
            inside = 2 / scale
            edges = (
                left + inside if left else -math.inf,
                top + inside if top else -math.inf,
                right - inside if right < width else math.inf,
                bottom - inside if bottom < height else math.inf,
            )
            yield Tile(
                left,
                top,
                right,
                bottom,
                max(1, round((right - left) * scale)),
                max(1, round((bottom - top) * scale)),
                largest / scale,
                edges,
            )


def _cheapest_grid(width: float, height: float, overlap: float) -> tuple[int, int]:
    """Returns the numbers of columns and rows of tiles of bounded area that cost least together."""
    best, least = (1, 1), math.inf
    for columns in range(1, math.ceil(width / 32) + 1):
        for rows in range(1, math.ceil(height / 32) + 1):
            area = _padded((width + (columns - 1) * overlap) / columns) * _padded((height + (rows - 1) * overlap) / rows)
            cost = columns * rows * (area + _RUN_AREA_PX)
            if area <= _TILE_AREA_PX:
                best, least = ((columns, rows), cost) if cost < least else (best, least)
                break  # more rows only overlap more
    return best


def _padded(side: float) -> int:
    """The detector's input has sides of whole 32 pixels."""
    return 32 * max(1, math.ceil(round(side) / 32))


def _parts(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """First and last of `count` parts of equal length that overlap and cover a length."""
    part = (length + (count - 1) * overlap) / count
    firsts = [round(i * (part - overlap)) for i in range(count)]
    return [(max(0, first), min(length, round(first + part)) if i < count - 1 else length) for i, first in enumerate(firsts)]
