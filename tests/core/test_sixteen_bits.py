"""Images of 10 to 14 bits in containers of 16, as sensors write them, against the same images in 8 bits."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import sample
from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.images import SignificantBits, image_from_compressed, image_from_message
from c2f_head_pose.images.sixteen_bits import largest_value

FACE = sample.frames()[0].image
GRAY = cv2.cvtColor(FACE, cv2.COLOR_BGR2GRAY)
GRAY[:20, :40] = 255  # a lamp, so that the brightest value is the sensor's


def sensor(image, bits):
    """What a sensor of so many bits writes where one of 8 bits writes `image`: v * (2^bits - 1) / 255 in the low bits."""
    return np.round(image * ((2**bits - 1) / 255)).astype(np.uint16)


def message(encoding, pixels, big=0):
    stored = np.ascontiguousarray(pixels, '>u2' if big else '<u2')
    return SimpleNamespace(
        encoding=encoding, height=pixels.shape[0], width=pixels.shape[1], step=stored[0].nbytes, is_bigendian=big, data=stored.tobytes()
    )


@pytest.mark.parametrize('bits', [10, 11, 12, 14, 16])
@pytest.mark.parametrize('encoding', ['mono16', '16UC1', 'bgr16', 'rgb16', 'bgra16', 'rgba16'])
@pytest.mark.parametrize('big', [0, 1])
def test_an_image_of_any_number_of_bits_reads_as_at_8(bits, encoding, big):
    """v8 -> v8 (2^b - 1) / 255 -> times 255 / (2^b - 1): v8 again, up to the rounding of one level. Alpha is full and must not count."""
    if encoding.startswith(('mono', '16UC')):
        pixels, right = sensor(GRAY, bits), GRAY
    else:
        right = cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR)
        pixels = sensor(right[..., ::-1] if encoding.startswith('rgb') else right, bits)
        if 'a' in encoding:
            pixels = np.dstack([pixels, np.full(GRAY.shape, 65535, np.uint16)])
    read = image_from_message(message(encoding, pixels, big))
    assert np.abs(read.astype(int) - right).max() <= 1


@pytest.mark.parametrize('bits', [10, 12, 14])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_a_bayer_mosaic_of_any_number_of_bits_reads_as_at_8(bits, pattern):
    eight = image_from_message(
        SimpleNamespace(
            encoding=f'bayer_{pattern}8', height=GRAY.shape[0], width=GRAY.shape[1], step=GRAY.shape[1], is_bigendian=0, data=GRAY.tobytes()
        )
    )
    read = image_from_message(message(f'bayer_{pattern}16', sensor(GRAY, bits)))
    assert np.abs(read.astype(int) - eight).max() <= 2


@pytest.mark.parametrize('bits', [10, 12, 14, 16])
def test_a_compressed_png_of_16_bits_reads_as_at_8(bits):
    """image_transport compresses mono16 to a 16-bit PNG."""
    for image in (GRAY, cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR)):
        data = cv2.imencode('.png', sensor(image, bits))[1].tobytes()
        read = image_from_compressed(SimpleNamespace(format='mono16; png compressed', data=data))
        assert np.abs(read.astype(int) - image).max() <= 1


@pytest.mark.parametrize(('shift', 'brightest'), [(0, 255), (2, 1020), (4, 4080), (8, 65280)])
def test_values_that_a_driver_shifts_read_as_at_8(shift, brightest):
    """8 bits copied into 16, 10 and 12 bits in the low bits, 8 bits in the high bits (GenICam's left-aligned formats).

    255 << shift is the brightest value; read at its own number of bits it is at least 255 * 255 * 2^s / (255 * 2^s + 2^s - 1) >= 254.
    """
    pixels = GRAY.astype(np.uint16) << shift
    assert pixels.max() == brightest
    assert np.abs(image_from_message(message('mono16', pixels)).astype(int) - GRAY).max() <= 1


def test_a_stream_keeps_its_scale_when_the_scene_gets_dark():
    """A 12-bit camera with 4095 in its first image, then at most 500: 500 * 255 / 4095 = 31, not 125 or 255."""
    bits = SignificantBits()
    assert image_from_message(message('mono16', sensor(GRAY, 12)), bits).max() == 255
    dark = np.full((40, 60), 500, np.uint16)
    assert [image_from_message(message('mono16', dark), bits).max() for _ in range(10)] == [31] * 10
    assert image_from_message(message('mono16', dark)).max() == 250, 'alone: 9 bits, 500 * 255 / 511 = 249.5'


def test_a_stream_that_begins_dark_is_not_cut_off_when_it_brightens():
    """A camera starts with its shutter closed, and its first images count at once: 100 needs 8 bits and stays 100.

    4095 is 255 in the first bright image already.
    """
    bits = SignificantBits()
    assert bits.to_8_bits(np.full((4, 4), 100, np.uint16)).max() == 100
    assert bits.to_8_bits(sensor(GRAY, 12)).max() == 255
    assert bits.bits == 12
    assert bits.to_8_bits(np.full((4, 4), 100, np.uint16)).max() == 6, '100 * 255 / 4095'


def test_pixels_that_mark_saturation_do_not_darken_the_image():
    """65535 in 2 % of an image of 10 bits; other values in less than a thousandth."""
    pixels = np.tile(np.arange(1024, dtype=np.uint16), 300).reshape(480, 640)
    where = np.random.default_rng(0).permutation(pixels.size)
    pixels.ravel()[where[:200]] = 12000
    pixels.ravel()[where[200:6000]] = 65535
    assert 1000 < largest_value(pixels) < 1024
    assert SignificantBits().to_8_bits(pixels).max() == 255
    assert largest_value(np.full((4, 4), 65535, np.uint16)) == 65535, 'nothing but saturation'


def flat(value):
    """A gray image of one value."""
    return np.full((8, 8), value, np.uint16)


def bits_of(values):
    """The bits in use after each image of a stream."""
    stream, seen = SignificantBits(), []
    for value in values:
        stream.to_8_bits(flat(value))
        seen.append(stream.bits)
    return seen


@pytest.mark.parametrize(('value', 'share'), [(12000, 0.005), (40000, 0.002), (65535, 0.002)])
def test_a_reflection_in_one_image_is_cut_off_and_changes_no_other_pixel(value, share):
    """A vest or a hand near an infrared camera whose faces have at most 1000 counts: at 14 or 16 bits they were black for 67 s."""
    face = (GRAY.astype(float) / 255 * 1000).astype(np.uint16)
    vest = face.copy()
    side = int(np.sqrt(share * face.size))
    vest[-side:, :side] = value
    stream = SignificantBits()
    images = [stream.to_8_bits(image) for image in (face, face, face, vest, face)]
    expected = images[0].copy()
    expected[-side:, :side] = 255
    np.testing.assert_array_equal(images[3], expected)
    np.testing.assert_array_equal(images[4], images[0])


def test_a_switched_exposure_is_followed_in_the_third_image_and_back_within_a_second():
    """1000 needs 10 bits, 4000 needs 12. Of the last 30 images fewer than three are bright after the 28th dark one."""
    assert bits_of(40 * [1000] + 40 * [4000] + 40 * [1000]) == 42 * [10] + 65 * [12] + 13 * [10]


def test_exposures_in_turns_and_values_about_a_power_of_two_keep_one_scale():
    """Bright and dark images in turns; noise about 512; and a light that sways by a fifth, 410 to 512 and above, for 3 s each time.

    A scale becomes brighter only where three quarters of it hold the values: 410 > 0.75 * 511.
    """
    assert set(bits_of(100 * [300, 4000])[1:]) == {12}
    assert set(bits_of(np.random.default_rng(0).integers(480, 540, 1000))[30:]) == {10}
    assert set(bits_of([540] + 5 * (90 * [410] + 90 * [520]))) == {10}


def test_a_damaged_first_image_is_forgotten_within_30_images():
    assert bits_of([65535] + 40 * [1000]) == 29 * [16] + 12 * [10]


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int32', 'bool', '>u2'])
def test_pixels_of_another_type_are_refused_with_the_remedy(dtype):
    """A float image from 0 to 1 became black, in which nobody is found."""
    with pytest.raises(ValueError, match=f'got {dtype}; .*multiply them by 255 and convert them to uint8'):
        SignificantBits().to_8_bits((GRAY / 255).astype(dtype))


def test_a_face_in_10_bits_gets_the_pose_that_it_gets_in_8():
    estimator = HeadPoseEstimator.load()
    (eight,) = estimator.estimate(GRAY)
    (ten,) = estimator.estimate(image_from_message(message('mono16', sensor(GRAY, 10))))
    np.testing.assert_allclose(ten.yaw_pitch_roll_deg, eight.yaw_pitch_roll_deg, atol=0.5)
