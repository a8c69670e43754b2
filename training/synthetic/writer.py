"""Writes a rendered dataset, shard by shard."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from .layout import COLUMNS, Manifest, shard_path


class ShardWriter:
    """Writes one shard sample by sample, in any order; `finish` makes it visible to readers.

    Shards share no files, so each process can use its own writer.
    """

    def __init__(self, folder: Path, manifest: Manifest, shard: int):
        self._final = shard_path(Path(folder), shard)
        self._part = self._final.with_suffix('.part')
        shutil.rmtree(self._part, ignore_errors=True)
        self._part.mkdir(parents=True)
        n, s = manifest.shard_count(shard), manifest.crop_size
        channels = () if manifest.channels == 1 else (manifest.channels,)
        self._arrays = {
            'image': self._open('image', np.uint8, (n, s, s, *channels)),
            'alpha': self._open('alpha', np.uint8, (n, s, s)),
            'depth_mm': self._open('depth_mm', np.uint16, (n, s, s)),
        }
        self._columns = {name: np.zeros((n, *shape), dtype) for name, (dtype, shape) in COLUMNS.items()}
        self._missing = set(range(n))

    def _open(self, name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
        return np.lib.format.open_memmap(self._part / f'{name}.npy', 'w+', dtype, shape)

    def put(self, index: int, image: np.ndarray, alpha: np.ndarray, depth_mm: np.ndarray, row: dict[str, object]) -> None:
        """Writes one sample; `row` has every column of COLUMNS."""
        self._arrays['image'][index] = image
        self._arrays['alpha'][index] = alpha
        self._arrays['depth_mm'][index] = depth_mm
        for name in COLUMNS:
            self._columns[name][index] = row[name]
        self._missing.discard(index)

    def finish(self) -> None:
        """Renames the finished shard to its final name.

        Raises:
            ValueError: if samples are missing.
        """
        if self._missing:
            raise ValueError(f'shard {self._final.name} lacks {len(self._missing)} samples, the first {min(self._missing)}')
        for array in self._arrays.values():
            array.flush()
        np.savez(self._part / 'samples.npz', **self._columns)
        self._arrays.clear()
        self._part.replace(self._final)
