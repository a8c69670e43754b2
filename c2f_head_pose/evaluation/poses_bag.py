"""Writes poses.mcap, the estimates in the node's messages, without ROS."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..geometry import quaternion_from_rotation
from ..pose_messages import HEAD_SIZE_M, covariance, head_middle_m
from ..primary_face import PrimaryFace
from ..recordings.bagfile import require_rosbags, ros2_typestore
from ..types import HeadPose

POSE_TOPIC, POSES_TOPIC, ANGLES_TOPIC = '/head_pose/head_pose', '/head_pose/head_poses', '/head_pose/head_angles'
_TOPICS = {
    POSE_TOPIC: 'geometry_msgs/msg/PoseWithCovarianceStamped',
    POSES_TOPIC: 'vision_msgs/msg/Detection3DArray',
    ANGLES_TOPIC: 'geometry_msgs/msg/Vector3Stamped',
}


class PosesWriter:
    """Writes the node's pose topics into an .mcap file, which has the suffix .part until it is complete.

    Args:
        path: the file; replaced if it exists.
        follows: says of a track whether it is still followed, see `PrimaryFace`; None where that is not known.

    Raises:
        BagError: where rosbags is not installed.
    """

    def __init__(self, path: Path, follows: Callable[[int], bool] | None = None) -> None:
        require_rosbags()
        from rosbags.rosbag2 import StoragePlugin, Writer

        self._path, self._folder = path, path.with_name(path.stem + '.part')
        shutil.rmtree(self._folder, ignore_errors=True)
        self._store = ros2_typestore()
        self._primary = PrimaryFace(follows or (lambda _: False))
        self._writer = Writer(self._folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._connections = {topic: self._writer.add_connection(topic, kind, typestore=self._store) for topic, kind in _TOPICS.items()}

    def write(self, stamp_ns: int, log_ns: int, frame_id: str, poses: Sequence[HeadPose]) -> None:
        """Writes the messages that the node publishes for one image: all faces, and pose and angles of the primary one.

        Args:
            stamp_ns: the image's stamp.
            log_ns: recording time of the messages.
            frame_id: the image's frame.
            poses: the image's poses; the primary face is chosen as by `primary_face` 'largest'.
        """
        header = self._make(
            'std_msgs/msg/Header',
            stamp=self._make('builtin_interfaces/msg/Time', sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9),
            frame_id=frame_id,
        )
        detections = [self._detection(header, pose) for pose in poses]
        self._put(POSES_TOPIC, log_ns, self._make(_TOPICS[POSES_TOPIC], header=header, detections=detections))
        primary = self._primary.choose(poses, 'largest')
        if primary is not None:
            self._put(POSE_TOPIC, log_ns, self._make(_TOPICS[POSE_TOPIC], header=header, pose=self._with_covariance(primary)))
            yaw, pitch, roll = np.radians(primary.yaw_pitch_roll_deg).tolist()
            vector = self._make('geometry_msgs/msg/Vector3', x=roll, y=pitch, z=yaw)
            self._put(ANGLES_TOPIC, log_ns, self._make(_TOPICS[ANGLES_TOPIC], header=header, vector=vector))

    def close(self) -> None:
        """Finishes the file and renames it."""
        self._writer.close()
        next(self._folder.glob('*.mcap')).replace(self._path)
        shutil.rmtree(self._folder)

    def _put(self, topic: str, log_ns: int, message: Any) -> None:
        self._writer.write(self._connections[topic], log_ns, self._store.serialize_cdr(message, _TOPICS[topic]))

    def _make(self, kind: str, **fields: Any) -> Any:
        return self._store.types[kind](**fields)

    def _detection(self, header: Any, pose: HeadPose) -> Any:
        hypothesis = self._make('vision_msgs/msg/ObjectHypothesis', class_id=pose.category, score=float(pose.score))
        result = self._make('vision_msgs/msg/ObjectHypothesisWithPose', hypothesis=hypothesis, pose=self._with_covariance(pose))
        size = HEAD_SIZE_M if pose.t_cam_head_m is not None else (0.0, 0.0, 0.0)
        box = self._make(
            'vision_msgs/msg/BoundingBox3D',
            center=self._pose(pose.R_cam_head, head_middle_m(pose)),
            size=self._make('geometry_msgs/msg/Vector3', x=size[0], y=size[1], z=size[2]),
        )
        return self._make('vision_msgs/msg/Detection3D', header=header, results=[result], bbox=box, id=pose.face_id or '')

    def _with_covariance(self, pose: HeadPose) -> Any:
        return self._make(
            'geometry_msgs/msg/PoseWithCovariance', pose=self._pose(pose.R_cam_head, pose.t_cam_head_m), covariance=covariance(pose).ravel()
        )

    def _pose(self, R_cam_head: np.ndarray, t_cam_m: np.ndarray | None) -> Any:
        x, y, z, w = quaternion_from_rotation(R_cam_head).tolist()
        t = [0.0, 0.0, 0.0] if t_cam_m is None else np.asarray(t_cam_m, float).tolist()
        return self._make(
            'geometry_msgs/msg/Pose',
            position=self._make('geometry_msgs/msg/Point', x=t[0], y=t[1], z=t[2]),
            orientation=self._make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w),
        )
