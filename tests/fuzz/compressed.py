"""sensor_msgs/CompressedImage: pictures and compressed depth, damaged anywhere."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
from depth_recordings import rvl

from c2f_head_pose.images import ImageError, depth_from_compressed, image_from_compressed

from .choices import Choices

MODULES = ('c2f_head_pose.images', 'c2f_head_pose.images.encoded', 'c2f_head_pose.images.messages', 'c2f_head_pose.images.compressed_depth')
_FORMATS = (
    'jpeg',
    'png',
    '',
    'bgr8; jpeg compressed bgr8',
    '16UC1; compressedDepth png',
    '32FC1; compressedDepth png',
    '16UC1; compressedDepth rvl',
    'compressedDepth',
    '32FC1; compressedDepth rvl',
    '16UC1; png compressed ',
)


def seeds() -> list[bytes]:
    """A picture of each kind that OpenCV writes, and depth."""
    picture = np.arange(16 * 24 * 3, dtype=np.uint8).reshape(16, 24, 3)
    kinds = ['.jpg', '.png', '.webp', '.bmp', '.tiff']
    encoded = [cv2.imencode(kind, image)[1].tobytes() for kind in kinds for image in (picture, picture[..., 0])]
    encoded.append(cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes())
    depth = bytes(4) + np.float32([1000, 1]).tobytes() + cv2.imencode('.png', picture[..., 0].astype(np.uint16))[1].tobytes()
    header, chance = depth[:12], np.random.default_rng(0)
    holes = chance.integers(0, 3, (16, 24)) * chance.integers(0, 9000, (16, 24))
    packed = [rvl(values) for values in (picture[..., 0] * np.uint16(255), holes)]
    return [
        *(b'\0' + data for data in encoded),
        *(kind + depth for kind in (b'\4', b'\5')),
        *(kind + header + data for kind in (b'\6', b'\10') for data in packed),
        b'\11' + depth[12:],
    ]


def check(data: bytes) -> None:
    """Reads a compressed message as what its format says it is."""
    choices = Choices(data)
    message = SimpleNamespace(format=choices.pick(_FORMATS), data=choices.rest())
    try:
        pixels = image_from_compressed(message)
        assert pixels.dtype == np.uint8 and pixels.shape[2:] in ((), (3,)) and pixels.size
    except ImageError:
        pass
    try:
        depth_m = depth_from_compressed(message)
    except ImageError:
        return
    assert depth_m.dtype == np.float32 and depth_m.ndim == 2 and not (depth_m <= 0).any()
