"""Converts head poses to ROS messages with pure functions. Every header is passed on unchanged from the image.

Every number is cast to a builtin first: builds of ROS with assertions abort the process on numpy scalars.
"""

from __future__ import annotations

import copy
from array import array
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseWithCovarianceStamped, Quaternion, TransformStamped, Vector3, Vector3Stamped
from sensor_msgs.msg import Image
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from ..counting import whole_angles
from ..geometry import quaternion_from_rotation, ypr_deg_from_rotation
from ..pose_messages import HEAD_SIZE_M, covariance, head_middle_m
from ..types import HeadPose
from .frames import Mount

try:
    from vision_msgs.msg import BoundingBox3D, Detection3D, Detection3DArray, ObjectHypothesisWithPose
except ImportError:
    Detection3DArray = None
try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

GAZE_IN_FACE_XYZW = (-0.5, 0.5, -0.5, 0.5)
"""Orientation of gaze_<id> (z along the gaze, x right, y down) in face_<id>. Source: REP-155, 'gaze'."""

NO_NAMES: Mapping[int, str] = MappingProxyType({})
"""Faces are then called by their track's number."""

_AXIS_LENGTH_M = 0.15
_AXIS_COLOURS = ((1.0, 0.2, 0.2), (0.2, 1.0, 0.2), (0.3, 0.5, 1.0))


def head_pose(header: Any, pose: HeadPose, mount: Mount | None = None) -> PoseWithCovarianceStamped:
    """Returns one face's pose in the image's frame, or in that of a mount; an unknown position is 0 with variance 1e6."""
    message = PoseWithCovarianceStamped(header=_header(header, mount))
    message.pose.pose = _pose(pose, mount)
    message.pose.covariance = _covariance(pose, mount)
    return message


def head_angles(header: Any, pose: HeadPose, R_turned_cam: np.ndarray | None = None) -> Vector3Stamped:
    """Returns one face's angles in radians, relative to the camera (or to one turned by `R_turned_cam`): x roll, y pitch, z yaw.

    300W-LP signs: yaw > 0 turns to the image's left, pitch > 0 looks up, roll > 0 tilts clockwise in the image; each is the
    opposite of a right-handed turn about the head's own axis.
    """
    R = pose.R_cam_head if R_turned_cam is None else R_turned_cam @ pose.R_cam_head
    yaw, pitch, roll = np.radians(ypr_deg_from_rotation(R)).tolist()
    return Vector3Stamped(header=header, vector=Vector3(x=roll, y=pitch, z=yaw))


def markers(header: Any, poses: Sequence[HeadPose], mount: Mount | None = None, names: Mapping[int, str] = NO_NAMES) -> MarkerArray:
    """Returns head axes (red out of the face, green to the person's left, blue to the scalp) and a label for each face, for RViz.

    The first marker deletes what was drawn before, so with no face nothing remains. A face whose position is not known is
    drawn at the frame's origin.
    """
    header = _header(header, mount)
    array_ = [Marker(header=header, ns='head_axes', action=Marker.DELETEALL)]
    arrows = [
        Marker(
            header=header,
            ns='head_axes',
            type=Marker.ARROW,
            action=Marker.ADD,
            scale=Vector3(x=0.015, y=0.03, z=0.04),
            color=ColorRGBA(r=r, g=g, b=b, a=1.0),
        )
        for r, g, b in _AXIS_COLOURS
    ]
    label = Marker(
        header=header,
        ns='head_label',
        type=Marker.TEXT_VIEW_FACING,
        action=Marker.ADD,
        scale=Vector3(x=0.0, y=0.0, z=0.06),
        color=ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
    )
    R_cam_head = np.array([pose.R_cam_head for pose in poses]).reshape(-1, 3, 3)
    R_frame_cam = np.eye(3) if mount is None else mount.R_target_cam
    axes = (_AXIS_LENGTH_M * (R_frame_cam @ R_cam_head)).swapaxes(1, 2).tolist()
    above = (R_frame_cam @ [0.0, -0.25, 0.0]).tolist()
    for index, (pose, tips, ypr_deg) in enumerate(zip(poses, axes, ypr_deg_from_rotation(R_cam_head).tolist())):
        position = _position(pose.t_cam_head_m, mount)
        array_ += [
            _like(arrow, id=3 * index + axis, points=[position, _beyond(position, tip)])
            for axis, (arrow, tip) in enumerate(zip(arrows, tips))
        ]
        name = f'face {_name(pose.track_id, names)}' if pose.track_id is not None else 'face'
        angles = whole_angles(ypr_deg) if pose.angles_reliable else 'turned away'
        array_.append(
            _like(
                label,
                id=index,
                pose=Pose(position=_beyond(position, above)),
                text=f'{name}\n{angles}' + ('' if pose.t_cam_head_m is not None else '\nposition unknown'),
            )
        )
    return MarkerArray(markers=array_)


def head_poses(header: Any, poses: Iterable[HeadPose], mount: Mount | None = None, names: Mapping[int, str] = NO_NAMES) -> Any:
    """Returns vision_msgs/Detection3DArray with every face; empty when no face was found. Needs vision_msgs.

    Of each: id `face_<track>`, class_id the category L1..L4, the detection's score, pose with covariance, and a box of a
    head's size about its middle where the position is known (else of size 0).
    """
    header = _header(header, mount)
    array_ = Detection3DArray(header=header)
    for pose in poses:
        detection = Detection3D(header=header, id=face_frame(pose, names) if pose.track_id is not None else '')
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = str(pose.category)
        result.hypothesis.score = float(pose.score)
        result.pose.pose = _pose(pose, mount)
        result.pose.covariance = _covariance(pose, mount)
        detection.results = [result]
        size = HEAD_SIZE_M if pose.t_cam_head_m is not None else (0.0, 0.0, 0.0)
        middle = Pose(position=_position(head_middle_m(pose), mount), orientation=result.pose.pose.orientation)
        detection.bbox = BoundingBox3D(center=middle, size=Vector3(x=size[0], y=size[1], z=size[2]))
        array_.detections.append(detection)
    return array_


def transforms(header: Any, poses: Iterable[HeadPose], names: Mapping[int, str] = NO_NAMES) -> Any:
    """Returns tf2_msgs/TFMessage with face_<id> and gaze_<id> of every tracked face with a known position. Needs tf2_msgs.

    The parent is the camera's frame, whatever the target frame: TF knows the rest of the way (REP-155). Without a frame_id there is no
    parent, so nothing: every listener of TF logs an error for each such transform.
    """
    message = TFMessage()
    if not header.frame_id:
        return message
    for pose in poses:
        if pose.t_cam_head_m is None or pose.track_id is None:
            continue
        face = TransformStamped(header=header, child_frame_id=face_frame(pose, names))
        position = _position(pose.t_cam_head_m, None)
        face.transform.translation = Vector3(x=position.x, y=position.y, z=position.z)
        face.transform.rotation = _quaternion(pose, None)
        gaze = TransformStamped(child_frame_id=f'gaze_{_name(pose.track_id, names)}')
        gaze.header.stamp, gaze.header.frame_id = header.stamp, face.child_frame_id
        gaze.transform.rotation = Quaternion(**dict(zip('xyzw', GAZE_IN_FACE_XYZW)))
        message.transforms += [face, gaze]
    return message


def image(header: Any, pixels: np.ndarray) -> Image:
    """Returns sensor_msgs/Image of (H, W) gray or (H, W, 3) BGR uint8."""
    return _image(header, pixels, 'mono8' if pixels.ndim == 2 else 'bgr8')


def depth(header: Any, depth_m: np.ndarray) -> Image:
    """Returns sensor_msgs/Image of (H, W) float32 metres, NaN unknown."""
    return _image(header, depth_m, '32FC1')


def _image(header: Any, pixels: np.ndarray, encoding: str) -> Image:
    pixels = np.ascontiguousarray(pixels)
    data = array('B')
    data.frombytes(memoryview(pixels.data).cast('B'))  # a tenth of a millisecond; assigning bytes or an array takes 100
    return Image(header=header, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, step=pixels.strides[0], data=data)


def face_frame(pose: HeadPose, names: Mapping[int, str] = NO_NAMES) -> str:
    """Returns the name of a tracked face and of its TF frame."""
    return f'face_{_name(pose.track_id, names)}'


def stamp_s(header: Any) -> float:
    """Returns a header's stamp in seconds."""
    return header.stamp.sec + 1e-9 * header.stamp.nanosec


def time_message(nanoseconds: int) -> Time:
    """Returns a time in nanoseconds, at least 0, as a message; a time after 2038 does not fit and becomes the last second that does."""
    return Time(sec=min(nanoseconds // 10**9, 2**31 - 1), nanosec=nanoseconds % 10**9)


def _name(track_id: int | None, names: Mapping[int, str]) -> str:
    return str(track_id if track_id is None else names.get(track_id, track_id))


def _header(header: Any, mount: Mount | None) -> Any:
    return header if mount is None else mount.header(header)


def _like(marker: Marker, **fields: Any) -> Marker:
    """A marker that differs from another in these fields and shares the rest; a new one takes four times as long to make."""
    other = copy.copy(marker)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _beyond(point: Point, step: Sequence[float]) -> Point:
    return Point(x=point.x + step[0], y=point.y + step[1], z=point.z + step[2])


def _covariance(pose: HeadPose, mount: Mount | None) -> list[float]:
    return covariance(pose, None if mount is None else mount.R_target_cam).ravel().tolist()


def _pose(pose: HeadPose, mount: Mount | None) -> Pose:
    return Pose(position=_position(pose.t_cam_head_m, mount), orientation=_quaternion(pose, mount))


def _position(t_cam_m: np.ndarray | None, mount: Mount | None) -> Point:
    if t_cam_m is None:
        return Point()
    t = np.asarray(t_cam_m, float)
    x, y, z = (t if mount is None else mount.R_target_cam @ t + mount.t_target_cam_m).tolist()
    return Point(x=x, y=y, z=z)


def _quaternion(pose: HeadPose, mount: Mount | None) -> Quaternion:
    R = pose.R_cam_head if mount is None else mount.R_target_cam @ pose.R_cam_head
    x, y, z, w = quaternion_from_rotation(R).tolist()
    return Quaternion(x=x, y=y, z=z, w=w)
