"""The sample recording's frames, for tests that need a face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from c2f_head_pose import Camera
from c2f_head_pose.camera import camera_from_info
from c2f_head_pose.geometry import rotation_from_quaternion
from c2f_head_pose.images import image_from_compressed

BAG = Path(__file__).parents[1] / 'sample' / 'head_motion'


@dataclass(frozen=True, eq=False)
class SampleFrame:
    """One image of the recording with its stamp, calibration, true R_cam_head and position of the sellion."""

    stamp_s: float
    image: np.ndarray
    camera: Camera
    R_cam_head: np.ndarray
    t_cam_head_m: np.ndarray


@lru_cache(maxsize=1)
def frames() -> list[SampleFrame]:
    """Every frame, in order."""
    types = get_typestore(Stores.ROS2_JAZZY)
    by_topic: dict[str, dict[int, object]] = {}
    with Reader(BAG) as bag:
        for connection, stamp_ns, data in bag.messages():
            by_topic.setdefault(connection.topic, {})[stamp_ns] = types.deserialize_cdr(data, connection.msgtype)
    images, infos, truths = (by_topic[t] for t in ('/camera/image/compressed', '/camera/camera_info', '/truth/head_pose'))
    quaternion = [[(q := truths[s].pose.orientation).x, q.y, q.z, q.w] for s in sorted(images)]
    position = [np.array([(p := truths[s].pose.position).x, p.y, p.z]) for s in sorted(images)]
    return [
        SampleFrame(s * 1e-9, image_from_compressed(images[s]), camera_from_info(infos[s]), rotation_from_quaternion(np.array(q)), t)
        for s, q, t in zip(sorted(images), quaternion, position)
    ]
