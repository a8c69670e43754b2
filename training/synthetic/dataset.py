"""The rendered dataset on disk: one writer and one reader.

A dataset is a folder:

    manifest.json      what was rendered, how, and how to render it again (class Manifest)
    identities.csv     id, split, sex, age_years, african, asian, caucasian, seed
    shard-00000/       plain .npy arrays, memory-mappable, N samples each
        image.npy      (N, S, S) uint8 gray, or (N, S, S, 3) uint8 BGR where the manifest says 3 channels
        alpha.npy      (N, S, S) uint8 coverage of the person and of what it holds; 255 covered
        depth_mm.npy   (N, S, S) uint16 z along the optical axis in millimetres; 0 none
        samples.npz    one array per column of COLUMNS

The image is premultiplied by its alpha, in the image's own (gamma) values, over black: a background is put behind it by
`image + (255 - alpha) / 255 * background` (`composite`). Where the manifest says `composited` the background is already in it,
and alpha only tells where the person is.

Pixels are continuous, the first pixel covers [0, 1); K's principal point counts from the first pixel's centre (OpenCV), so a
point X projects to K X / z + 0.5. A shard is written to `shard-xxxxx.part` and renamed when whole: a killed run resumes,
and a reader sees only whole shards, also while the renderer is still running.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

FORMAT_VERSION = 1

EXPRESSIONS = ('neutral', 'talk', 'smile', 'open_mouth', 'squint', 'blink', 'random')
LIGHTS = ('soft', 'sun', 'one_sided', 'patterned', 'backlit', 'coloured', 'near_infrared')
OCCLUDERS = ('none', 'hand', 'phone', 'bar', 'rectangle')
COVERINGS = ('none', 'mask', 'scarf')
EYEWEAR = ('none', 'glasses', 'sunglasses')

COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    'R_cam_head': ('f8', (3, 3)),  # head axes -> optical axes of the camera that the crop was seen by
    'R_crop_head': ('f8', (3, 3)),  # ray_rotation(crop centre).T @ R_cam_head: what a network that sees the crop can know
    't_cam_head_m': ('f8', (3,)),  # sellion in the camera's optical frame, metres
    'K_crop': ('f8', (3, 3)),  # intrinsics of the crop's own pixels
    'landmarks68_px': ('f4', (68, 2)),  # crop pixels, continuous; all 68, hidden or not
    'box_px': ('f4', (4,)),  # x1 y1 x2 y2 of the landmarks, crop pixels
    'identity': ('i4', ()),  # id in identities.csv
    'expression': ('u1', ()),  # index into EXPRESSIONS
    'light': ('u1', ()),  # index into LIGHTS
    'light_azimuth_deg': ('f4', ()),  # key light, 0 at the camera, > 0 towards the image's right
    'light_intensity': ('f4', ()),  # key light, 1 = the paper's default
    'occluder': ('u1', ()),  # index into OCCLUDERS
    'covering': ('u1', ()),  # index into COVERINGS
    'eyewear': ('u1', ()),  # index into EYEWEAR
    'condition': ('i2', ()),  # a robustness set's own step (manifest's `conditions`), else -1
    'seed': ('u8', ()),  # of this sample's random generator
}
"""Columns of samples.npz: dtype and shape of one sample."""

_ARRAYS = ('image', 'alpha', 'depth_mm')
_HEADER = 128  # bytes of these arrays' .npy files before the pixels


@dataclass(frozen=True)
class Manifest:
    """What a dataset holds.

    Attributes:
        preset: name of the preset it was rendered with.
        seed: seed of the whole dataset.
        count: samples in the whole dataset, all shards.
        shard_size: samples per shard; the last shard may hold fewer.
        crop_size: side S of the square crops, pixels.
        crop_margin: side of the crop over the larger extent of the 68 landmarks' box.
        channels: 1 gray, 3 BGR.
        composited: whether the background is in the image already (see the module's text).
        depth_model: 'ideal', 'structured_light', 'time_of_flight', or 'ray_distance' (the paper's).
        command: the command line that made it.
        versions: package name to version.
        asset_sha256: of the asset cache that the heads came from.
        licences: asset name to licence.
        conditions: names of the steps of a robustness set, or empty.
        settings: what the command line may change in the preset, by name: pose ranges, people, crops per dressed head.
        format_version: of this layout.
    """

    preset: str
    seed: int
    count: int
    shard_size: int
    crop_size: int = 192
    crop_margin: float = 2.2
    channels: int = 1
    composited: bool = False
    depth_model: str = 'ideal'
    command: str = ''
    versions: dict[str, str] = field(default_factory=dict)
    asset_sha256: str = ''
    licences: dict[str, str] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    settings: dict[str, float] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def shards(self) -> int:
        """Number of shards of the whole dataset."""
        return -(-self.count // self.shard_size)

    def shard_count(self, shard: int) -> int:
        """Samples in one shard."""
        return min(self.shard_size, self.count - shard * self.shard_size)

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of one sample's arrays on disk, without the table."""
        return self.crop_size**2 * (self.channels + 1 + 2)


@dataclass(frozen=True, eq=False)
class Sample:
    """One rendered crop: views into the shard's memory-mapped arrays, with its row of the table.

    Attributes:
        image: (S, S) or (S, S, 3) uint8, premultiplied by alpha unless the manifest says composited.
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
    """Puts a background behind a premultiplied crop.

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


def shard_path(folder: Path, shard: int) -> Path:
    """The folder of a finished shard."""
    return folder / f'shard-{shard:05d}'


def is_begun(folder: Path, manifest: Manifest) -> bool:
    """Whether the folder has a manifest, which then asks for the same pictures.

    Raises:
        ValueError: if the folder holds a dataset of other settings; remedy: another folder, or delete that one.
    """
    if not (folder / 'manifest.json').exists():
        return False
    old, differing = asdict(read_manifest(folder)), []
    for key, value in asdict(manifest).items():
        if key not in ('command', 'versions', 'licences') and old[key] != value:
            differing.append(f'{key} {old[key]!r} there, {value!r} now')
    if differing:
        raise ValueError(f'{folder} holds another dataset ({"; ".join(differing)}): give another folder, or delete that one')
    return True


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest, or checks that the one there asks for the same pictures; raises as `is_begun` does."""
    if is_begun(folder, manifest):
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'manifest.json'
    part = path.with_suffix(f'.part{os.getpid()}')
    part.write_text(json.dumps(asdict(manifest), indent=1) + '\n')
    part.replace(path)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a dataset.

    Raises:
        ValueError: for a folder without one, or with a layout this reader does not know.
    """
    folder = Path(folder)
    path = folder / 'manifest.json'
    if folder.is_file() and folder.suffix == '.csv':
        raise ValueError(f'{folder} is no rendered dataset: write csv:{folder} for labelled pictures of your own')
    if not path.exists():
        raise ValueError(f'{folder} has no manifest.json: render a dataset with `python -m training.render --output {folder}`')
    try:
        values = json.loads(path.read_text())
        if (version := values['format_version']) == FORMAT_VERSION:
            return Manifest(**values | {'conditions': tuple(values['conditions'])})
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, path) from error
    raise ValueError(f'{path} has layout {version}, this reader knows {FORMAT_VERSION}: render it again')


def _damaged(path: Path, delete: Path) -> ValueError:
    return ValueError(f'{path} is damaged: delete {delete} and render into the same folder again, what is whole there is kept')


def finished_shards(folder: Path, manifest: Manifest) -> list[int]:
    """Numbers of the shards that are there."""
    return [shard for shard in range(manifest.shards) if (shard_path(folder, shard) / 'samples.npz').exists()]


class ShardWriter:
    """Fills one shard sample by sample, in any order; `finish` makes it visible.

    Use one writer per process and shard: shards do not share files.
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
        """Writes one sample; `row` holds every column of COLUMNS."""
        self._arrays['image'][index] = image
        self._arrays['alpha'][index] = alpha
        self._arrays['depth_mm'][index] = depth_mm
        for name in COLUMNS:
            self._columns[name][index] = row[name]
        self._missing.discard(index)

    def finish(self) -> None:
        """Makes the shard visible.

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


class SyntheticDataset:
    """Reads a dataset, also one that is still being rendered: the shards finished when it was opened.

    Args:
        path: the dataset's folder.
        split: 'train', 'val' or 'test' (by identity), or None for all samples.

    Raises:
        ValueError: for a folder that is no dataset, without any finished shard, or with a damaged file.
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
                raise _damaged(self.path / 'identities.csv', self.path / 'identities.csv')
            rows = [i for i, who in enumerate(identity) if split is None or self.split_of_identity[int(who)] == split]
            index += [(shard, row) for row in rows]
        self.index = np.array(index, np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.index)

    def __getstate__(self) -> dict[str, object]:
        """For another process, which maps the arrays itself."""
        return {**vars(self), '_mapped': {}}

    def arrays(self, shard: int) -> dict[str, np.ndarray]:
        """Memory-mapped `image`, `alpha`, `depth_mm` of a whole shard (all splits: pick rows with `index`)."""
        if shard not in self._mapped:
            folder = shard_path(self.path, shard)
            self._mapped[shard] = {name: np.load(folder / f'{name}.npy', mmap_mode='r') for name in _ARRAYS}
        return self._mapped[shard]

    def table(self, shard: int) -> dict[str, np.ndarray]:
        """Every column of COLUMNS of a whole shard, in memory."""
        if shard not in self._tables:
            self._tables[shard] = self._read_table(shard_path(self.path, shard), self.manifest.shard_count(shard))
        return self._tables[shard]

    def _read_table(self, folder: Path, count: int) -> dict[str, np.ndarray]:
        """The table of a shard of so many samples, whose arrays' files are as long as theirs must be."""
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
            raise _damaged(path, folder) from error

    def column(self, name: str) -> np.ndarray:
        """One column over this split, in the order of `sample`: (len, ...)."""
        parts = [self.table(s)[name][self.index[self.index[:, 0] == s, 1]] for s in self.shards]
        return np.concatenate(parts)

    def sample(self, i: int) -> Sample:
        """The i-th sample of this split."""
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
    """Identity id to 'train', 'val' or 'test', from identities.csv."""
    path = Path(folder) / 'identities.csv'
    try:
        with open(path, newline='') as file:
            splits = {int(row['id']): row['split'] for row in csv.DictReader(file)}
    except (FileNotFoundError, KeyError, ValueError, csv.Error) as error:
        raise _damaged(path, path) from error
    if not {'train', 'val', 'test'} >= set(splits.values()):
        raise _damaged(path, path)
    return splits


def refuse_people_seen(trained: Path, tested: Path) -> None:
    """A whole dataset can test only what was trained on others.

    Raises:
        ValueError: for a dataset that shows people of another's split 'train', under whatever number.
    """

    def people(folder: Path, splits: tuple[str, ...]) -> set[tuple[str, ...]]:
        with open(folder / 'identities.csv', newline='') as file:
            return {tuple(v for k, v in row.items() if k not in ('id', 'split')) for row in csv.DictReader(file) if row['split'] in splits}

    if shared := people(trained, ('train',)) & people(tested, ('train', 'val', 'test')):
        raise ValueError(f'{tested} shows {len(shared)} people that {trained} trains on: render it anew with another --seed')
