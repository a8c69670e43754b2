"""Converts images of 16 bits a pixel to 8 bits; the number of bits that hold the image is found from the pixels."""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np

_LEAST_BITS = 8
_SAMPLED_PIXELS = 20_000
_IGNORED_SHARE = 0.001
_SATURATED = 65535
_REMEMBERED_IMAGES = 30
"""One second of most cameras: the scale becomes brighter again after so many images."""
_REPEATED = 3
"""So many of the remembered images must be as bright before they count: a single one is a flash, a reflection or damage."""
_MARGIN = 0.75
"""The scale becomes brighter only where the values fill at most this share of it, so that values about a power of two do not flicker."""


def largest_value(pixels: np.ndarray) -> int:
    """The largest value without the brightest thousandth.

    The brightest thousandth is ignored because single pixels hold transmission errors. 65535 is ignored everywhere: it marks
    saturation, and is white at any scale.

    Args:
        pixels: (H, W) or (H, W, C) uint16.
    """
    # An odd step meets every colour of a Bayer mosaic.
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // _SAMPLED_PIXELS)) | 1
    sample = pixels[::step, ::step].ravel()
    measured = sample[sample < _SATURATED]
    if not measured.size:
        return _SATURATED
    last = measured.size - 1 - int(measured.size * _IGNORED_SHARE)
    return int(np.partition(measured, last)[last])


def significant_bits(value: float) -> int:
    """The number of bits, 8 to 16, that hold a value.

    Sensors of 10, 12 or 14 bits write their values into the low bits of 16: read as 16 bits, such an image is black.
    """
    return max(_LEAST_BITS, int(value).bit_length())


class SignificantBits:
    """Scales the 16-bit images of one stream to 8 bits by one factor that lasts.

    The factor follows from the last 30 images, not from each image alone: a contrast stretch of each image would flicker. More bits
    count once three of these images need them; until then brighter values are cut off at white. Fewer bits count once fewer than
    three of 30 images need more, and by a margin. The first images of a stream count at once.

    One object belongs to one stream (an image topic, a recording). A still picture gets an object of its own.
    """

    def __init__(self) -> None:
        self._largest: deque[int] = deque(maxlen=_REMEMBERED_IMAGES)
        self._bits = _LEAST_BITS

    @property
    def bits(self) -> int:
        """The number of bits that the last image was scaled by, 8 to 16."""
        return self._bits

    def to_8_bits(self, pixels: np.ndarray) -> np.ndarray:
        """An image of the stream in 8 bits; one of 8 bits is returned as it is.

        Args:
            pixels: (H, W) or (H, W, C), uint16 in native byte order, or uint8.

        Returns:
            uint8 of the same shape: pixels * 255 / (2^bits - 1), rounded, at most 255.

        Raises:
            ValueError: for pixels of another type, with the remedy.
        """
        if pixels.dtype == np.uint8:
            return pixels
        if pixels.dtype != np.uint16:
            raise ValueError(
                f'pixels must be uint16 in native byte order, or uint8, got {pixels.dtype}; if they are floats from 0 to 1, multiply them '
                'by 255 and convert them to uint8'
            )
        self._largest.append(largest_value(pixels))
        repeated = sorted(self._largest)[-min(_REPEATED, (len(self._largest) + 1) // 2)]
        bits = significant_bits(repeated)
        fewer = len(self._largest) == _REMEMBERED_IMAGES and significant_bits(repeated / _MARGIN) < self._bits
        if bits > self._bits or fewer:
            self._bits = bits
        return cv2.convertScaleAbs(pixels, alpha=255 / (2**self._bits - 1))
