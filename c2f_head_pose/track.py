"""Follows faces from frame to frame: stable ids, and a cheap search where a face just was."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .detect import FaceDetector, suppress_overlaps
from .types import FaceBox

_KEEP_THRESHOLD = 0.4
"""A face that is being followed may score lower than a new one; below this it is searched for in the whole image."""
_FOLLOWED_ONE_BY_ONE = 2
"""With more faces than this, one search of the whole image costs less than a search around each."""
_GATE = 0.6
"""A face moves less than this part of its size between frames, or it is another face."""


@dataclass
class Track:
    """A face that is followed.

    Attributes:
        track_id: never used again within the tracker's life.
        box: where it was last seen.
        seen_s: stamp of the image where it was last seen.
        first_seen_s: stamp of the image where it was first seen.
    """

    track_id: int
    box: FaceBox
    seen_s: float
    first_seen_s: float


class FaceTracker:
    """Finds faces in a sequence of images: around the last places first, in the whole image now and then.

    Args:
        detector: finds faces in one image; None where only `follow` is used.
    """

    def __init__(self, detector: FaceDetector | None) -> None:
        self._detector = detector
        self._tracks: list[Track] = []
        self._next_id = 1
        self._full_search_s = -np.inf

    def reset(self) -> None:
        """Forgets every face; ids go on, so that an old id never names another face."""
        self._tracks = []
        self._full_search_s = -np.inf

    def knows(self, track_id: int) -> bool:
        """Whether a face is still followed, seen in the last image or not."""
        return any(t.track_id == track_id for t in self._tracks)

    def update(self, image: np.ndarray, stamp_s: float, threshold: float, rescan_period_s: float, timeout_s: float) -> list[Track]:
        """The faces of the next image, by its stamp.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            stamp_s: seconds, not before the last image's.
            threshold: least score of a new face.
            rescan_period_s: a whole image is searched at least this often.
            timeout_s: a face not seen for longer is forgotten, and its id with it.

        Returns:
            The tracks seen in this image, longest followed first.
        """
        self._tracks = [t for t in self._tracks if stamp_s - t.seen_s <= timeout_s]
        boxes = self._search(image, stamp_s, threshold, rescan_period_s)
        return self.follow(boxes, stamp_s, threshold, timeout_s)

    def follow(self, boxes: list[FaceBox], stamp_s: float, threshold: float, timeout_s: float) -> list[Track]:
        """The tracks of faces that were found otherwise, as heads in depth are; arguments and result as of `update`."""
        self._tracks = [t for t in self._tracks if stamp_s - t.seen_s <= timeout_s]
        self._assign(boxes, stamp_s, threshold)
        return [t for t in self._tracks if t.seen_s == stamp_s]

    def _search(self, image: np.ndarray, stamp_s: float, threshold: float, rescan_period_s: float) -> list[FaceBox]:
        assert self._detector is not None, 'a tracker without a detector can only follow'
        detector = self._detector
        due = stamp_s - self._full_search_s >= rescan_period_s
        if self._tracks and not due and len(self._tracks) <= _FOLLOWED_ONE_BY_ONE:
            near = [detector.detect_near(image, t.box, _KEEP_THRESHOLD) for t in self._tracks]
            if all(near):
                return suppress_overlaps([box for boxes in near for box in boxes])
        boxes = detector.detect(image, _KEEP_THRESHOLD, 320)
        lost = [t for t in self._tracks if not any(_distance(t.box, box) < _GATE for box in boxes)]
        if lost or (due and len(boxes) == 0):
            boxes = suppress_overlaps(boxes + detector.detect(image, _KEEP_THRESHOLD, 640))
        if due:
            self._full_search_s = stamp_s
        return boxes

    def _assign(self, boxes: list[FaceBox], stamp_s: float, threshold: float) -> None:
        """Greedy by distance: the nearest pair first, each face and each box once."""
        pairs = sorted((_distance(t.box, box), i, j) for i, t in enumerate(self._tracks) for j, box in enumerate(boxes))
        taken_tracks: set[int] = set()
        taken_boxes: set[int] = set()
        for distance, i, j in pairs:
            if distance < _GATE and i not in taken_tracks and j not in taken_boxes:
                taken_tracks.add(i)
                taken_boxes.add(j)
                self._tracks[i].box, self._tracks[i].seen_s = boxes[j], stamp_s
        for j, box in enumerate(boxes):
            if j not in taken_boxes and box.score >= threshold:
                self._tracks.append(Track(self._next_id, box, stamp_s, stamp_s))
                self._next_id += 1


def _distance(a: FaceBox, b: FaceBox) -> float:
    """Distance of centres plus difference of sizes, over the size."""
    size_a, size_b = max(a.width, a.height), max(b.width, b.height)
    size = max((size_a + size_b) / 2, 1e-6)
    return (float(np.hypot(a.centre[0] - b.centre[0], a.centre[1] - b.centre[1])) + abs(size_a - size_b) / 2) / size
