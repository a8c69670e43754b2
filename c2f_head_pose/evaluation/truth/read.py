"""Reads true head rotations from the sources that a user names: topics, TF and CSV files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...files import stamp_s
from ...recordings.bagfile import BagError, BagFile
from ...recordings.choice import frame_of
from .csv_file import read_csv
from .heads import Truth, TruthHead, checked, make_head
from .tf import read_tf

POSE_TYPES = {
    'geometry_msgs/msg/PoseStamped': lambda m: [('head', m.pose.orientation, m.pose.position)],
    'geometry_msgs/msg/PoseWithCovarianceStamped': lambda m: [('head', m.pose.pose.orientation, m.pose.pose.position)],
    'geometry_msgs/msg/QuaternionStamped': lambda m: [('head', m.quaternion, None)],
    'vision_msgs/msg/Detection3DArray': lambda m: [
        (d.id or f'head {i}', d.results[0].pose.pose.orientation, d.results[0].pose.pose.position)
        for i, d in enumerate(m.detections)
        if len(d.results)
    ],
}
"""Message type to the (name, orientation, position or None) of its heads."""
_FILE_ENDINGS = ('.csv', '.tsv', '.txt')


def read_truth(bag: BagFile | None, sources: Sequence[str], frame_id: str, complete: bool = False) -> Truth | None:
    """Reads the truth from the sources that the user named; without any, from a topic whose name contains 'truth'.

    Args:
        bag: the recording; None where only files are named.
        sources: topics, 'tf:FRAME', or paths of CSV files, see truth_file; may be empty.
        frame_id: the images' frame.
        complete: whether the user states that every person in view is in the truth.

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
    if len(parts) == 1:
        return replace(parts[0], complete=complete or parts[0].complete)

    def named(heads_of: Callable[[Truth], Sequence[TruthHead]]) -> tuple[TruthHead, ...]:
        return tuple(replace(head, name=f'{source} {head.name}') for source, part in zip(sources, parts) for head in heads_of(part))

    as_radians = named(lambda part: part.as_radians or part.heads) if any(part.as_radians for part in parts) else ()
    return Truth(
        named(lambda part: part.heads),
        ', '.join(p.source for p in parts),
        parts[0].frame_id,
        complete or any(p.complete for p in parts),
        as_radians=as_radians,
        sampled_s=tuple(stamps_s for p in parts for stamps_s in p.samples_s),
        notes=tuple(note for p in parts for note in p.notes),
    )


def truth_file(source: str) -> Path | None:
    """Returns the path of a source that is a file of columns: one that exists, or whose name ends as such files do; None for others."""
    path = Path(source)
    return path if path.suffix.lower() in _FILE_ENDINGS or path.is_file() else None


def _read_one(bag: BagFile | None, source: str, frame_id: str) -> Truth:
    if path := truth_file(source):
        return read_csv(path)
    if bag is None:
        raise BagError(f'{source} is no file, and there is no recording to find it in')
    if source.startswith('tf:'):
        return read_tf(bag, source[3:], frame_id)
    return _read_topic(bag, source)


def _read_topic(bag: BagFile, topic: str) -> Truth:
    if topic not in bag.topics:
        raise BagError(f'{bag.path.name} has no topic {topic} for the truth; it holds {", ".join(bag.topics) or "nothing"}')
    kind = bag.topics[topic].type
    if kind not in POSE_TYPES:
        raise BagError(f'{topic} has type {kind}, which holds no head rotation; known are {", ".join(POSE_TYPES)}, tf:FRAME, and CSV')
    rows: dict[str, list[tuple[float, ...]]] = {}
    sampled_s: list[float] = []
    complete = kind.endswith('Detection3DArray')
    has_position = kind != 'geometry_msgs/msg/QuaternionStamped'
    frame = ''
    for message in bag.messages([topic]):
        decoded = message.decode()
        frame = frame_of(decoded)
        sampled_s.append(stamp_s(decoded))
        for name, q, t in POSE_TYPES[kind](decoded):
            rows.setdefault(name, []).append((stamp_s(decoded), q.x, q.y, q.z, q.w, *((t.x, t.y, t.z) if t is not None else ())))
    return Truth(
        tuple(make_head(name, r, has_position) for name, r in checked(rows, topic).items()),
        f'{topic} ({kind})',
        frame,
        complete=complete,
        sampled_s=(np.array(sampled_s),) if complete else (),  # a message without detections says that nobody is in view
    )


def present_at(heads: Iterable[TruthHead], at_s: float, max_gap_s: float) -> list[tuple[int, np.ndarray, np.ndarray | None]]:
    """Returns the heads that are known at a time, each with its index, (4,) quaternion, and (3,) position in metres or None."""
    found = []
    for number, head in enumerate(heads):
        q, known = head.at(np.array([at_s]), max_gap_s)
        if known[0]:
            found.append((number, q[0], head.position_at(at_s, max_gap_s)))
    return found
