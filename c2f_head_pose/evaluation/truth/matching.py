"""Matches estimated faces with true heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...camera import may_see, pixel_ray
from ...recordings.bagfile import BagError
from ...types import Camera, HeadPose

_GATE = 1.2
"""Largest distance between a true head and its face, in half-diagonals of the box: the sellion is well inside, but truth may lag."""
_GATE_WITHOUT_BOX_DEG, _GATE_WITHOUT_BOX_M = 5.0, 0.1
"""The larger of both, the latter at the distance of the face, which is known by its position alone."""


class Matcher:
    """Pairs faces with true heads, image by image.

    Faces are matched by position if the truth has positions in the images' frame and the camera is calibrated. Otherwise the truth must
    have one head, which is matched with the primary face: the largest box, for as long as its track lasts.

    Args:
        by_position: whether the true positions may be used.
    """

    def __init__(self, by_position: bool) -> None:
        self._by_position = by_position
        self._followed: str | None = None

    def match(self, poses: Sequence[HeadPose], positions: Sequence[np.ndarray | None], camera: Camera | None) -> list[int | None]:
        """Finds the true head of each face.

        Args:
            poses: the faces that were found.
            positions: (3,) position of each true head in view, camera frame, metres; None unknown: without a face if others are known.
            camera: the image's camera; None unknown.

        Returns:
            The index of each face's head; None for a face without a head.

        Raises:
            BagError: for several true heads that cannot be told apart.
        """
        matched: list[int | None] = [None] * len(poses)
        if not poses or not positions:
            return matched
        if self._by_position and any(p is not None for p in positions) and (camera is not None or poses[0].box is None):
            costs = [(_distance(pose, t, camera), i, j) for i, pose in enumerate(poses) for j, t in enumerate(positions) if t is not None]
            taken: set[int] = set()
            for cost, i, j in sorted(costs):
                if cost < 1 and matched[i] is None and j not in taken:
                    matched[i] = j
                    taken.add(j)
            return matched
        if len(positions) > 1:
            raise BagError(
                'the truth has several heads that cannot be told apart: that needs a calibrated camera, and positions in '
                "the images' frame; name the truth of one head with --truth, or keep the rows of one id in a CSV file"
            )
        matched[self._primary(poses)] = 0
        return matched

    def _primary(self, poses: Sequence[HeadPose]) -> int:
        for i, pose in enumerate(poses):
            if pose.face_id is not None and pose.face_id == self._followed:
                return i
        i = max(range(len(poses)), key=lambda k: 0.0 if (box := poses[k].box) is None else box.width * box.height)
        self._followed = poses[i].face_id
        return i


def _distance(pose: HeadPose, t_cam_head_m: np.ndarray, camera: Camera | None) -> float:
    """Angle between a face and a true head, over the largest that is accepted."""
    if not may_see(camera, t_cam_head_m):
        return np.inf
    if pose.box is not None and camera is not None:
        centre = pixel_ray(camera, *pose.box.centre)
        return _angle(centre, t_cam_head_m) / max(_GATE * _angle(centre, pixel_ray(camera, pose.box.x1, pose.box.y1)), 1e-6)
    if pose.t_cam_head_m is None or not may_see(camera, pose.t_cam_head_m):
        return np.inf
    gate_rad = max(np.radians(_GATE_WITHOUT_BOX_DEG), float(np.arctan2(_GATE_WITHOUT_BOX_M, np.linalg.norm(pose.t_cam_head_m))))
    return _angle(pose.t_cam_head_m, t_cam_head_m) / gate_rad


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.arctan2(np.linalg.norm(np.cross(a, b)), np.dot(a, b)))
