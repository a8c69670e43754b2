"""Pixels of image messages: by cv_bridge where the ROS installation has it and it is right, else by this package's own reader."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..images import SignificantBits, image_from_compressed, image_from_message

_PASSED_ON = ('mono8', 'bgr8', '8UC1', '8UC3', 'mono16', '16UC1', 'bgr16')
_TO_BGR = ('rgb8', 'rgba8', 'bgra8', 'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8', 'yuv422', 'yuv422_yuy2')
_TO_BGR16 = ('rgb16', 'rgba16', 'bgra16', 'bayer_rggb16', 'bayer_bggr16', 'bayer_gbrg16', 'bayer_grbg16')
BRIDGED = {**dict.fromkeys(_PASSED_ON, 'passthrough'), **dict.fromkeys(_TO_BGR, 'bgr8'), **dict.fromkeys(_TO_BGR16, 'bgr16')}
"""Encodings that cv_bridge is asked to convert, each with the encoding it is asked for. 16 bits stay 16: cv_bridge divides them by 257,
which makes sensors of 10 to 14 bits black."""
_CHANNELS = {
    'bgr8': 3,
    'rgb8': 3,
    '8UC3': 3,
    'rgba8': 4,
    'bgra8': 4,
    'yuv422': 2,
    'yuv422_yuy2': 2,
    'bgr16': 3,
    'rgb16': 3,
    'rgba16': 4,
    'bgra16': 4,
}


class ImageConverter:
    """Converts the images of one topic.

    cv_bridge is compared with this package's reader once, on a small image of each encoding, and is used for those where they agree. It is
    never used for 16 bits in big-endian order, which it takes for twice as many channels or fails on with numpy 2, nor for rows
    whose padding is no whole number of pixels, which its Python part cannot express.

    Attributes:
        encodings: those that cv_bridge converts; empty where it is missing or cannot be loaded.
    """

    def __init__(self) -> None:
        self._bits = SignificantBits()
        self._bridge = _load_bridge()
        self.encodings = frozenset(e for e in BRIDGED if self._agrees(e)) if self._bridge is not None else frozenset()

    def image(self, message: Any) -> np.ndarray:
        """The pixels of a sensor_msgs/Image or CompressedImage.

        Returns:
            uint8 (H, W) gray, or (H, W, 3) BGR; may share the message's memory.

        Raises:
            ImageError: naming the field that is wrong.
        """
        if not hasattr(message, 'encoding'):
            return image_from_compressed(message, self._bits)
        if message.encoding in self.encodings and _bridgeable(message):
            try:
                return self._bits.to_8_bits(self._bridge.imgmsg_to_cv2(message, BRIDGED[message.encoding]))
            except Exception:  # a wrong image: this package's reader names the field
                pass
        return image_from_message(message, self._bits)

    def _agrees(self, encoding: str) -> bool:
        """Whether cv_bridge and this package read the same image of 8x6 pixels."""
        channels, size = _CHANNELS.get(encoding, 1), 2 if '16' in encoding else 1
        step = 8 * channels * size
        message = SimpleNamespace(
            encoding=encoding,
            height=6,
            width=8,
            step=step,
            is_bigendian=0,
            data=np.random.default_rng(0).integers(0, 256, 6 * step, np.uint8),
        )
        assert self._bridge is not None
        try:
            read = SignificantBits().to_8_bits(self._bridge.imgmsg_to_cv2(message, BRIDGED[encoding]))
        except Exception:  # an encoding that this version does not have, or an installation that does not fit together
            return False
        own = image_from_message(message)
        return read.shape == own.shape and int(np.abs(read.astype(int) - own).max()) <= 1  # two versions of OpenCV may round differently


def _load_bridge() -> Any:
    if importlib.util.find_spec('cv_bridge') is None or not _survives():
        return None
    try:
        from cv_bridge import CvBridge

        return CvBridge()
    except Exception:  # an installation that does not fit together raises more than ImportError
        return None


@functools.cache
def _survives() -> bool:
    """Whether cv_bridge converts an image without ending the process, tried in a process of its own.

    Distributions compile cv_bridge for numpy 1. Under numpy 2, which pip installs, it can be loaded, but its first conversion is a
    segmentation fault.
    """
    if int(np.__version__.partition('.')[0]) < 2:
        return True
    try:
        return subprocess.run([sys.executable, '-c', _TRIAL], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


_TRIAL = """
from types import SimpleNamespace
from cv_bridge import CvBridge
message = SimpleNamespace(encoding='rgb8', height=2, width=2, step=6, is_bigendian=0, data=bytearray(12))
assert CvBridge().imgmsg_to_cv2(message, 'bgr8').shape == (2, 2, 3)
"""


def _bridgeable(message: Any) -> bool:
    size = 2 if '16' in message.encoding else 1
    pixel = _CHANNELS.get(message.encoding, 1) * size
    return not (size == 2 and message.is_bigendian) and message.step % pixel == 0 and len(message.data) == message.step * message.height
