"""Converts images of 16 bits a pixel to 8 bits; the number of bits that hold the image is found from the pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np

_LEAST_BITS = 8
_SAMPLED_PIXELS = 20_000
_IGNORED_SHARE = 0.001
_MEMORY_IMAGES = 1000


def significant_bits(pixels: np.ndarray) -> int:
    """The number of bits, 8 to 16, that hold all but the brightest thousandth of the values.

    Sensors of 10, 12 or 14 bits write their values into the low bits of 16: read as 16 bits, such an image is black. The brightest
    thousandth is ignored because single pixels hold marks (65535 for "saturated") or transmission errors.

    Args:
        pixels: (H, W) or (H, W, C) uint16.
    """
    # An odd step meets every colour of a Bayer mosaic.
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // _SAMPLED_PIXELS)) | 1
    sample = pixels[::step, ::step].ravel()
    ignored = int(sample.size * _IGNORED_SHARE)
    largest = int(np.partition(sample, sample.size - 1 - ignored)[sample.size - 1 - ignored])
    return max(_LEAST_BITS, largest.bit_length())


class SignificantBits:
    """Scales the 16-bit images of one stream to 8 bits by one factor that lasts.

    The factor follows from the largest number of significant bits among the last 1000 to 2000 images, not from each image alone: a
    contrast stretch of each image would flicker. A brighter image than all before is taken into account at once, so the scale can
    only jump to darker, by powers of two, and a few times in a camera's start. It can become brighter again once in 1000 images, so
    that one damaged image does not darken a stream for ever.

    One object belongs to one stream (an image topic, a recording). A still picture gets an object of its own.
    """

    def __init__(self) -> None:
        self._recent = self._earlier = _LEAST_BITS
        self._images = 0

    @property
    def bits(self) -> int:
        """The number of bits that the last image was scaled by, 8 to 16."""
        return max(self._recent, self._earlier)

    def to_8_bits(self, pixels: np.ndarray) -> np.ndarray:
        """An image of the stream in 8 bits; one of 8 bits is returned as it is.

        Args:
            pixels: (H, W) or (H, W, C), uint16 in native byte order, or uint8.

        Returns:
            uint8 of the same shape: pixels * 255 / (2^bits - 1), rounded.

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
        if self._images == _MEMORY_IMAGES:
            self._earlier, self._recent, self._images = self._recent, _LEAST_BITS, 0
        self._recent = max(self._recent, significant_bits(pixels))
        self._images += 1
        return cv2.convertScaleAbs(pixels, alpha=255 / (2**self.bits - 1))
