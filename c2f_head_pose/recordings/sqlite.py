"""Reads rosbag2's SQLite files (.db3), together with the write-ahead log or journal of a recorder that was killed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .storage import CDR, Channel, CutOffError, Record, first_line, ros_type
from .write_ahead_log import check_log

_LOG, _JOURNAL, _SHARED = '-wal', '-journal', '-shm'


class SqliteFile:
    """A .db3 file; see Storage.

    Args:
        path: the file.

    Raises:
        CutOffError: for a file in which not even the topics can be read.
    """

    def __init__(self, path: Path) -> None:
        self.damage: str | None = None
        self.notes: list[str] = []
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self._copy: TemporaryDirectory[str] | None = None
        self._made_shared: Path | None = None
        try:
            self._database = self._open(path)
            self._channels = self._read_channels()
            self._count()
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise CutOffError(first_line(error)) from error
            raise
        self.channels = [*self._channels.values()]

    def close(self) -> None:
        """See Storage."""
        with suppress(AttributeError):
            self._database.close()
        if self._made_shared is not None:
            self._made_shared.unlink(missing_ok=True)
        if self._copy is not None:
            self._copy.cleanup()
        self._made_shared = self._copy = None

    def records(self, topics: Collection[str], from_ns: int = 0) -> Iterator[Record]:
        """See Storage."""
        wanted = [number for number, channel in self._channels.items() if channel.topic in topics]
        # A damaged file is followed by its table, in the order of writing, up to the first missing page; the index may lead past it.
        order = 'id' if self.damage else 'timestamp, id'
        query = (
            f'SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({",".join("?" * len(wanted))}) '
            f'AND timestamp >= ? ORDER BY {order}'
        )
        try:
            for number, log_ns, raw in self._database.execute(query, (*wanted, from_ns)):
                if not (isinstance(log_ns, int) and isinstance(raw, bytes)):
                    raise CutOffError('a row holds other kinds of values than a message')
                yield Record(self._channels[number], log_ns, raw)
        except CutOffError:
            raise
        except Exception as error:  # SQLite's own classes and MemoryError; each means damage here
            raise CutOffError(first_line(error)) from error

    def _open(self, path: Path) -> sqlite3.Connection:
        log, journal = (path.with_name(path.name + ending) for ending in (_LOG, _JOURNAL))
        if _holds_something(log):
            state = check_log(log)
            if state.damage:
                self.damage = f'its write-ahead log {log.name} is damaged: {state.damage}'
            else:
                self.notes.append(
                    f'{path.name} was not closed by its recorder; its write-ahead log {log.name} is read with it'
                    + ('; the messages that were being written at the end are lost' if state.unfinished else '')
                )
            return self._open_with_log(path)
        if _holds_something(journal):
            self.notes.append(
                f'{path.name} was not closed by its recorder; what its journal {journal.name} holds is undone in a copy, as SQLite does'
            )
            return self._open_copy(path, _JOURNAL)
        return _connect(path, 'immutable=1')

    def _open_with_log(self, path: Path) -> sqlite3.Connection:
        """Opens the database where it is, which needs a file of shared memory beside it; else a copy, where none can be made there."""
        shared = path.with_name(path.name + _SHARED)
        self._made_shared = None if shared.exists() else shared
        database = _connect(path, 'mode=ro')
        try:
            database.execute('SELECT count(*) FROM sqlite_master').fetchone()
        except sqlite3.Error:
            database.close()
            return self._open_copy(path, _LOG)
        return database

    def _open_copy(self, path: Path, ending: str) -> sqlite3.Connection:
        self._copy = TemporaryDirectory(prefix='c2f_head_pose_')
        copy = Path(self._copy.name) / path.name
        try:
            shutil.copyfile(path, copy)
            shutil.copyfile(path.with_name(path.name + ending), copy.with_name(copy.name + ending))
        except OSError as error:
            raise CutOffError(
                f'{path.name} and its {ending} cannot be copied to {copy.parent} to read them together '
                f'({error.strerror}); set TMPDIR to a folder with more room'
            ) from error
        return _connect(copy, 'mode=rw')

    def _read_channels(self) -> dict[int, Channel]:
        """Topics by their number. Tables and columns differ between versions of rosbag2, so only what is there is asked for."""
        # Without writable_schema SQLite refuses a file that is shorter than its header tells; nothing is written.
        self._database.execute('PRAGMA writable_schema = ON')
        columns = {row[1] for row in self._database.execute('PRAGMA table_info(topics)')}
        encoding = 'serialization_format' if 'serialization_format' in columns else f"'{CDR}'"
        definitions = self._read_definitions()
        channels = {}
        for number, name, kind, form in self._database.execute(f'SELECT id, name, type, {encoding} FROM topics'):
            if not (isinstance(name, str) and isinstance(kind, str)):
                raise CutOffError('a topic has other kinds of values than a name and a type')
            form = CDR if not isinstance(form, str) or not form else form
            channels[number] = Channel(name, ros_type(kind) if form == CDR else kind, form, definitions.get(kind))
        return channels

    def _read_definitions(self) -> dict[str, Any]:
        from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

        formats = {'ros2msg': MessageDefinitionFormat.MSG, 'ros2idl': MessageDefinitionFormat.IDL}
        try:
            rows = self._database.execute('SELECT topic_type, encoding, encoded_message_definition FROM message_definitions').fetchall()
        except sqlite3.Error:  # versions before Iron have no such table; in a damaged file the standard definitions are used
            return {}
        return {
            kind: MessageDefinition(formats[encoding], text)
            for kind, encoding, text in rows
            if encoding in formats and isinstance(text, str) and text
        }

    def _count(self) -> None:
        """Counts each topic's messages; where that fails the file is damaged, and they are counted up to the damage."""
        counts: dict[int, int] = {}
        times: list[int] = []
        try:
            for number, count, first_ns, last_ns in self._database.execute(
                'SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages GROUP BY topic_id'
            ):
                counts[number] = count
                times += [ns for ns in (first_ns, last_ns) if isinstance(ns, int)]
        except sqlite3.Error as error:
            self.damage = self.damage or first_line(error)
            counts, times = {}, []
            with closing(self._database.execute('SELECT topic_id, timestamp FROM messages ORDER BY id')) as rows, suppress(sqlite3.Error):
                for number, log_ns in rows:
                    counts[number] = counts.get(number, 0) + 1
                    if isinstance(log_ns, int):
                        times.append(log_ns)
        self._channels = {number: replace(channel, count=counts.get(number, 0)) for number, channel in self._channels.items()}
        self.start_ns, self.end_ns = (min(times), max(times)) if times else (None, None)


def _connect(path: Path, options: str) -> sqlite3.Connection:
    # The thread that reads ahead uses the connection after the one that opened it, never both at once.
    return sqlite3.connect(f'{path.resolve().as_uri()}?{options}', uri=True, check_same_thread=False)


def _holds_something(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
