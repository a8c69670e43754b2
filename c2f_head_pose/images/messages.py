"""Pixels of ROS images as arrays: gray or BGR, and depth in metres.

The node converts by cv_bridge where that is installed and gives the same pixels (ros/image_converter.py). This module reads images outside
ROS too, and what cv_bridge does not: nv12, a last row without its padding, rows whose padding is no whole number of pixels, 16 bits
in big-endian order, and 16 bits of which 10 to 14 are significant.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .encoded import ImageError, unpack
from .sixteen_bits import SignificantBits

_MAX_PIXELS = 1 << 28
_FARTHEST_M = 100
"""In metres one pixel in twenty is nearer where there are heads, in millimetres hardly any. A simulator's sky may be farther."""
_SAMPLES = 64
"""Every so many-th part of the height and the width is sampled for it, at least; a percentile of all pixels would take milliseconds."""

# encoding: bytes per pixel, OpenCV conversion to BGR (None: already gray or BGR)
_EIGHT_BIT: dict[str, tuple[int, int | None]] = {
    'bgr8': (3, None),
    '8UC3': (3, None),
    'rgb8': (3, cv2.COLOR_RGB2BGR),
    'bgra8': (4, cv2.COLOR_BGRA2BGR),
    '8UC4': (4, cv2.COLOR_BGRA2BGR),
    'rgba8': (4, cv2.COLOR_RGBA2BGR),
    'mono8': (1, None),
    '8UC1': (1, None),
    # OpenCV names a Bayer pattern by its second row's second and third pixel, ROS by the first row's first two.
    'bayer_rggb8': (1, cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': (1, cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': (1, cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': (1, cv2.COLOR_BayerGB2BGR),
    'yuv422': (2, cv2.COLOR_YUV2BGR_UYVY),
    'uyvy': (2, cv2.COLOR_YUV2BGR_UYVY),
    'yuv422_yuy2': (2, cv2.COLOR_YUV2BGR_YUY2),
    'yuyv': (2, cv2.COLOR_YUV2BGR_YUY2),
}
_SIXTEEN_BIT = {f'{name[:-1]}16': row for name, row in _EIGHT_BIT.items() if name.endswith('8')} | {
    '16UC1': (1, None),
    # opacity is left out before the conversion, so that it is not taken for brightness
    'bgra16': (4, None),
    'rgba16': (4, cv2.COLOR_RGB2BGR),
}
DEPTH_TYPES: dict[str, np.dtype] = {'16UC1': np.dtype(np.uint16), 'mono16': np.dtype(np.uint16), '32FC1': np.dtype(np.float32)}
"""Encodings that depth is read from."""
DEPTH_ENCODINGS = ('16UC1', '32FC1')
"""Encodings that show that an image is depth; mono16 is that of gray and infrared images too."""
ENCODINGS = (*_EIGHT_BIT, *_SIXTEEN_BIT, 'nv12', 'nv21')


def image_from_message(message: Any, bits: SignificantBits | None = None) -> np.ndarray:
    """The pixels of a sensor_msgs/Image.

    Args:
        message: anything with sensor_msgs/Image's fields.
        bits: significant bits of the stream that the message belongs to, by which 16-bit encodings are scaled. None for a single image,
            which is scaled by its own brightest pixels.

    Returns:
        uint8 (H, W) gray, or (H, W, 3) BGR; may share the message's memory.

    Raises:
        ImageError: naming the field that is wrong.
    """
    encoding = message.encoding
    if encoding in ('nv12', 'nv21'):
        return _nv(message)
    if encoding not in ENCODINGS:
        raise ImageError(f'encoding {encoding!r} is not read; publish one of {", ".join(ENCODINGS)}')
    wide = encoding in _SIXTEEN_BIT
    channels, conversion = _SIXTEEN_BIT[encoding] if wide else _EIGHT_BIT[encoding]
    pixels = _rows(message, np.dtype(np.uint16 if wide else np.uint8), channels)
    if channels == 2 and message.width % 2:
        raise ImageError(f'width {message.width} is odd, {encoding} needs an even one; correct the publisher')
    if encoding.startswith('bayer') and min(message.width, message.height) < 4:
        raise ImageError(f'size {message.width}x{message.height} is too small for {encoding}; correct the publisher')
    if wide:  # before the conversion, which takes a third of the time in 8 bits
        pixels = (bits or SignificantBits()).to_8_bits(pixels[..., :3] if channels == 4 else pixels)
    return pixels if conversion is None else cv2.cvtColor(np.ascontiguousarray(pixels), conversion)


def image_from_compressed(message: Any, bits: SignificantBits | None = None) -> np.ndarray:
    """The pixels of a sensor_msgs/CompressedImage (JPEG or PNG) as stored: its EXIF orientation is not applied.

    Args:
        message: anything with sensor_msgs/CompressedImage's fields.
        bits: significant bits of the stream, for PNG of 16 bits; None for a single image.

    Returns:
        uint8 (H, W) gray, or (H, W, 3) BGR.

    Raises:
        ImageError: for data that is empty, cut off, too large, or no JPEG or PNG.
    """
    data = np.frombuffer(message.data, np.uint8)
    if data.size == 0:
        raise ImageError('data is empty; the camera driver sent a picture without bytes')
    if 'compressedDepth' in message.format:
        raise ImageError(f'format {message.format!r} is depth, not a picture; subscribe it as depth')
    image = unpack(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ImageError(f'data ({data.size} bytes, format {message.format!r}) is no picture that can be read; send JPEG or PNG')
    return (bits or SignificantBits()).to_8_bits(image)


def depth_m_from_message(message: Any) -> np.ndarray:
    """Depth along the optical axis in metres, of a depth image.

    Args:
        message: anything with sensor_msgs/Image's fields, encoding 16UC1 (millimetres, 0 unknown) or 32FC1 (metres, NaN unknown).

    Returns:
        (H, W) float32, NaN where unknown.

    Raises:
        ImageError: naming the field that is wrong.

    Source: REP-118.
    """
    dtype = DEPTH_TYPES.get(message.encoding)
    if dtype is None:
        raise ImageError(f'depth encoding {message.encoding!r} is not read; publish 16UC1 (mm) or 32FC1 (m)')
    values = _rows(message, dtype)
    if dtype == np.uint16:
        return m_from_mm(values)
    return np.where(np.isfinite(values) & (values > 0), values, np.float32(np.nan))


def check_metres(depth_m: np.ndarray) -> None:
    """Raises ImageError if (H, W) float depth, unknown where it is NaN, infinite or 0, cannot be in metres."""
    height, width = depth_m.shape
    sample = np.asarray(depth_m[:: max(1, height // _SAMPLES), :: max(1, width // _SAMPLES)])
    known = sample[np.isfinite(sample) & (sample > 0)]
    if known.size and (near := float(np.percentile(known, 5))) > _FARTHEST_M:
        raise ImageError(f'depth must be in metres, but begins at {near:.0f}; divide millimetres by 1000, in ROS send them as 16UC1')


def m_from_mm(values: np.ndarray) -> np.ndarray:
    """Float32 metres, NaN unknown, of uint16 millimetres, 0 unknown."""
    return np.where(values == 0, np.float32(np.nan), values * np.float32(0.001))


def _rows(message: Any, dtype: np.dtype[Any], channels: int = 1) -> np.ndarray:
    """(H, W) or (H, W, channels) view of the message's rows, in native byte order."""
    height, width, step = message.height, message.width, message.step
    _check_size(width, height)
    row = width * channels * dtype.itemsize
    if step < row:
        raise ImageError(f'step {step} is shorter than a row of {width} {message.encoding} pixels ({row} bytes); correct the publisher')
    data = np.frombuffer(message.data, np.uint8)
    if data.size < step * (height - 1) + row:
        raise ImageError(
            f'data has {data.size} bytes, {height} rows of step {step} need {step * height}: the image is cut off; correct the publisher'
        )
    if height == 1:
        step = row  # one row has no next one; its step may be anything
    if data.size < step * height:  # the last row's padding may be left out
        data = np.pad(data, (0, step * height - data.size))
    rows = data[: step * height].reshape(height, step)[:, :row]
    if dtype.itemsize > 1:
        stored = dtype.newbyteorder('>') if message.is_bigendian else dtype.newbyteorder('<')
        rows = np.ascontiguousarray(rows).view(stored).astype(dtype, copy=False)
    return rows.reshape(height, width, channels) if channels > 1 else rows


def _nv(message: Any) -> np.ndarray:
    """BGR of NV12 or NV21: a full plane of luma, then half as many rows of interleaved chroma."""
    height, width, step = message.height, message.width, message.step
    _check_size(width, height)
    if width % 2 or height % 2:
        raise ImageError(f'size {width}x{height} is odd, {message.encoding} needs an even one; correct the publisher')
    if step < width:
        raise ImageError(f'step {step} is shorter than a row of {width} {message.encoding} pixels; correct the publisher')
    data = np.frombuffer(message.data, np.uint8)
    rows = height * 3 // 2
    if data.size < step * rows:
        raise ImageError(f'data has {data.size} bytes, {message.encoding} needs {step * rows}: the image is cut off; correct the publisher')
    planes = np.ascontiguousarray(data[: step * rows].reshape(rows, step)[:, :width])
    return cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_NV12 if message.encoding == 'nv12' else cv2.COLOR_YUV2BGR_NV21)


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > _MAX_PIXELS:
        raise ImageError(f'size {width}x{height} is no image; look at the camera driver')
