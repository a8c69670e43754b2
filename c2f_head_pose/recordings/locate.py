"""Finds the storage files of the recording that a path names, in order; refuses unrelated files by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from ..files import read_yaml
from .pictures import picture_files
from .storage import BagError

MCAP, SQLITE3, ROSBAG1 = '.mcap', '.db3', '.bag'
STORAGE_SUFFIXES = (MCAP, SQLITE3, ROSBAG1)
PACKED_SUFFIXES = ('.zstd', '.zst')
"""Of files that are compressed as a whole: rosbag2's ending, and the zstd command's."""
_OTHER_PACKED = ('.gz', '.bz2', '.xz', '.lz4', '.zip', '.tar', '.tgz', '.7z')
_METADATA = 'metadata.yaml'
_METADATA_VERSION = 9
"""The newest version of rosbag2's metadata.yaml that is known here (Jazzy)."""
_STORAGE_IDS = ('mcap', 'sqlite3')
_ROSBAG1_DATE = re.compile(r'_?\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}')
_PART = re.compile(r'^(.*?)[_-]?(\d+)$')


@dataclass(frozen=True)
class Located:
    """The files of one recording.

    Attributes:
        files: storage files in the order in which they were recorded; empty for a folder of pictures.
        pictures: the picture files of such a folder.
        numbers: the number of each storage file, where the order of the parts comes from their names alone; empty otherwise.
        messages: number of messages in all files, by metadata.yaml; None if unknown.
        notes: oddities that cost no data.
        damage: the part that is missing; None for nothing.
    """

    files: tuple[Path, ...] = ()
    pictures: tuple[Path, ...] = ()
    numbers: tuple[int, ...] = ()
    messages: int | None = None
    notes: tuple[str, ...] = ()
    damage: str | None = None


def locate(path: Path) -> Located:
    """The files of the recording that a path names.

    Args:
        path: a storage file, a rosbag2 folder, a folder with the parts of one recording, or a folder of pictures.

    Raises:
        BagError: for a path that names no recording, or several.
    """
    if not path.exists():
        raise BagError(
            f'there is no recording {path}: the path does not exist; name a rosbag2 folder, a file ({_suffixes()}) or a folder of pictures'
        )
    if path.is_file():
        return _one_file(path)
    if (path / _METADATA).is_file():
        return _by_metadata(path)
    parts = _storage_files(path)
    if parts:
        return _by_names(path, parts)
    pictures = picture_files(path)
    if pictures:
        return Located(pictures=tuple(pictures))
    raise BagError(f'{path} holds no recording: no {_METADATA}, no {_suffixes()} file and no picture{_recordings_below(path)}')


def storage_suffix(path: Path) -> str:
    """The ending of a storage file's format, without that of its compression; '' for another file."""
    name = PurePath(path.stem) if path.suffix in PACKED_SUFFIXES else path
    return name.suffix if name.suffix in STORAGE_SUFFIXES else ''


def _one_file(path: Path) -> Located:
    if not storage_suffix(path):
        if path.name == _METADATA:
            raise BagError(f'{path} describes a recording; name its folder, {path.parent}')
        if path.suffix in _OTHER_PACKED:
            raise BagError(f'{path} is a packed file; unpack it first, and name what comes out ({_suffixes()})')
        raise BagError(f'{path} is no recording: a rosbag2 folder, a file ({_suffixes()}) or a folder of pictures is read')
    beside = path.parent / _METADATA
    notes = []
    with suppress(BagError):
        if beside.is_file() and len(files := _by_metadata(path.parent).files) > 1 and path in files:
            notes.append(f'{path.name} is one of {len(files)} files of a recording; name the folder {path.parent.name} for all of them')
    return Located((path,), notes=tuple(notes))


def _by_metadata(folder: Path) -> Located:
    """The files that metadata.yaml names; those that are there, where it cannot be read."""
    try:
        information = read_yaml(folder / _METADATA)['rosbag2_bagfile_information']
        names = [PurePath(name).name for name in information['relative_file_paths']]
    except (ValueError, OSError, KeyError, TypeError) as error:
        located = _by_names(folder, _storage_files(folder))
        if not located.files:
            raise BagError(f'{folder} holds a {_METADATA} that cannot be read, and no {_suffixes()} file') from error
        note = f'{_METADATA} cannot be read ({type(error).__name__}: {error}); the files are taken by their names'.replace('\n', ' ')
        return Located(located.files, numbers=located.numbers, notes=(*located.notes, note), damage=located.damage)
    notes = [*_unusual(information)]
    there = {storage.name: storage for storage in _storage_files(folder)}
    files = [found for name in names if (found := _present(folder, name)) is not None]
    if not files:
        raise BagError(
            f'{folder} lacks the files that its {_METADATA} names ({", ".join(names) or "none"})'
            + (f'; it holds {", ".join(sorted(there))}: name one of them' if there else '')
        )
    missing = [name for name in names if _present(folder, name) is None]
    others = sorted(name for name, storage in there.items() if storage not in files)
    if others:
        notes.append(f'{", ".join(others)}: not in {_METADATA}, so not read; name a file by itself, or let ros2 bag reindex take it in')
    count = information.get('message_count')
    return Located(
        tuple(files),
        messages=count if isinstance(count, int) and not missing else None,
        notes=tuple(notes),
        damage=f'{", ".join(missing)}: named in {_METADATA}, but not there' if missing else None,
    )


def _unusual(information: dict[str, Any]) -> Iterator[str]:
    version, identifier = information.get('version'), information.get('storage_identifier')
    if not isinstance(version, int) or version > _METADATA_VERSION:
        yield f'{_METADATA} has version {version}, {_METADATA_VERSION} is the newest that is known; its files are read all the same'
    if identifier not in _STORAGE_IDS:
        yield f'{_METADATA} names the storage {identifier!r}, not {" or ".join(_STORAGE_IDS)}; the files are read by their endings'


def _present(folder: Path, name: str) -> Path | None:
    """A file that metadata.yaml names, also if it was compressed or decompressed since."""
    candidates = [folder / name, *(folder / f'{name}{suffix}' for suffix in PACKED_SUFFIXES)]
    if PurePath(name).suffix in PACKED_SUFFIXES:
        candidates.append(folder / PurePath(name).stem)
    return next((path for path in candidates if storage_suffix(path) and path.is_file()), None)


def _storage_files(folder: Path) -> list[Path]:
    """The storage files in a folder; no hidden ones, and no compressed file whose decompressed copy is beside it."""
    files = {path.name: path for path in folder.iterdir() if path.is_file() and storage_suffix(path) and not path.name.startswith('.')}
    return [path for path in files.values() if path.suffix not in PACKED_SUFFIXES or path.stem not in files]


def _by_names(folder: Path, parts: Sequence[Path]) -> Located:
    """The parts of one recording by their names: NAME_0.mcap, NAME_1.mcap and so on, or ROS 1's NAME_DATE_0.bag, NAME_DATE_1.bag."""
    if len(parts) <= 1:
        return Located(tuple(parts))
    names, numbers = zip(*map(_part_of, parts))
    missing = sorted({*range(min(numbers), max(numbers))} - {*numbers})
    if len(set(names)) != 1 or -1 in numbers or len(set(numbers)) != len(numbers) or len(missing) >= len(numbers):
        raise several(folder, parts)
    damage = f'parts {", ".join(map(str, missing))} of the recording are missing' if missing else None
    return Located(tuple(sorted(parts, key=lambda path: _part_of(path)[1])), numbers=tuple(sorted(numbers)), damage=damage)


def _part_of(path: Path) -> tuple[tuple[str, str], int]:
    """A part's recording (name without number and date, format) and its number; -1 without a number."""
    suffix = storage_suffix(path)
    stem = path.name.rpartition(suffix)[0]
    match = _PART.match(stem)
    if match is None:
        return (stem, suffix), -1
    return (_ROSBAG1_DATE.sub('', match[1]) if suffix == ROSBAG1 else match[1], suffix), int(match[2])


def several(folder: Path, parts: Sequence[Path], why: str = '') -> BagError:
    """The error for a folder with several recordings; it names them."""
    names = sorted(path.name for path in parts)
    listed = ', '.join(names[:6]) + (f' and {len(names) - 6} more' if len(names) > 6 else '')
    return BagError(
        f'{folder} holds several recordings{why}: {listed}; name one of them (evaluate_bag takes several), or, if they are '
        'parts of one, make a metadata.yaml with ros2 bag reindex'
    )


def _recordings_below(folder: Path) -> str:
    """A remark that names the folders inside that hold recordings."""
    inside = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith('.') and ((path / _METADATA).is_file() or _storage_files(path))
    )
    others = ' and others' if len(inside) > 6 else ''
    return f'; there are recordings in {", ".join(inside[:6])}{others}: name one of them' if inside else ''


def _suffixes() -> str:
    return ', '.join(STORAGE_SUFFIXES)
