"""True head rotations: from a topic, TF or a CSV file, in any of the usual conventions, at any time."""
from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...geometry import rotation_from_ypr_deg
from ...recordings.bagfile import BagError, BagFile
from ..rotations import quaternions_from_rotations
from .heads import Truth, TruthHead, checked, make_head

POSE_TYPES = {
    'geometry_msgs/msg/PoseStamped': lambda m: [('head', m.pose.orientation, m.pose.position)],
    'geometry_msgs/msg/PoseWithCovarianceStamped': lambda m: [('head', m.pose.pose.orientation, m.pose.pose.position)],
    'geometry_msgs/msg/QuaternionStamped': lambda m: [('head', m.quaternion, None)],
    'vision_msgs/msg/Detection3DArray': lambda m: [
        (d.id or f'head {i}', d.results[0].pose.pose.orientation, d.results[0].pose.pose.position)
        for i, d in enumerate(m.detections) if len(d.results)],
}
"""Message type to the (name, orientation, position or None) of its heads."""



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
    return Truth(tuple(make_head(name, r, has_position) for name, r in checked(rows, topic).items()), f'{topic} ({kind})', frame,
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
    return Truth(tuple(make_head(name, r, bool(position)) for name, r in checked(rows, str(path)).items()), str(path))


_ROTATION_COLUMNS = (('qx', 'qy', 'qz', 'qw'), tuple(f'r{i}{j}' for i in range(3) for j in range(3)), ('yaw_deg', 'pitch_deg', 'roll_deg'))


def _quaternion_of(values: list[float]) -> np.ndarray:
    if len(values) == 4:
        return np.asarray(values)
    R = np.reshape(values, (3, 3)) if len(values) == 9 else rotation_from_ypr_deg(np.asarray(values))
    return quaternions_from_rotations(R)[0]


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
