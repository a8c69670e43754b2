"""What an evaluation remembers of a recording: about a hundred bytes a face, whatever the image's size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FACE = np.dtype(
    [
        ('frame', 'i4'),
        ('stamp_s', 'f8'),
        ('track', 'i4'),
        ('head', 'i2'),
        ('q', 'f4', 4),
        ('q_unsmoothed', 'f4', 4),
        ('q_true', 'f4', 4),
        ('std_deg', 'f4', 3),
        ('category', 'i1'),
        ('other_deg', 'f4'),
    ]
)
"""A face, or a true head that was missed (track -2, no q). track: index into `Series.tracks`, -1 none; head -1: of no true head;
q: x y z w of R_cam_head; other_deg: angle to the second model's estimate."""
IMAGE = np.dtype(
    [
        ('frame', 'i4'),
        ('stamp_s', 'f8'),
        ('faces', 'i2'),
        ('heads', 'i2'),
        ('missed', 'i2'),
        ('unmatched', 'i2'),
        ('dropped', '?'),
        ('unreadable', '?'),
        ('detect', 'f4'),
        ('crop', 'f4'),
        ('infer', 'f4'),
        ('decode', 'f4'),
        ('total', 'f4'),
        ('publish', 'f4'),
    ]
)
"""An image; dropped: no pose message answers it (live or recorded poses); unreadable: it could not be decoded;
detect ... total in milliseconds, publish from its stamp to when its pose was received; NaN unknown."""
STAGES = ('detect', 'crop', 'infer', 'decode', 'total', 'publish')
NO_TRACK, MISSED = -1, -2
_CHUNK = 1024


class Rows:
    """Rows of one dtype that grow in chunks."""

    def __init__(self, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._chunks: list[np.ndarray] = []
        self._used = _CHUNK

    def add(self, *values: Any) -> None:
        """Appends one row, fields in the dtype's order."""
        if self._used == _CHUNK:
            self._chunks.append(np.zeros(_CHUNK, self._dtype))
            self._used = 0
        self._chunks[-1][self._used] = values
        self._used += 1

    def array(self) -> np.ndarray:
        """All rows."""
        if not self._chunks:
            return np.zeros(0, self._dtype)
        return np.concatenate([*self._chunks[:-1], self._chunks[-1][: self._used]])


@dataclass(frozen=True, eq=False)
class Series:
    """Everything metrics are made of.

    Attributes:
        faces: (n,) of dtype FACE, in order.
        images: (m,) of dtype IMAGE, in order.
        heads: names of the true heads.
        complete_truth: any face that is nobody's is a false one.
        tracks: ids of the faces followed, as text, in the order in which they appeared.
    """

    faces: np.ndarray = field(default_factory=lambda: np.zeros(0, FACE))
    images: np.ndarray = field(default_factory=lambda: np.zeros(0, IMAGE))
    heads: tuple[str, ...] = ()
    complete_truth: bool = False
    tracks: tuple[str, ...] = ()

    @property
    def found(self) -> np.ndarray:
        """The faces without the misses."""
        return self.faces[self.faces['track'] != MISSED]

    @property
    def matched(self) -> np.ndarray:
        """The faces that are a true head's."""
        return self.faces[(self.faces['track'] != MISSED) & (self.faces['head'] >= 0)]

    def save(self, path: Path) -> None:
        """Writes an .npz file."""
        np.savez_compressed(
            path,
            faces=self.faces,
            images=self.images,
            heads=np.array(self.heads, dtype=str),
            complete_truth=self.complete_truth,
            tracks=np.array(self.tracks, dtype=str),
        )

    @classmethod
    def load(cls, path: Path) -> Series:
        """Reads an .npz file that `save` wrote.

        Raises:
            ValueError: for rows of another kind; numpy's and zipfile's own errors for a damaged file.
        """
        with np.load(path, allow_pickle=False) as stored:
            if (stored['faces'].dtype, stored['images'].dtype) != (FACE, IMAGE) or 'tracks' not in stored:
                raise ValueError('its rows are of another kind')
            return cls(
                stored['faces'],
                stored['images'],
                tuple(map(str, stored['heads'])),
                bool(stored['complete_truth']),
                tuple(map(str, stored['tracks'])),
            )


def runs(faces: np.ndarray, key: str = 'track', max_gap_s: float = 0.2) -> Iterator[np.ndarray]:
    """Faces of one track (or head) without a gap: rows in order of stamps, one array a run."""
    for value in np.unique(faces[key]):
        if value < 0:
            continue
        rows = faces[faces[key] == value]
        step = np.diff(rows['stamp_s'])
        yield from np.split(rows, np.flatnonzero((step > max_gap_s) | (step <= 0)) + 1)
