"""Recordings of depth beside images, as drivers and image_transport write them: raw or compressed, in a frame of its own, with TF."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, header, image_message, info_message
from field_recordings import IMAGE_TYPE, PERIOD_NS

from c2f_head_pose.types import Camera

COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
OPTICAL = (-0.5, 0.5, -0.5, 0.5)
"""Quaternion of an optical frame (z forward, x right, y down) in its body frame (x forward, y left, z up): REP-103."""
NO_TURN = (0.0, 0.0, 0.0, 1.0)
DEPTH_FRAME = 'camera_depth_optical_frame'

MOUNTING = (
    ('camera_link', 'camera_color_frame', (0.0, 0.0, 0.0), NO_TURN),
    ('camera_color_frame', FRAME_ID, (0.0, 0.0, 0.0), OPTICAL),
    ('camera_link', 'camera_depth_frame', (0.0, 0.2, 0.0), NO_TURN),
    ('camera_depth_frame', DEPTH_FRAME, (0.0, 0.0, 0.0), OPTICAL),
)
"""Parent, child, position and rotation of each transform: the depth camera is 0.2 m to the left of the image's."""


def plate_before_wall(shift_px: int = 150) -> np.ndarray:
    """(480, 640) uint16 mm: a wall at 3 m, and a plate of 100 x 100 pixels at 0.8 m, `shift_px` to the right of the middle."""
    depth_mm = np.full((480, 640), 3000, np.uint16)
    depth_mm[190:290, 270 + shift_px : 370 + shift_px] = 800
    return depth_mm


def png(values: np.ndarray) -> bytes:
    return cv2.imencode('.png', np.asarray(values, np.uint16))[1].tobytes()


def rvl(values: np.ndarray) -> bytes:
    """16-bit depth as compressed_depth_image_transport's codec writes it: width and height, then RVL, pixel by pixel."""
    groups: list[int] = []

    def put(number: int) -> None:
        while number > 7:
            groups.append(number % 8 + 8)
            number //= 8
        groups.append(number)

    pixels, at, previous = [int(v) for v in np.asarray(values).ravel()], 0, 0
    while at < len(pixels):
        begin = at
        while at < len(pixels) and pixels[at] == 0:
            at += 1
        put(at - begin)
        begin = at
        while at < len(pixels) and pixels[at]:
            at += 1
        put(at - begin)
        for pixel in pixels[begin:at]:
            step, previous = pixel - previous, pixel
            put(2 * step if step >= 0 else -2 * step - 1)
    groups += [0] * (-len(groups) % 8)
    words = [int(''.join(f'{group:x}' for group in groups[k : k + 8]), 16) for k in range(0, len(groups), 8)]
    height, width = np.asarray(values).shape
    return struct.pack(f'<2I{len(words)}I', width, height, *words)


def quantisation(quantum: float = 100.0, farthest_m: float = 10.0) -> tuple[float, float]:
    """depthQuantA and B of the transport's parameters depth_quantization and depth_max (codec.cpp, encodeCompressedDepthImage)."""
    a = quantum * (quantum + 1.0)
    return a, 1.0 - a / farthest_m


def inverse(depth_m: np.ndarray, a: float, b: float) -> np.ndarray:
    """(H, W) uint16 that the transport stores of 32FC1: A / z + B, 0 for NaN."""
    return np.where(np.isfinite(depth_m), np.nan_to_num(a / np.asarray(depth_m, float) + b), 0).astype(np.uint16)


@dataclass(frozen=True)
class Codec:
    """How depth of 16-bit millimetres is recorded.

    Attributes:
        ending: of the topic.
        format: of the CompressedImage; None for raw depth.
        data: its bytes.
    """

    ending: str = ''
    format: str | None = None
    data: Callable[[np.ndarray], bytes] = lambda depth_mm: b''


_HEADER = struct.pack('<i2f', 0, 0.0, 0.0)
_A, _B = quantisation()


def _metres(pack: Callable[[np.ndarray], bytes]) -> Callable[[np.ndarray], bytes]:
    return lambda depth_mm: struct.pack('<i2f', 0, _A, _B) + pack(inverse(np.where(depth_mm == 0, np.nan, depth_mm * 0.001), _A, _B))


RAW = Codec()
PNG_MM = Codec('/compressedDepth', '16UC1; compressedDepth png', lambda depth_mm: _HEADER + png(depth_mm))
PNG_M = Codec('/compressedDepth', '32FC1; compressedDepth png', _metres(png))
RVL_MM = Codec('/compressedDepth', '16UC1; compressedDepth rvl', lambda depth_mm: _HEADER + rvl(depth_mm))
RVL_M = Codec('/compressedDepth', '32FC1; compressedDepth rvl', _metres(rvl))
ROS1_PNG = Codec('/compressedDepth', '16UC1; compressedDepth', lambda depth_mm: _HEADER + png(depth_mm))
"""As Kinetic's image_transport names it, before there was a choice of codecs."""
PLAIN_PNG = Codec('/compressed', '16UC1; png compressed ', png)
"""As image_transport's other transport writes 16-bit images with its parameter format set to png."""


def depth_recording(
    depth_mm: np.ndarray,
    codec: Codec = RAW,
    frame_id: str = FRAME_ID,
    topic: str = '/camera/depth/image_raw',
    depth_camera: Camera | None = None,
    image_camera: Camera | None = CAMERA,
    transforms: tuple[tuple[Any, ...], ...] = (),
    tf_topic: str = '/tf_static',
    count: int = 3,
    image: np.ndarray | None = None,
) -> Recording:
    """Gray images with depth of the same stamps.

    Args:
        depth_mm: (H, W), 0 unknown.
        codec: how it is recorded.
        frame_id: of the depth.
        topic: of the depth, without its transport's ending.
        depth_camera: its calibration, on camera_info beside it; None for none.
        image_camera: calibration of the images.
        transforms: as MOUNTING.
        tf_topic: written once if it is /tf_static, else before each image.
        count: of images.
        image: (H, W) uint8 instead of 640x480 pixels of one gray.
    """
    made, gray = Recording(), np.full((480, 640), 90, np.uint8) if image is None else image
    for k in range(count):
        ns = START_NS + k * PERIOD_NS
        made.add('/camera/color/image_raw', IMAGE_TYPE, ns, lambda s, ns=ns: image_message(s, gray, ns, 'mono8'))
        if image_camera is not None:
            made.add('/camera/color/camera_info', 'sensor_msgs/msg/CameraInfo', ns, lambda s, ns=ns: info_message(s, image_camera, ns))
        made.add(
            topic + codec.ending,
            IMAGE_TYPE if codec.format is None else COMPRESSED_TYPE,
            ns,
            lambda s, ns=ns: _in_frame(_depth_message(s, depth_mm, codec, ns), frame_id),
        )
        if depth_camera is not None:
            made.add(
                f'{topic.rpartition("/")[0]}/camera_info',
                'sensor_msgs/msg/CameraInfo',
                ns,
                lambda s, ns=ns: _in_frame(info_message(s, depth_camera, ns), frame_id),
            )
        if transforms and (k == 0 or tf_topic != '/tf_static'):
            made.add(tf_topic, 'tf2_msgs/msg/TFMessage', ns, lambda s, ns=ns: _tf_message(s, transforms, ns))
    return made


def _depth_message(store: Any, depth_mm: np.ndarray, codec: Codec, ns: int) -> Any:
    if codec.format is None:
        return image_message(store, depth_mm, ns, '16UC1')
    data = np.frombuffer(codec.data(depth_mm), np.uint8)
    return store.types[COMPRESSED_TYPE](header=header(store, ns), format=codec.format, data=data)


def _in_frame(message: Any, frame_id: str) -> Any:
    message.header.frame_id = frame_id
    return message


def _tf_message(store: Any, transforms: tuple[tuple[Any, ...], ...], ns: int) -> Any:
    types = store.types
    stamped = [
        types['geometry_msgs/msg/TransformStamped'](
            header=header(store, ns, parent),
            child_frame_id=child,
            transform=types['geometry_msgs/msg/Transform'](
                translation=types['geometry_msgs/msg/Vector3'](*position), rotation=types['geometry_msgs/msg/Quaternion'](*rotation)
            ),
        )
        for parent, child, position, rotation in transforms
    ]
    return types['tf2_msgs/msg/TFMessage'](transforms=stamped)
