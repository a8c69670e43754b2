"""Follows faces from image to image: stable ids, a cheap search where a face just was, and a search for new faces spread over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from .change import ChangeWatch
from .detect import CANDIDATE, FaceDetector, same_face, suppress_overlaps
from .options import EstimatorOptions
from .stamp_order import SLOWEST_S
from .tiles import FOUND_PX, WHOLE_LONG_SIDE_PX, Tile, plan_search
from .types import FaceBox

_KEEP_THRESHOLD = 0.4
"""A face that is being followed may score lower than a new one, or as low; below this it is searched for in the whole image."""
_FOLLOWED_ONE_BY_ONE = 5
"""With more faces than this, one search of the whole image costs less than a search around each."""
_SMALL_ONE_BY_ONE = 12
"""With more faces than this that are too small for it, a search of the whole image at twice the resolution costs less."""
_GATE = 0.6
"""A face is less than this part of its size from where it is expected, or it is another face."""
_FASTEST = 9.0
"""Sizes a second, 1.7 m/s: the gate of a face that nothing is found in grows so fast while the face is not seen."""
_FARTHEST = 1.5
"""Sizes, 28 cm: the gate grows by this much at most, however long a face was not seen; beyond it is somebody beside it."""
_ALIKE = 1.3
"""A face beyond the gate is at most so many times as large or as small, or it is somebody before or behind it."""
_STEADY_S = 0.1
"""A face's velocity is averaged over about this time: short enough to follow a walker who stops, long enough for the boxes' noise."""
_GOES_ON_S = 0.3
"""A face is expected to go on as it moved for so long after it was last seen; where it then is, it is expected to stay."""
_AT_REST = 0.05
"""A face that would go on by less than this part of its size is expected where it was: its velocity may be the boxes' noise."""
_UNCHANGED_PERIODS = 5
"""A tile is searched at least once in so many periods, even where it looks as it did: a face at the threshold may score higher then."""


@dataclass
class Track:
    """A face that is followed.

    Attributes:
        track_id: number of the track; a tracker never uses it again.
        box: the box in which it was last seen.
        seen_s: stamp of the image where it was last seen.
        first_seen_s: stamp of the image where it was first seen.
        velocity: x and y of the box's velocity in pixels a second.
        expected: the box where it is expected in the present image.
        reach: sizes by which it may be beyond the gate in the present image.
    """

    track_id: int
    box: FaceBox
    seen_s: float
    first_seen_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    expected: FaceBox = field(init=False)
    reach: float = 0.0

    def __post_init__(self) -> None:
        self.expected = self.box

    def see(self, box: FaceBox, stamp_s: float) -> None:
        """Sets the box in which the face is seen in an image, and what that says about its velocity."""
        step_s = stamp_s - self.seen_s
        if step_s > 0:
            moved = (now - last for now, last in zip(box.centre, self.box.centre))
            vx, vy = (v + (way - v * step_s) / (step_s + _STEADY_S) for v, way in zip(self.velocity, moved))
            self.velocity = vx, vy
        self.box, self.seen_s = box, stamp_s

    def expect(self, stamp_s: float) -> None:
        """Sets where the face is expected in an image, as it moved until it was last seen, and how far from there it may be."""
        unseen_s = stamp_s - self.seen_s
        self.reach = min(_FARTHEST, _FASTEST * unseen_s)
        x, y = (v * min(unseen_s, _GOES_ON_S) for v in self.velocity)
        box = self.box
        at_rest = math.hypot(x, y) < _AT_REST * max(box.width, box.height)
        self.expected = box if at_rest else replace(box, x1=box.x1 + x, y1=box.y1 + y, x2=box.x2 + x, y2=box.y2 + y)


class FaceTracker:
    """Finds faces in a sequence of images.

    Each image is searched around the faces that are followed. New faces are searched for tile by tile (`tiles.plan_search`); the number of
    tiles in each image is such that every tile is searched once within `rescan_period_s`. The first image of a stream is searched whole.
    A tile that has not changed since its last search is skipped, unless `max_faces` excluded faces in it, or a face was lost since then.
    Faces in `seat_region` have places before others.

    Attributes:
        idle: whether no tile was searched for new faces in the last image.

    Args:
        detector: finds faces in one image; None where only `follow` is used.
    """

    def __init__(self, detector: FaceDetector | None) -> None:
        self._detector = detector
        self._tracks: list[Track] = []
        self._seen_ids: set[int] = set()
        self._next_id = 1
        self._sweep = _Sweep()
        self._watch = ChangeWatch()
        self._refused: dict[Tile, list[FaceBox]] = {}
        self._options = EstimatorOptions()
        self._size = (1, 1)
        self.idle = False

    def reset(self) -> None:
        """Deletes all tracks. New tracks get new ids, so that an old id never names another face."""
        self._tracks = []
        self._sweep = _Sweep()
        self._watch.forget()
        self._refused = {}

    def knows(self, track_id: int) -> bool:
        """Whether a face is still followed, seen in the last image or not."""
        return any(t.track_id == track_id for t in self._tracks)

    @property
    def refused(self) -> int:
        """Number of faces beyond `max_faces` in the last search of the whole image."""
        return len(suppress_overlaps([box for boxes in self._refused.values() for box in boxes]))

    def update(self, image: np.ndarray, stamp_s: float, options: EstimatorOptions) -> list[Track]:
        """Finds the faces of the next image.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            stamp_s: the image's stamp in seconds, not before the last image's.
            options: options of finding and following.

        Returns:
            The tracks seen in this image, longest followed first, at most `max_faces`.
        """
        self._begin(image.shape[:2], stamp_s, options)
        known, whole = self._search_known(image, options)
        others = self._match(known, stamp_s)
        self._search_new(image, whole, others, stamp_s, options)
        return self._seen()

    def follow(self, boxes: list[FaceBox], shape: tuple[int, ...], stamp_s: float, options: EstimatorOptions) -> list[Track]:
        """Tracks faces that were found by other means, such as heads in depth.

        Args:
            boxes: in the image, best first.
            shape: height and width of the image, pixels.
            stamp_s: as of `update`.
            options: as of `update`.

        Returns:
            As `update`.
        """
        self._begin(shape, stamp_s, options)
        new = [box for box in self._match(boxes, stamp_s) if box.score >= options.detection_threshold]
        new = self._match_far(new, stamp_s)
        self._refused = {plan_search(1, 1)[0]: self._start(new, stamp_s)}
        return self._seen()

    def _begin(self, shape: tuple[int, ...], stamp_s: float, options: EstimatorOptions) -> None:
        """Deletes the tracks of faces that were not seen for too long, and those beyond `max_faces`; expects the others in this image."""
        limit_s = options.track_timeout_s
        seen_last_s = max(limit_s, SLOWEST_S)
        kept = [t for t in self._tracks if stamp_s - t.seen_s <= (seen_last_s if t.track_id in self._seen_ids else limit_s)]
        wanted = most_wanted([t.box for t in kept], shape, options)
        kept = [t for t in kept if t.box in wanted]
        if len(kept) < len(self._tracks) or options != self._options:
            self._watch.forget()
        self._tracks, self._options, self._size = kept, options, (shape[1], shape[0])
        self._seen_ids = set()
        for track in kept:
            track.expect(stamp_s)

    def _seen(self) -> list[Track]:
        return [t for t in self._tracks if t.track_id in self._seen_ids]

    def _search_known(self, image: np.ndarray, options: EstimatorOptions) -> tuple[list[FaceBox], list[FaceBox] | None]:
        """Returns the boxes of the followed faces in the next image, and all boxes of the whole image if it had to be searched."""
        assert self._detector is not None, 'a tracker without a detector can only follow'
        detector, rotation = self._detector, options.image_rotation
        keep = min(_KEEP_THRESHOLD, options.detection_threshold)
        one_by_one = 0 < len(self._tracks) <= _FOLLOWED_ONE_BY_ONE
        long_side = WHOLE_LONG_SIDE_PX
        small_px, small = self._smaller_than_found(image, long_side)
        if len(small) > _SMALL_ONE_BY_ONE:
            long_side *= 2
            small_px, small = self._smaller_than_found(image, long_side)
        boxes: list[FaceBox] = []

        def look(tracks: list[Track], search: Callable[[np.ndarray, FaceBox, float, int], list[FaceBox]], far: bool = False) -> None:
            found = (_nearest(t, search(image, t.expected, keep, rotation), far) for t in tracks)
            boxes[:] = suppress_overlaps([*boxes, *(box for box in found if box is not None)])

        look([t for t in self._tracks if one_by_one or t.track_id in small], detector.detect_near)
        whole = None
        if not one_by_one or self._missing(boxes):
            whole = detector.detect(image, min(keep, CANDIDATE * options.detection_threshold), long_side, rotation)
            # Few pixels make a weak box, and a weak box an inexact one: a small face is followed by those above.
            boxes += [
                box
                for box in whole
                if box.score >= (keep if max(box.width, box.height) >= small_px else options.detection_threshold)
                and not any(same_face(box, other) for other in boxes)
            ]
        missing = self._missing(boxes)
        look([t for t in missing if t.track_id in small], detector.detect_wider, far=True)
        look([t for t in missing if t.track_id not in small and not one_by_one], detector.detect_near)
        return boxes, whole if long_side == WHOLE_LONG_SIDE_PX else None

    def _smaller_than_found(self, image: np.ndarray, long_side: int) -> tuple[float, set[int]]:
        """The size in pixels of the image below which a search of the whole image at a resolution misses faces, and the tracks below it."""
        small_px = FOUND_PX / long_side * max(image.shape[:2])
        return small_px, {t.track_id for t in self._tracks if max(t.box.width, t.box.height) < small_px}

    def _search_new(
        self, image: np.ndarray, whole: list[FaceBox] | None, others: list[FaceBox], stamp_s: float, options: EstimatorOptions
    ) -> None:
        """Searches the tiles that are due and have changed, and follows what is new there or among the others of the followed faces."""
        assert self._detector is not None
        height, width = image.shape[:2]
        tiles = plan_search(width, height, options.min_face_px)
        if tiles != self._sweep.tiles:
            self._watch.forget()
        longest_s = _UNCHANGED_PERIODS * options.rescan_period_s
        due = [
            tile
            for tile in self._sweep.due(tiles, stamp_s, options.rescan_period_s)
            if not self._watch.unchanged(image, tile, stamp_s, longest_s) or self._refused.get(tile)
        ]
        self.idle = not due
        threshold, rotation = options.detection_threshold, options.image_rotation
        found = {
            tile: whole if whole is not None and tile == tiles[0] else self._detector.find_candidates(image, tile, threshold, rotation)
            for tile in due
        }
        candidates = [box for boxes in found.values() for box in boxes if box.score >= CANDIDATE * threshold]
        lost = [box for box in others if box.score >= threshold]
        candidates = self._unknown(suppress_overlaps([*candidates, *lost]))
        coarse = [*found.get(tiles[0], []), *lost]
        # A second look takes time, so nobody is looked at whom there is no place for.
        if not self._free and len(self._seen_ids) == len(self._tracks):
            candidates = [box for box in candidates if self._seated(box)] if self._outside() else []
        confirmed = self._unknown(self._detector.confirm(image, candidates, coarse, threshold, rotation))
        self._start(self._match_far(self._match(confirmed, stamp_s), stamp_s), stamp_s)
        refused = {
            tile: self._unknown([box for box in boxes if box.score >= threshold]) if not self._free else [] for tile, boxes in found.items()
        }
        self._refused = {tile: boxes for tile, boxes in (self._refused | refused).items() if tile in tiles}

    def _unknown(self, boxes: list[FaceBox]) -> list[FaceBox]:
        """Returns the boxes that show none of the faces seen in this image."""
        seen = [t.box for t in self._seen()]
        return [box for box in boxes if not any(same_face(box, other) for other in seen)]

    def _missing(self, boxes: list[FaceBox]) -> list[Track]:
        return [t for t in self._tracks if _nearest(t, boxes) is None]

    def _match(self, boxes: list[FaceBox], stamp_s: float, far: bool = False) -> list[FaceBox]:
        """Assigns boxes to the tracks not seen yet, beyond the gate too if they may be far, the nearest pair first; returns the others."""
        unseen = [t for t in self._tracks if t.track_id not in self._seen_ids]
        pairs = sorted((_distance(t.expected, box), i, j) for i, t in enumerate(unseen) for j, box in enumerate(boxes))
        taken_tracks: set[int] = set()
        taken_boxes: set[int] = set()
        for distance, i, j in pairs:
            if distance < _gate(unseen[i], boxes[j], far) and i not in taken_tracks and j not in taken_boxes:
                taken_tracks.add(i)
                taken_boxes.add(j)
                unseen[i].see(boxes[j], stamp_s)
                self._seen_ids.add(unseen[i].track_id)
        return [box for j, box in enumerate(boxes) if j not in taken_boxes]

    def _match_far(self, boxes: list[FaceBox], stamp_s: float) -> list[FaceBox]:
        """As `_match`, beyond the gate too. A face that was refused where it is now is somebody else."""
        refused = [box for boxes in self._refused.values() for box in boxes]
        others = [box for box in boxes if any(same_face(box, other) for other in refused)]
        others += self._match([box for box in boxes if box not in others], stamp_s, far=True)
        return [box for box in boxes if box in others]

    @property
    def _free(self) -> int:
        """Number of further faces that may be followed."""
        return max(0, self._options.max_faces - len(self._tracks))

    def _seated(self, box: FaceBox) -> bool:
        return box.centred_in(self._options.seat_region, self._size)

    def _outside(self) -> list[Track]:
        """The tracks outside `seat_region`, oldest first."""
        return [t for t in self._tracks if not self._seated(t.box)]

    def _start(self, boxes: list[FaceBox], stamp_s: float) -> list[FaceBox]:
        """Begins a track for each box that there is a place for, those in `seat_region` first, and returns the other boxes.

        Where no place is free, the newest track outside the region gives way to a face in it.
        """
        refused = []
        for box in sorted(boxes, key=lambda box: not self._seated(box)):
            if not self._free and self._seated(box) and (outside := self._outside()):
                self._tracks.remove(outside[-1])
            if not self._free:
                refused.append(box)
                continue
            self._tracks.append(Track(self._next_id, box, stamp_s, stamp_s))
            self._seen_ids.add(self._next_id)
            self._next_id += 1
        return refused


class _Sweep:
    """Goes through the tiles of a whole search repeatedly, at the speed of the images' stamps.

    Attributes:
        tiles: tiles of the present search.
    """

    def __init__(self) -> None:
        self.tiles: tuple[Tile, ...] = ()
        self._position = 0.0
        self._stamp_s = 0.0

    def due(self, tiles: tuple[Tile, ...], stamp_s: float, period_s: float) -> list[Tile]:
        """Returns the tiles to search now, so that each is searched once within a period; all tiles at first, or if images are that rare.

        Args:
            tiles: tiles of a whole search; if they differ from those of the last image, the sweep begins anew.
            stamp_s: the image's stamp, seconds.
            period_s: time within which a new face must be found, seconds.
        """
        step_s = stamp_s - self._stamp_s
        self._stamp_s = stamp_s
        if tiles != self.tiles or step_s >= period_s - step_s:
            self.tiles, self._position = tiles, 0.0
            return list(tiles)
        begin = math.floor(self._position)
        # A tile comes up at the first image after its time, up to one step late.
        self._position += len(tiles) * max(0.0, step_s) / (period_s - step_s)
        end = math.floor(self._position)
        self._position -= len(tiles) * (begin // len(tiles))
        return [tiles[i % len(tiles)] for i in range(begin, min(end, begin + len(tiles)))]


def most_wanted(boxes: list[FaceBox], shape: tuple[int, ...], options: EstimatorOptions) -> list[FaceBox]:
    """At most `max_faces` of the boxes, in the order given; those in `seat_region` come before others.

    Args:
        boxes: in the image, the most wanted first.
        shape: height and width of the image, pixels.
        options: has both.
    """
    size = shape[1], shape[0]
    chosen = sorted(boxes, key=lambda box: not box.centred_in(options.seat_region, size))[: options.max_faces]
    return [box for box in boxes if box in chosen]


def _nearest(track: Track, boxes: list[FaceBox], far: bool = False) -> FaceBox | None:
    """The box that is the followed face in the present image; None if none can be."""
    near = [box for box in boxes if _distance(track.expected, box) < _gate(track, box, far)]
    return min(near, key=lambda box: _distance(track.expected, box), default=None)


def _gate(track: Track, box: FaceBox, far: bool) -> float:
    """The distance from where a face is expected within which a box can be it."""
    alike = max(track.expected.height, box.height) <= _ALIKE * min(track.expected.height, box.height)
    return _GATE + track.reach if far and alike else _GATE


def _distance(a: FaceBox, b: FaceBox) -> float:
    """Distance of centres plus difference of sizes, over the size."""
    size_a, size_b = max(a.width, a.height), max(b.width, b.height)
    size = max((size_a + size_b) / 2, 1e-6)
    return (math.dist(a.centre, b.centre) + abs(size_a - size_b) / 2) / size
