"""Recognises parts of an image that have not changed since they were last searched, so that they need not be searched again."""

from __future__ import annotations

import cv2
import numpy as np

from .tiles import FOUND_PX, Tile

_CELLS_A_FACE = 4
_SAMPLES_A_CELL = 4
"""Along each side, where the image is that fine: enough to average a sensor's noise, and cheap for large images."""
_CHANGED_RMS = 3.0
"""Gray levels, over three by three cells. Noise of 5 levels a pixel stays below; the faintest face that is found is above 6."""


class ChangeWatch:
    """Remembers how tiles looked when they were last searched: coarse gray pictures, about a thousand cells each."""

    def __init__(self) -> None:
        self._looks: dict[Tile, tuple[np.ndarray, float]] = {}

    def forget(self) -> None:
        """Takes every tile for changed."""
        self._looks.clear()

    def unchanged(self, image: np.ndarray, tile: Tile, stamp_s: float, longest_s: float) -> bool:
        """Whether a tile looks as it did when this last answered no; a no remembers how it looks now.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            tile: a part of it.
            stamp_s: the image's stamp, seconds.
            longest_s: after so long the answer is no, whatever the tile looks like.
        """
        look = _coarse(image, tile)
        if tile in self._looks:
            before, since_s = self._looks[tile]
            if stamp_s - since_s <= longest_s and before.shape == look.shape and _difference(before, look) < _CHANGED_RMS:
                return True
        self._looks[tile] = look, stamp_s
        return False


def _coarse(image: np.ndarray, tile: Tile) -> np.ndarray:
    """(rows, columns) float32 gray levels, averaged over cells of a quarter of the smallest face that is the tile's to find."""
    cell = FOUND_PX * (tile.right - tile.left) / tile.width / _CELLS_A_FACE
    step = max(1, int(cell / _SAMPLES_A_CELL))
    samples = np.ascontiguousarray(image[tile.top : tile.bottom : step, tile.left : tile.right : step])
    side = max(1, min(round(cell / step), *samples.shape[:2]))
    rows, columns = samples.shape[0] // side, samples.shape[1] // side
    coarse = cv2.resize(samples[: rows * side, : columns * side], (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    return coarse.mean(axis=2) if coarse.ndim == 3 else coarse


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest root mean square difference over three by three cells, gray levels."""
    return float(np.sqrt(cv2.blur((a - b) ** 2, (3, 3)).max()))
