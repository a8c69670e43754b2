"""SQLite's write-ahead logs and journals beside an intact .db3, damaged anywhere."""

from __future__ import annotations

import functools
import itertools
import tempfile
from pathlib import Path

import numpy as np
from field_recordings import killed_recorder

from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.reader import Notes, UnreadableImage, read_frames
from c2f_head_pose.recordings.topics import choose_topics
from c2f_head_pose.recordings.write_ahead_log import check_log

from .choices import Choices
from .scratch import scratch_file

MODULES = ('c2f_head_pose.recordings.write_ahead_log', 'c2f_head_pose.recordings.sqlite', 'c2f_head_pose.recordings.bagfile')
_ENDINGS = ('-wal', '-journal')


@functools.cache
def _killed() -> tuple[bytes, bytes]:
    """A database with two images, and the log with two more."""
    with tempfile.TemporaryDirectory() as folder:
        path = killed_recorder(Path(folder), 2, 2)
        return path.read_bytes(), path.with_name(path.name + '-wal').read_bytes()


def seeds() -> list[bytes]:
    """The log whole, without its end, and as if it were a journal."""
    _, log = _killed()
    return [b'\0' + log, b'\0' + log[:-100], b'\1' + log]


def check(data: bytes) -> None:
    """Checks the log by itself, and reads the database with it; the two images of the database are read whatever the log holds."""
    choices = Choices(data)
    ending = choices.pick(_ENDINGS)
    path = scratch_file('killed.db3', _killed()[0])
    for other in _ENDINGS:
        path.with_name(path.name + other).unlink(missing_ok=True)
    log = scratch_file(path.name + ending, choices.rest())
    if log.stat().st_size and ending == '-wal':
        state = check_log(log)
        assert state.frames >= 0 and state.unfinished >= 0
    try:
        with BagFile(path) as bag:
            for frame in itertools.islice(read_frames(bag, choose_topics(bag), Notes()), 20):
                assert isinstance(frame, UnreadableImage) or frame.image.dtype == np.uint8
    except BagError:
        pass
    finally:
        log.unlink(missing_ok=True)
