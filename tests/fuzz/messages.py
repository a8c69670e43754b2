"""Serialised messages (CDR) of every type that an evaluation reads, cut off and damaged."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bag_making import CAMERA, START_NS, Recording, image_message, info_message, pose_message, write_bag

from c2f_head_pose.camera import camera_from_info
from c2f_head_pose.evaluation.sources import poses_from_message
from c2f_head_pose.images import ImageError, depth_m_from_message, image_from_compressed, image_from_message
from c2f_head_pose.recordings.bagfile import BagError, BagFile, BagMessage

from .choices import Choices

MODULES = ('c2f_head_pose.recordings.message_types', 'c2f_head_pose.evaluation.sources', 'c2f_head_pose.images')
_IMAGE = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(6, 8, 3)


@functools.cache
def _bag() -> BagFile:
    """A recording with a topic of every type, kept open; its own messages are the seeds."""
    made = Recording()
    made.add('/image', 'sensor_msgs/msg/Image', START_NS, lambda s: image_message(s, _IMAGE, START_NS))
    made.add('/camera_info', 'sensor_msgs/msg/CameraInfo', START_NS, lambda s: info_message(s, CAMERA, START_NS))
    made.add('/compressed', 'sensor_msgs/msg/CompressedImage', START_NS, _compressed)
    for name, kind in (('/pose', 'geometry_msgs/msg/PoseStamped'), ('/quaternion', 'geometry_msgs/msg/QuaternionStamped')):
        made.add(name, kind, START_NS, lambda s, kind=kind: pose_message(s, np.eye(3), START_NS, kind))
    made.add('/with_covariance', 'geometry_msgs/msg/PoseWithCovarianceStamped', START_NS, _with_covariance)
    made.add('/detections', 'vision_msgs/msg/Detection3DArray', START_NS, _detections)
    with tempfile.TemporaryDirectory() as folder:
        return BagFile(write_bag(Path(folder) / 'bag', made))


def _compressed(store: Any) -> Any:
    from bag_making import compressed_message

    return compressed_message(store, _IMAGE, START_NS)


def _with_covariance(store: Any) -> Any:
    pose = pose_message(store, np.eye(3), START_NS)
    return store.types['geometry_msgs/msg/PoseWithCovarianceStamped'](
        header=pose.header, pose=store.types['geometry_msgs/msg/PoseWithCovariance'](pose=pose.pose, covariance=np.eye(6).ravel())
    )


def _detections(store: Any) -> Any:
    pose = _with_covariance(store)
    types = store.types
    result = types['vision_msgs/msg/ObjectHypothesisWithPose'](
        hypothesis=types['vision_msgs/msg/ObjectHypothesis'](class_id='L1', score=0.9), pose=pose.pose
    )
    box = types['vision_msgs/msg/BoundingBox3D'](center=pose.pose.pose, size=types['geometry_msgs/msg/Vector3'](x=0.1, y=0.1, z=0.1))
    one = types['vision_msgs/msg/Detection3D'](header=pose.header, results=[result], bbox=box, id='face_7')
    return types['vision_msgs/msg/Detection3DArray'](header=pose.header, detections=[one, one])


def seeds() -> list[bytes]:
    """The recording's messages, each behind the number of its topic."""
    topics = sorted(_bag().topics)
    return [bytes([topics.index(message.topic)]) + bytes(message.raw) for message in _bag().messages()]


def check(data: bytes) -> None:
    """Decodes a message and makes of it what an evaluation makes of it."""
    choices = Choices(data)
    topic = choices.pick(sorted(_bag().topics))
    kind = _bag().topics[topic].type
    try:
        message = BagMessage(topic, START_NS, choices.rest(), _bag()).decode()
        _use(message, kind)
    except (BagError, ImageError):
        pass


def _use(message: Any, kind: str) -> None:
    assert isinstance(message.header.stamp.sec, int) and isinstance(message.header.frame_id, str)
    if kind == 'sensor_msgs/msg/Image':
        read = depth_m_from_message if message.encoding in ('16UC1', '32FC1') else image_from_message
        assert read(message).ndim in (2, 3)
    elif kind == 'sensor_msgs/msg/CompressedImage':
        assert image_from_compressed(message).ndim in (2, 3)
    elif kind == 'sensor_msgs/msg/CameraInfo':
        try:
            camera_from_info(message)
        except ValueError:
            return
    else:
        for pose in poses_from_message(message, kind):
            np.testing.assert_allclose(pose.R_cam_head @ pose.R_cam_head.T, np.eye(3), atol=1e-6)
            assert not (pose.rotation_std_deg < 0).any()
