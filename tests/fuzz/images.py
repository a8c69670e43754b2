"""sensor_msgs/Image: every encoding, any size, step and length of data."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from c2f_head_pose.images import ENCODINGS, ImageError, SignificantBits, depth_m_from_message, image_from_message

from .choices import Choices

MODULES = ('c2f_head_pose.images', 'c2f_head_pose.images.messages', 'c2f_head_pose.images.sixteen_bits')
_ENCODINGS = (*ENCODINGS, '32FC1', '')


def seeds() -> list[bytes]:
    """An image of 8x6 pixels of each encoding, its step long enough for any of them."""
    return [bytes([0, number, 8, 6, 32, 0, 0]) + bytes(range(256)) for number in range(len(_ENCODINGS))]


def check(data: bytes) -> None:
    """Reads an image, as a picture and as depth."""
    choices = Choices(data)
    read = image_from_message if choices.integer() < 192 else depth_m_from_message
    encoding = choices.pick(_ENCODINGS)
    message = SimpleNamespace(
        encoding=encoding or choices.text(),
        width=choices.size(),
        height=choices.size(),
        step=choices.size(),
        is_bigendian=choices.integer(),
        data=choices.take(choices.integer()) + choices.rest(),
    )
    try:
        pixels = read(message)
    except ImageError:
        return
    assert pixels.shape[:2] == (message.height, message.width)
    if read is image_from_message:  # the same image again in a stream is scaled alike
        bits = SignificantBits()
        first, again = image_from_message(message, bits), image_from_message(message, bits)
        assert 8 <= bits.bits <= 16 and np.array_equal(first, again)
    if read is image_from_message:
        assert pixels.dtype == np.uint8 and pixels.shape[2:] in ((), (3,))
    else:
        assert pixels.dtype == np.float32 and pixels.ndim == 2 and not (pixels <= 0).any()
