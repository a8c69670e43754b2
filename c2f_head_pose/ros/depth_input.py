"""Depth images beside the colour images: kept until their image comes, and whether they still come."""
from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..images import ImageError, depth_m_from_message, unpack
from .log import Notices
from .messages import stamp_s

_KEPT = 8
_UNPAIRED_IN_ROW = 10
_HEADER_BYTES = 12
"""compressed_depth_image_transport's ConfigHeader: int32 format, float32 quantisation A and B, before the PNG."""


class DepthInput:
    """Pairs depth with images by stamp. Depth arrives in the executor's thread, images are answered in the worker's."""

    def __init__(self, notices: Notices, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Has no depth yet.

        Args:
            notices: says what is wrong with depth, and when it is well again.
            topic: for messages.
            clock: seconds, steady.
        """
        self.status = 'no depth image yet'
        self.last_s: float | None = None
        self._notices = notices
        self._topic = topic
        self._clock = clock
        self._changed = threading.Condition()
        self._kept: deque[Any] = deque(maxlen=_KEPT)
        self._unpaired = 0
        self._since_s = clock()

    @property
    def degraded(self) -> bool:
        """Whether the last image had to do without depth."""
        return self.status != 'paired'

    def put(self, message: Any) -> None:
        """Takes a depth image."""
        with self._changed:
            self._kept.append(message)
            self.last_s = self._clock()
            self._changed.notify()

    def depth_m(self, header: Any, shape: tuple[int, int], tolerance_s: float, wait_s: float, stopped_s: float) -> np.ndarray | None:
        """The depth that goes with an image; None, with the reason said once, if there is none.

        Args:
            header: the image's.
            shape: (H, W) of the image.
            tolerance_s: largest difference of stamps.
            wait_s: how long to wait for depth that comes later than its image; not while depth has stopped.
            stopped_s: depth silent for longer has stopped.

        Returns:
            (H, W) float32 metres, NaN unknown.
        """
        message = self._paired(stamp_s(header), tolerance_s, wait_s, stopped_s)
        if isinstance(message, str):
            return self._degrade(message)
        try:
            depth_m = depth_from_message(message)
        except ImageError as error:
            return self._degrade(f'depth image on {self._topic} cannot be read: {error}')
        if depth_m.shape != shape:
            return self._degrade(f'depth on {self._topic} has {depth_m.shape[1]}x{depth_m.shape[0]} pixels, the image {shape[1]}x{shape[0]}'
                                 ': depth must be registered to the image (depth_image_proc/register, or aligned depth of the driver)')
        if self._notices.forget('depth'):
            self._notices.say(f'depth on {self._topic} is good again')
        self.status = 'paired'
        return depth_m

    def _paired(self, image_s: float, tolerance_s: float, wait_s: float, stopped_s: float) -> Any:
        """The depth message of a stamp, or why there is none."""
        end = self._clock() + wait_s
        with self._changed:
            while True:
                nearest = min(self._kept, key=lambda m: abs(stamp_s(m.header) - image_s), default=None)
                apart_s = np.inf if nearest is None else abs(stamp_s(nearest.header) - image_s)
                if apart_s <= tolerance_s + 1e-9:
                    self._unpaired = 0
                    return nearest
                now = self._clock()
                if self.last_s is None and now - self._since_s < stopped_s:
                    return ''  # a camera that starts is no news
                if self.last_s is None:
                    reason = f'no depth image has come on {self._topic}; remap depth/image to the registered depth, or set modality to rgb'
                elif now - self.last_s > stopped_s:
                    reason = f'depth images on {self._topic} have stopped; look at the depth camera'
                elif now < end and (nearest is None or stamp_s(self._kept[-1].header) < image_s):
                    self._changed.wait(end - now)
                    continue
                else:
                    self._unpaired += 1
                    if self._unpaired < _UNPAIRED_IN_ROW and self.status == 'paired':
                        return ''
                    reason = (f'depth on {self._topic} is not stamped like the images, {apart_s:.3f} s apart; '
                              'let the driver synchronise them, or raise depth_tolerance_s')
                return reason

    def _degrade(self, reason: str) -> np.ndarray | None:
        if reason:
            # One notice a reason; which number it names may change from image to image.
            kind = reason.split(',')[0].split(';')[0]
            if not self.status.startswith(kind):
                self._notices.forget('depth')
            self.status = reason
            self._notices.once('depth', f'{reason}. Until then heads are answered from the image alone')
        return None


def depth_from_message(message: Any) -> np.ndarray:
    """Metres of a depth message, sensor_msgs/Image or CompressedImage (compressedDepth).

    Returns:
        (H, W) float32, NaN unknown.

    Raises:
        ImageError: naming the field that is wrong.
    """
    return depth_m_from_compressed(message) if hasattr(message, 'format') else depth_m_from_message(message)


def depth_picture(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) uint8 to look at: near is bright, black unknown; 0.4 to 4 m, linear in 1 / z as the eye takes distance."""
    with np.errstate(divide='ignore', invalid='ignore'):
        nearness = (1 / depth_m - 1 / 4.0) / (1 / 0.4 - 1 / 4.0)
    return np.where(np.isfinite(depth_m) & (depth_m > 0), np.clip(32 + 223 * nearness, 32, 255), 0).astype(np.uint8)


def depth_m_from_compressed(message: Any) -> np.ndarray:
    """Metres of compressed_depth_image_transport's message: a header of 12 bytes, then a 16-bit PNG.

    Args:
        message: anything with sensor_msgs/CompressedImage's fields, format '16UC1; compressedDepth png' or '32FC1; ...'.

    Returns:
        (H, W) float32, NaN unknown.

    Raises:
        ImageError: for another format, or data that is cut off.

    Source: compressed_depth_image_transport, codec.cpp: of 32FC1 the PNG holds A / z + B, 0 unknown.
    """
    encoding = message.format.split(';')[0].strip()
    if 'compressedDepth' not in message.format or encoding not in ('16UC1', '32FC1'):
        raise ImageError(f"depth format {message.format!r} is not read; publish '16UC1; compressedDepth png' or '32FC1; ...'")
    if 'rvl' in message.format:
        raise ImageError(f'depth format {message.format!r} is not read; let the publisher send compressedDepth as png')
    data = np.frombuffer(message.data, np.uint8)
    values = unpack(data[_HEADER_BYTES:], cv2.IMREAD_UNCHANGED) if data.size > _HEADER_BYTES else None
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise ImageError(f'data ({data.size} bytes) is no 16-bit PNG behind a header of {_HEADER_BYTES} bytes; it is cut off or foreign')
    unknown = values == 0
    if encoding == '16UC1':
        return np.where(unknown, np.float32(np.nan), values * np.float32(0.001))
    a, b = np.frombuffer(data[4:_HEADER_BYTES].tobytes(), '<f4')
    with np.errstate(divide='ignore', invalid='ignore'):
        depth_m = (a / (values - b)).astype(np.float32)
    return np.where(unknown | ~np.isfinite(depth_m) | (depth_m <= 0), np.float32(np.nan), depth_m)
