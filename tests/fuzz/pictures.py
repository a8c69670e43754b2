"""Picture files of every format, and the structure of video files, damaged anywhere."""

from __future__ import annotations

import cv2
import numpy as np
from video_making import avi, index_in_front, matroska, mp4

from c2f_head_pose.images.containers import missing_part
from c2f_head_pose.images.encoded import ImageError, check_complete, picture_kind
from c2f_head_pose.images.pictures import decode_picture

from .choices import Choices
from .scratch import scratch_file

MODULES = (
    'c2f_head_pose.images.containers',
    'c2f_head_pose.images.encoded',
    'c2f_head_pose.images.pictures',
    'c2f_head_pose.images.sixteen_bits',
)
_MAX_PIXELS = 1 << 22


def seeds() -> list[bytes]:
    """A small picture of each format that OpenCV writes, in 8 and 16 bits, with alpha too; and a video of each container."""
    colour = np.arange(16 * 24 * 3, dtype=np.uint8).reshape(16, 24, 3)
    gray_16, colour_16 = colour[..., 0] * np.uint16(16), colour * np.uint16(16)
    kinds = {
        '.jpg': [colour],
        '.webp': [colour],
        '.bmp': [colour],
        '.pgm': [colour[..., 0], gray_16],
        '.gif': [colour],
        '.png': [colour, gray_16, np.dstack([colour, colour[..., 0]])],
        '.tiff': [colour, colour_16],
    }
    found = []
    for suffix, images in kinds.items():
        for image in images:
            try:
                found.append(b'\0' + cv2.imencode(suffix, image)[1].tobytes())
            except cv2.error:  # a format that this build does not write
                continue
    found.append(b'\0' + b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(40))
    path = scratch_file('seed.bin', b'')
    videos = (matroska(path, [0, 40, 90]), index_in_front(mp4(path.with_suffix('.mp4'), 3)), avi(path.with_suffix('.avi'), 3))
    return [*found, *(b'\1' + video.read_bytes() for video in videos)]


def check(data: bytes) -> None:
    """Reads a picture; or finds what is missing in a video, which must be a text or None."""
    choices = Choices(data)
    video = choices.integer() % 2
    content = choices.rest()
    if video:
        missing = missing_part(scratch_file('video.bin', content))
        assert missing is None or (isinstance(missing, str) and missing)
        return
    try:
        size = check_complete(content)
        # Files are the user's own, so their size is less limited than a message's is; the fuzzer's memory is.
        if (size is not None and size[0] * size[1] > _MAX_PIXELS) or picture_kind(content) not in ('JPEG', 'PNG', 'HEIC', None):
            return
        pixels = decode_picture(content)
    except ImageError:
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size
