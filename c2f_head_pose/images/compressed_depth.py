"""Depth in sensor_msgs/CompressedImage: image_transport's compressedDepth (PNG or RVL), and 16-bit PNG of its compressed transport."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np

from .encoded import MAX_PIXELS, PNG, ImageError, unpack
from .messages import DEPTH_ENCODINGS, DEPTH_TYPES, check_metres, depth_m_from_message, m_from_mm

_HEADER_BYTES = 12
"""compressed_depth_image_transport's ConfigHeader: int32 format, float32 quantisation A and B, before the picture."""
_LONGEST_NUMBER = 11
"""Groups of three bits that a number of 32 bits takes at most."""


def depth_from_message(message: Any) -> np.ndarray:
    """Depth along the optical axis in metres, of sensor_msgs/Image or CompressedImage.

    Returns:
        (H, W) float32, NaN unknown.

    Raises:
        ImageError: naming the field that is wrong, or for depth that is not in metres.
    """
    depth_m = depth_from_compressed(message) if hasattr(message, 'format') else depth_m_from_message(message)
    check_metres(depth_m)
    return depth_m


def holds_depth(message: Any) -> bool:
    """Whether the format of a sensor_msgs/CompressedImage is that of depth."""
    return 'compressedDepth' in message.format or encoding_of(message) in DEPTH_ENCODINGS


def depth_from_compressed(message: Any) -> np.ndarray:
    """Depth along the optical axis in metres, of compressed depth.

    Args:
        message: anything with sensor_msgs/CompressedImage's fields. Its format begins with the encoding of the raw depth, as in
            '16UC1; compressedDepth png', '32FC1; compressedDepth rvl' or '16UC1; png compressed'.

    Returns:
        (H, W) float32, NaN unknown.

    Raises:
        ImageError: for another format, or data that is cut off.

    Source: compressed_depth_image_transport, codec.cpp: 16UC1 is stored as it is, of 32FC1 the inverse A / z + B; 0 is unknown.
    """
    encoding, data = encoding_of(message), bytes(message.data)
    if encoding not in DEPTH_TYPES:
        raise ImageError(f"depth format {message.format!r} is not read; publish '16UC1; compressedDepth png' or '32FC1; ...'")
    if 'rvl' in message.format:
        values, has_header = unpack_rvl(data[_HEADER_BYTES:]), True
    else:
        values, has_header = _png_values(data)
    if encoding != '32FC1':
        return m_from_mm(values)
    if not has_header:
        raise ImageError(f'depth format {message.format!r} without the quantisation in front of the PNG; publish compressedDepth')
    a, b = struct.unpack_from('<2f', data, 4)
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        depth_m = np.float32(a) / (values.astype(np.float32) - np.float32(b))
    return np.where((values == 0) | ~np.isfinite(depth_m) | (depth_m <= 0), np.float32(np.nan), depth_m)


def encoding_of(message: Any) -> str:
    """The encoding of the raw image that a sensor_msgs/CompressedImage was made from."""
    return str(message.format).split(';')[0].strip()


def _png_values(data: bytes) -> tuple[np.ndarray, bool]:
    """Returns the values of a 16-bit PNG, and whether the header of the transport precedes it."""
    has_header = not data.startswith(PNG)
    picture = np.frombuffer(data, np.uint8)[_HEADER_BYTES if has_header else 0 :]
    values = unpack(picture, cv2.IMREAD_UNCHANGED) if picture.size else None
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise ImageError(
            f'data ({len(data)} bytes) is no 16-bit PNG behind a header of {_HEADER_BYTES} bytes or none; it is cut off or foreign'
        )
    return values, has_header


def unpack_rvl(data: bytes) -> np.ndarray:
    """The image in RVL data, as compressed_depth_image_transport writes it.

    Columns and rows, uint32 each, come before runs: a number of zeros, a number n of other pixels, and n differences, each to the
    pixel before that is not 0. Numbers are stored in groups of three bits, the lowest first, with a fourth bit for "more follows"; eight
    groups are a little-endian word, the first in its highest bits. Differences are stored as 2 d, negative ones as -2 d - 1.

    Returns:
        (H, W) uint16.

    Raises:
        ImageError: for data that ends early, or whose runs are longer than the image.

    Source: A. Wilson, Fast Lossless Depth Image Compression, 2017, listing 1.
    """
    if len(data) < 8:
        raise ImageError(f'RVL data ({len(data)} bytes) is cut off before its size')
    width, height = struct.unpack_from('<2I', data)
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f'RVL data announces {width}x{height} pixels, which is no image; look at the publisher')
    numbers = _numbers(np.frombuffer(data, '<u4', offset=8, count=(len(data) - 8) // 4))
    values = np.zeros(width * height, np.uint16)
    begins, lengths, firsts = [], [], []
    at = filled = 0
    while filled < values.size:
        if at + 2 > numbers.size:
            raise ImageError(f'RVL data ({len(data)} bytes) is cut off: {filled} of {values.size} pixels')
        zeros, others = int(numbers[at]), int(numbers[at + 1])
        begin, end = filled + zeros, filled + zeros + others
        if end > values.size or at + 2 + others > numbers.size or end == filled:
            raise ImageError(f'RVL data ({len(data)} bytes) is cut off or damaged: {filled} of {values.size} pixels')
        begins.append(begin)
        lengths.append(others)
        firsts.append(at + 2)
        at, filled = at + 2 + others, end
    within = np.arange(sum(lengths)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    stored = numbers[np.repeat(firsts, lengths) + within]
    values[np.repeat(begins, lengths) + within] = np.cumsum((stored >> 1) ^ -(stored & 1)).astype(np.uint16)
    return values.reshape(height, width)


def _numbers(words: np.ndarray) -> np.ndarray:
    """(n,) int64 numbers of variable length; bits after the last complete number are ignored."""
    groups = (words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32) & 15).ravel().astype(np.int64)
    last = np.flatnonzero(groups < 8)
    if not last.size:
        return last
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() >= _LONGEST_NUMBER:
        raise ImageError('RVL data holds a number of more than 32 bits; it is damaged')
    within = np.arange(last[-1] + 1) - np.repeat(first, last - first + 1)
    return np.add.reduceat((groups[: last[-1] + 1] & 7) << (3 * within), first)
