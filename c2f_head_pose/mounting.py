"""Recognises a camera that is mounted sideways or upside down: faces look more like faces when the image is turned.

The networks read such faces confidently and wrongly, so nothing else in the results shows it. A person who lies down looks the same, so one
person on the side is evidence only after a long time, and only in a stream that has shown nobody upright; two people, or one who is upside
down, are evidence soon. A face is evidence only if a second look at it in the turned image reaches the threshold of the fine search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .detect import FINE_THRESHOLD, FaceDetector
from .tiles import WHOLE_LONG_SIDE_PX
from .types import FaceBox

_OTHER_TURNS_DEG = (180, 90, 270)
_BETTER = 0.08
"""A turned face scores higher by this. Upright faces score lower when turned: by 0.06 and more on 60 rendered heads of all poses."""
_SURE = 0.85
"""A face that is found only after turning scores this; upright faces in turned images stay below 0.88, and below 0.8 but for one in 20."""
_THRESHOLD = 0.5
"""Weaker faces at a place count as none there."""
_JUDGED = 2
"""So many faces are judged, the largest ones."""
_CONFIRMED_S, _CONFIRMED_ALONE_S = 2.0, 30.0
"""Seconds of evidence, for two people or a face upside down, and for one person on the side."""
_LONGEST_STEP_S = 1.5
"""One look counts for so many seconds at most: three turns' looks, each late by a period. Less than is needed, so one is never enough."""
_DECAY = 2.0
"""A second against the evidence takes away so many seconds of it."""
_SETTLED_LOOKS = 9
_PERIOD_S, _EMPTY_PERIOD_S, _SETTLED_PERIOD_S = 0.25, 1.0, 10.0


@dataclass
class _Evidence:
    """What speaks for one turn.

    Attributes:
        turn_deg: clockwise, of the image as `image_rotation` makes it.
        last_s: stamp of the last look; None before the first.
        one_s: seconds for which one person at least looked better.
        two_s: seconds for which two people at least looked better.
    """

    turn_deg: int
    last_s: float | None = None
    one_s: float = 0.0
    two_s: float = 0.0

    def add(self, stamp_s: float, people: int) -> None:
        """Counts a look that showed so many people better when turned, or 0."""
        step_s = _PERIOD_S if self.last_s is None else min(stamp_s - self.last_s, _LONGEST_STEP_S)
        self.last_s = stamp_s
        lost_s = 0.0 if people else _DECAY * step_s
        self.one_s = min(max(0.0, self.one_s + (step_s if people >= 1 else -lost_s)), _CONFIRMED_ALONE_S)
        self.two_s = min(max(0.0, self.two_s + (step_s if people >= 2 else -lost_s)), _CONFIRMED_ALONE_S)

    def is_enough(self, known_upright: bool) -> bool:
        """Whether the camera is reported."""
        if self.two_s >= _CONFIRMED_S or (self.turn_deg == 180 and self.one_s >= _CONFIRMED_S):
            return True
        return self.one_s >= _CONFIRMED_ALONE_S and not known_upright


class MountingCheck:
    """Looks at the image in other turns from time to time: two faces four times a second at first, then every 10 seconds.

    Attributes:
        image_rotation: the option that would turn the images upright, degrees; None while the one in force does.

    Args:
        detector: finds faces in one image; None for depth alone, which is not looked at.
    """

    def __init__(self, detector: FaceDetector | None) -> None:
        self._detector = detector
        self.reset(0)

    def reset(self, rotation_deg: int) -> None:
        """Forgets what was seen, as another `image_rotation` needs."""
        self.image_rotation: int | None = None
        self._rotation_deg = rotation_deg
        self._next_s = -np.inf
        self._evidence = [_Evidence(turn_deg) for turn_deg in _OTHER_TURNS_DEG]
        self._upright_looks = self._sure_upright_looks = 0

    def overdue(self, stamp_s: float) -> bool:
        """Whether a look should not wait any longer for an image without other work."""
        return stamp_s >= self._next_s + _PERIOD_S

    def look_at_still(self, image: np.ndarray, faces: list[FaceBox], rotation_deg: int) -> int | None:
        """The `image_rotation` in which an image that stands alone would show its faces better than in the one in force; None if none."""
        best, _, turn = max((*self._gain(image, faces, rotation_deg, turn), turn) for turn in _others(rotation_deg))
        return turn if best >= 0 else None

    def look(self, image: np.ndarray, faces: list[FaceBox], stamp_s: float) -> None:
        """Looks once, if it is time.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            faces: found in it as it is mounted.
            stamp_s: the image's stamp, seconds.
        """
        if stamp_s < self._next_s:
            return
        evidence = self._evidence[0]
        _, people = self._gain(image, faces, self._rotation_deg, (self._rotation_deg + evidence.turn_deg) % 360)
        evidence.add(stamp_s, people)
        if people:
            self._upright_looks = 0
        elif faces:
            self._upright_looks += 1
            self._sure_upright_looks += _largest(faces)[0].score >= _SURE
        if self.image_rotation is None and evidence.is_enough(self._sure_upright_looks >= _SETTLED_LOOKS):
            self.image_rotation = self.look_at_still(image, faces, self._rotation_deg)
            self._evidence.sort(key=lambda other: (self._rotation_deg + other.turn_deg) % 360 != self.image_rotation)
        elif self.image_rotation is not None and faces and evidence.one_s == 0:
            self.image_rotation = None
        if self.image_rotation is None:  # else the turn that is reported is looked at until nothing speaks for it
            self._evidence.append(self._evidence.pop(0))
        settled = self._upright_looks >= _SETTLED_LOOKS or (self.image_rotation is not None and people > 0)
        busy = bool(faces) or any(other.one_s > 0 for other in self._evidence)
        self._next_s = stamp_s + (_SETTLED_PERIOD_S if settled else _PERIOD_S if busy else _EMPTY_PERIOD_S)

    def _gain(self, image: np.ndarray, faces: list[FaceBox], rotation_deg: int, turn_deg: int) -> tuple[float, int]:
        """By how much more than it must another turn improves the face that gains least; and how many faces gain, 0 where one does not.

        Args:
            image: see `look`.
            faces: faces found in it as it is mounted.
            rotation_deg: the present turn, degrees clockwise.
            turn_deg: the turn to compare with it, degrees clockwise.
        """
        assert self._detector is not None, 'depth alone shows nothing of the kind'
        if not faces:
            found = self._detector.detect(image, _SURE, WHOLE_LONG_SIDE_PX, turn_deg)
            found = self._detector.confirm(image, found, [], _SURE, turn_deg)
            scores = [box.score for box in found if box.score >= self._score_near(image, box, rotation_deg) + _BETTER]
            return max(scores, default=0.0) - _SURE, len(scores)
        gains: list[float] = []
        for face in _largest(faces):
            turned = self._score_near(image, face, turn_deg)
            gains.append(turned - max(face.score + _BETTER, FINE_THRESHOLD))
            if gains[-1] < 0:
                return gains[-1], 0
        return min(gains), len(gains)

    def _score_near(self, image: np.ndarray, face: FaceBox, rotation_deg: int) -> float:
        """Of the best face at a place when it is looked at in a turn; 0 without one."""
        assert self._detector is not None
        near = self._detector.detect_near(image, face, _THRESHOLD, rotation_deg)
        return max((box.score for box in near if box.iou(face) > 0), default=0.0)


def _others(rotation_deg: int) -> list[int]:
    return [(rotation_deg + turn) % 360 for turn in _OTHER_TURNS_DEG]


def _largest(faces: list[FaceBox]) -> list[FaceBox]:
    """The faces that are judged, the largest first."""
    return sorted(faces, key=lambda box: -box.width * box.height)[:_JUDGED]
