"""Parts of an image that look as they did are not searched again; whatever may have become a face is."""

from __future__ import annotations

import numpy as np
import pytest
from pasted_faces import background, scene

from c2f_head_pose import EstimatorOptions
from c2f_head_pose.change import ChangeWatch
from c2f_head_pose.detect import FaceDetector
from c2f_head_pose.tiles import plan_search
from c2f_head_pose.track import FaceTracker
from c2f_head_pose.types import FaceBox


class CountingDetector(FaceDetector):
    """Counts the tiles that are searched."""

    tiles = 0

    def find_candidates(self, *arguments):
        self.tiles += 1
        return super().find_candidates(*arguments)


@pytest.fixture(scope='module')
def detector():
    return CountingDetector()


def noisy(image: np.ndarray, level: float, seed: int) -> np.ndarray:
    """With normal noise of so many gray levels, independent in each pixel and channel."""
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    return np.clip(image + np.float32(level) * noise, 0, 255).astype(np.uint8)


def looks_unchanged(before: np.ndarray, after: np.ndarray) -> list[bool]:
    """Of each tile."""
    watch, tiles = ChangeWatch(), plan_search(before.shape[1], before.shape[0])
    assert not any(watch.unchanged(before, tile, 0.0, 10.0) for tile in tiles), 'nothing is known of a tile at first'
    return [watch.unchanged(after, tile, 1.0, 10.0) for tile in tiles]


# One tile.


@pytest.mark.parametrize('size', [(640, 480), (1280, 720)])
@pytest.mark.parametrize('gray', [False, True])
def test_a_sensors_noise_is_no_change(size, gray):
    """5 levels in colour. A cell averages 4 x 4 samples of 3 channels at least: 5 sqrt(2 / 48) = 1 level of difference, well below 3."""
    image = background(*size, 'soft', 1)
    first, second = noisy(image, 5, 1), noisy(image, 5, 2)
    if gray:  # of one channel, so 3 levels: 3 sqrt(2 / 16) = 1
        first, second = noisy(image[..., 0], 3, 1), noisy(image[..., 0], 3, 2)
    assert all(looks_unchanged(first, second))


@pytest.mark.parametrize(('size', 'height'), [((640, 480), 30), ((1280, 720), 36)])
@pytest.mark.parametrize('kind', ['gray', 'soft', 'noise'])
@pytest.mark.parametrize('contrast', [0.25, 0.4])
def test_a_face_that_is_found_is_a_change_however_faint(detector, size, height, kind, contrast):
    """Dim scenes: every tile that shows the face has changed. At 0.4 it is found before each of them, so the test is not empty."""
    with_face, blank = (
        (40 + contrast * scene(*size, heights, kind, seed=3)[0]).clip(0, 255).astype(np.uint8) for heights in ([height], [])
    )
    tiles = plan_search(*size)
    found = [bool(detector.find_candidates(with_face, tile, 0.6)) for tile in tiles]
    assert any(found) or contrast < 0.4
    assert not any(unchanged and seen for unchanged, seen in zip(looks_unchanged(blank, with_face), found))


def test_a_slow_change_adds_up():
    """One level an image, 50 times: against the look at the last search it passes 3, against the image before it never would."""
    watch, (tile,) = ChangeWatch(), plan_search(320, 240)
    answers = [watch.unchanged(np.full((240, 320), 100 + k, np.uint8), tile, k / 30, 10.0) for k in range(50)]
    assert answers == [k % 3 != 0 for k in range(50)]


def test_a_tile_is_searched_after_the_longest_time_whatever_it_looks_like():
    """5 seconds: at 0 it is new, until 5 it is the same, at 6 it is due, and then again until 11."""
    watch, (tile,), image = ChangeWatch(), plan_search(320, 240), background(320, 240, 'soft', 1)
    assert [watch.unchanged(image, tile, float(k), 5.0) for k in range(12)] == [k not in (0, 6) for k in range(12)]


# Streams.


def test_a_scene_at_rest_is_not_searched_again_until_five_periods_have_passed(detector):
    """640x480: 7 tiles, the first of them the whole image, which the first image's search for known faces has searched already: 6 then.

    None more until 5 s, and all 7 until 7 s, as each comes up once a second.
    """
    image, _ = scene(640, 480, [120], 'soft', seed=4)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    detector.tiles, searched = 0, []
    for k in range(7 * 15):
        assert len(tracker.update(noisy(image, 3, k % 7), k / 15, options)) == 1
        searched.append(detector.tiles)
    assert searched[0] == searched[5 * 15 - 1] == 6
    assert searched[-1] == 6 + 7


def test_a_camera_in_motion_is_searched_as_ever(detector):
    """Shifted by 4 pixels an image: every tile once a second."""
    image, _ = scene(1200, 480, [120], 'blocks', seed=4)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    tracker.update(image[:, :640], 0.0, options)
    detector.tiles = 0
    for k in range(1, 61):
        tracker.update(image[:, 4 * k : 4 * k + 640], k / 30, options)
    assert detector.tiles >= 2 * len(plan_search(640, 480)) - 2


@pytest.mark.parametrize('covered_from', [7, 10, 15, 22])
def test_a_face_that_was_covered_is_found_again_though_the_picture_is_the_same_as_before(detector, covered_from):
    """For 0.7 s, longer than `track_timeout_s` and shorter than a period, so some tiles are not looked at meanwhile."""
    image, _ = scene(640, 480, [60], 'soft', seed=4)
    blank, _ = scene(640, 480, [], 'soft', seed=4)
    tracker, options = FaceTracker(detector), EstimatorOptions()
    covered = range(covered_from, covered_from + 21)
    seen = [len(tracker.update(blank if k in covered else image, k / 30, options)) for k in range(80)]
    assert 0 in seen
    assert all(seen[covered.stop + 30 :])


def test_a_lower_threshold_holds_at_once_for_a_scene_at_rest(detector):
    """A faint face scores less than the threshold in force, more than the next one; it is found within a period of the change."""
    image = (40 + 0.4 * scene(640, 480, [30], 'soft', seed=7)[0]).astype(np.uint8)
    (box,) = detector.detect_all_sizes(image, 0.4)
    tracker = FaceTracker(detector)
    above, below = (EstimatorOptions(detection_threshold=box.score + step) for step in (0.05, -0.05))
    assert not any(tracker.update(image, k / 30, above) for k in range(45))
    assert any(tracker.update(image, k / 30, below) for k in range(45, 45 + 31))


def test_faces_refused_in_depth_are_forgotten_when_images_come(detector):
    """Three heads where one is allowed: two beyond; an image with a single face has none beyond."""
    image, _ = scene(640, 480, [120], 'soft', seed=4)
    tracker, options = FaceTracker(detector), EstimatorOptions(max_faces=1)
    tracker.follow([FaceBox(100 * i, 0, 100 * i + 50, 50, 0.9) for i in range(3)], (480, 640), 1.0, options)
    assert tracker.refused == 2
    tracker.update(image, 4.0, options)
    assert tracker.refused == 0
