"""How the face detector brings an image to its size."""
import numpy as np
import pytest

from c2f_head_pose.detect import _resized


def test_a_quarter_of_the_size_is_the_mean_of_each_four_by_four():
    """Blocks of 4x4 pixels, each half 10 and half 30: 20 in every pixel of the result."""
    image = np.full((8, 12, 3), 10, np.uint8)
    image[::2] = 30
    np.testing.assert_array_equal(_resized(image, (3, 2)), np.full((2, 3, 3), 20))


def test_what_has_the_size_already_is_left_alone():
    image = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)
    assert _resized(image, (8, 6)) is image
    halved = _resized(image, (4, 3))
    np.testing.assert_allclose(halved, image.reshape(3, 2, 4, 2).mean((1, 3)), atol=0.5)


@pytest.mark.parametrize('shape, size', [((1, 1), (1, 1)), ((3, 700), (320, 1)), ((481, 641), (160, 120)), ((5, 5), (320, 320))])
def test_any_shape_gets_the_size_asked_for(shape, size):
    assert _resized(np.full(shape, 7, np.uint8), size).shape == size[::-1]
    assert (_resized(np.full(shape, 7, np.uint8), size) == 7).all()
