"""Defines the layout of a rendered dataset's folder: columns, manifest and shards (`dataset.py` describes the files)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from c2f_head_pose.files import written_whole

FORMAT_VERSION = 1
PORTRAITS = 'portraits'
"""Preset of datasets of turned portraits (`training.portraits`), which are no renders."""
EXPRESSIONS = ('neutral', 'talk', 'smile', 'open_mouth', 'squint', 'blink', 'random')
LIGHTS = ('soft', 'sun', 'one_sided', 'patterned', 'backlit', 'coloured', 'near_infrared')
OCCLUDERS = ('none', 'hand', 'phone', 'bar', 'rectangle')
COVERINGS = ('none', 'mask', 'scarf')
EYEWEAR = ('none', 'glasses', 'sunglasses')
ORIGIN = ('command', 'versions', 'licences')
"""Entries of a manifest that say how a dataset came about, not what is in it."""
COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    'R_cam_head': ('f8', (3, 3)),  # head axes -> optical axes of the camera that the crop was seen by
    'R_crop_head': ('f8', (3, 3)),  # ray_rotation(crop centre).T @ R_cam_head: the network's target
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


@dataclass(frozen=True)
class Manifest:
    """Content and settings of a dataset.

    Attributes:
        preset: name of the preset it was rendered with.
        seed: seed of the whole dataset.
        count: samples in the whole dataset, all shards.
        shard_size: samples per shard; the last shard may hold fewer.
        crop_size: side S of the square crops, pixels.
        crop_margin: side of the crop over the larger extent of the 68 landmarks' box.
        channels: 1 gray, 3 BGR.
        composited: whether the image contains the background (see `dataset.py`).
        depth_model: 'ideal', 'structured_light', 'time_of_flight', or 'ray_distance' (the paper's).
        command: the command line that rendered it.
        versions: package name to version, of those that render; the assets have `asset_sha256`.
        asset_sha256: of the asset cache.
        licences: asset name to licence.
        conditions: names of the steps of a robustness set, or empty.
        settings: settings of the preset that the command line can change: pose ranges, people, crops per dressed head.
        format_version: version of this layout.
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


def shard_path(folder: Path, shard: int) -> Path:
    """Returns the folder of a finished shard."""
    return folder / f'shard-{shard:05d}'


def content_of(manifest: Manifest) -> dict[str, object]:
    """What defines the data: the manifest without how they came about. It is equal for the same data wherever they are rendered."""
    return {key: value for key, value in asdict(manifest).items() if key not in ORIGIN}


def is_begun(folder: Path, manifest: Manifest) -> bool:
    """Whether the folder has a manifest; it must have the same settings.

    Raises:
        ValueError: if the folder has a dataset of other settings: give another folder, or delete it.
    """
    if not (folder / 'manifest.json').exists():
        return False
    old = content_of(read_manifest(folder))
    if differing := [f'{key} {old[key]!r} there, {value!r} now' for key, value in content_of(manifest).items() if old[key] != value]:
        raise ValueError(f'{folder} holds another dataset ({"; ".join(differing)}): give another folder, or delete that one')
    return True


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest, or checks an existing one; raises as `is_begun` does."""
    if is_begun(folder, manifest):
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'manifest.json'
    with written_whole(path, path.with_suffix(f'.part{os.getpid()}')) as part:
        part.write_text(json.dumps(asdict(manifest), indent=1) + '\n')


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest of a dataset.

    Raises:
        ValueError: for a folder without one, or with a layout of another version.
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
        raise damaged(path, path) from error
    raise ValueError(f'{path} has layout {version}, this version reads layout {FORMAT_VERSION}; render it again')


def damaged(path: Path, delete: Path) -> ValueError:
    """Returns the error for a damaged file of a dataset, with what to delete before rendering again."""
    return ValueError(f'{path} is damaged: delete {delete} and render into the same folder again, complete shards are kept')


def finished_shards(folder: Path, manifest: Manifest) -> list[int]:
    """Numbers of the finished shards."""
    return [shard for shard in range(manifest.shards) if (shard_path(folder, shard) / 'samples.npz').exists()]
