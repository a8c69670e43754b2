"""Registration of depth: any two calibrations, any transforms between the frames, any depth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from c2f_head_pose.camera import camera_from_info
from c2f_head_pose.depth_alignment import RECORDED, DepthAlignment, DepthError, ImageView
from c2f_head_pose.transforms import TransformTree

from .choices import Choices

MODULES = ('c2f_head_pose.depth_alignment', 'c2f_head_pose.depth_registration', 'c2f_head_pose.transforms')
_MODELS = ('plumb_bob', 'rational_polynomial', 'equidistant')
_LENGTHS = {'plumb_bob': 5, 'rational_polynomial': 8, 'equidistant': 4}
_FRAMES = ('image', 'depth', 'link', 'base', '')


def seeds() -> list[bytes]:
    """Cameras of each distortion model, transforms in a chain and in a circle."""
    numbers = bytes((6, 5, 1, 3, 2, 4))
    return [bytes([12, 16, model]) + numbers * size for model in range(3) for size in (8, 30)] + [bytes(range(250)), bytes(400)]


def check(data: bytes) -> None:
    """Registers a depth image; what is accepted has the image's size, and no depth that is not positive."""
    choices = Choices(data)
    image_info, depth_info = _info(choices), _info(choices)
    try:
        camera = camera_from_info(image_info)
    except ValueError:
        return
    if camera is None:
        return
    alignment, tree = DepthAlignment('/depth/image', '/depth/camera_info', RECORDED), TransformTree()
    alignment.update(depth_info)
    tree.add(SimpleNamespace(transforms=[_transform(choices) for _ in range(choices.integer() % 5)]))
    alignment.tf = tree
    header = SimpleNamespace(frame_id=choices.pick(_FRAMES))
    view = ImageView(SimpleNamespace(frame_id=choices.pick(_FRAMES)), (image_info.height, image_info.width), camera)
    depth_m = np.array([choices.number() for _ in range(8)], np.float32)
    depth_m = np.resize(np.where(depth_m > 0, depth_m, np.float32(np.nan)), (depth_info.height, depth_info.width))
    try:
        registered_m = alignment.align(depth_m, header, view)
    except DepthError:
        return
    assert registered_m.dtype == np.float32 and registered_m.shape == view.shape and not (registered_m <= 0).any()


def _info(choices: Choices) -> SimpleNamespace:
    height, width = 1 + choices.integer() % 32, 1 + choices.integer() % 32
    model = choices.pick(_MODELS)
    fx, cx, fy, cy = (choices.number() for _ in range(4))
    return SimpleNamespace(
        width=width,
        height=height,
        binning_x=0,
        binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
        distortion_model=model,
        k=[fx, 0, cx, 0, fy, cy, 0, 0, 1],
        p=[fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0],
        d=[choices.number() for _ in range(_LENGTHS[model])],
    )


def _transform(choices: Choices) -> SimpleNamespace:
    x, y, z, w = (choices.number() for _ in range(4))
    return SimpleNamespace(
        header=SimpleNamespace(frame_id=choices.pick(_FRAMES)),
        child_frame_id=choices.pick(_FRAMES),
        transform=SimpleNamespace(
            rotation=SimpleNamespace(x=x, y=y, z=z, w=w),
            translation=SimpleNamespace(x=choices.number(), y=choices.number(), z=choices.number()),
        ),
    )
