"""Stores a recording's results for the figures: about a hundred bytes for each face, and no images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..files import FOREIGN_CLOCK_S
from .rotations import GAP_ROUNDING_S

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
        ('q_crop', 'f4', 4),
        ('category', 'i1'),
        ('other_deg', 'f4'),
    ]
)
"""A face, or a true head that was missed (track -2, no q). track: index into `Series.tracks`, -1 without a track; head: index into
`Series.heads`, -1 without a true head; q: x y z w of R_cam_head; q_crop: of the rotation from the camera's axes to the face's upright
crop's, in which `category` is; other_deg: angle to the second model's estimate."""
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
"""An image. dropped: it has no pose message (live or recorded poses), or came late; unreadable: it could not be decoded;
detect ... total: milliseconds; publish: milliseconds from the stamp to the arrival of the pose; NaN unknown."""
STAGES = ('detect', 'crop', 'infer', 'decode', 'total', 'publish')
NO_TRACK, MISSED = -1, -2
LEAST_RATE_HZ = 4
"""From this rate on images make a sequence: three of them, over which a head is taken to rotate uniformly, are half a second."""
_GAP_S = 0.2
_GAP_PERIODS = 1.5
"""However rare the images are, a sequence goes on where one comes late by half a period, and not where one is missing."""
_CHUNK = 1024


class Rows:
    """A growing array of one dtype, which allocates in chunks."""

    def __init__(self, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._chunks: list[np.ndarray] = []
        self._used = _CHUNK

    def add(self, *values: Any) -> None:
        """Appends one row, with the fields in the dtype's order."""
        if self._used == _CHUNK:
            self._chunks.append(np.zeros(_CHUNK, self._dtype))
            self._used = 0
        self._chunks[-1][self._used] = values
        self._used += 1

    def array(self) -> np.ndarray:
        """Returns all rows."""
        if not self._chunks:
            return np.zeros(0, self._dtype)
        return np.concatenate([*self._chunks[:-1], self._chunks[-1][: self._used]])


@dataclass(frozen=True, eq=False)
class Series:
    """The results of a recording from which all figures are computed.

    Attributes:
        faces: (n,) of dtype FACE, in order of the images.
        images: (m,) of dtype IMAGE, in their order.
        heads: names of the true heads.
        complete_truth: the truth holds all heads in view, so a face without a true head is a false one.
        tracks: ids of the tracked faces, as text, in the order of their appearance.
        truth_known: (m,) bool, whether the truth has samples around each image; None, as in results of earlier versions, counts as True.
        clock_jumps: (k, 2) jumps of the stamps' clock: `frame` of the first image after each, and seconds, < 0 back; see clock_jump_s.
    """

    faces: np.ndarray = field(default_factory=lambda: np.zeros(0, FACE))
    images: np.ndarray = field(default_factory=lambda: np.zeros(0, IMAGE))
    heads: tuple[str, ...] = ()
    complete_truth: bool = False
    tracks: tuple[str, ...] = ()
    truth_known: np.ndarray | None = None
    clock_jumps: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    @property
    def duration_s(self) -> float:
        """Time between the earliest and the latest stamp, without the jumps of their clock."""
        if not len(self.images):
            return 0.0
        jumped_s = np.zeros(len(self.images))
        jumped_s[np.searchsorted(self.images['frame'], self.clock_jumps[:, 0])] = self.clock_jumps[:, 1]
        return float(np.ptp(self.images['stamp_s'] - np.cumsum(jumped_s)))

    @property
    def period_s(self) -> float:
        """The typical time from one image to the next, seconds; 0 without two images of different stamps."""
        steps_s = np.diff(self.images['stamp_s'])
        return float(np.median(steps_s[steps_s > 0])) if (steps_s > 0).any() else 0.0

    @property
    def rare(self) -> bool:
        """Whether the images are too rare for sequences."""
        return self.period_s > 1 / LEAST_RATE_HZ + GAP_ROUNDING_S

    @property
    def max_gap_s(self) -> float:
        """Largest time between neighbouring faces of a sequence, seconds."""
        return _GAP_S if self.rare else max(_GAP_S, _GAP_PERIODS * self.period_s)

    @property
    def false_faces(self) -> int | None:
        """Number of faces without a true head where the truth is known; None if the truth need not hold all heads in view."""
        if not self.complete_truth:
            return None
        return int(self.images['unmatched'][slice(None) if self.truth_known is None else self.truth_known].sum())

    @property
    def found(self) -> np.ndarray:
        """The faces, without missed heads."""
        return self.faces[self.faces['track'] != MISSED]

    @property
    def matched(self) -> np.ndarray:
        """The faces that are matched to a true head."""
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
            truth_known=np.ones(len(self.images), bool) if self.truth_known is None else self.truth_known,
            clock_jumps=self.clock_jumps,
        )

    @classmethod
    def load(cls, path: Path) -> Series:
        """Reads an .npz file that `save` wrote.

        Raises:
            ValueError: for a file with other fields; for a damaged file numpy and zipfile raise their own errors.
        """
        with np.load(path, allow_pickle=False) as stored:
            if (stored['faces'].dtype, stored['images'].dtype) != (FACE, IMAGE) or 'tracks' not in stored:
                raise ValueError('its fields are those of another version')
            return cls(
                stored['faces'],
                stored['images'],
                tuple(map(str, stored['heads'])),
                bool(stored['complete_truth']),
                tuple(map(str, stored['tracks'])),
                stored.get('truth_known'),
                stored.get('clock_jumps', np.zeros((0, 2))),
            )


def clock_jump_s(stamp_step_ns: int, log_step_ns: int) -> float:
    """Returns by how much the clock of the stamps was set between two images, seconds; 0 where it was not.

    Args:
        stamp_step_ns: from one stamp to the next.
        log_step_ns: from one recording time to the next.
    """
    jump_s = 1e-9 * (stamp_step_ns - log_step_ns)
    return jump_s if abs(jump_s) > FOREIGN_CLOCK_S else 0.0


def runs(faces: np.ndarray, max_gap_s: float) -> Iterator[np.ndarray]:
    """Yields the faces of each track in sequences without gaps.

    Args:
        faces: rows of dtype FACE.
        max_gap_s: largest time between neighbouring rows, seconds.

    Yields:
        Rows in order of their stamps, an array for each sequence.
    """
    for track in np.unique(faces['track']):
        if track < 0:
            continue
        rows = faces[faces['track'] == track]
        step = np.diff(rows['stamp_s'])
        yield from np.split(rows, np.flatnonzero((step > max_gap_s + GAP_ROUNDING_S) | (step <= 0)) + 1)
