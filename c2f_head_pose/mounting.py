"""Recognises a camera that is mounted sideways or upside down: faces look more like faces when the image is turned.

The networks read such faces confidently and wrongly, so nothing else in the results shows it.
"""

from __future__ import annotations

import numpy as np

from .detect import FaceDetector
from .tiles import WHOLE_LONG_SIDE_PX
from .types import FaceBox

_OTHER_TURNS_DEG = (180, 90, 270)
_BETTER = 0.08
"""A turned face scores higher by this. Upright faces score lower when turned: by 0.06 and more on 60 rendered heads of all poses."""
_SURE = 0.85
"""A face that is found only after turning scores this; upright faces in turned images stay below 0.88, and below 0.8 but for one in 20."""
_THRESHOLD = 0.5
_CONFIRMED_S, _CONFIRMED_LOOKS = 1.5, 5
_SETTLED_LOOKS = 9
_PERIOD_S, _EMPTY_PERIOD_S, _SETTLED_PERIOD_S = 0.25, 1.0, 10.0


class MountingCheck:
    """Looks at the image in other turns from time to time: one face four times a second at first, then every 10 seconds.

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
        self._turn = 0
        self._better_since_s: float | None = None
        self._better_looks = self._upright_looks = 0

    def overdue(self, stamp_s: float) -> bool:
        """Whether a look should not wait any longer for an image without other work."""
        return stamp_s >= self._next_s + _PERIOD_S

    def look_at_still(self, image: np.ndarray, faces: list[FaceBox], rotation_deg: int) -> int | None:
        """The `image_rotation` in which an image that stands alone would show a face better than in the one in force; None if none."""
        best, turn = max((self._score(image, faces, turn), turn) for turn in self._others(rotation_deg))
        return turn if best >= _least_score(faces) else None

    def look(self, image: np.ndarray, faces: list[FaceBox], stamp_s: float) -> None:
        """Looks once, if it is time.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            faces: found in it as it is mounted.
            stamp_s: of the image, seconds.
        """
        if stamp_s < self._next_s:
            return
        better = self._score(image, faces, self._others(self._rotation_deg)[self._turn]) >= _least_score(faces)
        if better:
            self._better_since_s = stamp_s if self._better_since_s is None else self._better_since_s
            self._better_looks += 1
            self._upright_looks = 0
            if self._better_looks >= _CONFIRMED_LOOKS and stamp_s - self._better_since_s >= _CONFIRMED_S:
                self.image_rotation = self.look_at_still(image, faces, self._rotation_deg)
        else:
            self._better_since_s, self._better_looks = None, 0
            self._turn = (self._turn + 1) % len(_OTHER_TURNS_DEG)
            if faces:
                self._upright_looks += 1
                self.image_rotation = None
        settled = self._upright_looks >= _SETTLED_LOOKS or self.image_rotation is not None
        self._next_s = stamp_s + (_SETTLED_PERIOD_S if settled else _PERIOD_S if faces or better else _EMPTY_PERIOD_S)

    def _others(self, rotation_deg: int) -> list[int]:
        return [(rotation_deg + turn) % 360 for turn in _OTHER_TURNS_DEG]

    def _score(self, image: np.ndarray, faces: list[FaceBox], rotation_deg: int) -> float:
        """The best score of the largest face in a turned image, or of any face where there is none; 0 if it is not found."""
        assert self._detector is not None, 'depth alone shows nothing of the kind'
        if not faces:
            found = self._detector.detect(image, _THRESHOLD, WHOLE_LONG_SIDE_PX, rotation_deg)
        else:
            face = _largest(faces)
            found = [box for box in self._detector.detect_near(image, face, _THRESHOLD, rotation_deg) if box.iou(face) > 0]
        return max((box.score for box in found), default=0.0)


def _largest(faces: list[FaceBox]) -> FaceBox:
    return max(faces, key=lambda box: box.width * box.height)


def _least_score(faces: list[FaceBox]) -> float:
    """What a turned face must score to look better than the largest of those found as they are, or than none."""
    return _largest(faces).score + _BETTER if faces else _SURE
