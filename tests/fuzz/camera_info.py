"""sensor_msgs/CameraInfo, and the rays of whatever camera it is taken for."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import numpy as np

from c2f_head_pose.camera import camera_from_info, pixel_ray

from .choices import Choices

MODULES = ('c2f_head_pose.camera',)
_MODELS = ('plumb_bob', 'rational_polynomial', 'equidistant', 'fisheye', '', 'omni')
_LENGTHS = (0, 4, 5, 8, 12, 14, 3)


def seeds() -> list[bytes]:
    """A camera of 640x480 of every distortion model and number of coefficients."""

    def numbers(values):
        return b''.join(b'\xff' + struct.pack('<d', value) for value in values)

    k = [500, 0, 320, 0, 500, 240, 0, 0, 1]
    p = [500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0]
    start = bytes([0, 0]) + b''.join(b'\xf0' + struct.pack('<I', size) for size in (640, 480)) + bytes(6)
    return [
        start + numbers(k + p) + bytes([model, length]) + numbers([-0.2, 0.05, 0.001, 0.001, -0.01, 0.1, 0, 0, 0, 0, 0, 0, 0, 0])
        for model in range(len(_MODELS))
        for length in range(len(_LENGTHS))
    ]


def check(data: bytes) -> None:
    """Reads a calibration; a camera that is accepted has a ray of unit length through its corner."""
    choices = Choices(data)
    rectified, capitals = choices.integer() > 127, choices.integer() > 127
    info = SimpleNamespace(
        width=choices.size(),
        height=choices.size(),
        binning_x=choices.size(),
        binning_y=choices.size(),
        roi=SimpleNamespace(x_offset=choices.size(), y_offset=choices.size(), width=choices.size(), height=choices.size()),
    )
    matrices = {'k': [choices.number() for _ in range(9)], 'p': [choices.number() for _ in range(12)]}
    info.distortion_model = choices.pick(_MODELS)
    matrices['d'] = [choices.number() for _ in range(choices.pick(_LENGTHS))]
    vars(info).update({name.upper() if capitals else name: values for name, values in matrices.items()})
    try:
        camera = camera_from_info(info, rectified)
    except ValueError:
        return
    if camera is None:
        return
    for x, y in ((0, 0), (camera.width / 3, camera.height), (-1e6, 1e9)):
        try:
            ray = pixel_ray(camera, x, y)
        except ValueError:
            assert (x, y) != (0, 0)
            continue
        assert ray.shape == (3,) and abs(np.linalg.norm(ray) - 1) < 1e-6, (camera, x, y, ray)
