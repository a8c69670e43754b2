"""Recordings with truth: a person who looks around and talks in front of a camera, in colour and depth.

    from training.synthetic.sequence import render_sequence
    for frame in render_sequence(seconds=10, fps=30, seed=3):
        frame.stamp_s, frame.image_bgr, frame.depth_m, frame.R_cam_head, frame.t_cam_head_m, frame.box, frame.camera

Needs the asset cache (`python -m training.synthetic.assets`), numpy, OpenCV and moderngl; no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.types import Camera, FaceBox
from training.synthetic.assets.fetch import ensure_assets

from ..people import appearance
from ..people.heads import Calibration, HeadModel
from ..people.identities import Identity, population
from ..people.person import Dresser
from ..scene import backgrounds, frames, lights
from ..scene.drawables import Lighting
from ..scene.renderer import Renderer
from ..sensors import colour as sensor
from ..sensors import depth as depth_sensor

DEMO_MOTION = (
    (0.0, 0, 0, 0),
    (1.0, 0, 0, 0),
    (2.0, 38, 2, 3),
    (2.7, 38, 2, 3),
    (4.0, -42, -3, -4),
    (4.7, -42, -3, -4),
    (5.6, -4, 22, 0),
    (6.1, -4, 22, 0),
    (7.0, 5, -28, 0),
    (7.6, 5, -28, 0),
    (8.4, 12, -4, 22),
    (9.1, -10, -2, -18),
    (10.0, 0, 0, 0),
)
"""Seconds, yaw, pitch, roll in degrees: left, right, up, down, tilted both ways, and back."""


@dataclass(frozen=True, eq=False)
class SequenceFrame:
    """One frame of a recording.

    Attributes:
        stamp_s: seconds since the first frame.
        image_bgr: (480, 640, 3) uint8.
        depth_m: (480, 640) float32 z along the optical axis, 0 for none; None if not asked for.
        R_cam_head: (3, 3) head axes -> camera's optical axes.
        t_cam_head_m: (3,) sellion.
        landmarks68_px: (68, 2) continuous pixels.
        box: box of the landmarks.
        camera: calibration of image and depth.
    """

    stamp_s: float
    image_bgr: np.ndarray
    depth_m: np.ndarray | None
    R_cam_head: np.ndarray
    t_cam_head_m: np.ndarray
    landmarks68_px: np.ndarray
    box: FaceBox
    camera: Camera


def render_sequence(
    seconds: float = 10.0,
    fps: float = 30.0,
    seed: int = 3,
    distance_m: float = 0.7,
    motion: str = 'demo',
    depth_model: str | None = 'structured_light',
    near_infrared: bool = False,
    camera: Camera | None = None,
) -> Iterator[SequenceFrame]:
    """Renders a recording, frame by frame.

    Args:
        seconds: its length.
        fps: frames per second; stamps are exactly i / fps.
        seed: picks person, clothes, room, light and the small motions.
        distance_m: camera to face at rest.
        motion: 'demo' repeats DEMO_MOTION; 'random' wanders.
        depth_model: the sensor, as of depth_sensor.measure, or None for colour alone.
        near_infrared: whether it looks as to a driver-monitoring camera, gray in three channels.
        camera: None for an ideal 640x480 one.
    """
    assets = ensure_assets()
    rng = np.random.default_rng([seed, 0x5E9])
    model = HeadModel(assets)
    dresser = Dresser(model, Calibration.load(assets))
    renderer = Renderer(assets, supersampling=2.0)
    camera = camera or frames.camera_640x480()
    identity = _pleasant_person(rng, seed)
    variety = appearance.Variety(hat=0.0, mask=0.0, scarf=0.0, sunglasses=0.0, glasses=0.2)
    wardrobe = appearance.sample_wardrobe(rng, identity, variety)
    look = appearance.sample_look(rng, identity, wardrobe, appearance.skin_pictures(assets))
    behind = backgrounds.room(rng, camera.width, camera.height)
    lighting = _room_light(rng)
    if near_infrared:
        _, _, lighting = lights.near_infrared(rng)
        behind = cv2.cvtColor((cv2.cvtColor(behind, cv2.COLOR_BGR2GRAY) * 0.3).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    wander = _Wander(rng)
    keys = np.array(DEMO_MOTION if motion == 'demo' else random_motion(rng, seconds))
    blinks = np.cumsum(rng.uniform(1.8, 4.5, int(seconds) + 2))
    root = None
    for i in range(round(seconds * fps)):
        stamp_s = i / fps
        pose = _between(keys, stamp_s % keys[-1, 0] if motion == 'demo' else stamp_s) + wander.pose_deg(stamp_s)
        expression, gaze = _face(stamp_s, blinks, pose, wander)
        person = dresser.dress(identity, expression, gaze, wardrobe, look)
        R_cam_head = geometry.rotation_from_ypr_deg(pose)
        R_cam_torso = geometry.rotation_from_ypr_deg(pose * [0.18, 0.05, 0.1] + wander.pose_deg(stamp_s + 50) * 0.4)
        if root is None:  # the body sits where the face is at the stated distance
            _, t = person.bones_on_torso(geometry.HEAD_AXES, geometry.HEAD_AXES, np.zeros(3))
            root = np.array([0.0, -0.01, distance_m]) - t
        bones, t_cam_head_m = person.bones_on_torso(R_cam_head, R_cam_torso, root + wander.shift_m(stamp_s))
        renderer.upload(person.parts)
        image, depth_m = frames.draw(renderer, [(person.parts, bones, t_cam_head_m)], camera, lighting, behind, 2.6)
        image = sensor.shot_noise(image, 12000, 6, rng)
        measured = None if depth_model is None else depth_sensor.measure(depth_model, depth_m, camera.K, rng)
        label = frames.head_label(person, bones, R_cam_head, t_cam_head_m, camera)
        yield SequenceFrame(stamp_s, image, measured, R_cam_head, t_cam_head_m, label.landmarks68_px, label.box, camera)


def random_motion(rng: np.random.Generator, seconds: float) -> list[tuple[float, float, float, float]]:
    """Keys (seconds, yaw, pitch, roll) of somebody who looks around: glances, pauses and returns."""
    keys, now, pose = [(0.0, 0.0, 0.0, 0.0)], 0.0, np.zeros(3)
    while now < seconds:
        now += float(rng.uniform(0.3, 1.5))
        keys.append((now, *(float(v) for v in pose)))
        pose = np.zeros(3) if rng.random() < 0.3 else np.clip(rng.normal(0, [32, 14, 9]), [-80, -40, -30], [80, 40, 30])
        now += float(rng.uniform(0.35, 1.2))
        keys.append((now, *(float(v) for v in pose)))
    return keys


def _between(keys: np.ndarray, now: float) -> np.ndarray:
    """(3,) pose between keys with the least jerk (Flash and Hogan 1985)."""
    after = int(np.clip(np.searchsorted(keys[:, 0], now, side='right'), 1, len(keys) - 1))
    start, end = keys[after - 1], keys[after]
    s = float(np.clip((now - start[0]) / max(end[0] - start[0], 1e-9), 0, 1))
    return start[1:] + (end[1:] - start[1:]) * (10 * s**3 - 15 * s**4 + 6 * s**5)


class _Wander:
    """Small motions that never repeat: sums of slow sines."""

    def __init__(self, rng: np.random.Generator):
        self._rate = rng.uniform(0.5, 3.0, (7, 4))
        self._phase = rng.uniform(0, 2 * np.pi, (7, 4))

    def _value(self, row: int, now: float) -> float:
        return float(np.sin(self._rate[row] * now + self._phase[row]).mean())

    def pose_deg(self, now: float) -> np.ndarray:
        return np.array([2.2, 1.8, 1.2]) * [self._value(k, now) for k in range(3)]

    def shift_m(self, now: float) -> np.ndarray:
        return np.array([0.02, 0.006, 0.02]) * [self._value(k, now) for k in range(3, 6)]

    def speech(self, now: float) -> float:
        """Computes how much of the time's speech is voiced, 0..1: syllables in phrases."""
        phrase = np.clip(2.5 * self._value(6, 0.8 * now) + 0.4, 0, 1)
        return float(phrase * np.clip(0.5 + 0.35 * np.sin(21.0 * now) + 0.3 * np.sin(13.7 * now + 1), 0, 1))


def _face(now: float, blinks: np.ndarray, pose: np.ndarray, wander: _Wander) -> tuple[dict[str, float], np.ndarray]:
    lid = float(np.exp(-(((now - blinks) / 0.07) ** 2)).max())
    voice = wander.speech(now)
    gaze = np.clip(-0.25 * pose[:2] * [-1, 1], [-20, -12], [20, 12])  # the eyes hold on to the camera a little
    expression = {
        'eyeBlinkLeft': lid,
        'eyeBlinkRight': lid,
        'jawOpen': 0.28 * voice,
        'mouthFunnel': 0.2 * voice * (np.sin(5 * now) > 0),
        'mouthSmileLeft': 0.18,
        'mouthSmileRight': 0.15,
        'browInnerUp': 0.25 * voice,
    }
    for eye in ('Left', 'Right'):
        expression[f'eyeLookUp{eye}'], expression[f'eyeLookDown{eye}'] = max(gaze[1], 0) / 25, max(-gaze[1], 0) / 25
    return {k: float(v) for k, v in expression.items()}, gaze


def _pleasant_person(rng: np.random.Generator, seed: int) -> Identity:
    people = population(60, 0.5, seed)
    adults = [p for p in people if 22 < p.age_years < 60]
    return adults[rng.integers(len(adults))]


def _room_light(rng: np.random.Generator) -> Lighting:
    """A window to one side, the room's own light from all round."""
    directions, colours = np.tile([0.0, 0, -1], (3, 1)), np.zeros((3, 3))
    side = rng.choice([-1, 1])
    directions[0], colours[0] = (lights.direction(side * rng.uniform(25, 45), rng.uniform(20, 40)), np.array([0.95, 1.0, 1.05]) * 0.75)
    directions[1], colours[1] = lights.direction(-side * 60, 15), np.array([1.1, 1.0, 0.85]) * 0.2
    sky = lights.sample_sky(rng, 0.38)
    lighting = Lighting(directions, colours, sky, 0.6)
    return replace(lighting, exposure=lights.exposure_for(directions, colours, 0.38) * 0.95)
