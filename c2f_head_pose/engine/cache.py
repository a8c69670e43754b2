"""Stores compiled engines in a folder that processes share.

The file name and header hold everything that an engine depends on, so a stale engine is never loaded; files are replaced whole, so none is
half written; a lock lets one process build while the others wait for its engine. Windows has no such lock, so engines are not stored there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..models.registry import cache_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_MAGIC = b'c2f_head_pose engine 1\n'
_LONGEST_HEADER = 1 << 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """Everything that an engine depends on. Two keys that differ name two engines.

    Attributes:
        model: the model's name, for the file name.
        onnx_sha256: hexadecimal digest of the model file.
        flavour: 'tensorrt' or 'tensorrt_rtx'.
        version: version of TensorRT.
        gpu: the GPU's name.
        sm: its compute capability, 'sm89'.
        multiprocessors: number of its multiprocessors, which tells a slice of a GPU (MIG) from the whole.
        precision: 'fp32', 'fp16' or 'int8'.
        profile: the batch sizes that the engine is tuned for.
        recipe: version of this package's builder; increased when the builder makes other engines of the same model.
    """

    model: str
    onnx_sha256: str
    flavour: str
    version: str
    gpu: str
    sm: str
    multiprocessors: int
    precision: str
    profile: str
    recipe: int = 1

    @property
    def file(self) -> str:
        """The engine's file name: readable, and different for every key."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]
        return f'{_plain(self.model)}_{self.precision}_{_plain(self.gpu)}_{_plain(self.flavour + self.version)}_{digest}.engine'

    @property
    def timing_file(self) -> str:
        """Name of the file with the builder's timing cache, which all engines of this TensorRT on this GPU share."""
        return f'timing_{_plain(self.gpu)}_{self.sm}_{self.multiprocessors}_{_plain(self.flavour + self.version)}.cache'


@dataclass(frozen=True, eq=False)
class CachedEngine:
    """An engine, and whether it is stored in the cache.

    Attributes:
        plan: the serialised engine.
        note: empty when the cache has the engine; else the reason why it was not stored.
        built: True when this call built it.
    """

    plan: bytes
    note: str = ''
    built: bool = False


class CacheError(OSError):
    """A cache folder that cannot be used; the message names the folder and the remedy."""


class EngineCache:
    """A folder of engines. Several processes may use it at once, and its files may be deleted at any time.

    Args:
        folder: `engine_folder()` by default; created when the first engine is written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or engine_folder()

    def find(self, key: EngineKey) -> bytes | None:
        """Reads the engine of exactly this key.

        Returns:
            The serialised engine; None when there is none, or when the file is damaged or of another key, which is logged.
        """
        return self._read(self.folder / key.file, asdict(key))

    def get(
        self, key: EngineKey, build: Callable[[], bytes], wait: Callable[[], None] = lambda: None, must_keep: bool = False
    ) -> CachedEngine:
        """Reads the engine of this key, or builds and stores it. One process builds at a time; the others wait for its engine.

        Args:
            key: key of the engine.
            build: builds the engine and returns it serialised.
            wait: called once before this process waits for another one that is building the engine.
            must_keep: raise when the engine cannot be stored, instead of returning it with a note.

        Raises:
            CacheError: when `must_keep` and the folder cannot be written.
        """
        if plan := self.find(key):
            return CachedEngine(plan)
        try:
            with self._lock(key.file, wait):
                if plan := self.find(key):
                    return CachedEngine(plan)
                for name in (key.file, key.timing_file):
                    self._remove_leftovers(name)
                plan = build()
                return CachedEngine(plan, self._try_write(key.file, plan, asdict(key), must_keep), built=True)
        except CacheError as error:
            if must_keep:
                raise
            return CachedEngine(build(), f'not stored: {error}', built=True)

    def discard(self, key: EngineKey) -> None:
        """Removes an engine that TensorRT cannot load. A file that cannot be removed is logged."""
        try:
            (self.folder / key.file).unlink(missing_ok=True)
        except OSError as error:
            _log.warning('cannot remove the engine %s: %s; delete it by hand', self.folder / key.file, error)

    def notes(self, key: EngineKey) -> bytes:
        """Reads the builder's timing cache; empty bytes when there is none yet."""
        return self._read(self.folder / key.timing_file, {'notes': key.timing_file}) or b''

    def keep_notes(self, key: EngineKey, notes: bytes) -> None:
        """Stores the builder's timing cache for the next build. It only saves time, so a folder that cannot be written is no error."""
        if notes:
            self._try_write(key.timing_file, notes, {'notes': key.timing_file}, must_keep=False)

    def _read(self, path: Path, expected: dict) -> bytes | None:
        try:
            with path.open('rb') as stream:
                if stream.read(len(_MAGIC)) != _MAGIC:
                    raise ValueError('the file was not written by this package')
                header = json.loads(stream.readline(_LONGEST_HEADER))
                if header.get('key') != expected:
                    raise ValueError('the file belongs to another model, GPU or TensorRT')
                content = stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            _log.warning('%s cannot be used and will be built again: %s', path, error)
            return None
        if len(content) != header.get('size') or hashlib.sha256(content).hexdigest() != header.get('sha256'):
            _log.warning('%s cannot be used and will be built again: the file is damaged', path)
            return None
        return content

    def _try_write(self, name: str, content: bytes, key: dict, must_keep: bool) -> str:
        """Writes a file whole or not at all; returns '' or the reason why it was not written."""
        header = {'key': key, 'size': len(content), 'sha256': hashlib.sha256(content).hexdigest()}
        part = None
        try:
            handle, part = tempfile.mkstemp(dir=self.folder, prefix=f'{name}.', suffix='.part')
            with os.fdopen(handle, 'wb') as stream:
                stream.write(_MAGIC + json.dumps(header).encode() + b'\n' + content)
                stream.flush()
                os.fsync(stream.fileno())  # otherwise the file can be empty under its final name after a power cut
            os.chmod(part, 0o644)
            os.replace(part, self.folder / name)
        except OSError as error:
            if part is not None:
                Path(part).unlink(missing_ok=True)
            if must_keep:
                raise self._unusable(error) from error
            return f'not stored: {self._unusable(error)}'
        return ''

    @contextmanager
    def _lock(self, name: str, wait: Callable[[], None]) -> Iterator[None]:
        """Holds the engine's lock. The system releases it when the process ends, however it ends."""
        if fcntl is None:
            raise CacheError('this system has no engine folder: its Python has no file locks (fcntl)')
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            stream = (self.folder / f'{name}.lock').open('w')
        except OSError as error:
            raise self._unusable(error) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError as error:  # some network file systems have no locks
                raise self._unusable(error) from error
            yield

    def _remove_leftovers(self, name: str) -> None:
        """Removes partly written files of builders that were killed.

        The caller holds the engine's lock, so no running builder owns one of the engine. One of the timing cache may be that of a builder
        of another engine, which then only stores its timings the next time.
        """
        for part in self.folder.glob(f'{name}.*.part'):
            part.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> CacheError:
        return CacheError(
            f'the engine folder {self.folder} cannot be written ({error.strerror or error}); '
            'make it writable, free some space, or set C2F_HEAD_POSE_ENGINES to another folder'
        )


def engine_folder() -> Path:
    """Returns the folder of engines: $C2F_HEAD_POSE_ENGINES, else c2f_head_pose/engines in the user's cache folder (XDG)."""
    return cache_folder('engines', 'C2F_HEAD_POSE_ENGINES')


def _plain(text: str) -> str:
    return re.sub(r'[^A-Za-z0-9.]+', '-', text).strip('-')
