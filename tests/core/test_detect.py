"""How the detector shrinks an image before it searches: fast, and without moving what it finds."""

import numpy as np
import pytest

from c2f_head_pose.bench import scenes
from c2f_head_pose.detect import FaceDetector, _cells, _decode, _whole_steps


def test_shrinking_averages_by_the_largest_whole_factor_that_leaves_enough_pixels():
    """11 rows of 7 pixels, at least 5 wanted on the longer side: 11 // 5 = 2, so 10 x 6 pixels remain, averaged two by two to 5 x 3.

    Pixel (r, c) has the value 20 r + 2 c: the first 2 x 2 averages to (0 + 2 + 20 + 22) / 4 = 11, each next one 4 more to the right
    and 40 more downwards.
    """
    image = (20 * np.arange(11)[:, None] + 2 * np.arange(7)).astype(np.uint8)
    trimmed, averaged = _whole_steps(image, 5)
    assert trimmed.shape == (10, 6)
    assert averaged.tolist() == [[11 + 40 * r + 4 * c for c in range(3)] for r in range(5)]


@pytest.mark.parametrize('shape', [(5, 5), (9, 9), (1, 3000), (3000, 1), (480, 320)])
def test_an_image_that_no_factor_shrinks_is_left_as_it_is(shape):
    """Not twice 5 pixels long, or one pixel broad, or of the length wanted."""
    image = np.zeros(shape, np.uint8)
    long_side = 5 if max(shape) < 10 else 320
    trimmed, averaged = _whole_steps(image, long_side)
    assert trimmed.shape == averaged.shape == shape


@pytest.mark.parametrize('more', [(0, 0), (1, 3), (7, 5), (161, 120)])
def test_a_face_is_found_where_it_is_whatever_the_size_of_the_image(more):
    """The same scene with rows and columns added below and to the right: the box stays, to a few pixels of its 100."""
    detector = FaceDetector()
    image = scenes.picture(1)
    (reference,) = detector.detect(image, 0.6, 320)
    padded = np.pad(image, ((0, more[0]), (0, more[1]), (0, 0)), 'edge')
    (box,) = detector.detect(padded, 0.6, 320)
    np.testing.assert_allclose([box.x1, box.y1, box.x2, box.y2], [reference.x1, reference.y1, reference.x2, reference.y2], atol=6)


def test_a_search_around_a_face_finds_it_where_the_whole_image_did():
    """From starts that are off by a tenth of the face, in patches of many sizes that no whole factor divides.

    What remains is the detector's own spread between resolutions: 4 to 7 % of the face's size (centre), 6 to 16 % (sides).
    """
    detector = FaceDetector()
    image = scenes.picture(1, 1283, 961)
    (reference,) = detector.detect(image, 0.6, 640)
    size = max(reference.width, reference.height)
    for grown in (0.9, 0.97, 1.0, 1.06, 1.13):
        start = type(reference)(*(np.array([reference.x1, reference.y1, reference.x2, reference.y2]) * grown + 0.1 * size))
        (found,) = detector.detect_near(image, start, 0.4)
        assert found.iou(reference) > 0.75
        assert np.hypot(*np.subtract(found.centre, reference.centre)) < 0.08 * size


def test_cells_are_the_three_maps_in_order():
    """64 x 32 pixels: 4 rows of 8 cells of 8 pixels, 2 of 4 of 16, 1 of 2 of 32: 32 + 8 + 2 = 42 cells."""
    corners, strides = _cells(32, 64)
    assert strides[:, 0].tolist() == [8] * 32 + [16] * 8 + [32] * 2
    assert corners[[0, 1, 8, 31, 32, 36, 41]].tolist() == [[0, 0], [8, 0], [0, 8], [56, 24], [0, 0], [0, 16], [32, 0]]


def test_a_cell_above_the_threshold_becomes_a_box_about_its_offset():
    """Cell 36 (stride 16, corner 0, 16), class 0.81, object 1: score 0.9; offset 0.5, 0.25 cells: centre 8, 20; log sizes 0: 16 wide."""
    cells = [32, 8, 2]
    outputs = (
        [np.zeros((1, n, 1), np.float32) for n in cells]
        + [np.ones((1, n, 1), np.float32) for n in cells]
        + [np.zeros((1, n, 4), np.float32) for n in cells]
    )
    assert _decode(outputs, 32, 64, 0.5).shape == (0, 5)
    outputs[1][0, 4] = 0.81
    outputs[7][0, 4, :2] = 0.5, 0.25
    np.testing.assert_allclose(_decode(outputs, 32, 64, 0.5), [[0, 12, 16, 28, 0.9]], rtol=1e-6)
