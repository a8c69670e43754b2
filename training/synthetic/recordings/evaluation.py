"""Renders the recording that evaluations are tested on: python -m training.synthetic.recordings.evaluation OUT.

A minute with known truth: a person rests (0-5 s), turns every way (5-20 s), walks off the camera's axis and away (20-32 s) and holds
a hand before the face (40-43 s), a second person comes in and leaves (28-52 s), and at the end there is rest again (52-56 s).

    /camera/image_raw/compressed  JPEG            /camera/camera_info
    /camera/depth/image_raw       16UC1, as a structured-light sensor measures it
    /truth/heads                  vision_msgs/Detection3DArray, both heads, 120 Hz
    /truth/first                  geometry_msgs/PoseStamped, the first head alone
    /truth/planted                geometry_msgs/PoseStamped, the first head 80 ms late and turned by 5 degrees, as a tracker that is
                                  neither synchronised nor mounted straight would give it
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.recordings.bagfile import ros2_typestore
from c2f_head_pose.types import Camera

from ..assets.fetch import ensure_assets
from ..people import appearance, identities
from ..people.heads import Calibration, HeadModel
from ..people.person import Dresser, Person
from ..scene import backgrounds, frames, lights, occluders
from ..scene.renderer import Renderer
from ..sensors import colour as sensor
from ..sensors import depth as depth_sensor

SECONDS = 60.0
TRUTH_PER_IMAGE = 4
PLANTED_DELAY_S = 0.08
PLANTED_MOUNT = geometry.rotation_from_vector(np.radians(5.0) * np.array([0.0, 0.6, 0.8]))
"""(3, 3) what turns the planted truth's axes back into the head's: R_cam_head = R_planted PLANTED_MOUNT."""
_FRAME_ID = 'camera_optical'
_START_NS = 1_700_000_000 * 10**9
_WALL_M = 2.8
_HAND_S = (40.0, 43.0)

# seconds: yaw, pitch, roll in degrees; x, y, z in metres of the neck's root relative to its place at rest
_FIRST = (
    (0, 0, 0, 0, 0, 0, 0),
    (5, 0, 0, 0, 0, 0, 0),
    (6.5, 45, 3, 4, 0, 0, 0),
    (8.5, -45, -4, -5, 0, 0, 0),
    (10, 0, 25, 0, 0, 0, 0),
    (11.5, 5, -30, 0, 0, 0, 0),
    (13, 10, -3, 25, 0, 0, 0),
    (14.5, -10, 0, -22, 0, 0, 0),
    (16, 30, 15, 0, 0, 0, 0),
    (18, -30, -18, 5, 0, 0, 0),
    (20, 0, 0, 0, 0, 0, 0),
    (23, -20, 4, 0, 0.24, 0, 0.05),
    (26, 25, -5, 5, -0.22, 0.02, 0.25),
    (29, 0, 0, 0, -0.15, 0, 0.4),
    (32, -15, 5, 0, -0.16, 0, 0.15),
    (34, 20, -8, 8, -0.15, 0, 0.1),
    (37, -25, 10, -8, -0.15, 0, 0.1),
    (39.5, 0, 0, 0, -0.15, 0, 0.1),
    (43.5, 8, -4, 0, -0.15, 0, 0.1),
    (46, -60, 0, 0, -0.15, 0, 0.1),
    (48, 60, 0, 0, -0.14, 0, 0.1),
    (50, 0, 12, 5, -0.1, 0, 0.05),
    (52, 0, 0, 0, 0, 0, 0),
    (56, 0, 0, 0, 0, 0, 0),
    (57.5, 35, -15, 10, 0, 0, 0),
    (60, -20, 10, -5, 0, 0, 0),
)
_SECOND = (
    (0, 40, 0, 0, 1.1, 0, 0),
    (28, 40, 0, 0, 1.1, 0, 0),
    (31, 10, 0, 0, 0.34, 0, 0),
    (36, -15, 5, 3, 0.3, 0, 0),
    (41, 20, -10, -5, 0.32, 0, 0),
    (46, -10, 8, 5, 0.3, 0, 0),
    (48.5, -35, 0, 0, 0.34, 0, 0),
    (52, -40, 0, 0, 1.2, 0, 0),
    (60, -40, 0, 0, 1.2, 0, 0),
)


@dataclass(frozen=True, eq=False)
class Actor:
    """A person on a path.

    Attributes:
        name: id in the truth.
        person: dressed.
        look: colours, for the hand.
        keys: rows of _FIRST or _SECOND.
        root_m: (3,) the neck's root at rest.
        phase: phase of the small motions, radians.
    """

    name: str
    person: Person
    look: appearance.Look
    keys: np.ndarray
    root_m: np.ndarray
    phase: float

    def at(self, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns rotation (3, 3), bones and sellion (3,) at a time."""
        values = _between(self.keys, t)
        turning = np.array([1.2 * np.sin(0.9 * t + self.phase), 0.9 * np.sin(1.3 * t + 2 * self.phase), 0.6 * np.sin(0.7 * t)])
        R_cam_head = geometry.rotation_from_ypr_deg(values[:3] + turning)
        R_cam_torso = geometry.rotation_from_ypr_deg((values[:3] + turning) * [0.2, 0.05, 0.1])
        bones, t_cam_head_m = self.person.bones_on_torso(R_cam_head, R_cam_torso, self.root_m + values[3:])
        return R_cam_head, bones, t_cam_head_m


@dataclass(frozen=True, eq=False)
class Moment:
    """One rendered image: time, (H, W, 3) BGR, (H, W) float32 depth in metres (0 none), and its camera."""

    time_s: float
    image: np.ndarray
    depth_m: np.ndarray
    camera: Camera


class Stage:
    """Two people in a room.

    Args:
        seed: picks people, clothes, room and light.
    """

    def __init__(self, seed: int = 3) -> None:
        assets = ensure_assets()
        rng = np.random.default_rng([seed, 0xBA6])
        self.camera = frames.camera_640x480()
        self._model = HeadModel(assets)
        self._dresser = Dresser(self._model, Calibration.load(assets))
        self._renderer = Renderer(assets, supersampling=2.0)
        self._behind = backgrounds.room(rng, self.camera.width, self.camera.height)
        self._lighting = lights.sample(rng, {'soft': 1.0})[3]
        self._rng = rng
        skins = appearance.skin_pictures(assets)
        adults = [p for p in identities.population(60, 0.5, seed) if 22 < p.age_years < 60]
        chosen = rng.choice(len(adults), 2, replace=False)
        self.actors = [
            self._actor(name, adults[k], keys, distance_m, phase, skins)
            for name, k, keys, distance_m, phase in (('first', chosen[0], _FIRST, 0.7, 0.0), ('second', chosen[1], _SECOND, 0.95, 1.5))
        ]

    def render(self, seconds: float, fps: float, start_s: float = 0.0) -> Iterator[Moment]:
        """Yields the images from a time on, in order."""
        for k in range(round(seconds * fps)):
            t = start_s + k / fps
            drawn = []
            for actor in self.actors:
                _, bones, t_cam_head_m = actor.at(t)
                if not self._near_picture(t_cam_head_m, 1.0):
                    continue
                parts = list(actor.person.parts)
                if actor is self.actors[0] and _HAND_S[0] <= t < _HAND_S[1]:
                    landmarks_m = actor.person.landmarks_in_camera(bones)
                    parts += occluders.occlude(np.random.default_rng(5), 'hand', self._model, actor.look, landmarks_m)
                drawn.append((parts, bones, t_cam_head_m))
            image, depth_m = frames.draw(self._renderer, drawn, self.camera, self._lighting, self._behind, _WALL_M)
            yield Moment(
                t,
                sensor.shot_noise(image, 12000, 6, self._rng),
                depth_sensor.measure('structured_light', depth_m, self.camera.K, self._rng),
                self.camera,
            )

    def truth(self, t: float) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Returns name, (3, 3) R_cam_head and (3,) t_cam_head_m of everybody whose face is in the picture."""
        posed = [(actor.name, *actor.at(t)) for actor in self.actors]
        return [(name, R, t_m) for name, R, _, t_m in posed if self._near_picture(t_m, -0.06)]

    def _near_picture(self, t_cam_head_m: np.ndarray, margin: float) -> bool:
        """Whether a head is in the picture, or outside by less than a share of its width."""
        x, y, w = self.camera.K @ t_cam_head_m
        width, height = self.camera.width, self.camera.height
        return bool(-margin * width < x / w < (1 + margin) * width and -margin * height < y / w < (1 + margin) * height)

    def _actor(self, name: str, identity: identities.Identity, keys: tuple, distance_m: float, phase: float, skins: Any) -> Actor:
        variety = appearance.Variety(hat=0.0, mask=0.0, scarf=0.0, sunglasses=0.0, glasses=0.3)
        wardrobe = appearance.sample_wardrobe(self._rng, identity, variety)
        look = appearance.sample_look(self._rng, identity, wardrobe, skins)
        person = self._dresser.dress(identity, {'mouthSmileLeft': 0.15, 'mouthSmileRight': 0.13}, np.zeros(2), wardrobe, look)
        _, at_rest = person.bones_on_torso(geometry.HEAD_AXES, geometry.HEAD_AXES, np.zeros(3))
        return Actor(name, person, look, np.array(keys, float), np.array([0.0, -0.01, distance_m]) - at_rest, phase)


def write_recording(
    path: Path, seconds: float = SECONDS, fps: float = 30.0, seed: int = 3, raw: bool = False, start_s: float = 0.0
) -> Stage:
    """Renders and writes the recording as a rosbag2 folder (mcap).

    Args:
        path: the folder; must not exist.
        seconds: length of the part of the minute, seconds.
        fps: images a second.
        seed: see Stage.
        raw: bgr8 images instead of JPEG.
        start_s: beginning of the part in the minute, seconds.

    Returns:
        The stage, which holds the truth.
    """
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    stage = Stage(seed)
    store = ros2_typestore()
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    if not raw:
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    image = ('/camera/image_raw', 'sensor_msgs/msg/Image') if raw else ('/camera/image_raw/compressed', 'sensor_msgs/msg/CompressedImage')
    kinds = dict(
        (
            image,
            ('/camera/camera_info', 'sensor_msgs/msg/CameraInfo'),
            ('/camera/depth/image_raw', 'sensor_msgs/msg/Image'),
            ('/truth/heads', 'vision_msgs/msg/Detection3DArray'),
            ('/truth/first', 'geometry_msgs/msg/PoseStamped'),
            ('/truth/planted', 'geometry_msgs/msg/PoseStamped'),
        )
    )
    messages = _Messages(store)
    with writer:
        connections = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}

        def put(topic: str, log_ns: int, message: Any) -> None:
            writer.write(connections[topic], log_ns, store.serialize_cdr(message, kinds[topic]))

        count = round(seconds * fps)
        for k, moment in enumerate(stage.render(seconds, fps, start_s)):
            ns = _START_NS + round(1e9 * moment.time_s)
            put(image[0], ns, messages.image(ns, moment.image) if raw else messages.jpeg(ns, moment.image))
            put('/camera/camera_info', ns, messages.camera_info(ns, moment.camera))
            put('/camera/depth/image_raw', ns, messages.depth(ns, moment.depth_m))
            for j in range(TRUTH_PER_IMAGE):
                t = moment.time_s + j / (TRUTH_PER_IMAGE * fps)
                stamp_ns = _START_NS + round(1e9 * t)
                heads = stage.truth(t)
                put('/truth/heads', stamp_ns, messages.heads(stamp_ns, heads))
                late_ns = stamp_ns + round(1e9 * PLANTED_DELAY_S)
                for name, R, t_m in heads:
                    if name == 'first':
                        put('/truth/first', stamp_ns, messages.pose(stamp_ns, R, t_m))
                        put('/truth/planted', stamp_ns, messages.pose(late_ns, R @ PLANTED_MOUNT.T, t_m))
            if (k + 1) % 50 == 0 or k + 1 == count:
                print(f'{k + 1}/{count} images', file=sys.stderr, flush=True)
    return stage


class _Messages:
    """Builds ROS messages without ROS."""

    def __init__(self, store: Any) -> None:
        self._types = store.types

    def image(self, ns: int, image: np.ndarray, encoding: str = 'bgr8') -> Any:
        data = np.ascontiguousarray(image).view(np.uint8).reshape(image.shape[0], -1)
        return self._make(
            'sensor_msgs/msg/Image',
            header=self._header(ns),
            height=image.shape[0],
            width=image.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=data.shape[1],
            data=data.ravel(),
        )

    def jpeg(self, ns: int, image: np.ndarray) -> Any:
        data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].ravel()
        return self._make('sensor_msgs/msg/CompressedImage', header=self._header(ns), format='bgr8; jpeg compressed bgr8', data=data)

    def depth(self, ns: int, depth_m: np.ndarray) -> Any:
        return self.image(ns, np.clip(np.round(1000 * np.nan_to_num(depth_m)), 0, 65535).astype(np.uint16), '16UC1')

    def camera_info(self, ns: int, camera: Camera) -> Any:
        roi = self._make('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return self._make(
            'sensor_msgs/msg/CameraInfo',
            header=self._header(ns),
            height=camera.height,
            width=camera.width,
            distortion_model='plumb_bob',
            d=np.zeros(5),
            k=camera.K.ravel(),
            r=np.eye(3).ravel(),
            p=np.hstack([camera.K, np.zeros((3, 1))]).ravel(),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def pose(self, ns: int, R: np.ndarray, t_m: np.ndarray) -> Any:
        return self._make('geometry_msgs/msg/PoseStamped', header=self._header(ns), pose=self._pose(R, t_m))

    def heads(self, ns: int, heads: list[tuple[str, np.ndarray, np.ndarray]]) -> Any:
        header, detections = self._header(ns), []
        for name, R, t_m in heads:
            hypothesis = self._make('vision_msgs/msg/ObjectHypothesis', class_id='head', score=1.0)
            with_covariance = self._make('geometry_msgs/msg/PoseWithCovariance', pose=self._pose(R, t_m), covariance=np.zeros(36))
            result = self._make('vision_msgs/msg/ObjectHypothesisWithPose', hypothesis=hypothesis, pose=with_covariance)
            box = self._make(
                'vision_msgs/msg/BoundingBox3D',
                center=self._pose(R, t_m),
                size=self._make('geometry_msgs/msg/Vector3', x=0.0, y=0.0, z=0.0),
            )
            detections.append(self._make('vision_msgs/msg/Detection3D', header=header, results=[result], bbox=box, id=name))
        return self._make('vision_msgs/msg/Detection3DArray', header=header, detections=detections)

    def _make(self, kind: str, **fields: Any) -> Any:
        return self._types[kind](**fields)

    def _header(self, ns: int) -> Any:
        return self._make(
            'std_msgs/msg/Header', stamp=self._make('builtin_interfaces/msg/Time', sec=ns // 10**9, nanosec=ns % 10**9), frame_id=_FRAME_ID
        )

    def _pose(self, R: np.ndarray, t_m: np.ndarray) -> Any:
        x, y, z, w = geometry.quaternion_from_rotation(R).tolist()
        return self._make(
            'geometry_msgs/msg/Pose',
            position=self._make('geometry_msgs/msg/Point', **dict(zip('xyz', t_m.tolist()))),
            orientation=self._make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w),
        )


def _between(keys: np.ndarray, t: float) -> np.ndarray:
    """(6,) values between keys with the least jerk. Source: Flash and Hogan 1985."""
    after = int(np.clip(np.searchsorted(keys[:, 0], t, side='right'), 1, len(keys) - 1))
    start, end = keys[after - 1], keys[after]
    s = float(np.clip((t - start[0]) / (end[0] - start[0]), 0, 1))
    return start[1:] + (end[1:] - start[1:]) * (10 * s**3 - 15 * s**4 + 6 * s**5)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog='python -m training.synthetic.recordings.evaluation', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('output', type=Path, help='rosbag2 folder to write')
    parser.add_argument('--seconds', type=float, default=SECONDS)
    parser.add_argument('--fps', type=float, default=30.0)
    parser.add_argument('--start', type=float, default=0.0, help='where in the minute to begin, seconds')
    parser.add_argument('--seed', type=int, default=3)
    parser.add_argument('--raw', action='store_true', help='bgr8 images instead of JPEG (1.7 GB a minute)')
    options = parser.parse_args(arguments)
    write_recording(options.output, options.seconds, options.fps, options.seed, options.raw, options.start)
    return 0


if __name__ == '__main__':
    sys.exit(main())
