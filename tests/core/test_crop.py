"""The one crop: where it cuts, what lies beyond the image, how it resizes."""

import numpy as np
import pytest

from c2f_head_pose.crop import CropSquare, cut, fit, resize, square_about
from c2f_head_pose.types import FaceBox


def test_the_square_is_centred_on_the_box_and_sized_by_its_larger_extent():
    """Box 40 x 60 about (100, 200), margin 1.5: side 90, from (55, 155)."""
    assert square_about(FaceBox(80, 170, 120, 230), 1.5) == CropSquare(55, 155, 90)
    assert square_about(FaceBox(80, 170, 120, 230), 1.5).centre == (100, 200)


def test_a_crop_is_black_beyond_the_image_and_unmoved_inside_it():
    image = np.full((20, 30), 200, np.uint8)
    crop = cut(image, CropSquare(-5, 10, 20), 20)
    expected = np.zeros((20, 20), np.uint8)
    expected[:10, 5:] = 200
    np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize('square', [CropSquare(500, 0, 10), CropSquare(-50, -50, 10)])
def test_a_square_wholly_outside_is_black(square):
    assert cut(np.full((20, 30, 3), 9, np.uint8), square, 16).tolist() == np.zeros((16, 16, 3)).tolist()


def test_shrinking_averages_so_that_fine_stripes_turn_gray():
    """Stripes one pixel wide, shrunk to a quarter: every output pixel averages two black and two white columns, 127.5."""
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert set(np.unique(cut(stripes, CropSquare(0, 0, 64), 16))) <= {127, 128}


def test_gray_is_the_same_cut_as_colour():
    image = np.random.default_rng(0).integers(0, 256, (90, 70), dtype=np.uint8)
    square = CropSquare(-8, 20, 61)
    np.testing.assert_array_equal(cut(np.dstack([image] * 3), square, 48)[..., 1], cut(image, square, 48))


@pytest.mark.parametrize(('shape', 'filled'), [((40, 20), np.s_[:, 8:24]), ((10, 40), np.s_[12:20]), ((64, 1), np.s_[:, 15:16])])
def test_a_rectangle_is_fitted_into_the_middle_of_the_square_and_not_stretched(shape, filled):
    """40 x 20 in 32 x 32 is 32 x 16 with bars of 8; 10 x 40 is 8 x 32 with bars of 12."""
    expected = np.zeros((32, 32, 3), np.uint8)
    expected[filled] = 200
    np.testing.assert_array_equal(fit(np.full((*shape, 3), 200, np.uint8), 32), expected)
    np.testing.assert_array_equal(fit(np.full(shape, 200, np.uint8), 32), expected[..., 0])


def test_a_square_is_fitted_as_it_is_resized():
    image = np.random.default_rng(0).integers(0, 256, (70, 70), dtype=np.uint8)
    np.testing.assert_array_equal(fit(image, 48), resize(image, 48))
