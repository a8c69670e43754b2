"""Chooses the one face that single-face topics are about, for the node and for recordings alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .types import WHOLE_IMAGE, HeadPose

_CHALLENGE = 1.2
"""Width, height or nearness of a face that takes the primary face's place, relative to that: more than boxes differ by from noise."""


def choose_primary(
    poses: Sequence[HeadPose],
    rule: str,
    region: Sequence[float] = WHOLE_IMAGE,
    size: tuple[int, int] | None = None,
    before: int | None = None,
) -> HeadPose | None:
    """Chooses the primary face; None if there is none.

    Args:
        poses: this image's.
        rule: 'largest' box, 'nearest' position (the largest box where no position is known), 'longest_tracked'.
        region: part of the image in which the box's centre must lie (`FaceBox.centred_in`).
        size: width and height of the image, pixels; None for no region.
        before: track of the last primary face, which stays until another is a fifth larger (width and height), or nearer; None for none.
    """

    def seated(pose: HeadPose) -> bool:
        return size is None or pose.box is None or pose.box.centred_in(region, size)

    def lead(pose: HeadPose) -> float:
        return _CHALLENGE if before is not None and pose.track_id == before else 1.0

    def area(pose: HeadPose) -> float:
        return pose.box.width * pose.box.height * lead(pose) ** 2 if pose.box is not None else 0.0

    def rank(pose: HeadPose) -> tuple[float, float]:
        if rule == 'nearest':
            distance = np.inf if pose.t_cam_head_m is None else float(np.linalg.norm(pose.t_cam_head_m)) / lead(pose)
            return -distance, area(pose)
        if rule == 'longest_tracked':  # ids are given in order of appearance
            return -np.inf if pose.track_id is None else -float(pose.track_id), area(pose)
        return area(pose), 0.0

    return max(filter(seated, poses), key=rank, default=None)
