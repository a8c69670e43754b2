"""Every pixel encoding against pixels worked out by hand, and every kind of broken image."""

import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from c2f_head_pose.images import ImageError, depth_m_from_message, image_from_compressed, image_from_message


def message(encoding, pixels, step=None, is_bigendian=0):
    pixels = np.ascontiguousarray(pixels)
    row = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    step = step or row.shape[1]
    data = np.zeros((pixels.shape[0], step), np.uint8)
    data[:, : row.shape[1]] = row
    return SimpleNamespace(
        encoding=encoding, height=pixels.shape[0], width=pixels.shape[1], step=step, is_bigendian=is_bigendian, data=data.tobytes()
    )


BGR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
ALPHA = np.full((6, 8, 1), 7, np.uint8)


@pytest.mark.parametrize(
    ('encoding', 'pixels'),
    [
        ('bgr8', BGR),
        ('8UC3', BGR),
        ('rgb8', BGR[..., ::-1]),
        ('bgra8', np.concatenate([BGR, ALPHA], 2)),
        ('rgba8', np.concatenate([BGR[..., ::-1], ALPHA], 2)),
    ],
)
@pytest.mark.parametrize('padding', [0, 5])
def test_colour_encodings_give_the_same_bgr_whatever_the_row_padding(encoding, pixels, padding):
    step = pixels.shape[1] * pixels.shape[2] + padding
    np.testing.assert_array_equal(image_from_message(message(encoding, pixels, step)), BGR)


def test_gray_stays_gray_with_padded_rows_and_with_the_last_rows_padding_left_out():
    gray = BGR[..., 0]
    padded = message('mono8', gray, step=11)
    np.testing.assert_array_equal(image_from_message(padded), gray)
    padded.data = padded.data[:-3]
    np.testing.assert_array_equal(image_from_message(padded), gray)


@pytest.mark.parametrize('big', [0, 1])
def test_16_bit_gray_is_scaled_to_8_bits_in_either_byte_order(big):
    """255 / 65535 = 1 / 257: 0 -> 0, 257 -> 1, 32896 -> 128, 65535 -> 255."""
    values = np.array([[0, 257], [32896, 65535]], '>u2' if big else '<u2')
    np.testing.assert_array_equal(image_from_message(message('mono16', values, is_bigendian=big)), [[0, 1], [128, 255]])


@pytest.mark.parametrize('big', [0, 1])
@pytest.mark.parametrize(
    ('encoding', 'pixels'),
    [
        ('bgr16', BGR),
        ('rgb16', BGR[..., ::-1]),
        ('bgra16', np.concatenate([BGR, ALPHA], 2)),
        ('rgba16', np.concatenate([BGR[..., ::-1], ALPHA], 2)),
    ],
)
def test_16_bit_colour_is_scaled_to_8_bits_in_either_byte_order(encoding, pixels, big):
    """Each value times 257 in 16 bits is that value in 8."""
    wide = (pixels.astype(np.uint16) * 257).astype('>u2' if big else '<u2')
    np.testing.assert_array_equal(image_from_message(message(encoding, wide, step=16 * pixels.shape[2] + 6, is_bigendian=big)), BGR)


@pytest.mark.parametrize(('encoding', 'order'), [('yuv422', 'UYVY'), ('uyvy', 'UYVY'), ('yuv422_yuy2', 'YUYV'), ('yuyv', 'YUYV')])
def test_yuv_422_of_one_gray_is_that_gray_and_of_red_is_red(encoding, order):
    """ITU-R BT.601 limited range: neutral chroma 128 with luma 126 is (126 - 16) * 255 / 219 = 128; pure red is Y 81, U 90, V 240."""
    for (luma, u, v), bgr in (((126, 128, 128), (128, 128, 128)), ((81, 90, 240), (0, 0, 254))):
        pair = {'Y': luma, 'U': u, 'V': v}
        row = np.array([[pair[letter] for letter in order]] * 2, np.uint8).reshape(1, 4, 2)
        np.testing.assert_allclose(image_from_message(message(encoding, np.repeat(row, 4, 0)))[0, 0], bgr, atol=3)


def test_nv12_is_luma_then_half_as_many_rows_of_chroma():
    """4x2 pixels: 2 rows of luma 126, then one row U V U V of 128: gray 128."""
    data = np.r_[np.full(8, 126), np.full(4, 128)].astype(np.uint8).tobytes()
    image = image_from_message(SimpleNamespace(encoding='nv12', width=4, height=2, step=4, is_bigendian=0, data=data))
    np.testing.assert_allclose(image, np.full((2, 4, 3), 128), atol=2)


@pytest.mark.parametrize(
    ('encoding', 'red_at'), [('bayer_rggb8', (0, 0)), ('bayer_bggr8', (1, 1)), ('bayer_gbrg8', (1, 0)), ('bayer_grbg8', (0, 1))]
)
def test_bayer_patterns_put_red_where_ros_names_it(encoding, red_at):
    """Only the red cells of the mosaic are lit, so the picture's red is 255 inside and its blue 0."""
    mosaic = np.zeros((8, 8), np.uint8)
    mosaic[red_at[0] :: 2, red_at[1] :: 2] = 255
    for name, values in ((encoding, mosaic), (f'{encoding[:-1]}16', mosaic.astype(np.uint16) * 257)):
        middle = image_from_message(message(name, values))[3:5, 3:5]
        assert middle[..., 2].min() == 255
        assert middle[..., 0].max() == 0


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        (dict(width=0), 'size 0x6'),
        (dict(height=0), 'size 8x0'),
        (dict(encoding='yuv9000'), "encoding 'yuv9000'"),
        (dict(encoding=''), "encoding ''"),
        (dict(step=5), 'step 5'),
        (dict(data=b'short'), 'data has 5 bytes'),
        (dict(data=b''), 'data has 0 bytes'),
        (dict(width=4_000_000_000, height=4_000_000_000), 'size 4000000000x4000000000'),
    ],
)
def test_a_broken_image_is_refused_by_the_field_that_is_wrong(changes, named):
    broken = SimpleNamespace(**{**vars(message('bgr8', BGR)), **changes})
    with pytest.raises(ImageError, match=named):
        image_from_message(broken)


def test_a_single_row_may_claim_any_step():
    """Padding it to the step it claims would take 4 GB."""
    row = SimpleNamespace(**{**vars(message('mono8', np.array([[9, 8]], np.uint8))), 'step': 2**32 - 1})
    assert image_from_message(row).tolist() == [[9, 8]]


def test_one_pixel_is_an_image():
    assert image_from_message(message('mono8', np.array([[9]], np.uint8))).tolist() == [[9]]


def test_jpeg_and_png_are_decoded_and_gray_stays_gray():
    for suffix in ('.png', '.jpg'):
        data = cv2.imencode(suffix, BGR)[1].tobytes()
        assert image_from_compressed(SimpleNamespace(format='', data=data)).shape == (6, 8, 3)
    assert image_from_compressed(SimpleNamespace(format='png', data=cv2.imencode('.png', BGR[..., 0])[1].tobytes())).shape == (6, 8)


def test_a_compressed_picture_that_is_cut_off_empty_or_none_is_refused():
    picture = np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    jpeg = cv2.imencode('.jpg', picture)[1].tobytes()
    for data, named in ((jpeg[: len(jpeg) // 2], 'cut off'), (b'', 'empty'), (b'no picture at all', 'no picture')):
        with pytest.raises(ImageError, match=named):
            image_from_compressed(SimpleNamespace(format='jpeg', data=data))
    assert image_from_compressed(SimpleNamespace(format='jpeg', data=jpeg + bytes(16))).shape == (80, 80, 3)
    with pytest.raises(ImageError, match='depth'):
        image_from_compressed(SimpleNamespace(format='16UC1; compressedDepth png', data=jpeg))


def png(width, height, pixels=b''):
    def chunk(kind, content, length=None):
        crc = zlib.crc32(kind + content).to_bytes(4, 'big')
        return (len(content) if length is None else length).to_bytes(4, 'big') + kind + content + crc

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + (pixels or chunk(b'IDAT', b'', 0x2D000000)) + chunk(b'IEND', b'')


@pytest.mark.parametrize(
    ('data', 'named'),
    [
        (png(40_000, 40_000, b'\0\0\0\0IDAT5\xaf\x06\x1e'), '40000x40000'),
        (b'\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0' + bytes(9) + b'\xff\xd9', '65535x65535'),
        (png(24, 16), 'cut off'),  # a chunk of 72 bytes that claims 755 MB, for which OpenCV would make room
        (png(24, 16, b'\x79\xdf\x3c\x0aIEND'), 'cut off'),  # the last chunk, which claims 2 GB
        (b'\xff\xd8\xff\xd9', 'no picture'),
        (cv2.imencode('.bmp', BGR)[1].tobytes(), 'send JPEG or PNG'),
    ],
)
def test_a_small_message_cannot_claim_a_gigabyte(data, named):
    with pytest.raises(ImageError, match=named):
        image_from_compressed(SimpleNamespace(format='', data=data))


def test_depth_is_metres_with_nan_where_unknown():
    """REP-118: 16UC1 is millimetres with 0 unknown, 32FC1 metres with NaN unknown."""
    mm = message('16UC1', np.array([[0, 850]], np.uint16))
    np.testing.assert_allclose(depth_m_from_message(mm), [[np.nan, 0.85]])
    metres = message('32FC1', np.array([[np.nan, 0.85, np.inf, -1]], np.float32))
    np.testing.assert_allclose(depth_m_from_message(metres), [[np.nan, 0.85, np.nan, np.nan]])
    big = message('32FC1', np.array([[0.85]], '>f4'), is_bigendian=1)
    np.testing.assert_allclose(depth_m_from_message(big), [[0.85]])
    with pytest.raises(ImageError, match='bgr8'):
        depth_m_from_message(message('bgr8', BGR))
