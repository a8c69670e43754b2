"""True head rotations: from a topic, TF or a CSV file, in any of the usual conventions, at any time."""
from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...geometry import HEAD_AXES, rotation_from_quaternion, rotation_from_ypr_deg
from ...recordings.bagfile import BagError, BagFile
from ..rotations import bracket, interpolate, quaternions_from_rotations, rotations_from_quaternions

POSE_TYPES = {
    'geometry_msgs/msg/PoseStamped': lambda m: [('head', m.pose.orientation, m.pose.position)],
    'geometry_msgs/msg/PoseWithCovarianceStamped': lambda m: [('head', m.pose.pose.orientation, m.pose.pose.position)],
    'geometry_msgs/msg/QuaternionStamped': lambda m: [('head', m.quaternion, None)],
    'vision_msgs/msg/Detection3DArray': lambda m: [
        (d.id or f'head {i}', d.results[0].pose.pose.orientation, d.results[0].pose.pose.position)
        for i, d in enumerate(m.detections) if len(d.results)],
}
"""Message type to the (name, orientation, position or None) of its heads."""
TF_TYPE = 'tf2_msgs/msg/TFMessage'

R_HEAD_GAZE = rotation_from_quaternion(np.array([-0.5, 0.5, -0.5, 0.5]))
"""(3, 3) maps gaze axes (z along the gaze, x right, y down) to head axes. Source: REP-155."""
AXES = {'head': np.eye(3), 'gaze': R_HEAD_GAZE.T, 'cv': HEAD_AXES}
"""What turns R_frame_axes into R_frame_head. head: REP-155; gaze: REP-155's gaze frame; cv: no rotation faces the camera."""
R_OPTICAL_LINK = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""(3, 3) maps a camera's body axes (x forward, y left, z up) to its optical axes. Source: REP-103."""
_NEAREST_M = 0.05
PARENTS = {'optical': np.eye(3), 'link': R_OPTICAL_LINK}


@dataclass(frozen=True, eq=False)
class TruthHead:
    """One head's course.

    Attributes:
        name: an id of the source's own.
        stamps_s: (n,) float64, increasing.
        quaternions: (n, 4) float32 x, y, z, w of R_cam_head.
        t_cam_head_m: (n, 3) float32 position; None unknown.
    """

    name: str
    stamps_s: np.ndarray
    quaternions: np.ndarray
    t_cam_head_m: np.ndarray | None = None

    def at(self, at_s: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
        """(m, 4) quaternions at some times, NaN where unknown, and (m,) bool where known."""
        return interpolate(self.stamps_s, self.quaternions, at_s, max_gap_s)

    def position_at(self, at_s: float, max_gap_s: float) -> np.ndarray | None:
        """(3,) position at a time, metres; None where unknown."""
        if self.t_cam_head_m is None:
            return None
        after, fraction, known = bracket(self.stamps_s, np.array([at_s]), max_gap_s)
        if not known[0]:
            return None
        i, f = int(after[0]), float(fraction[0])
        return (1 - f) * self.t_cam_head_m[max(i - 1, 0)] + f * self.t_cam_head_m[i]

    def turned(self, R_left: np.ndarray, R_right: np.ndarray) -> TruthHead:
        """The same with R_left R R_right for every R, positions turned by R_left."""
        R = R_left @ rotations_from_quaternions(self.quaternions) @ R_right
        t = None if self.t_cam_head_m is None else (self.t_cam_head_m @ R_left.T).astype(np.float32)
        return replace(self, quaternions=quaternions_from_rotations(R).astype(np.float32), t_cam_head_m=t)


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of the heads in a recording.

    Attributes:
        heads: one a person.
        source: where from, in words.
        frame_id: the frame it is stated in; empty if not said.
        complete: whether every face in view has its head here, so that any other face is a false one.
        axes: key of AXES it was stated in; `parent`: key of PARENTS.
        located: whether heads can be found in the image by their positions.
    """

    heads: tuple[TruthHead, ...]
    source: str
    frame_id: str = ''
    complete: bool = False
    axes: str = 'head'
    parent: str = 'optical'
    located: bool = False

    def stated_in(self, axes: str, parent: str) -> Truth:
        """The same numbers understood in another convention."""
        back_left, back_right = PARENTS[self.parent].T, AXES[self.axes].T
        heads = tuple(h.turned(PARENTS[parent] @ back_left, back_right @ AXES[axes]) for h in self.heads)
        return replace(self, heads=heads, axes=axes, parent=parent, located=all(map(_in_front, heads)))

    def delayed(self, seconds: float) -> Truth:
        """The same with all stamps later by some seconds."""
        return replace(self, heads=tuple(replace(h, stamps_s=h.stamps_s + seconds) for h in self.heads))


def read_truth(bag: BagFile | None, sources: Sequence[str], frame_id: str, complete: bool = False) -> Truth | None:
    """The truth from what the user named, or from what the recording seems to offer.

    Args:
        bag: the recording; None where only files are named.
        sources: topics, 'tf:FRAME', or paths of CSV files; empty: a topic with 'truth' in its name, if there is one.
        frame_id: the images' frame.
        complete: every person in view is in the truth, says the user.

    Returns:
        The truth as stated (axes 'head', parent 'optical'); None where there is none.

    Raises:
        BagError: for a source that is missing, empty or of a type that holds no rotation.
    """
    if not sources:
        found = [t.name for t in bag.topics.values() if t.type in POSE_TYPES and 'truth' in t.name.lower()] if bag else []
        if not found:
            return None
        sources = found[:1]
    parts = [_read_one(bag, source, frame_id) for source in sources]
    heads = [head if len(parts) == 1 else replace(head, name=f'{source} {head.name}')
             for source, part in zip(sources, parts) for head in part.heads]
    return Truth(tuple(heads), ', '.join(p.source for p in parts), parts[0].frame_id, complete or any(p.complete for p in parts))


def _read_one(bag: BagFile | None, source: str, frame_id: str) -> Truth:
    if source.lower().endswith('.csv'):
        return read_csv(Path(source))
    if bag is None:
        raise BagError(f'{source} is no .csv file, and there is no recording to find it in')
    if source.startswith('tf:'):
        from .tf import read_tf
        return read_tf(bag, source[3:], frame_id)
    return _read_topic(bag, source)


def _read_topic(bag: BagFile, topic: str) -> Truth:
    if topic not in bag.topics:
        raise BagError(f"{bag.path.name} has no topic {topic} for the truth; it holds {', '.join(bag.topics) or 'nothing'}")
    kind = bag.topics[topic].type
    if kind not in POSE_TYPES:
        raise BagError(f"{topic} has type {kind}, which holds no head rotation; known are {', '.join(POSE_TYPES)}, tf:FRAME, and CSV")
    rows: dict[str, list[tuple[float, ...]]] = {}
    has_position = kind != 'geometry_msgs/msg/QuaternionStamped'
    frame = ''
    for message in bag.messages([topic]):
        decoded = message.decode()
        frame = decoded.header.frame_id
        stamp_s = _seconds(decoded.header.stamp)
        for name, q, t in POSE_TYPES[kind](decoded):
            rows.setdefault(name, []).append((stamp_s, q.x, q.y, q.z, q.w, *((t.x, t.y, t.z) if t is not None else ())))
    return Truth(tuple(make_head(name, r, has_position) for name, r in _checked(rows, topic).items()), f'{topic} ({kind})', frame,
                 complete=kind.endswith('Detection3DArray'))


def read_csv(path: Path) -> Truth:
    """Truth from a CSV file with a header line.

    Columns: `stamp_ns` or `stamp_s`; a rotation as `qx, qy, qz, qw`, or `yaw_deg, pitch_deg, roll_deg` (300W-LP signs), or
    `r00` ... `r22` (R_cam_head by rows); optionally `id`, and a position `x_m, y_m, z_m`.

    Raises:
        BagError: naming the column or line that is wrong.
    """
    if not path.is_file():
        raise BagError(f'{path} does not exist')
    rows: dict[str, list[tuple[float, ...]]] = {}
    with path.open(newline='') as file:
        reader = csv.DictReader(file)
        columns = set(reader.fieldnames or ())
        stamp = next((c for c in ('stamp_ns', 'stamp_s') if c in columns), None)
        if stamp is None:
            raise BagError(f'{path} has no column stamp_ns or stamp_s; its columns are {", ".join(sorted(columns)) or "none"}')
        rotation = next((c for c in _ROTATION_COLUMNS if columns.issuperset(c)), None)
        if rotation is None:
            raise BagError(f'{path} has no rotation: needed are qx qy qz qw, or yaw_deg pitch_deg roll_deg, or r00 ... r22')
        position = ('x_m', 'y_m', 'z_m') if columns.issuperset({'x_m', 'y_m', 'z_m'}) else ()
        for line in reader:
            try:
                seconds = _seconds_ns(int(line[stamp])) if stamp == 'stamp_ns' else float(line[stamp])
                q = _quaternion_of([float(line[c]) for c in rotation])
                rows.setdefault(line.get('id') or 'head', []).append((seconds, *q, *(float(line[c]) for c in position)))
            except (TypeError, ValueError) as error:
                raise BagError(f'{path}, line {reader.line_num}: {error}') from None
    return Truth(tuple(make_head(name, r, bool(position)) for name, r in _checked(rows, str(path)).items()), str(path))


_ROTATION_COLUMNS = (('qx', 'qy', 'qz', 'qw'), tuple(f'r{i}{j}' for i in range(3) for j in range(3)), ('yaw_deg', 'pitch_deg', 'roll_deg'))


def _quaternion_of(values: list[float]) -> np.ndarray:
    if len(values) == 4:
        return np.asarray(values)
    R = np.reshape(values, (3, 3)) if len(values) == 9 else rotation_from_ypr_deg(np.asarray(values))
    return quaternions_from_rotations(R)[0]


def make_head(name: str, rows: Sequence[tuple[float, ...]], has_position: bool) -> TruthHead:
    """A head from rows of stamp, quaternion and perhaps position: sorted, of equal stamps the last, those without a rotation left out."""
    table = np.asarray(rows, float)
    table = table[np.isfinite(table[:, :5]).all(axis=1) & (np.linalg.norm(table[:, 1:5], axis=1) > 1e-9)]
    table = table[np.argsort(table[:, 0], kind='stable')]
    if len(table):
        table = table[np.append(np.diff(table[:, 0]) > 0, True)]
    q = table[:, 1:5] / np.linalg.norm(table[:, 1:5], axis=1, keepdims=True) if len(table) else table[:, 1:5]
    return TruthHead(name, table[:, 0].copy(), q.astype(np.float32), table[:, 5:8].astype(np.float32) if has_position else None)


def _in_front(head: TruthHead) -> bool:
    """Whether a head has positions, mostly before the camera: sources without one often leave it at 0, 0, 0."""
    return head.t_cam_head_m is not None and len(head.stamps_s) > 0 and float(np.median(head.t_cam_head_m[:, 2])) > _NEAREST_M


def _checked(rows: dict[str, list[Any]], source: str) -> dict[str, list[Any]]:
    if not rows:
        raise BagError(f'{source} holds no pose: the truth is empty')
    return rows


def _seconds(stamp: Any) -> float:
    return stamp.sec + 1e-9 * stamp.nanosec


def _seconds_ns(nanoseconds: int) -> float:
    seconds, rest = divmod(nanoseconds, 10**9)
    return seconds + 1e-9 * rest


def present_at(heads: Iterable[TruthHead], stamp_s: float, max_gap_s: float) -> list[tuple[int, np.ndarray, np.ndarray | None]]:
    """The heads known at a time: number, (4,) quaternion, (3,) position or None."""
    found = []
    for number, head in enumerate(heads):
        q, known = head.at(np.array([stamp_s]), max_gap_s)
        if known[0]:
            found.append((number, q[0], head.position_at(stamp_s, max_gap_s)))
    return found
