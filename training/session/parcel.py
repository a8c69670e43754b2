"""Files in pieces of limited size, for a machine whose files come and go through a narrow channel.

A folder holds `index.json` and the pieces of one tar archive. The index is replaced last and names the pieces with their sha256, so a
process that is killed while it writes leaves the parcel before.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

INDEX = 'index.json'
MB = 1_000_000


class _Writer(io.RawIOBase):
    """A stream that is cut into files of at most `piece_bytes`."""

    def __init__(self, folder: Path, stem: str, piece_bytes: int):
        self.folder, self.stem, self.piece_bytes = folder, stem, piece_bytes
        self.pieces: list[dict[str, str]] = []
        self._file: BinaryIO | None = None
        self._sum, self._room = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def, override]
        view = memoryview(data)
        while len(view):
            if self._room == 0:
                self._next()
            part = view[: self._room]
            assert self._file is not None
            self._file.write(part)
            self._sum.update(part)
            self._room -= len(part)
            view = view[len(part) :]
        return len(data)

    def _next(self) -> None:
        self.finish()
        name = f'{self.stem}-{len(self.pieces):02d}.bin'
        self._file = open(self.folder / name, 'wb')  # noqa: SIM115
        self._sum, self._room = hashlib.sha256(), self.piece_bytes
        self.pieces.append({'name': name, 'sha256': ''})

    def finish(self) -> None:
        """Ends the present piece."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self.pieces[-1]['sha256'] = self._sum.hexdigest()


class _Reader(io.RawIOBase):
    """The pieces as one stream."""

    def __init__(self, paths: list[Path]):
        self._paths, self._file = iter(paths), io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, into) -> int:  # type: ignore[no-untyped-def, override]
        while not (count := self._file.readinto(into)):
            path = next(self._paths, None)
            if path is None:
                return 0
            self._file.close()
            self._file = open(path, 'rb')  # type: ignore[assignment]  # noqa: SIM115
        return count


def write(files: Mapping[str, Path | bytes], folder: Path, piece_bytes: int = 16 * MB) -> None:
    """Writes files as a parcel, in place of the one that the folder holds.

    Args:
        files: content by name, relative to the folder that they are unpacked into.
        folder: the parcel's folder.
        piece_bytes: size of the largest piece.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generation = 1 + _read_index(folder).get('generation', 0)
    fresh = folder / '.part'
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    writer = _Writer(fresh, f'piece-{generation}', piece_bytes)
    with tarfile.open(fileobj=writer, mode='w|') as tar:
        for name, content in files.items():
            if isinstance(content, Path):
                tar.add(content, name, recursive=False)
            else:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    writer.finish()
    (fresh / INDEX).write_text(json.dumps({'generation': generation, 'files': list(files), 'pieces': writer.pieces}, indent=1) + '\n')
    names = {piece['name'] for piece in writer.pieces}
    for name in sorted(names):
        (fresh / name).replace(folder / name)
    (fresh / INDEX).replace(folder / INDEX)
    for old in folder.glob('piece-*.bin'):
        if old.name not in names:
            old.unlink()
    fresh.rmdir()


def read(folder: Path, into: Path) -> list[str]:
    """Unpacks a parcel and returns the names of its files.

    Raises:
        ValueError: for a folder without a complete, undamaged parcel.
    """
    index = _read_index(folder)
    if not index:
        raise ValueError(f'{folder} has no {INDEX}: give the folder that an earlier call wrote')
    paths = []
    for piece in index['pieces']:
        path = folder / piece['name']
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != piece['sha256']:
            raise ValueError(f'{path} is missing or damaged: copy the whole folder again')
        paths.append(path)
    into.mkdir(parents=True, exist_ok=True)
    root = into.resolve()
    with tarfile.open(fileobj=io.BufferedReader(_Reader(paths)), mode='r|') as tar:
        for member in tar:
            target = (into / member.name).resolve()
            if not member.isfile() or not target.is_relative_to(root):
                raise ValueError(f'{folder} holds {member.name}, which is no file of a parcel')
            target.parent.mkdir(parents=True, exist_ok=True)
            source, part = tar.extractfile(member), target.with_name(f'{target.name}.part{os.getpid()}')
            assert source is not None
            with open(part, 'wb') as file:
                shutil.copyfileobj(source, file)
            part.replace(target)
    return index['files']


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())


def _read_index(folder: Path) -> dict:
    path = folder / INDEX
    return json.loads(path.read_text()) if path.exists() else {}
