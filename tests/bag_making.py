"""Small recordings for tests: a face picture that turns and moves over a background, with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from c2f_head_pose.camera import pixel_ray
from c2f_head_pose.geometry import quaternion_from_rotation, ray_rotation, rotation_from_vector, rotation_from_ypr_deg
from c2f_head_pose.recordings.bagfile import ros2_typestore
from c2f_head_pose.recordings.choice import TF_TYPES
from c2f_head_pose.types import Camera

FACE = Path(__file__).parent / 'data' / 'face.jpg'
"""Rendered by training/synthetic (preset wide, seed 1, sample 7, over gray), so free to use."""
R_PICTURE = rotation_from_ypr_deg(np.array([6.75, -8.71, -1.63]))
"""(3, 3) the rotation it was rendered with, relative to the ray through its middle."""
START_NS = 1_700_000_000_000_000_000
FRAME_ID = 'camera_optical'
CAMERA = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]))


@dataclass(frozen=True)
class Scene:
    """A face picture's course: the truth is R_ray Rz(roll) R_PICTURE.

    Attributes:
        rate_hz: images a second.
        duration_s: length.
        roll_deg, x_px, y_px: of the time in seconds.
        absent: whether the face is away at a time.
    """

    duration_s: float = 4.0
    rate_hz: float = 15.0
    roll_deg: Callable[[float], float] = lambda t: 25 * np.sin(2 * np.pi * 0.4 * t)
    x_px: Callable[[float], float] = lambda t: 320 + 60 * np.sin(2 * np.pi * 0.15 * t)
    y_px: Callable[[float], float] = lambda t: 240.0
    absent: Callable[[float], bool] = lambda t: False
    size_px: int = 340

    @property
    def times_s(self) -> np.ndarray:
        return np.arange(round(self.duration_s * self.rate_hz)) / self.rate_hz

    def truth(self, t: float) -> np.ndarray:
        """(3, 3) R_cam_head."""
        ray = pixel_ray(CAMERA, self.x_px(t), self.y_px(t))
        return ray_rotation(ray) @ rotation_from_vector(np.array([0, 0, np.radians(self.roll_deg(t))])) @ R_PICTURE

    def position_m(self, t: float) -> np.ndarray:
        """(3,) somewhere along the ray through the picture's centre."""
        return 0.6 * pixel_ray(CAMERA, self.x_px(t), self.y_px(t))

    def image(self, t: float) -> np.ndarray:
        rng = np.random.default_rng(7)
        canvas = cv2.resize(rng.integers(60, 110, (12, 16, 3), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
        if self.absent(t):
            return canvas
        face = cv2.imread(str(FACE))
        scale = self.size_px / face.shape[0]
        # OpenCV turns counter-clockwise for positive angles; roll > 0 is clockwise
        M = cv2.getRotationMatrix2D((face.shape[1] / 2, face.shape[0] / 2), -self.roll_deg(t), scale)
        M[:, 2] += [self.x_px(t) - face.shape[1] / 2, self.y_px(t) - face.shape[0] / 2]
        mask = cv2.ellipse(
            np.zeros(face.shape[:2], np.uint8),
            (face.shape[1] // 2, face.shape[0] // 2),
            (int(0.48 * face.shape[1]), int(0.49 * face.shape[0])),
            0,
            0,
            360,
            255,
            -1,
        )
        alpha = cv2.warpAffine(cv2.GaussianBlur(mask, (0, 0), 4), M, (640, 480)).astype(np.float32)[:, :, None] / 255
        return (cv2.warpAffine(face, M, (640, 480)) * alpha + canvas * (1 - alpha)).astype(np.uint8)


@dataclass
class Recording:
    """Messages to write: (topic, type, log_ns, builder of the message from a typestore)."""

    messages: list[tuple[str, str, int, Callable[[Any], Any]]] = field(default_factory=list)

    def add(self, topic: str, kind: str, log_ns: int, build: Callable[[Any], Any]) -> None:
        self.messages.append((topic, kind, log_ns, build))

    def __iter__(self) -> Iterator[tuple[str, str, int, Callable[[Any], Any]]]:
        return iter(sorted(self.messages, key=lambda m: m[2]))


def scene_recording(
    scene: Scene,
    truth_delay_s: float = 0.0,
    R_mount: np.ndarray | None = None,
    truth: str = 'pose',
    encoding: str = 'bgr8',
    stamps_ns: list[int] | None = None,
    compressed: bool = False,
) -> Recording:
    """A scene with calibration and truth at 100 Hz.

    Args:
        scene: what is seen.
        truth_delay_s: the truth's stamps are late by this.
        R_mount: R_true is multiplied by it on the right, like a tracker mounted askew on the head.
        truth: 'pose', 'none', or 'quaternion'.
        encoding: of the images: 'bgr8' or 'mono8'.
        stamps_ns: of the images, instead of the scene's own.
        compressed: PNG instead of raw.
    """
    recording = Recording()
    for k, t in enumerate(scene.times_s):
        log_ns = START_NS + round(t * 1e9)
        stamp_ns = log_ns if stamps_ns is None else stamps_ns[k]
        picture = scene.image(t)
        if compressed:
            recording.add(
                '/camera/image_raw/compressed',
                'sensor_msgs/msg/CompressedImage',
                log_ns + 2_000_000,
                lambda s, p=picture, n=stamp_ns: compressed_message(s, p, n),
            )
        else:
            recording.add(
                '/camera/image_raw',
                'sensor_msgs/msg/Image',
                log_ns + 2_000_000,
                lambda s, p=picture, n=stamp_ns: image_message(s, p, n, encoding),
            )
        recording.add(
            '/camera/camera_info', 'sensor_msgs/msg/CameraInfo', log_ns + 1_000_000, lambda s, n=stamp_ns: info_message(s, CAMERA, n)
        )
    if truth != 'none':
        kind = {'pose': 'geometry_msgs/msg/PoseStamped', 'quaternion': 'geometry_msgs/msg/QuaternionStamped'}[truth]
        for t in np.arange(-0.6, scene.duration_s + 0.6, 0.01):
            R = scene.truth(t) @ (np.eye(3) if R_mount is None else R_mount)
            stamp_ns = START_NS + round((t + truth_delay_s) * 1e9)
            recording.add(
                '/truth/head',
                kind,
                max(START_NS, stamp_ns),
                lambda s, R=R, n=stamp_ns, t=t: pose_message(s, R, n, kind, position_m=scene.position_m(t)),
            )
    return recording


def write_bag(path: Path, recording: Recording, kind: str = 'mcap') -> Path:
    """Writes a recording as 'mcap', 'sqlite3' or 'rosbag1'; returns its path."""
    store = get_typestore(Stores.ROS1_NOETIC) if kind == 'rosbag1' else ros2_typestore()
    if kind == 'rosbag1':
        for tf_type in TF_TYPES:
            store.register(get_types_from_msg('geometry_msgs/TransformStamped[] transforms', tf_type))
        path = path.with_suffix('.bag')
        writer: Any = Writer1(path)
    else:
        writer = Writer2(path, version=9, storage_plugin=StoragePlugin.MCAP if kind == 'mcap' else StoragePlugin.SQLITE3)
    with writer:
        connections: dict[str, Any] = {}
        for topic, type_name, log_ns, build in recording:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, type_name, typestore=store)
            message = build(store)
            raw = store.serialize_ros1(message, type_name) if kind == 'rosbag1' else store.serialize_cdr(message, type_name)
            writer.write(connections[topic], log_ns, raw)
    return path


def header(store: Any, stamp_ns: int, frame_id: str = FRAME_ID) -> Any:
    stamp = store.types['builtin_interfaces/msg/Time'](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    sequence = {'seq': 0} if 'seq' in store.types['std_msgs/msg/Header'].__dataclass_fields__ else {}
    return store.types['std_msgs/msg/Header'](stamp=stamp, frame_id=frame_id, **sequence)


def image_message(store: Any, image: np.ndarray, stamp_ns: int, encoding: str = 'bgr8') -> Any:
    if encoding == 'mono8' and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    data = np.ascontiguousarray(image).view(np.uint8).reshape(image.shape[0], -1)
    return store.types['sensor_msgs/msg/Image'](
        header=header(store, stamp_ns),
        height=image.shape[0],
        width=image.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=data.shape[1],
        data=data.ravel(),
    )


def compressed_message(store: Any, image: np.ndarray, stamp_ns: int) -> Any:
    data = cv2.imencode('.png', image)[1].ravel()
    return store.types['sensor_msgs/msg/CompressedImage'](header=header(store, stamp_ns), format='bgr8; png compressed bgr8', data=data)


def info_message(store: Any, camera: Camera, stamp_ns: int) -> Any:
    fields = {'D': np.zeros(5), 'K': camera.K.ravel(), 'R': np.eye(3).ravel(), 'P': np.hstack([camera.K, np.zeros((3, 1))]).ravel()}
    if 'seq' not in store.types['std_msgs/msg/Header'].__dataclass_fields__:
        fields = {name.lower(): value for name, value in fields.items()}
    roi = store.types['sensor_msgs/msg/RegionOfInterest'](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return store.types['sensor_msgs/msg/CameraInfo'](
        header=header(store, stamp_ns),
        height=camera.height,
        width=camera.width,
        distortion_model='plumb_bob',
        binning_x=0,
        binning_y=0,
        roi=roi,
        **fields,
    )


def quaternion(store: Any, R: np.ndarray) -> Any:
    x, y, z, w = quaternion_from_rotation(R).tolist()
    return store.types['geometry_msgs/msg/Quaternion'](x=x, y=y, z=z, w=w)


def pose_message(
    store: Any,
    R: np.ndarray,
    stamp_ns: int,
    kind: str = 'geometry_msgs/msg/PoseStamped',
    frame_id: str = FRAME_ID,
    position_m: np.ndarray | None = None,
) -> Any:
    if kind == 'geometry_msgs/msg/QuaternionStamped':
        return store.types[kind](header=header(store, stamp_ns, frame_id), quaternion=quaternion(store, R))
    x, y, z = (0.0, 0.0, 0.6) if position_m is None else position_m.tolist()
    position = store.types['geometry_msgs/msg/Point'](x=x, y=y, z=z)
    pose = store.types['geometry_msgs/msg/Pose'](position=position, orientation=quaternion(store, R))
    return store.types[kind](header=header(store, stamp_ns, frame_id), pose=pose)
