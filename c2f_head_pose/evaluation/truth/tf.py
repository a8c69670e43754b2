"""Reads true head rotations from TF: those of a head's frame in the camera's frame, through any chain of transforms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...files import stamp_s
from ...recordings.bagfile import BagError, BagFile
from ...recordings.choice import TF_TYPES
from ...transforms import plain_frame
from ..rotations import bracket, interpolate, quaternions_from_rotations, rotations_from_quaternions
from .heads import Truth, TruthHead, make_head

_CHAIN_GAP_S = 1.0
_STATIC_TOPIC = 'tf_static'


@dataclass(frozen=True, eq=False)
class _Edge:
    """The transforms of a frame to its parent over time; of a static frame each holds until the next one."""

    parent: str
    course: TruthHead
    static: bool


def read_tf(bag: BagFile, frame: str, camera_frame: str) -> Truth:
    """Returns the rotations of a frame in the camera's optical frame over time.

    They are at the stamps of the moving transform that is nearest to the head: its own, or that of a helmet which it is fixed to. Of a head
    that rests they are at the stamps of all transforms that move the camera.

    Args:
        bag: the recording, with /tf and perhaps /tf_static.
        frame: the head's frame.
        camera_frame: the images' frame_id.

    Raises:
        BagError: when there is no TF, no such frame, no chain of transforms between the two, or none that moves in it.
    """
    topics = [t.name for t in bag.topics.values() if t.type in TF_TYPES]
    if not topics:
        raise BagError(f'{bag.path.name} has no TF ({TF_TYPES[0]}) to find {frame} in')
    edges = _read_edges(bag, topics)
    frame, camera_frame = plain_frame(frame), plain_frame(camera_frame)
    frames = edges.keys() | {edge.parent for edge in edges.values()}
    if frame not in frames:
        raise BagError(f'TF has no frame {frame}; it has {", ".join(sorted(frames)) or "none"}')
    up, down = _to_root(edges, frame), _to_root(edges, camera_frame)
    common = next((f for f in up if f in down), None)
    if common is None:
        raise BagError(f"TF does not connect {frame} with the images' frame {camera_frame!r}: {frame} hangs below {up[-1]}")
    up, down = up[: up.index(common)], down[: down.index(common)]
    of_head, of_camera = ([edges[f].course.stamps_s for f in chain if not edges[f].static] for chain in (up, down))
    if not of_head and not of_camera:
        raise BagError(f"all transforms between {frame} and the images' frame {camera_frame!r} are static: a head needs a moving transform")
    stamps_s = np.unique(np.concatenate(of_head[:1] or of_camera))
    R_head, t_head, known = _compose(edges, up, stamps_s)
    R_cam, t_cam, known_cam = _compose(edges, down, stamps_s)
    R = np.swapaxes(R_cam, 1, 2) @ R_head
    t = np.einsum('nji,nj->ni', R_cam, t_head - t_cam)
    keep = known & known_cam
    head = TruthHead(frame, stamps_s[keep], quaternions_from_rotations(R[keep]).astype(np.float32), t[keep].astype(np.float32))
    return Truth((head,), f'TF {frame} in {camera_frame}', camera_frame)


def _read_edges(bag: BagFile, topics: list[str]) -> dict[str, _Edge]:
    """Maps each child frame to its transforms; static are those that only come on /tf_static, or once."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    parents: dict[str, str] = {}
    moving: set[str] = set()
    for message in bag.messages(topics):
        for transform in message.decode().transforms:
            child = plain_frame(transform.child_frame_id)
            parents[child] = plain_frame(transform.header.frame_id)
            r, t = transform.transform.rotation, transform.transform.translation
            rows.setdefault(child, []).append((stamp_s(transform), r.x, r.y, r.z, r.w, t.x, t.y, t.z))
            if not message.topic.endswith(_STATIC_TOPIC):
                moving.add(child)
    courses = {child: make_head(child, r, True) for child, r in rows.items()}
    return {child: _Edge(parents[child], c, child not in moving or len(c.stamps_s) == 1) for child, c in courses.items()}


def _to_root(edges: dict[str, _Edge], frame: str) -> list[str]:
    chain = [frame]
    while chain[-1] in edges and edges[chain[-1]].parent not in chain:
        chain.append(edges[chain[-1]].parent)
    return chain


def _compose(edges: dict[str, _Edge], chain: list[str], at_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation and position of a chain's first frame in its last one's parent, and at which times they are known."""
    R, t = np.tile(np.eye(3), (len(at_s), 1, 1)), np.zeros((len(at_s), 3))
    known = np.ones(len(at_s), bool)
    for frame in chain:
        course = edges[frame].course
        if edges[frame].static and len(course.stamps_s):
            newest = np.maximum(np.searchsorted(course.stamps_s, at_s, side='right') - 1, 0)
            R_step, t_step = rotations_from_quaternions(course.quaternions[newest]), np.asarray(course.t_cam_head_m, float)[newest]
        else:
            q, there = interpolate(course.stamps_s, course.quaternions, at_s, _CHAIN_GAP_S)
            known &= there
            R_step, t_step = rotations_from_quaternions(q), _positions(course, at_s)
        R, t = R_step @ R, np.einsum('nij,nj->ni', R_step, t) + t_step
    return R, t, known


def _positions(course: TruthHead, at_s: np.ndarray) -> np.ndarray:
    after, fraction, _ = bracket(course.stamps_s, at_s, _CHAIN_GAP_S)
    t = np.asarray(course.t_cam_head_m, float)
    return (1 - fraction)[:, None] * t[np.maximum(after - 1, 0)] + fraction[:, None] * t[after]
