"""Chooses the driver's head among those of a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..types import HeadPose

_SAME_HEAD_M = 0.35
"""Largest movement of a head between frames that tell nothing else of it: half the distance between the front seats."""
_SWAY_M = 0.2
"""How far the driver's head may be on the other side of the camera's plane: a driver behind whose wheel the camera is sways about it."""


class DriverChoice:
    """Follows the driver by the face's id, and by its position where the ids do not help.

    Ids are those of one run of head_pose: one that starts again numbers the same people anew.

    Args:
        R_vehicle_cam: (3, 3) rotation from the camera's optical axes to vehicle axes; the identity for poses in vehicle axes.
        seat: side of the camera, in the direction of travel, on which the driver sits: 'left', 'right' or 'any'.
        lost_s: time without the driver after which heads elsewhere can be the driver's, and time without frames after which ids are new.
    """

    def __init__(self, R_vehicle_cam: np.ndarray, seat: str, lost_s: float) -> None:
        self.face_id: str | None = None
        self._R_vehicle_cam, self._seat, self._lost_s = R_vehicle_cam, seat, lost_s
        self._driver_m: np.ndarray | None = None
        self._seen_s = self._frame_s = self._frames_since_s = -np.inf
        self._others: dict[str, np.ndarray | None] = {}

    def possible(self, stamp_s: float, heads: Sequence[HeadPose]) -> list[HeadPose]:
        """The heads that can be the driver's, the most probable first.

        That is the head with the driver's id if it is in the frame; else those on the driver's side that were never in view beside the
        driver under the id that they have, and of these the ones near the driver's last position. The rest can be the driver only once
        frames have shown nobody there for `lost_s`.

        Args:
            stamp_s: the frame's stamp, seconds.
            heads: all heads that were found.
        """
        if stamp_s - self._frame_s > self._lost_s:
            self._forget_ids()
            self._frames_since_s = stamp_s
        elif self._ids_are_new(heads):
            self._forget_ids()
        self._frame_s = stamp_s
        self._others |= {head.face_id: head.t_cam_head_m for head in heads if head.face_id in self._others}
        heads = [head for head in heads if self._in_seat(head)]
        followed = [head for head in heads if self._is_followed(head)]
        if not followed:
            heads = [head for head in heads if head.face_id not in self._others]
            near = [head for head in heads if not _is_far(head, self._driver_m)]
            heads = near if near or stamp_s - max(self._seen_s, self._frames_since_s) <= self._lost_s else heads
        return sorted(followed or heads, key=self._nearness(followed or heads), reverse=True)

    def take(self, stamp_s: float, driver: HeadPose, heads: Sequence[HeadPose]) -> None:
        """Stores which head of a frame is the driver's, and who is in view beside the driver."""
        self._seen_s, self.face_id, self._driver_m = stamp_s, driver.face_id, driver.t_cam_head_m
        self._others.pop(driver.face_id or '', None)
        self._others |= {head.face_id: head.t_cam_head_m for head in heads if head.face_id not in (None, driver.face_id)}

    def _is_followed(self, head: HeadPose) -> bool:
        return self.face_id is not None and head.face_id == self.face_id

    def _in_seat(self, head: HeadPose) -> bool:
        """Whether a head is on the driver's side; the driver's own, by id or place, may sway to the other."""
        if self._seat == 'any' or not _has_position(head):
            return True
        y_m = (self._R_vehicle_cam @ head.t_cam_head_m)[1] * (1 if self._seat == 'left' else -1)
        known = self._is_followed(head) or (self._driver_m is not None and not _is_far(head, self._driver_m))
        return bool(y_m > (-_SWAY_M if known else 0.0))

    def _nearness(self, heads: Sequence[HeadPose]) -> Callable[[HeadPose], float]:
        """The measure by which heads are compared, larger for nearer ones; never NaN.

        Where every position is known it is the distance from the camera. Positions in vehicle axes do not tell where the camera is: of
        these the foremost is the nearest. Elsewhere it is the area of the face, else its score.
        """
        if not all(_has_position(head) for head in heads):
            return _size
        if np.array_equal(self._R_vehicle_cam, np.eye(3)):
            return lambda head: float(np.asarray(head.t_cam_head_m)[0])
        return lambda head: -float(np.linalg.norm(np.asarray(head.t_cam_head_m)))

    def _ids_are_new(self, heads: Sequence[HeadPose]) -> bool:
        """Whether the head at the driver's last position has another's id, and one of the two ids was far from where it is now."""
        if self.face_id is None or self._driver_m is None:
            return False
        moved = any(head.face_id == self.face_id and _is_far(head, self._driver_m) for head in heads)
        here = [head for head in heads if head.face_id != self.face_id and _has_position(head) and not _is_far(head, self._driver_m)]
        return any(moved or _is_far(head, self._others.get(head.face_id or '')) for head in here)

    def _forget_ids(self) -> None:
        self.face_id = None
        self._others = {}


def _has_position(head: HeadPose) -> bool:
    return head.t_cam_head_m is not None and bool(np.all(np.isfinite(head.t_cam_head_m)))


def _is_far(head: HeadPose, place_m: np.ndarray | None) -> bool:
    """Whether a head's position is known not to be that of the head that was at a place."""
    return head.t_cam_head_m is not None and place_m is not None and bool(np.linalg.norm(head.t_cam_head_m - place_m) > _SAME_HEAD_M)


def _size(head: HeadPose) -> float:
    """The area of a head's face, else its score; never NaN."""
    size = head.score if head.box is None else abs(head.box.width * head.box.height)
    return float(size) if np.isfinite(size) else -np.inf
