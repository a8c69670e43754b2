"""What a machine without a network needs to render and to turn portraits: two parcels, which may be carried apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..portraits.fetch import sources
from ..portraits.mediapipe import LANDMARKER, SEGMENTER
from ..synthetic.assets.fetch import ensure_assets
from . import parcel

MATERIALS, PICTURES = 'materials', 'pictures'


def pack(folder: Path, megabytes: float) -> None:
    """Writes a kit from this machine's cache and PORTRAITS_DIR.

    Args:
        folder: for the parcels MATERIALS (the heads' assets, MediaPipe's networks, ICT-FaceKit) and PICTURES (portraits).
        megabytes: size of both together at most; portraits that do not fit are left out, evenly over the folder.

    Raises:
        ValueError: where the materials alone are larger.
    """
    assets, where = ensure_assets(), sources()
    files: dict[str, Path | bytes] = {f'c2f_head_pose/{assets.name}/{path.name}': path for path in sorted(assets.iterdir())}
    extra = [path for path in (where.models / LANDMARKER, where.models / SEGMENTER, where.head) if path.exists()]
    files |= {f'c2f_head_pose/portraits/{path.name}': path for path in extra}
    parcel.write(files, folder / MATERIALS, compress=True)
    room = megabytes * parcel.MB - parcel.size(folder / MATERIALS)
    if room < 0:
        raise ValueError(f'the materials alone are {parcel.size(folder / MATERIALS) / parcel.MB:.1f} MB: give at least so many --megabytes')
    pictures = sorted(where.portraits.glob('*.jpg')) if len(extra) == 3 else []
    each = max((path.stat().st_size for path in pictures), default=0) + 1536  # tar's header and padding
    whole = sum(path.stat().st_size + 1536 for path in pictures)
    fit = len(pictures) if whole <= room else int(room // each)
    chosen = [pictures[i * len(pictures) // fit] for i in range(fit)]
    if chosen:
        parcel.write({f'{PICTURES}/{path.name}': path for path in chosen}, folder / PICTURES)
    print(f'{folder}: {parcel.size(folder) / parcel.MB:.1f} MB, {len(chosen)} of {len(pictures)} portraits')
    if len(extra) < 3 or not pictures:
        print('no portraits: run `python -m training.portraits fetch` first, or set PORTRAITS_DIR')


def unpack(folder: Path, into: Path) -> None:
    """Unpacks what there is of a kit, once.

    Raises:
        ValueError: for a folder without a parcel of a kit.
    """
    there = [name for name in (MATERIALS, PICTURES) if (folder / name / parcel.INDEX).exists()]
    if not there:
        raise ValueError(f'{folder} is no kit: write one with `python -m training.gpu_session pack --kit {folder}`')
    for name in there:
        done = into / f'.{name}'
        if not done.exists():
            parcel.read(folder / name, into)
            done.touch()


def environment(into: Path) -> Mapping[str, str]:
    """Variables with which commands use an unpacked kit; none where nothing is unpacked."""
    found = {}
    if (into / f'.{MATERIALS}').exists():
        found['XDG_CACHE_HOME'] = str(into.resolve())
    if (into / PICTURES).is_dir():
        found['PORTRAITS_DIR'] = str((into / PICTURES).resolve())
    return found
