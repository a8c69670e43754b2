"""Represents the true head rotations of a recording, and converts them between conventions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...camera import may_see
from ...geometry import HEAD_AXES, rotation_from_quaternion
from ...recordings.bagfile import BagError
from ...types import Camera
from ..rotations import bracket, interpolate, quaternions_from_rotations, rotations_from_quaternions

R_HEAD_GAZE = rotation_from_quaternion(np.array([-0.5, 0.5, -0.5, 0.5]))
"""(3, 3) maps gaze axes (z along the gaze, x right, y down) to head axes. Source: REP-155."""
AXES = {'head': np.eye(3), 'gaze': R_HEAD_GAZE.T, 'cv': HEAD_AXES}
"""(3, 3) by convention, which R_frame_axes is multiplied with to get R_frame_head. head: REP-155; gaze: REP-155's gaze frame; cv: the
identity faces the camera."""
R_OPTICAL_LINK = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""(3, 3) maps a camera's body axes (x forward, y left, z up) to its optical axes. Source: REP-103."""
_NEAREST_M = 0.05
PARENTS = {'optical': np.eye(3), 'link': R_OPTICAL_LINK}


@dataclass(frozen=True, eq=False)
class TruthHead:
    """The rotations of one head over time.

    Attributes:
        name: the source's id of the head.
        stamps_s: (n,) float64 stamps, seconds, increasing.
        quaternions: (n, 4) float32 x, y, z, w of R_cam_head.
        t_cam_head_m: (n, 3) float32 positions, metres, NaN where unknown; None without positions.
    """

    name: str
    stamps_s: np.ndarray
    quaternions: np.ndarray
    t_cam_head_m: np.ndarray | None = None

    def at(self, at_s: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Interpolates the rotation at (m,) times; see rotations.interpolate for the arguments and the result."""
        return interpolate(self.stamps_s, self.quaternions, at_s, max_gap_s)

    def position_at(self, at_s: float, max_gap_s: float) -> np.ndarray | None:
        """Interpolates the (3,) position at a time, metres; returns None where it is unknown."""
        if self.t_cam_head_m is None:
            return None
        after, fraction, known = bracket(self.stamps_s, np.array([at_s]), max_gap_s)
        if not known[0]:
            return None
        i, f = int(after[0]), float(fraction[0])
        before, at = self.t_cam_head_m[max(i - 1, 0)], self.t_cam_head_m[i]
        t = at if f == 1.0 else (1 - f) * before + f * at  # 0 times an unknown position would be unknown
        return t if np.isfinite(t).all() else None

    def turned(self, R_left: np.ndarray, R_right: np.ndarray) -> TruthHead:
        """Returns the head with R_left R R_right for every rotation R, and with positions rotated by R_left."""
        R = R_left @ rotations_from_quaternions(self.quaternions) @ R_right
        t = None if self.t_cam_head_m is None else (self.t_cam_head_m @ R_left.T).astype(np.float32)
        return replace(self, quaternions=quaternions_from_rotations(R).astype(np.float32), t_cam_head_m=t)


@dataclass(frozen=True, eq=False)
class Truth:
    """The true heads of a recording.

    Attributes:
        heads: the heads, one for each person.
        source: name of the source, as text.
        frame_id: frame of the rotations; empty if the source does not state it.
        complete: whether all heads in view are included, so that a face without a head is a false one.
        axes: key of AXES, the stated head axes.
        parent: key of PARENTS, the stated parent frame.
        located: whether positions show the heads' places in the image.
        as_radians: the heads with their angles read as radians, if the numbers allow it; empty otherwise.
        sampled_s: for each source the (k,) stamps of its samples, seconds, also of those in which nobody is in view; empty for one source
            whose samples are those of the heads.
        notes: unusual facts about the source.
    """

    heads: tuple[TruthHead, ...]
    source: str
    frame_id: str = ''
    complete: bool = False
    axes: str = 'head'
    parent: str = 'optical'
    located: bool = False
    as_radians: tuple[TruthHead, ...] = ()
    sampled_s: tuple[np.ndarray, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def samples_s(self) -> tuple[np.ndarray, ...]:
        """For each source the (k,) stamps of its samples, seconds, in any order."""
        return self.sampled_s or (np.concatenate([np.zeros(0), *(h.stamps_s for h in self.heads)]),)

    def known_at(self, at_s: np.ndarray, max_gap_s: float) -> np.ndarray:
        """Whether every source has a sample at each of (m,) times, or samples around it that are near enough; see rotations.bracket.

        Returns:
            (m,) bool; False where a face without a true head may still be a true one.
        """
        return np.all([bracket(np.unique(stamps_s), at_s, max_gap_s)[2] for stamps_s in self.samples_s], axis=0)

    def stated_in(self, axes: str, parent: str) -> Truth:
        """Returns the truth with the same numbers read in another convention.

        Args:
            axes: key of AXES.
            parent: key of PARENTS.
        """
        back_left, back_right = PARENTS[self.parent].T, AXES[self.axes].T
        heads, as_radians = (
            tuple(h.turned(PARENTS[parent] @ back_left, back_right @ AXES[axes]) for h in part) for part in (self.heads, self.as_radians)
        )
        return replace(self, heads=heads, axes=axes, parent=parent, as_radians=as_radians)

    def places_heads(self, camera: Camera | None) -> bool:
        """Whether every head has positions in which the images' camera may see it."""
        return all(_in_front(head, camera) for head in self.heads)

    def delayed(self, seconds: float) -> Truth:
        """Returns the truth with all stamps later by some seconds."""
        heads, as_radians = (tuple(replace(h, stamps_s=h.stamps_s + seconds) for h in part) for part in (self.heads, self.as_radians))
        return replace(self, heads=heads, as_radians=as_radians, sampled_s=tuple(s + seconds for s in self.sampled_s))


def make_head(name: str, rows: Sequence[tuple[float, ...]], has_position: bool) -> TruthHead:
    """Makes a head from rows, which are sorted by stamp. Rows without a rotation are dropped; of equal stamps the last row is kept.

    Args:
        name: the source's id of the head.
        rows: stamp (seconds), quaternion x, y, z, w and, if `has_position`, x, y, z (metres).
        has_position: whether the rows have positions.
    """
    table = np.asarray(rows, float)
    table = table[np.isfinite(table[:, :5]).all(axis=1) & (np.linalg.norm(table[:, 1:5], axis=1) > 1e-9)]
    table = table[np.argsort(table[:, 0], kind='stable')]
    if len(table):
        table = table[np.append(np.diff(table[:, 0]) > 0, True)]
    q = table[:, 1:5] / np.linalg.norm(table[:, 1:5], axis=1, keepdims=True) if len(table) else table[:, 1:5]
    return TruthHead(name, table[:, 0].copy(), q.astype(np.float32), table[:, 5:8].astype(np.float32) if has_position else None)


def _in_front(head: TruthHead, camera: Camera | None) -> bool:
    """Whether the camera may see a head in one of its positions: a tracked person may be behind the camera for most of the time.

    Sources without positions often write 0, 0, 0.
    """
    if head.t_cam_head_m is None:
        return False
    known_m = head.t_cam_head_m[np.isfinite(head.t_cam_head_m).all(axis=1)]
    return bool((may_see(camera, known_m) & (np.linalg.norm(known_m, axis=1) > _NEAREST_M)).any())


def checked(rows: dict[str, list[Any]], source: str) -> dict[str, list[Any]]:
    """Returns the rows; raises BagError if there are none."""
    if not rows:
        raise BagError(f'{source} holds no pose, so the truth is empty; name another source with --truth')
    return rows
