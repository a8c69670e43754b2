"""A face keeps its id as it moves, passes another, or scores low; what the network finds is a known scene, every rule about it is real."""

import numpy as np
import pytest

from c2f_head_pose import EstimatorOptions
from c2f_head_pose.detect import FaceDetector, suppress_overlaps
from c2f_head_pose.finder import FaceFinder
from c2f_head_pose.track import FaceTracker, Track
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


def test_a_face_at_rest_is_searched_where_it_was():
    """Boxes that differ by 2 pixels from image to image must not move the search, on which they depend in turn."""
    track = Track(1, face(400), 0.0, 0.0)
    for k in range(1, 30):
        track.see(face(400 + 2 * (k % 2)), k / 30)
        track.expect((k + 1) / 30)
        assert track.expected == track.box


@pytest.mark.parametrize('fps', [5, 7.5, 10, 30])
@pytest.mark.parametrize('speed_mps', [1.0, 1.4])
@pytest.mark.parametrize('height', [40, 100])
def test_a_person_who_begins_to_walk_keeps_the_id_at_any_rate(look, fps, speed_mps, height):
    """1.4 m/s are 8.5 sizes of a face a second: 0.3 sizes an image at 30 Hz, 1.7 at 5 Hz. Faces of 40 pixels are found by tiles only."""
    ids = [look(k / fps, face(200 + height / 0.165 * speed_mps * max(0, k / fps - 0.5), height=height)) for k in range(int(1.5 * fps))]
    assert ids == [[1]] * len(ids)


@pytest.mark.parametrize('fps', [5, 10, 30])
def test_a_head_in_depth_that_begins_to_move_keeps_the_id_at_any_rate(fps):
    """1.4 m/s, as above."""
    tracker = FaceTracker(None)
    for k in range(2 * fps):
        (track,) = tracker.follow([face(200 + 1.4 * PX_PER_M * max(0, k / fps - 0.5))], (480, 1280), k / fps, EstimatorOptions())
        assert track.track_id == 1


@pytest.mark.parametrize('max_faces', [1, 10])
def test_a_driver_who_looks_away_and_leans_over_is_the_driver_at_once(look, max_faces):
    """Unseen for 0.3 s, then 12 cm, 0.7 sizes, aside; before, the place stayed taken until `track_timeout_s` had passed."""
    for k in range(30):
        look(k / 30, face(400), max_faces=max_faces)
    for k in range(30, 39):
        look(k / 30, max_faces=max_faces)
    assert look(39 / 30, face(400 + 0.12 * PX_PER_M), max_faces=max_faces) == [1]


@pytest.mark.parametrize('other', [face(400 + 2 * 0.45 * PX_PER_M, height=200), face(580, height=120)])
def test_somebody_beside_or_behind_a_driver_who_looks_away_is_somebody_else(look, other):
    """At the next seat, 45 cm or 2.7 sizes aside; or at 60 % of the size, 1.4 sizes aside. They come into view 0.3 s later."""
    for k in range(39):
        look(k / 30, *[face(400, height=200)] * (k < 30))
    assert [look(k / 30, other) for k in range(39, 43)] == [[2]] * 4
    assert look(43 / 30, face(400, height=200), other) == [1, 2]


def test_a_face_beyond_max_faces_does_not_take_the_id_of_one_that_is_lost_beside_it(look):
    """1.2 sizes aside, and seen there before. It gets the place, and an id of its own, once the lost one's is deleted, after 0.5 s."""
    for k in range(40):
        assert look(k / 30, face(400), face(520, score=0.8), max_faces=1) == [1, None]
    assert [look(k / 30, face(520, score=0.8), max_faces=1) for k in range(40, 54)] == [[None]] * 14
    assert look(60 / 30, face(520, score=0.8), max_faces=1) == [2]


SEAT = (0.15, 0.0, 0.85, 1.0)
"""Of 1280 pixels, those from 192 to 1088."""


@pytest.mark.parametrize('max_faces, before, after', [(1, [1, None], [None, None, 2]), (2, [1, 2], [1, None, 3])])
def test_a_driver_who_sits_down_after_the_passengers_has_a_place(look, max_faces, before, after):
    """Passengers at the edges have all places. The newest of them gives way within `rescan_period_s`, 1 s, and gets none again."""
    passengers, driver, options = (face(60), face(1200)), face(640, score=0.7), dict(max_faces=max_faces, seat_region=SEAT)
    assert [look(k / 30, *passengers, **options) for k in range(40)] == [before] * 40
    found = [look(k / 30, *passengers, driver, **options) for k in range(40, 120)]
    assert found[30:] == [after] * 50


def test_of_two_faces_in_the_seats_region_the_first_keeps_the_only_place(look):
    """A second one, however large, does not change the driver; nor do passengers at the edge."""
    others = face(900, height=200), face(60)
    assert look(0.0, face(640), max_faces=1, seat_region=SEAT) == [1]
    assert [look(k / 30, face(640), *others, max_faces=1, seat_region=SEAT) for k in range(1, 60)] == [[1, None, None]] * 59


def test_fewer_places_are_left_to_the_faces_in_the_seats_region(look):
    assert look(0.0, face(60), face(640), seat_region=SEAT) == [2, 1]
    assert look(0.1, face(60), face(640), seat_region=SEAT, max_faces=1) == [None, 1]


def test_the_best_faces_of_a_still_are_those_in_the_seats_region():
    detector = SceneDetector()
    detector.faces = [face(60), face(640, score=0.7), face(1200, score=0.8)]
    for max_faces, found in ((1, [640]), (2, [60, 640]), (3, [60, 1200, 640])):
        options = EstimatorOptions(max_faces=max_faces, seat_region=SEAT)
        faces = FaceFinder(detector).find_faces(np.zeros((480, 1280), np.uint8), None, options)
        assert [round(one.box.centre[0]) for one in faces] == found


@pytest.mark.parametrize('max_faces', [1, 2])
def test_a_driver_whose_head_in_depth_comes_after_the_passengers_has_a_place(max_faces):
    tracker, options = FaceTracker(None), EstimatorOptions(max_faces=max_faces, seat_region=SEAT)
    for k, boxes in enumerate(([face(60), face(1200)], [face(60), face(1200), face(640)])):
        tracks = tracker.follow(boxes, (480, 1280), k / 30, options)
    assert [round(track.box.centre[0]) for track in tracks] == [60, 640][2 - max_faces :]


@pytest.mark.parametrize('threshold', [0.2, 0.35, 0.6])
def test_a_face_just_above_any_threshold_is_answered_in_every_image_under_one_id(look, threshold):
    """Below 0.4 too, which is what a followed face needs where new ones need more."""
    assert [look(k / 30, face(400, score=threshold + 0.01), detection_threshold=threshold) for k in range(40)] == [[1]] * 40


@pytest.mark.parametrize('max_faces', [1, 10])
def test_after_a_change_of_resolution_everybody_is_answered_at_once_under_a_new_id(max_faces):
    """At half the resolution A is where B was, and as large. One place only is not kept for A in the old pixels."""
    detector, options = SceneDetector(), EstimatorOptions(max_faces=max_faces)
    finder, (a, b) = FaceFinder(detector), (face(800, 400, height=200), face(400, 200))
    detector.faces = [a, b]
    before = [found.track_id for k in range(10) for found in finder.find_faces(np.zeros((960, 1280), np.uint8), k / 30, options)]
    detector.faces = [face(400, 200), face(200, 100, height=50)]
    found = finder.find_faces(np.zeros((480, 640), np.uint8), 10 / 30, options)
    assert [one.box for one in found] == detector.faces[:max_faces]
    assert not {one.track_id for one in found} & set(before)


@pytest.mark.parametrize(
    ('stamps', 'ids'),
    [
        ([8.0, 8.1, 8.2, 8.1, 8.3], [1, 1, 1, None, 1]),
        ([8.0, 8.1, 8.2, 7.1, 7.2], [1, 1, 1, 2, 2]),
        ([8.0, 8.1, 8.2, 8.0, 8.1], [1, 1, 1, 2, 2]),
        ([8.0, 9.0, 8.5, 8.6, 8.7, 8.8, 8.9], [1, 1, None, None, None, 2, 2]),
    ],
)
def test_a_late_image_keeps_the_tracks_and_stamps_that_go_back_delete_them(stamps, ids):
    """Late once; back by a second; the first again, of a loop; and late for more than three in a row, of a clock that was set back."""
    detector = SceneDetector()
    finder, detector.faces = FaceFinder(detector), [face(400)]
    found = [finder.find_faces(np.zeros((480, 1280), np.uint8), stamp_s, EstimatorOptions()) for stamp_s in stamps]
    assert [one.track_id for faces in found for one in faces] == ids


@pytest.mark.parametrize('timeout_s, after', [(0.3, [2]), (3.0, [1])])
def test_a_lost_face_keeps_its_id_for_track_timeout_s(look, timeout_s, after):
    """Seen for 3 s, away for 1."""
    face = FaceBox(350, 150, 450, 250, 0.9)
    for number in range(30):
        look(number / 10, face, track_timeout_s=timeout_s)
    for number in range(30, 40):
        look(number / 10, track_timeout_s=timeout_s)
    assert look(4.0, face, track_timeout_s=timeout_s) == after
