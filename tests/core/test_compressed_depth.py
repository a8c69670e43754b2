"""Compressed depth in metres: as image_transport and other tools write it, and damaged."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest
from depth_recordings import PLAIN_PNG, PNG_M, PNG_MM, ROS1_PNG, RVL_M, RVL_MM, png, quantisation, rvl

from c2f_head_pose.images import ImageError, depth_from_compressed

HEADER = struct.pack('<i2f', 0, 0.0, 0.0)


def message(format_, data):
    return SimpleNamespace(format=format_, data=data)


@pytest.mark.parametrize('codec', [PNG_MM, RVL_MM, ROS1_PNG, PLAIN_PNG], ids=lambda c: c.format)
def test_compressed_millimetres_are_read(codec):
    """1500 mm are 1.5 m, the largest value 65.535 m; 0 is unknown."""
    depth_mm = np.array([[0, 1500, 65535], [1, 0, 0]], np.uint16)
    found = depth_from_compressed(message(codec.format, codec.data(depth_mm)))
    np.testing.assert_allclose(found, [[np.nan, 1.5, 65.535], [0.001, np.nan, np.nan]], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize('codec', [PNG_M, RVL_M], ids=lambda c: c.format)
def test_compressed_metres_are_read_back_from_their_inverse(codec):
    """depth_quantization 100 and depth_max 10 m: A = 100 * 101 = 10100, B = 1 - 10100 / 10 = -1009. 2 m is stored as 5050 - 1009 = 4041
    and read as 10100 / 5050 = 2; 0.5 m as 20200 - 1009 = 19191; 10 m as 1."""
    assert quantisation() == (10100.0, -1009.0)
    found = depth_from_compressed(message(codec.format, codec.data(np.array([[2000, 500], [10000, 0]], np.uint16))))
    np.testing.assert_allclose(found, [[2.0, 0.5], [10.0, np.nan]], rtol=1e-6)


def test_other_quantisations_are_taken_from_the_header():
    """A = 1000 and B = 1: 501 is 1000 / 500 = 2 m, 251 is 4 m."""
    data = struct.pack('<i2f', 0, 1000.0, 1.0) + png([[501, 251]])
    np.testing.assert_allclose(depth_from_compressed(message('32FC1; compressedDepth png', data)), [[2.0, 4.0]], rtol=1e-6)


def test_rvl_is_read_by_hand():
    """One row 0 0 3 4 1000 0: 2 zeros, 3 others, steps 3, 1, 996 as 6, 2 and 1992 = 3710 octal, then 1 zero, 0 others. Groups of three
    bits, lowest first, with 8 for "more follows": 2 3 6 2 and 8 9 F 3, then 1 0; two words of eight groups, little-endian."""
    data = struct.pack('<2I2I', 6, 1, 0x236289F3, 0x10000000)
    assert data == rvl([[0, 0, 3, 4, 1000, 0]])
    found = depth_from_compressed(message('16UC1; compressedDepth rvl', HEADER + data))
    np.testing.assert_allclose(found, [[np.nan, np.nan, 0.003, 0.004, 1.0, np.nan]], rtol=1e-6)


def test_rvl_of_a_noisy_image_with_holes_is_read_whole():
    chance = np.random.default_rng(3)
    depth_mm = chance.integers(300, 9000, (48, 64), np.uint16)
    depth_mm[chance.random((48, 64)) < 0.4] = 0
    found = depth_from_compressed(message('16UC1; compressedDepth rvl', HEADER + rvl(depth_mm)))
    np.testing.assert_array_equal(np.nan_to_num(1000 * found).round().astype(int), depth_mm)


@pytest.mark.parametrize(
    'format_, data, words',
    [
        ('jpeg', png([[1]]), 'is not read'),
        ('16UC1; compressedDepth png', bytes(20), 'cut off'),
        ('16UC1; compressedDepth png', b'', 'cut off'),
        ('16UC1; compressedDepth png', HEADER + png(np.arange(4000).reshape(40, 100))[:-30], 'cut off'),
        ('32FC1; png compressed', png([[1]]), 'quantisation'),
        ('16UC1; compressedDepth rvl', HEADER + bytes(5), 'cut off before its size'),
        ('16UC1; compressedDepth rvl', HEADER + rvl(np.arange(64).reshape(8, 8))[:-8], 'cut off'),
        ('16UC1; compressedDepth rvl', HEADER + struct.pack('<2I', 1 << 20, 1 << 20), 'announces 1048576x1048576'),
        ('16UC1; compressedDepth rvl', HEADER + struct.pack('<3I', 8, 8, 0), 'damaged'),
        ('16UC1; compressedDepth rvl', HEADER + struct.pack('<4I', 8, 8, 0xFFFFFFFF, 0xFFFFFFF0), 'more than 32 bits'),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_cause(format_, data, words):
    with pytest.raises(ImageError, match=words):
        depth_from_compressed(message(format_, data))
