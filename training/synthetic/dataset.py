"""Writes and reads rendered datasets on disk.

A dataset is a folder:

    manifest.json      what was rendered, how, and how to render it again (class Manifest)
    identities.csv     id, split, sex, age_years, african, asian, caucasian, seed
    shard-00000/       plain .npy arrays, memory-mappable, N samples each
        image.npy      (N, S, S) uint8 gray, or (N, S, S, 3) uint8 BGR where the manifest says 3 channels
        alpha.npy      (N, S, S) uint8 coverage of the person and of what it holds; 255 covered
        depth_mm.npy   (N, S, S) uint16 z along the optical axis in millimetres; 0 none
        samples.npz    one array per column of COLUMNS

The image is premultiplied by its alpha, in the image's own (gamma) values, over black: `image + (255 - alpha) / 255 * background`
adds a background (`composite`). If the manifest has `composited`, the image contains the background already, and alpha only marks the
person.

Pixels are continuous, the first pixel covers [0, 1); K's principal point counts from the first pixel's centre (OpenCV), so a
point X projects to K X / z + 0.5. A shard is written to `shard-xxxxx.part` and renamed when it is complete, so a stopped run
can resume, and a reader gets complete shards only, also while the renderer is running.
"""

from __future__ import annotations

import csv
import resource
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .layout import COLUMNS, damaged, finished_shards, read_manifest, shard_path

_ARRAYS = ('image', 'alpha', 'depth_mm')
_HEADER = 128  # bytes of these arrays' .npy files before the pixels


@dataclass(frozen=True, eq=False)
class Sample:
    """One rendered crop: views into the shard's memory-mapped arrays, with its row of the table.

    Attributes:
        image: (S, S) or (S, S, 3) uint8, premultiplied by alpha unless the manifest has `composited`.
        alpha: (S, S) uint8.
        depth_mm: (S, S) uint16, 0 none.
        R_cam_head: (3, 3) float64.
        R_crop_head: (3, 3) float64.
        t_cam_head_m: (3,) float64, sellion.
        K_crop: (3, 3) float64.
        landmarks68_px: (68, 2) float32.
        box_px: (4,) float32.
        identity: id in identities.csv.
        row: every other column by name, scalars.
    """

    image: np.ndarray
    alpha: np.ndarray
    depth_mm: np.ndarray
    R_cam_head: np.ndarray
    R_crop_head: np.ndarray
    t_cam_head_m: np.ndarray
    K_crop: np.ndarray
    landmarks68_px: np.ndarray
    box_px: np.ndarray
    identity: int
    row: dict[str, float]


def composite(image: np.ndarray, alpha: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Adds a background to a premultiplied crop.

    Args:
        image: (S, S) or (S, S, 3) uint8, premultiplied.
        alpha: (S, S) uint8.
        background: uint8, the image's shape.

    Returns:
        uint8, the image's shape.
    """
    hidden = 255 - alpha.astype(np.uint16)
    if image.ndim == 3:
        hidden = hidden[..., None]
    return np.minimum(image + (hidden * background + 127) // 255, 255).astype(np.uint8)


class SyntheticDataset:
    """Reads a dataset; of one that is still being rendered, the shards that were finished when it was opened.

    Args:
        path: the dataset's folder.
        split: 'train', 'val' or 'test' (by identity), or None for all samples.

    Raises:
        ValueError: for a folder that is no dataset, has no finished shard, or has a damaged file.
    """

    def __init__(self, path: str | Path, split: str | None = 'train'):
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self.split = split
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every mapped array keeps its file open
        self.shards = finished_shards(self.path, self.manifest)
        if not self.shards:
            raise ValueError(f'{self.path} has no finished shard yet: wait, or run the command in its manifest.json again')
        self.split_of_identity = read_splits(self.path)
        self._tables: dict[int, dict[str, np.ndarray]] = {}
        self._mapped: dict[int, dict[str, np.ndarray]] = {}
        index = []
        for shard in self.shards:
            identity = self.table(shard)['identity']
            if not self.split_of_identity.keys() >= set(identity.tolist()):
                raise damaged(self.path / 'identities.csv', self.path / 'identities.csv')
            rows = [i for i, who in enumerate(identity) if split is None or self.split_of_identity[int(who)] == split]
            index += [(shard, row) for row in rows]
        self.index = np.array(index, np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.index)

    def __getstate__(self) -> dict[str, object]:
        """The state for another process, which maps the arrays itself."""
        return {**vars(self), '_mapped': {}}

    def arrays(self, shard: int) -> dict[str, np.ndarray]:
        """Maps `image`, `alpha`, `depth_mm` of a whole shard into memory (all splits: select rows with `index`)."""
        if shard not in self._mapped:
            folder = shard_path(self.path, shard)
            self._mapped[shard] = {name: np.load(folder / f'{name}.npy', mmap_mode='r') for name in _ARRAYS}
        return self._mapped[shard]

    def table(self, shard: int) -> dict[str, np.ndarray]:
        """Reads every column of COLUMNS of a whole shard."""
        if shard not in self._tables:
            self._tables[shard] = self._read_table(shard_path(self.path, shard), self.manifest.shard_count(shard))
        return self._tables[shard]

    def _read_table(self, folder: Path, count: int) -> dict[str, np.ndarray]:
        """Reads the table of a shard with `count` samples, and checks the sizes of the arrays' files."""
        side, path = self.manifest.crop_size, folder
        try:
            for name, width in zip(_ARRAYS, (self.manifest.channels, 1, 2), strict=True):
                path = folder / f'{name}.npy'
                if path.stat().st_size < _HEADER + count * side * side * width:
                    raise EOFError
            path = folder / 'samples.npz'
            with np.load(path) as columns:
                return {name: columns[name].reshape(count, *shape) for name, (_, shape) in COLUMNS.items()}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise damaged(path, folder) from error

    def column(self, name: str) -> np.ndarray:
        """Returns one column over this split, in the order of `sample`: (len, ...)."""
        parts = [self.table(s)[name][self.index[self.index[:, 0] == s, 1]] for s in self.shards]
        return np.concatenate(parts)

    def sample(self, i: int) -> Sample:
        """Returns the i-th sample of this split."""
        shard, row = (int(v) for v in self.index[i])
        arrays, table = self.arrays(shard), self.table(shard)
        named = {name: table[name][row] for name, (_, shape) in COLUMNS.items() if shape}
        rest = {name: table[name][row].item() for name in COLUMNS if name not in named}
        return Sample(
            image=arrays['image'][row],
            alpha=arrays['alpha'][row],
            depth_mm=arrays['depth_mm'][row],
            identity=int(rest['identity']),
            row=rest,
            **named,
        )


def read_splits(folder: Path) -> dict[int, str]:
    """Reads 'train', 'val' or 'test' by identity id from identities.csv."""
    path = Path(folder) / 'identities.csv'
    try:
        with open(path, newline='') as file:
            splits = {int(row['id']): row['split'] for row in csv.DictReader(file)}
    except (FileNotFoundError, KeyError, ValueError, csv.Error) as error:
        raise damaged(path, path) from error
    if not {'train', 'val', 'test'} >= set(splits.values()):
        raise damaged(path, path)
    return splits


def read_people(folder: Path) -> dict[int, tuple[str, ...]]:
    """Reads who each identity id is: what identities.csv has of the person, which does not depend on the ids of the dataset."""
    with open(Path(folder) / 'identities.csv', newline='') as file:
        return {int(row['id']): tuple(v for k, v in row.items() if k not in ('id', 'split')) for row in csv.DictReader(file)}


def people_of(folder: Path, splits: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The people of a dataset's splits, as `read_people` has them."""
    who, split_of = read_people(folder), read_splits(folder)
    return {who[i] for i, split in split_of.items() if split in splits}


def refuse_people_seen(trained: Path, tested: Path) -> None:
    """Checks that a dataset used as a test set shows no person that another dataset trains on.

    Raises:
        ValueError: if people of the split 'train' occur in the test set, even under other ids.
    """
    if shared := people_of(trained, ('train',)) & people_of(tested, ('train', 'val', 'test')):
        raise ValueError(f'{tested} shows {len(shared)} people that {trained} trains on; render it again with another --seed')
