"""A face keeps its id as it moves, passes another, or scores low; what the network finds is a known scene, every rule about it is real."""

import numpy as np
import pytest

from c2f_head_pose import EstimatorOptions
from c2f_head_pose.detect import FaceDetector, suppress_overlaps
from c2f_head_pose.track import FaceTracker
from c2f_head_pose.types import FaceBox

PX_PER_M = 100 / 0.165
"""A face is 100 pixels, and 16.5 cm, high."""


class SceneDetector(FaceDetector):
    """Finds those of the scene's faces that a search shows with at least 24 pixels."""

    def __init__(self):
        self.faces: list[FaceBox] = []

    def _detect_at(self, corner, patch, threshold, long_side, rotation_deg):
        height, width = patch.shape[:2]

        def is_seen(face: FaceBox) -> bool:
            x, y = face.centre[0] - corner[0], face.centre[1] - corner[1]
            large = max(face.width, face.height) * long_side / max(height, width) >= 24
            return large and 0 <= x < width and 0 <= y < height and face.score >= threshold

        return suppress_overlaps([face for face in self.faces if is_seen(face)])


def face(x: float, y: float = 240, height: float = 100, score: float = 0.9) -> FaceBox:
    return FaceBox(x - 0.4 * height, y - height / 2, x + 0.4 * height, y + height / 2, score)


@pytest.fixture
def look():
    """Follows the faces of each image of a stream, and returns the id of each: None where it is not answered."""
    detector = SceneDetector()
    tracker, chance = FaceTracker(detector), np.random.default_rng(0)
    image = np.zeros((480, 1280), np.uint8)

    def look(stamp_s: float, *faces: FaceBox, **options: float) -> list[int | None]:
        detector.faces = list(faces)
        image[:] = chance.integers(80)  # No tile looks as it did.
        ids = {track.box: track.track_id for track in tracker.update(image, stamp_s, EstimatorOptions(**options))}
        return [ids.get(box) for box in faces]

    return look


@pytest.mark.parametrize('fps', [10, 15, 30])
@pytest.mark.parametrize('speed_mps', [0.5, -0.5])
@pytest.mark.parametrize('ratio', [1.0, 1.1, 1.25])
@pytest.mark.parametrize('both_walk', [False, True])
def test_two_people_who_pass_each_other_keep_their_ids(look, fps, speed_mps, ratio, both_walk):
    """The farther face is not found while the nearer one, which is `ratio` times as large, covers it: one face, and one of the two ids."""
    chance, duration_s = np.random.default_rng(1), 1.0 / abs(speed_mps)
    ids = []
    for k in range(int(duration_s * fps) + 1):
        way_px = PX_PER_M * speed_mps * (k / fps - duration_s / 2)
        noise = chance.normal(0, 1, 4)
        near = face(640 + way_px + noise[0], 240 + noise[1], 100 * ratio, 0.92)
        far = face(640 - both_walk * way_px + noise[2], 240 + noise[3], 100, 0.88)
        ids.append(look(k / fps, near, far))
    assert ids[0] == ids[-1] == [1, 2]
    assert {far for _, far in ids} == {2, None}
    assert {near for near, far in ids if far} == {1}
