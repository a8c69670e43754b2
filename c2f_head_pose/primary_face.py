"""Chooses the one face that single-face topics are about, for the node and for recordings alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .types import WHOLE_IMAGE, HeadPose

_CHALLENGE = 1.2
"""Width, height or nearness of a face that takes the primary face's place, relative to that: more than boxes differ by from noise."""


class PrimaryFace:
    """Keeps the primary face of a stream from image to image.

    Args:
        follows: says of a track whether it is still followed, seen in the last image or not.
    """

    def __init__(self, follows: Callable[[int], bool]) -> None:
        self._follows = follows
        self._last: HeadPose | None = None

    def choose(
        self, poses: Sequence[HeadPose], rule: str, region: Sequence[float] = WHOLE_IMAGE, size: tuple[int, int] | None = None
    ) -> HeadPose | None:
        """Chooses the primary face; None if there is none, or while it is not seen but still followed.

        One missed detection thus gives nobody else its place, except a face that would have it beside the face as it was last seen.
        Arguments as of `choose_primary`.
        """
        last = self._last
        before = None if last is None else last.track_id
        unseen = [last] if last is not None and before is not None and self._unseen(before, poses) else []
        chosen = choose_primary([*poses, *unseen], rule, region, size, before)
        if chosen is None or chosen in unseen:
            return None
        self._last = chosen
        return chosen

    def _unseen(self, track_id: int, poses: Sequence[HeadPose]) -> bool:
        return all(pose.track_id != track_id for pose in poses) and self._follows(track_id)


def in_region(pose: HeadPose, region: Sequence[float], size: tuple[int, int] | None) -> bool:
    """Whether a pose can be the primary one by its place; arguments as of `choose_primary`."""
    return size is None or pose.box is None or pose.box.centred_in(region, size)


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

    return max((pose for pose in poses if in_region(pose, region, size)), key=rank, default=None)
