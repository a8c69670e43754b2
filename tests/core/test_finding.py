"""Faces are found wherever they are and however small, one or many, in stills and in streams, and each image does its share only."""

import logging

import cv2
import numpy as np
import pytest
from pasted_faces import Paste, paste, scene, tilted

from c2f_head_pose import EstimatorOptions, HeadPoseEstimator
from c2f_head_pose.detect import FINE_THRESHOLD, FaceDetector, same_face, suppress_overlaps
from c2f_head_pose.tiles import FOUND_PX, plan_search, smallest_face_px
from c2f_head_pose.track import FaceTracker, _Sweep
from c2f_head_pose.types import FaceBox, HeadPose


@pytest.fixture(scope='module')
def detector():
    return FaceDetector()


@pytest.fixture
def estimator():
    return HeadPoseEstimator.load('c2f_edge')


def is_found(place: Paste, boxes: list[FaceBox]) -> bool:
    """Centres within a quarter of the face's height, heights within a half."""
    return any(
        np.hypot(box.centre[0] - place.x, box.centre[1] - place.y) < 0.25 * place.height and 0.65 < box.height / place.height < 1.5
        for box in boxes
    )


# Which tiles.


@pytest.mark.parametrize(('size', 'expected'), [((640, 480), 28), ((1280, 720), 32), ((1920, 1080), 48), ((3840, 2160), 96)])
def test_the_smallest_face_wanted_is_a_thirtieth_of_the_images_side(size, expected):
    """sqrt(1280 * 720) / 30 = 960 / 30 = 32; at 640x480 it would be 18.5, but 28 is what the detector finds without enlarging."""
    assert smallest_face_px(*size) == pytest.approx(expected)
    assert smallest_face_px(*size, min_face_px=60) == 60


@pytest.mark.parametrize('size', [(640, 480), (1280, 720), (720, 1280), (3840, 2160), (4000, 500), (333, 777), (1, 2000), (5000, 3)])
def test_a_face_of_any_size_lies_whole_in_a_tile_that_shows_it_large_enough(size):
    """Faces from the smallest wanted to one that fills the image, anywhere: in some tile with FOUND_PX pixels and room at its edges."""
    width, height = size
    tiles = plan_search(width, height)
    chance = np.random.default_rng(0)
    smallest = smallest_face_px(width, height)
    for _ in range(300):
        face = float(np.exp(chance.uniform(np.log(smallest), np.log(max(smallest, min(width, height))))))
        if face > min(width, height):
            continue
        x, y = chance.uniform(0, width - face), chance.uniform(0, height - face)
        assert any(
            t.left <= x
            and x + face <= t.right
            and t.top <= y
            and y + face <= t.bottom
            and face <= t.largest_px
            and face * t.width / (t.right - t.left) >= FOUND_PX - 0.5
            and t.edges[0] <= x
            and t.edges[1] <= y
            and x + face <= t.edges[2]
            and y + face <= t.edges[3]
            for t in tiles
        ), (face, x, y)


@pytest.mark.parametrize(('size', 'min_face_px'), [((640, 480), 0), ((3840, 2160), 0), ((3840, 2160), 30), ((8000, 100), 14), ((1, 1), 0)])
def test_no_tile_costs_more_than_a_few_milliseconds(size, min_face_px):
    """320 x 256 pixels of the detector's input, or the whole image with a longer side of 320."""
    whole, *tiles = plan_search(*size, min_face_px)
    assert max(whole.width, whole.height) == 320
    assert all(-(-t.width // 32) * 32 * -(-t.height // 32) * 32 <= 320 * 256 for t in tiles)


def test_an_image_of_the_whole_searchs_resolution_has_no_further_tiles():
    assert len(plan_search(320, 240)) == 1
    assert len(plan_search(640, 480, min_face_px=56)) == 1, '56 pixels at 640 are 28 at 320'


# When.


def test_every_tile_is_searched_once_a_period_and_never_many_at_once():
    """30 images a second, a period of 1 s, 12 tiles: from the second image on one tile at most, and each again within a second."""
    tiles, sweep = tuple(plan_search(1280, 720)), _Sweep()
    last = {}
    for k in range(150):
        due = sweep.due(tiles, 10 + k / 30, 1.0)
        assert len(due) <= 1 if k else len(due) == len(tiles), 'a stream begins with a whole search'
        for tile in due:
            assert k / 30 - last.get(tile, 0) <= 1 + 1e-9
            last[tile] = k / 30
    assert all(149 / 30 - seen <= 1 for seen in last.values())


@pytest.mark.parametrize('fps', [0.2, 1, 2, 3, 7, 15, 60, 200])
def test_no_tile_waits_longer_than_a_period_at_any_rate(fps):
    """At rates up to two images a period all tiles are searched in each."""
    tiles, sweep, last = tuple(plan_search(640, 480)), _Sweep(), {}
    for k in range(max(10, int(5 * fps))):
        for tile in sweep.due(tiles, k / fps, 1.0):
            last[tile] = k / fps
        assert all(k / fps - seen <= max(1.0, 1 / fps) + 1e-9 for seen in last.values())
        assert len(last) == len(tiles)


def test_another_size_of_images_begins_with_a_whole_search():
    sweep = _Sweep()
    sweep.due(plan_search(640, 480), 1.0, 1.0)
    assert sweep.due(plan_search(640, 480), 1.01, 1.0) == []
    assert len(sweep.due(plan_search(1280, 720), 1.02, 1.0)) == len(plan_search(1280, 720))


# Boxes.


def test_a_box_in_another_is_a_part_of_the_same_face():
    """20 x 20 in 100 x 100 overlap by 0.04 only; side by side, or a third in, they are two."""
    whole = FaceBox(0, 0, 100, 100, 0.9)
    assert same_face(whole, FaceBox(40, 40, 60, 60, 0.7))
    assert not same_face(whole, FaceBox(93, 40, 113, 60, 0.7))
    assert not same_face(whole, FaceBox(110, 0, 210, 100, 0.7))
    assert suppress_overlaps([FaceBox(40, 40, 60, 60, 0.7), whole]) == [whole]


# The second look.


@pytest.mark.parametrize('tilt_deg', [34, 35])
def test_a_weak_face_that_only_the_fine_search_finds_is_refused(detector, tilt_deg):
    """Tilted so far that the second look at 34 pixels gives 0.66 and 0.69: the threshold, 0.6, but not the 0.75 of the fine search."""
    image, tiles = tilted(tilt_deg, 42), plan_search(640, 480)
    found = [detector.find_candidates(image, tile, 0.6) for tile in tiles]
    fine = suppress_overlaps([box for boxes in found for box in boxes])
    assert found[0] == []
    assert [0.6 <= box.score < FINE_THRESHOLD for box in detector.confirm(image, fine, fine, 0.6)] == [True]
    assert detector.detect_all_sizes(image, 0.6) == []
    tracker = FaceTracker(detector)
    assert not any(tracker.update(image, k / 30, EstimatorOptions()) for k in range(35))


def test_a_weak_face_that_the_whole_images_search_finds_needs_the_threshold_only(detector):
    """The same tilt at 120 pixels scores 0.73, in a still and in a stream."""
    image = tilted(34, 150)
    (box,) = detector.detect_all_sizes(image, 0.6)
    assert 0.6 <= box.score < FINE_THRESHOLD
    assert len(FaceTracker(detector).update(image, 0.0, EstimatorOptions())) == 1


def test_a_threshold_above_the_fine_searchs_holds_for_it_too(detector):
    """An upright face of 34 pixels scores 0.92, one tilted by 25 degrees 0.87."""
    assert len(detector.detect_all_sizes(tilted(0, 42), 0.9)) == 1
    assert len(detector.detect_all_sizes(tilted(25, 42), 0.6)) == 1
    assert detector.detect_all_sizes(tilted(25, 42), 0.9) == []


# Stills and streams.


@pytest.mark.parametrize(
    ('size', 'height'),
    [((1280, 720), 40), ((1920, 1080), 60), ((3840, 2160), 100), ((640, 480), 30), ((720, 1280), 36), ((2448, 2048), 110)],
)
@pytest.mark.parametrize('kind', ['gray', 'blocks', 'noise'])
def test_small_faces_are_found_in_stills_and_within_a_period_in_streams(detector, size, height, kind):
    """Two faces a scene; in the stream they appear in the eighth image, 30 images a second, so by image 8 + 30 both are followed."""
    image, places = scene(*size, [height, height], kind, seed=size[0])
    blank, _ = scene(*size, [], kind, seed=size[0])
    boxes = detector.detect_all_sizes(image, 0.6)
    assert all(is_found(place, boxes) for place in places)
    assert len(boxes) == 2
    tracker, options = FaceTracker(detector), EstimatorOptions()
    for k in range(8):
        assert tracker.update(blank, k / 30, options) == []
    for k in range(8, 38):
        tracks = tracker.update(image, k / 30, options)
        if len(tracks) == 2:
            break
    assert all(is_found(place, [t.box for t in tracks]) for place in places)


@pytest.mark.parametrize('near', [120, 240, 420])
def test_a_far_person_is_found_while_a_near_one_is_followed(detector, near):
    """40 pixels beside a face of up to ten times that in 1280x720; within a second, and the near one keeps its id."""
    image, places = scene(1280, 720, [near, 40], 'soft', seed=near)
    alone, _ = scene(1280, 720, [near], 'soft', seed=near)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    (first,) = tracker.update(alone, 0.0, options)
    for k in range(1, 31):
        tracks = tracker.update(image, k / 30, options)
    assert tracks[0].track_id == first.track_id
    assert all(is_found(place, [t.box for t in tracks]) for place in places)


def test_ten_people_of_all_sizes_are_followed_each_under_one_id(detector):
    """From 40 to 200 pixels: more than are searched for one by one, some too small for a search of the whole image."""
    heights = [200, 150, 120, 90, 70, 60, 50, 45, 40, 40]
    image, places = scene(1280, 720, heights, 'soft', seed=5)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    ids = [{t.track_id for t in tracker.update(image, k / 30, options)} for k in range(45)]
    assert ids[0] == ids[-1] == set().union(*ids)
    assert len(ids[0]) == 10
    assert all(is_found(place, [t.box for t in tracker.update(image, 1.5, options)]) for place in places)


def test_an_id_is_kept_when_the_same_stamp_comes_twice(detector):
    image, _ = scene(640, 480, [120], 'gray', seed=1)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    (first,) = tracker.update(image, 1.0, options)
    (second,) = tracker.update(image, 1.0, options)
    assert first.track_id == second.track_id


@pytest.mark.parametrize('period_s, ids', [(1.0, [1, 1, 1]), (2.5, [1, 2, 3])])
def test_a_face_in_every_image_keeps_its_id_where_images_are_rarer_than_track_timeout_s(detector, period_s, ids):
    """Images up to 2 s apart follow each other, although track_timeout_s is 0.5 s; after longer it may be somebody else."""
    image, _ = scene(640, 480, [120], 'gray', seed=1)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    assert [track.track_id for k in range(3) for track in tracker.update(image, k * period_s, options)] == ids


def test_a_face_that_is_missed_for_track_timeout_s_loses_its_id_where_images_are_rare(detector):
    """One image a second, in the second of them nobody: unseen for 2 s in the third."""
    image, _ = scene(640, 480, [120], 'gray', seed=1)
    blank, _ = scene(640, 480, [], 'gray', seed=1)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    assert [[track.track_id for track in tracker.update(one, k, options)] for k, one in enumerate((image, blank, image))] == [[1], [], [2]]


def test_min_face_px_finds_smaller_faces_than_the_default(detector):
    """15 pixels in 1920x1080, where the default is 48: 9 pixels at its finest resolution."""
    image, (place,) = scene(1920, 1080, [15], 'gray', seed=2)
    assert detector.detect_all_sizes(image, 0.6) == []
    assert is_found(place, detector.detect_all_sizes(image, 0.6, min_face_px=15))


@pytest.mark.parametrize('value', [-1, 1, 13])
def test_a_smallest_face_that_cannot_be_found_is_refused(value):
    with pytest.raises(ValueError, match=r'min_face_px must be 0 .* at least 14'):
        EstimatorOptions(min_face_px=value)


# More faces than wanted.


def crowd(count: int) -> np.ndarray:
    """150 pixels each, six in a row."""
    image = np.full((150 * 4 + 20, 150 * 6 + 20, 3), 120, np.uint8)
    for i in range(count):
        paste(image, Paste(119, 82 + 150 * (i % 6), 82 + 150 * (i // 6)))
    return image


def test_a_still_with_more_faces_than_max_faces_reports_how_many_are_left_out(estimator, caplog):
    """24 faces, 10 allowed: 14 beyond; once in the log. With max_faces 24 all are answered and nothing is beyond."""
    image = crowd(24)
    with caplog.at_level(logging.WARNING):
        assert len(estimator.estimate(image)) == len(estimator.estimate(image)) == 10
    assert estimator.finding.faces_beyond_max == 14
    assert [r.getMessage() for r in caplog.records] == [estimator.finding.notes()['max_faces']]
    assert 'raise max_faces to 24' in caplog.text
    estimator.options = EstimatorOptions(max_faces=24)
    assert len(estimator.estimate(image)) == 24
    assert estimator.finding.notes() == {}


def test_a_stream_with_more_faces_than_max_faces_reports_how_many_are_left_out(estimator):
    """Three followed of seven; when two of them leave, two others take their places within a second."""
    estimator.options = EstimatorOptions(max_faces=3)
    for k in range(40):
        poses = estimator.estimate(crowd(7), stamp_s=k / 30)
    kept = {pose.track_id for pose in poses}
    assert len(kept) == 3
    assert estimator.finding.faces_beyond_max == 4
    image = crowd(7)
    for pose in poses[1:]:
        cv2.rectangle(image, (int(pose.box.x1) - 20, int(pose.box.y1) - 20), (int(pose.box.x2) + 20, int(pose.box.y2) + 20), (120,) * 3, -1)
    for k in range(40, 100):
        poses = estimator.estimate(image, stamp_s=k / 30)
    assert len({pose.track_id for pose in poses} - kept) == 2
    assert estimator.finding.faces_beyond_max == 2


def test_an_image_that_comes_late_is_answered_by_itself_and_changes_no_track_and_no_smoothing():
    """The image of 0.1 s comes after that of 0.2 s, when the face is 20 pixels further on."""

    def answers(*order: int) -> list[HeadPose]:
        estimator = HeadPoseEstimator.load('c2f_edge')
        images = {k: np.roll(crowd(1), 10 * k, axis=1) for k in order}
        return [pose for k in order for pose in estimator.estimate(images[k], stamp_s=5 + k / 10)]

    *others, late, last = answers(0, 2, 1, 3)
    assert [pose.track_id for pose in (*others, late, last)] == [1, 1, None, 1]
    assert late.box.centre[0] == pytest.approx(others[0].box.centre[0] + 10, abs=4)
    np.testing.assert_array_equal(late.R_cam_head, late.R_cam_head_unsmoothed)
    np.testing.assert_array_equal(last.R_cam_head, answers(0, 2, 3)[-1].R_cam_head)


def test_exactly_max_faces_is_not_reported(estimator):
    estimator.options = EstimatorOptions(max_faces=7)
    for k in range(40):
        assert len(estimator.estimate(crowd(7), stamp_s=k / 30)) == 7
    assert estimator.finding.notes() == {}


def test_a_face_of_the_whole_images_search_needs_no_second_look(detector):
    """The second look at a place of plain gray finds nothing: the face stays if the whole image's search has it at the threshold, and only
    then."""
    gray = np.full((240, 320), 128, np.uint8)
    box = FaceBox(100, 60, 180, 160, 0.7)
    assert detector.confirm(gray, [box], [box], 0.6) == [box]
    assert detector.confirm(gray, [box], [box], 0.8) == []
    assert detector.confirm(gray, [box], [], 0.6) == []
