"""Renders a scripted drive for the whole attention pipeline.

    python -m training.synthetic.recordings.attention OUT --minutes 4 --script-seed 11

A driver in near infrared, seen from the top of the instrument cluster, turns the head as in the script of
c2f_head_pose.evaluation.attention.drive. The same command resumes an interrupted run. OUT holds

    drive.json   the settings, the script (glances, distractions), and the truth of every frame
    frames/      the pictures; equal settings give equal pictures, whatever was rendered before
    bag/         rosbag2 (mcap): /camera/image/compressed, /camera/camera_info, /truth/head_pose

    python -m c2f_head_pose.evaluation.attention.recorded OUT     scores it, offline and from the truth
    python -m c2f_head_pose.ros.measure.attention_drive OUT               plays it through the ROS graph first
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import shutil
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.attention.vehicle_profile import load_zones
from c2f_head_pose.attention.zones import camera_mount
from c2f_head_pose.evaluation.attention.script import R_vehicle_face, head_deg, scripted_drive
from c2f_head_pose.files import written_whole
from c2f_head_pose.recordings.bagfile import ros2_typestore
from c2f_head_pose.types import Camera

from ..assets.fetch import ensure_assets
from ..people import appearance, identities
from ..people.heads import Calibration, HeadModel
from ..people.person import Dresser, Person
from ..scene import backgrounds, frames, lights
from ..scene.renderer import Renderer
from ..sensors import colour as sensor

START_S = 1_700_000_000
_FRAME_ID = 'camera_optical'
_JPEG_QUALITY = 85
_SUPERSAMPLING = 1.25
_TORSO_FOLLOWS = 0.15


@dataclass(frozen=True)
class Settings:
    """Settings of a rendered drive; equal settings give equal pictures.

    Attributes:
        minutes: length of the script; the pictures may stop earlier, see `main`.
        script_seed: seed of the glances.
        look_seed: seed of person, clothes, light and small motions.
        rate_hz: pictures per second.
        zones: vehicle profile, for the head's share of a gaze.
        right_hand_drive: mirrors the script.
        camera_elevation_deg: elevation of the camera, which looks straight back along the car.
        distance_m: camera to face at rest. 0.75 m ahead of the eyes and 0.2 m below: the top of the instrument cluster.
    """

    minutes: float = 4.0
    script_seed: int = 11
    look_seed: int = 2
    rate_hz: float = 10.0
    zones: str = 'config/zones_passenger_car_lhd.yaml'
    right_hand_drive: bool = False
    camera_elevation_deg: float = 15.0
    distance_m: float = 0.78


class Cabin:
    """The driver in front of the camera, and the light.

    Args:
        settings: see Settings.
    """

    def __init__(self, settings: Settings) -> None:
        assets = ensure_assets()
        self.settings, self.camera = settings, frames.camera_640x480()
        self.script, zones = scripted_drive(settings.minutes, settings.script_seed), load_zones(settings.zones)
        self.stamps_s = np.arange(int(self.script.end_s * settings.rate_hz)) / settings.rate_hz
        side = np.array([-1 if settings.right_hand_drive else 1, 1])
        self.head_deg = head_deg(self.script, self.stamps_s, zones.head_share, (0, 0)) * side
        self._eyes_deg = head_deg(self.script, self.stamps_s, (1 - zones.head_share[0], 1 - zones.head_share[1]), (0, 0)) * side
        rng = np.random.default_rng([settings.look_seed, 0xA77E])
        self._R_cam_vehicle = camera_mount(180, settings.camera_elevation_deg).T
        self._renderer = Renderer(assets, supersampling=_SUPERSAMPLING)
        self._dresser = Dresser(HeadModel(assets), Calibration.load(assets))
        adults = [p for p in identities.population(60, 0.5, settings.look_seed) if 22 < p.age_years < 70]
        self._identity = adults[rng.integers(len(adults))]
        variety = appearance.Variety(hat=0.0, mask=0.0, scarf=0.0, sunglasses=0.0, glasses=0.3)
        self._wardrobe = appearance.sample_wardrobe(rng, self._identity, variety)
        self._look = appearance.sample_look(rng, self._identity, self._wardrobe, appearance.skin_pictures(assets))
        room = cv2.cvtColor(backgrounds.room(rng, self.camera.width, self.camera.height), cv2.COLOR_BGR2GRAY)
        self._behind = cv2.cvtColor((room * 0.3).astype(np.uint8), cv2.COLOR_GRAY2BGR)
        self._lighting = replace(lights.near_infrared(rng)[2], falloff_m=settings.distance_m)
        self._rates, self._phases = rng.uniform(0.5, 3.0, (6, 4)), rng.uniform(0, 2 * np.pi, (6, 4))
        self._blinks_s = np.cumsum(rng.uniform(1.8, 4.5, int(self.script.end_s)))
        self._dressed = lru_cache(maxsize=64)(self._dress)
        rest = self._R_cam_vehicle @ R_vehicle_face(0, 0)
        self._root_m = np.array([0, -0.01, settings.distance_m]) - self._dressed(0, 0, 0).bones_on_torso(rest, rest, np.zeros(3))[1]

    def pose(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the truth of frame k: (3, 3) R_cam_head and (3,) t_cam_head_m."""
        R_cam_head, _, t_cam_head_m = self._place(k)
        return R_cam_head, t_cam_head_m

    def draw(self, k: int) -> np.ndarray:
        """Draws frame k, (H, W) uint8."""
        _, bones, t_cam_head_m = self._place(k)
        parts = self._person(k).parts
        image, _ = frames.draw(self._renderer, [(parts, bones, t_cam_head_m)], self.camera, self._lighting, self._behind, 1.5)
        rng = np.random.default_rng([self.settings.look_seed, 0xF4A3E, k])
        return sensor.shot_noise(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 12000, 6, rng)

    def _place(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """R_cam_head, bones and t_cam_head_m: the script's direction with the small motions of a living head."""
        small = np.sin(self._rates * self.stamps_s[k] + self._phases).mean(axis=1)
        azimuth, elevation = self.head_deg[k] + small[:2] * [2.0, 1.6]
        roll = geometry.rotation_from_vector(np.radians([2.0 * small[2], 0, 0]))
        R_cam_head = self._R_cam_vehicle @ R_vehicle_face(azimuth, elevation) @ roll
        R_cam_torso = self._R_cam_vehicle @ R_vehicle_face(_TORSO_FOLLOWS * azimuth, 0.0)
        return R_cam_head, *self._person(k).bones_on_torso(R_cam_head, R_cam_torso, self._root_m + small[3:] * [0.02, 0.006, 0.02])

    def _person(self, k: int) -> Person:
        lid = float(np.exp(-(((self.stamps_s[k] - self._blinks_s) / 0.07) ** 2)).max())
        side, up = np.clip(self._eyes_deg[k], [-25, -20], [25, 20])
        return self._dressed(round(4 * lid), round(float(side)), round(float(up)))

    def _dress(self, lid_quarters: int, side_deg: int, up_deg: int) -> Person:
        expression = {f'eyeBlink{eye}': lid_quarters / 4 for eye in ('Left', 'Right')}
        expression |= {
            f'eyeLook{way}{eye}': max(sign * up_deg, 0) / 25 for way, sign in (('Up', 1), ('Down', -1)) for eye in ('Left', 'Right')
        }
        return self._dresser.dress(self._identity, expression, np.array([side_deg, up_deg], float), self._wardrobe, self._look)


def render(folder: Path, settings: Settings, seconds: float | None = None, jobs: int = 1) -> int:
    """Renders the pictures that are missing, writes drive.json and the bag, and returns the number of pictures.

    Args:
        folder: output; pictures of the same settings in it are kept.
        settings: the drive's settings.
        seconds: length of the part to render, from the beginning; all by default.
        jobs: number of processes that draw.

    Raises:
        ValueError: where the folder holds a drive of other settings.
    """
    description = folder / 'drive.json'
    if description.exists() and json.loads(description.read_text())['settings'] != dataclasses.asdict(settings):
        raise ValueError(f'{folder} holds a drive of other settings; give another folder, or delete it')
    cabin, pictures = Cabin(settings), folder / 'frames'
    pictures.mkdir(parents=True, exist_ok=True)
    count = len(cabin.stamps_s) if seconds is None else min(len(cabin.stamps_s), round(seconds * settings.rate_hz))
    truth = [cabin.pose(k) for k in range(count)]
    description.write_text(
        json.dumps(
            {
                'settings': dataclasses.asdict(settings),
                **dataclasses.asdict(cabin.script),
                'start_s': START_S,
                'R_cam_head': [np.round(R, 6).tolist() for R, _ in truth],
            }
        )
    )
    if jobs > 1:
        with multiprocessing.get_context('spawn').Pool(jobs) as pool:
            pool.starmap(_draw, [(settings, pictures, count, first, jobs) for first in range(jobs)])
    else:
        _draw(settings, pictures, count, 0, 1, cabin)
    _write_bag(folder / 'bag', cabin.camera, [pictures / f'{k:06d}.jpg' for k in range(count)], truth, settings.rate_hz)
    return count


def _draw(settings: Settings, pictures: Path, count: int, first: int, step: int, cabin: Cabin | None = None) -> None:
    """Draws every step-th of the pictures that are missing."""
    cabin = cabin or Cabin(settings)
    for k in range(first, count, step):
        path = pictures / f'{k:06d}.jpg'
        if not path.exists():
            drawn = cv2.imencode('.jpg', cabin.draw(k), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
            with written_whole(path) as part:
                part.write_bytes(drawn)
        if k % 100 < step and first == 0:
            print(f'{k}/{count} pictures', file=sys.stderr, flush=True)


def _write_bag(path: Path, camera: Camera, pictures: list[Path], truth: list[tuple[np.ndarray, np.ndarray]], rate_hz: float) -> None:
    from rosbags.rosbag2 import StoragePlugin, Writer

    shutil.rmtree(path, ignore_errors=True)
    store = ros2_typestore()

    def make(kind: str, **fields: Any) -> Any:
        return store.types[kind](**fields)

    kinds = {
        '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
        '/truth/head_pose': 'geometry_msgs/msg/PoseStamped',
        '/camera/image/compressed': 'sensor_msgs/msg/CompressedImage',
    }
    roi = make('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    P = np.hstack([camera.K, np.zeros((3, 1))]).ravel()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        connections = {topic: bag.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}
        for k, (picture, (R, t)) in enumerate(zip(pictures, truth)):
            ns = START_S * 10**9 + round(k / rate_hz * 1e9)
            header = make(
                'std_msgs/msg/Header', stamp=make('builtin_interfaces/msg/Time', sec=ns // 10**9, nanosec=ns % 10**9), frame_id=_FRAME_ID
            )
            position = make('geometry_msgs/msg/Point', **dict(zip('xyz', t.tolist())))
            orientation = make('geometry_msgs/msg/Quaternion', **dict(zip('xyzw', geometry.quaternion_from_rotation(R).tolist())))
            messages = {
                '/camera/camera_info': dict(
                    height=camera.height,
                    width=camera.width,
                    distortion_model='plumb_bob',
                    d=np.zeros(5),
                    k=camera.K.ravel(),
                    r=np.eye(3).ravel(),
                    p=P,
                    binning_x=0,
                    binning_y=0,
                    roi=roi,
                ),
                '/truth/head_pose': dict(pose=make('geometry_msgs/msg/Pose', position=position, orientation=orientation)),
                '/camera/image/compressed': dict(format='mono8; jpeg compressed mono8', data=np.frombuffer(picture.read_bytes(), np.uint8)),
            }
            for topic, fields in messages.items():
                bag.write(connections[topic], ns, store.serialize_cdr(make(kinds[topic], header=header, **fields), kinds[topic]))


def main(arguments: list[str] | None = None) -> int:
    """Renders a drive; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog='python -m training.synthetic.recordings.attention', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('output', type=Path)
    for field in dataclasses.fields(Settings):
        name = '--' + field.name.replace('_', '-')
        if isinstance(field.default, bool):
            parser.add_argument(name, action='store_true')
        else:
            parser.add_argument(name, type=type(field.default), default=field.default, help='default %(default)s')
    parser.add_argument('--seconds', type=float, help='render only the beginning')
    parser.add_argument('--jobs', type=int, default=1, help='number of processes that draw')
    chosen = vars(parser.parse_args(arguments))
    output, seconds, jobs = (chosen.pop(name) for name in ('output', 'seconds', 'jobs'))
    try:
        count = render(output, Settings(**chosen), seconds, jobs)
    except ValueError as error:
        print(f'attention_recording: {error}', file=sys.stderr)
        return 1
    print(f'{count} pictures in {output / "bag"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
