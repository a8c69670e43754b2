"""What a machine without a network needs to render and to turn portraits: three parcels, which may be carried apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from c2f_head_pose.models.registry import DETECTOR, fetched_folder

from ..portraits.fetch import sources
from ..portraits.mediapipe import LANDMARKER, SEGMENTER
from ..portraits.pictures import pictures_of
from ..synthetic.assets.fetch import ensure_assets
from . import parcel

HEADS, FITS, PICTURES = PARCELS = ('heads', 'fits', 'pictures')
"""The heads' assets; what portraits are fitted with, MediaPipe's networks, ICT-FaceKit and the face detector; the portraits."""
_OVERHEAD = 1536  # of a file in a tar archive: header and padding, at most


def pack(folder: Path, megabytes: float) -> None:
    """Writes a kit, one parcel for each of PARCELS, from this machine's cache and PORTRAITS_DIR.

    Args:
        folder: folder for the parcels.
        megabytes: largest size of all parcels together; portraits that do not fit are left out, evenly over the folder.

    Raises:
        ValueError: where there is no room even without portraits.
    """
    assets, where = ensure_assets(), sources()
    parcel.write({f'c2f_head_pose/{assets.name}/{path.name}': path for path in sorted(assets.iterdir())}, folder / HEADS)
    fits = {
        **{f'portraits/{path.name}': path for path in (where.models / LANDMARKER, where.models / SEGMENTER, where.head)},
        f'models/{DETECTOR.file}': fetched_folder() / DETECTOR.file,
    }
    missing = [str(path) for path in fits.values() if not path.exists()]
    if not missing:
        parcel.write({f'c2f_head_pose/{name}': path for name, path in fits.items()}, folder / FITS)
    needed = sum(parcel.size(folder / name) for name in (HEADS, FITS)) / parcel.MB
    if needed > megabytes:
        raise ValueError(f'{HEADS} and {FITS} alone are {needed:.1f} MB: give at least so many --megabytes')
    pictures = pictures_of(where.portraits) if not missing and where.portraits.is_dir() else []
    chosen = _that_fit(pictures, (megabytes - needed) * parcel.MB)
    if chosen:
        parcel.write({f'{PICTURES}/{path.name}': path for path in chosen}, folder / PICTURES)
    print('\n'.join(f'{folder / name}: {parcel.size(folder / name) / parcel.MB:.1f} MB' for name in PARCELS if (folder / name).is_dir()))
    print(f'{len(chosen)} of {len(pictures)} portraits')
    if missing or not pictures:
        print(f'no {", ".join(missing) or where.portraits}: run `python -m training.portraits fetch` and `fetch_models` for portraits')


def _that_fit(pictures: list[Path], room: float) -> list[Path]:
    """As many pictures as fit into so many bytes, evenly over the list."""
    for count in range(len(pictures), 0, -1):
        chosen = [pictures[i * len(pictures) // count] for i in range(count)]
        if sum(path.stat().st_size + _OVERHEAD for path in chosen) + 100 * count + 20_000 < room:  # with the index
            return chosen
    return []


def unpack(folder: Path, into: Path) -> None:
    """Unpacks the parcels of a kit that are there and were not unpacked before.

    Raises:
        ValueError: for a folder without a parcel of a kit, or a damaged one.
    """
    there = [name for name in PARCELS if (folder / name / parcel.INDEX).exists()]
    if not there:
        raise ValueError(f'{folder} is no kit: write one with `python -m training.gpu_session pack --kit {folder}`')
    for name in there:
        index, done = (folder / name / parcel.INDEX).read_text(), into / f'.{name}'
        if not done.exists() or done.read_text() != index:
            parcel.read(folder / name, into)
            done.write_text(index)


def environment(into: Path) -> Mapping[str, str]:
    """Variables with which commands use what is unpacked of kits; none where nothing is."""
    found = {}
    if (into / f'.{HEADS}').exists():
        found['XDG_CACHE_HOME'] = str(into.resolve())
    if (into / PICTURES).is_dir():
        found['PORTRAITS_DIR'] = str((into / PICTURES).resolve())
    return found
