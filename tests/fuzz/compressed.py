"""sensor_msgs/CompressedImage: pictures and compressed depth, damaged anywhere."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np

from c2f_head_pose.images import ImageError, image_from_compressed

from .choices import Choices

try:
    from c2f_head_pose.images import depth_from_compressed
except ImportError:  # no ROS here
    depth_from_compressed = None

MODULES = ('c2f_head_pose.images', 'c2f_head_pose.images.encoded', 'c2f_head_pose.images.messages', 'c2f_head_pose.ros.depth_input')
_FORMATS = (
    'jpeg',
    'png',
    '',
    'bgr8; jpeg compressed bgr8',
    '16UC1; compressedDepth png',
    '32FC1; compressedDepth png',
    '16UC1; compressedDepth rvl',
    'compressedDepth',
)


def seeds() -> list[bytes]:
    """A picture of each kind that OpenCV writes, and depth."""
    picture = np.arange(16 * 24 * 3, dtype=np.uint8).reshape(16, 24, 3)
    kinds = ['.jpg', '.png', '.webp', '.bmp', '.tiff']
    encoded = [cv2.imencode(kind, image)[1].tobytes() for kind in kinds for image in (picture, picture[..., 0])]
    encoded.append(cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes())
    depth = bytes(4) + np.float32([1000, 1]).tobytes() + cv2.imencode('.png', picture[..., 0].astype(np.uint16))[1].tobytes()
    return [b'\0' + data for data in encoded] + [b'\4' + depth, b'\5' + depth]


def check(data: bytes) -> None:
    """Reads a compressed message as what its format says it is."""
    choices = Choices(data)
    message = SimpleNamespace(format=choices.pick(_FORMATS), data=choices.rest())
    try:
        pixels = image_from_compressed(message)
        assert pixels.dtype == np.uint8 and pixels.shape[2:] in ((), (3,)) and pixels.size
    except ImageError:
        pass
    if depth_from_compressed is not None and 'compressedDepth' in message.format:
        try:
            depth_m = depth_from_compressed(message)
        except ImageError:
            return
        assert depth_m.dtype == np.float32 and depth_m.ndim == 2 and not (depth_m <= 0).any()
