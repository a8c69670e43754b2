"""Compiled engines on disk: never stale, never half written, built once however many ask."""

from __future__ import annotations

import fcntl
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

_MAGIC = b'c2f_head_pose engine 1\n'
_LONGEST_HEADER = 1 << 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineKey:
    """Everything that an engine depends on; any difference means another engine.

    Attributes:
        model: the model's name, for people.
        onnx_sha256: of the model file.
        flavour: 'tensorrt' or 'tensorrt_rtx'.
        version: TensorRT's.
        gpu: the GPU's name.
        sm: its compute capability, 'sm89'.
        multiprocessors: how many it has: a slice of a GPU is another GPU.
        precision: 'fp32', 'fp16' or 'int8'.
        profile: the batch sizes that it is tuned for.
        recipe: of this package's builder; raised when the builder changes what it makes.
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
        """Name of the builder's notes on kernels, which every engine of this TensorRT on this GPU shares."""
        return f'timing_{_plain(self.gpu)}_{self.sm}_{self.multiprocessors}_{_plain(self.flavour + self.version)}.cache'


@dataclass(frozen=True, eq=False)
class CachedEngine:
    """An engine, and what became of it.

    Attributes:
        plan: the serialised engine.
        note: empty when it came from the cache or was kept there; else why it was not kept.
        built: True when it was built just now.
    """

    plan: bytes
    note: str = ''
    built: bool = False


class CacheError(OSError):
    """A cache folder that cannot be used; the message names it and the remedy."""


class EngineCache:
    """Engines in a folder, which processes share and anybody may delete at any time.

    Args:
        folder: `engine_folder()` by default; made when first written to.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or engine_folder()

    def find(self, key: EngineKey) -> bytes | None:
        """The engine of exactly this key; None when there is none, or it is damaged or another's (said in the log)."""
        return self._read(self.folder / key.file, asdict(key))

    def get(
        self, key: EngineKey, build: Callable[[], bytes], wait: Callable[[], None] = lambda: None, must_keep: bool = False
    ) -> CachedEngine:
        """The engine of this key, built if need be, by one process at a time.

        Args:
            key: what is wanted.
            build: makes it.
            wait: called once when another process is building it already, before waiting for that one.
            must_keep: raise where the folder cannot keep it, rather than hand it over with a note.

        Raises:
            CacheError: when `must_keep` and the folder cannot be written.
        """
        if plan := self.find(key):
            return CachedEngine(plan)
        try:
            with self._lock(key.file, wait):
                if plan := self.find(key):
                    return CachedEngine(plan)
                self._remove_leftovers(key.file)
                plan = build()
                return CachedEngine(plan, self._try_write(key.file, plan, asdict(key), must_keep), built=True)
        except CacheError as error:
            if must_keep:
                raise
            return CachedEngine(build(), f'not kept: {error}', built=True)

    def discard(self, key: EngineKey) -> None:
        """Removes an engine that TensorRT refused to load, if the folder lets it."""
        try:
            (self.folder / key.file).unlink(missing_ok=True)
        except OSError as error:
            _log.warning('cannot remove %s: %s', self.folder / key.file, error)

    def notes(self, key: EngineKey) -> bytes:
        """The builder's notes on kernels, empty at first."""
        return self._read(self.folder / key.timing_file, {'notes': key.timing_file}) or b''

    def keep_notes(self, key: EngineKey, notes: bytes) -> None:
        """Keeps the builder's notes for the next build; they only save time, so a folder that cannot is no error."""
        if notes:
            self._try_write(key.timing_file, notes, {'notes': key.timing_file}, must_keep=False)

    def _read(self, path: Path, expected: dict) -> bytes | None:
        try:
            with path.open('rb') as stream:
                if stream.read(len(_MAGIC)) != _MAGIC:
                    raise ValueError('not written by this package')
                header = json.loads(stream.readline(_LONGEST_HEADER))
                if header.get('key') != expected:
                    raise ValueError('made for something else')
                content = stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            _log.warning('%s is not used and will be made again: %s', path, error)
            return None
        if len(content) != header.get('size') or hashlib.sha256(content).hexdigest() != header.get('sha256'):
            _log.warning('%s is not used and will be made again: damaged', path)
            return None
        return content

    def _try_write(self, name: str, content: bytes, key: dict, must_keep: bool) -> str:
        """Writes a file whole or not at all; returns why not, or ''."""
        header = {'key': key, 'size': len(content), 'sha256': hashlib.sha256(content).hexdigest()}
        part = None
        try:
            handle, part = tempfile.mkstemp(dir=self.folder, prefix=f'{name}.', suffix='.part')
            with os.fdopen(handle, 'wb') as stream:
                stream.write(_MAGIC + json.dumps(header).encode() + b'\n' + content)
                stream.flush()
                os.fsync(stream.fileno())  # a power cut must not leave the name on an empty file
            os.chmod(part, 0o644)
            os.replace(part, self.folder / name)
        except OSError as error:
            if part is not None:
                Path(part).unlink(missing_ok=True)
            if must_keep:
                raise self._unusable(error) from error
            return f'not kept: {self._unusable(error)}'
        return ''

    @contextmanager
    def _lock(self, name: str, wait: Callable[[], None]) -> Iterator[None]:
        """Holds the engine's lock, which the system lets go when its holder dies."""
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
            except OSError as error:  # a network folder without locks
                raise self._unusable(error) from error
            yield

    def _remove_leftovers(self, name: str) -> None:
        """Removes what builders that were killed left half written; needs the lock, so no living one's is taken."""
        for part in self.folder.glob(f'{name}.*.part'):
            part.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> CacheError:
        return CacheError(
            f'the engine folder {self.folder} cannot be written ({error.strerror or error}); '
            'make it writable, free some space, or set C2F_HEAD_POSE_ENGINES to another folder'
        )


def engine_folder() -> Path:
    """Where engines are kept: $C2F_HEAD_POSE_ENGINES, else c2f_head_pose/engines in the user's cache folder (XDG)."""
    if chosen := os.environ.get('C2F_HEAD_POSE_ENGINES'):
        return Path(chosen).expanduser()
    cache = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(cache) / 'c2f_head_pose' / 'engines'


def _plain(text: str) -> str:
    return re.sub(r'[^A-Za-z0-9.]+', '-', text).strip('-')
