"""Finds the faces of an image or the heads of a depth image, and follows them from image to image."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from .depth_head_finder import DepthHead, find_heads
from .detect import FaceDetector
from .mounting import MountingCheck
from .options import EstimatorOptions
from .stamp_order import Order, StampOrder
from .track import FaceTracker, most_wanted
from .types import Camera, FaceBox, Finding

_log = logging.getLogger(__name__)


def mute_findings() -> None:
    """Keeps findings off stderr, for a caller that reports `HeadPoseEstimator.finding` in its own log.

    An application that configures Python's logging still receives them.
    """
    _log.addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found.

    Attributes:
        box: the face's box, pixels of the image.
        track_id: its track in a stream; None in an image that stands alone.
        head: the head, if it was found in depth alone.
    """

    box: FaceBox
    track_id: int | None = None
    head: DepthHead | None = None


class FaceFinder:
    """Finds faces, and follows them where images have stamps. Not thread-safe.

    Args:
        detector: finds faces in one image; None for depth alone.

    Attributes:
        finding: findings of the last search that an option can change. Each kind is logged once.
    """

    def __init__(self, detector: FaceDetector | None) -> None:
        self.finding = Finding(EstimatorOptions().max_faces)
        self._detector = detector
        self._tracker = FaceTracker(detector)
        self._mounting = MountingCheck(detector)
        self._order = StampOrder()
        self._rotation_deg = 0
        self._shape: tuple[int, ...] = ()
        self._logged: set[str] = set()

    def reset(self) -> None:
        """Deletes the tracks, as needed after a jump in time. Track ids are not used again."""
        self._order = StampOrder()
        self._delete_tracks()

    def follows(self, track_id: int) -> bool:
        """Whether a face is still tracked, seen in the last image or not. An id that was deleted is never used again."""
        return self._tracker.knows(track_id)

    def find_faces(self, image: np.ndarray, stamp_s: float | None, options: EstimatorOptions) -> list[Face]:
        """The faces of an image, at most `max_faces`.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            stamp_s: the image's stamp, seconds; faces are then tracked. A late image (`StampOrder.late`) is searched as a single one and
                changes no track. Stamps that go back otherwise reset, and so does another size of the image. None searches the image as
                a single one.
            options: options of finding and following.

        Returns:
            Faces with the best score first; tracked ones with the oldest track first.

        Raises:
            ValueError: for a stamp that is not finite, or without a detector.
        """
        if self._detector is None:
            raise ValueError('without a face detector nobody is searched for: give boxes, or use HeadPoseEstimator.load')
        stamp_s = self._followed(image.shape[:2], stamp_s, options)
        if stamp_s is None:
            boxes = self._detector.detect_all_sizes(image, options.detection_threshold, options.min_face_px, options.image_rotation)
            turned = self._mounting.look_at_still(image, boxes, options.image_rotation)
            self._report(Finding(options.max_faces, max(0, len(boxes) - options.max_faces), turned))
            return [Face(box) for box in most_wanted(boxes, image.shape, options)]
        tracks = self._tracker.update(image, stamp_s, options)
        if self._tracker.idle or self._mounting.overdue(stamp_s):
            self._mounting.look(image, [track.box for track in tracks], stamp_s)
        self._report(Finding(options.max_faces, self._tracker.refused, self._mounting.image_rotation))
        return [Face(track.box, track.track_id) for track in tracks]

    def find_heads(self, depth_m: np.ndarray, camera: Camera, stamp_s: float | None, options: EstimatorOptions) -> list[Face]:
        """The heads of a depth image, at most `max_faces`; arguments, result and errors as of `find_faces`.

        Args:
            depth_m: (H, W) float metres along the optical axis, NaN unknown.
            camera: the depth image's calibration.
            stamp_s: as of `find_faces`.
            options: as of `find_faces`.
        """
        stamp_s = self._followed(depth_m.shape, stamp_s, options)
        heads = find_heads(depth_m, camera, rotation_deg=options.image_rotation)
        by_box = {head.box: head for head in heads}
        if stamp_s is None:
            self._report(Finding(options.max_faces, max(0, len(heads) - options.max_faces)))
            return [Face(box, head=by_box[box]) for box in most_wanted(list(by_box), depth_m.shape, options)]
        tracks = self._tracker.follow(list(by_box), depth_m.shape, stamp_s, replace(options, detection_threshold=1e-9))
        self._report(Finding(options.max_faces, self._tracker.refused))
        return [Face(track.box, track.track_id, by_box[track.box]) for track in tracks]

    def _followed(self, shape: tuple[int, ...], stamp_s: float | None, options: EstimatorOptions) -> float | None:
        """The stamp by which an image follows the last one of its stream; None if it stands alone, without a stamp or late.

        Deletes the tracks where the image is turned otherwise than the last one, or in a stream has another shape or is before it in time.
        """
        if options.image_rotation != self._rotation_deg:
            self._rotation_deg = options.image_rotation
            self.reset()
        if stamp_s is None:
            return None
        if not np.isfinite(stamp_s):
            raise ValueError(f'stamp_s must be finite, got {stamp_s}')
        stamp_s = float(stamp_s)
        if self._order.late(stamp_s):
            return None
        if self._order.take(stamp_s) is Order.BACK or shape != self._shape:
            self._delete_tracks()
        self._shape = shape
        return stamp_s

    def _delete_tracks(self) -> None:
        self._tracker.reset()
        self._mounting.reset(self._rotation_deg)

    def _report(self, finding: Finding) -> None:
        self.finding = finding
        for option, note in finding.notes().items():
            if option not in self._logged:
                self._logged.add(option)
                _log.warning(note)
