"""Encoded pictures, in messages and in files: their format, their size, and whether their bytes are complete."""

from __future__ import annotations

import re

import cv2
import numpy as np

MAX_PIXELS = 1 << 26
"""67 megapixels: a message of a few bytes may announce a gigapixel, and nothing larger than this is unpacked."""
PNG = b'\x89PNG\r\n\x1a\n'

_MAGIC = (
    (rb'\xff\xd8\xff', 'JPEG'),
    (re.escape(PNG), 'PNG'),
    (rb'GIF8[79]a', 'GIF'),
    (rb'RIFF....WEBP', 'WebP'),
    (rb'BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0', 'BMP'),
    (rb'II[*+]\0|MM\0[*+]', 'TIFF'),
    (rb'P[1-6]\s+[#\d]|P7\nWIDTH|P[fF]\n\d', 'PNM'),
    (rb'\0\0\0\x0cjP  |\xff\x4f\xff\x51', 'JPEG 2000'),
    (rb'\xff\x0a|\0\0\0\x0cJXL ', 'JPEG XL'),
    (rb'8BPS', 'Photoshop'),
)
_AVIF_BRANDS = {b'avif', b'avis'}
_HEIC_BRANDS = {b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1'}


class ImageError(ValueError):
    """A picture or image message that cannot be read; the message states the cause and the remedy."""


def picture_kind(data: bytes) -> str | None:
    """The format of a picture by its first bytes; None for anything else, videos included.

    Args:
        data: at least the first 64 bytes of the file.

    Returns:
        'JPEG', 'PNG', 'GIF', 'WebP', 'BMP', 'TIFF', 'PNM', 'JPEG 2000', 'JPEG XL', 'Photoshop', 'AVIF' or 'HEIC'.

    Source: the formats' specifications; ISO/IEC 14496-12, 4.3 (brands) and ISO/IEC 23008-12, 10 for the last two.
    """
    for pattern, kind in _MAGIC:
        if re.match(pattern, data, re.DOTALL):
            return kind
    if data[4:8] == b'ftyp':
        end = max(16, min(int.from_bytes(data[:4], 'big'), 64))
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        if data[8:12] in _AVIF_BRANDS | _HEIC_BRANDS:
            return 'AVIF' if brands & _AVIF_BRANDS else 'HEIC'
    return None


def check_complete(data: bytes) -> tuple[int, int] | None:
    """Refuses a JPEG or PNG that is cut off. OpenCV does not refuse it, but fills the missing part with gray.

    Args:
        data: the whole picture. Bytes behind its end are allowed: drivers pad, phones append a second picture or a video.

    Returns:
        Width and height; None where the data is no JPEG or PNG.

    Raises:
        ImageError: for one that ends before its end marker.
    """
    if data.startswith(PNG):
        size, complete, kind = *_png(data), 'PNG'
    elif data.startswith(b'\xff\xd8'):
        size, complete, kind = *_jpeg(data), 'JPEG'
    else:
        return None
    if size is not None and not complete:
        raise ImageError(f'data ({len(data)} bytes) is a {kind} that is cut off; look for lost packets, a full disk or a broken download')
    return size


def unpack(data: np.ndarray, flags: int) -> np.ndarray | None:
    """Decodes a JPEG or PNG; returns None for other data. Other formats are not tried, because each decoder is a further risk.

    Args:
        data: (n,) uint8.
        flags: OpenCV's IMREAD_*.

    Raises:
        ImageError: for a picture that is cut off, or that announces more than 67 megapixels.
    """
    size = check_complete(data.tobytes())
    if size is None:
        return None
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(f'data ({data.size} bytes) announces {size[0]}x{size[1]} pixels, more than a camera has; look at the publisher')
    try:
        return cv2.imdecode(data, flags)
    except cv2.error:
        return None


def _png(data: bytes) -> tuple[tuple[int, int] | None, bool]:
    """Width and height in a PNG's header, None without one; and whether all chunks fit in the data.

    OpenCV allocates the size that a chunk states, so a chunk that is longer than the data must not be passed to it.

    Source: RFC 2083, 3.2 and 4.1.1.
    """
    at, kind = len(PNG), b''
    size = (int.from_bytes(data[16:20], 'big'), int.from_bytes(data[20:24], 'big')) if data[12:16] == b'IHDR' else None
    while kind != b'IEND':
        kind = data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4], 'big')
        if at > len(data):
            return size, False
    return size, True


def _jpeg(data: bytes) -> tuple[tuple[int, int] | None, bool]:
    """Width and height in a JPEG's frame header, None without one; and whether its end marker was reached.

    The segments are walked by their lengths, so that the end marker of a thumbnail inside one does not count. In a scan's data
    FF 00 and FF D0 to FF D7 belong to the data; any other marker ends it.

    Source: ITU T.81, B.1.1 and B.2: markers C0 to CF but C4, C8 and CC begin a frame, DA a scan; 01 and D0 to D8 stand alone.
    """
    at, size = 2, None
    while at + 2 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF:
            at = data.find(b'\xff', at) % (len(data) + 1)  # as decoders do: on to the next marker
        elif marker in (0x00, 0xFF):
            at += 1
        elif marker == 0xD9:
            return size, True
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            if size is None and 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 9 <= len(data):
                size = int.from_bytes(data[at + 7 : at + 9], 'big'), int.from_bytes(data[at + 5 : at + 7], 'big')
            at += 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
            if marker == 0xDA:
                found = _AFTER_SCAN.search(data, at)
                at = found.start() if found else len(data)
    return size, False


_AFTER_SCAN = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')
