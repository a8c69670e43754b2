"""Renders whole camera frames with one to three people, in colour and depth, with every head's label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.types import Camera, FaceBox

from ..people.person import Person
from ..sensors import colour as sensor
from ..sensors import depth as depth_sensor
from . import backgrounds, lights
from .crops import FRAME_HEIGHT, FRAME_WIDTH, CropMaker, composite_bgr
from .drawables import Layers, Lighting, Part, View
from .renderer import Renderer

_BODY_BELOW_FACE_M = 0.50


@dataclass(frozen=True, eq=False)
class Head:
    """One head's label in a frame.

    Attributes:
        R_cam_head: (3, 3).
        t_cam_head_m: (3,) sellion.
        landmarks68_px: (68, 2) continuous pixels, hidden or not.
        box: box of the landmarks.
        identity: number in the population.
    """

    R_cam_head: np.ndarray
    t_cam_head_m: np.ndarray
    landmarks68_px: np.ndarray
    box: FaceBox
    identity: int


@dataclass(frozen=True, eq=False)
class Frame:
    """A camera frame.

    Attributes:
        image_bgr: (H, W, 3) uint8.
        depth_m: (H, W) float32 z, 0 for none.
        camera: its calibration.
        heads: nearest first.
    """

    image_bgr: np.ndarray
    depth_m: np.ndarray
    camera: Camera
    heads: tuple[Head, ...]


def camera_640x480(focal_px: float = 575.0) -> Camera:
    """Returns an ideal pinhole camera with its principal point in the middle."""
    K = np.array([[focal_px, 0, FRAME_WIDTH / 2 - 0.5], [0, focal_px, FRAME_HEIGHT / 2 - 0.5], [0, 0, 1.0]])
    return Camera(FRAME_WIDTH, FRAME_HEIGHT, K)


def head_label(person: Person, bones: np.ndarray, R_cam_head: np.ndarray, t_cam_head_m: np.ndarray, camera: Camera) -> Head:
    """Returns the label of a posed person."""
    pixels = person.landmarks_in_camera(bones) @ camera.K.T
    pixels = pixels[:, :2] / pixels[:, 2:] + 0.5
    (x1, y1), (x2, y2) = pixels.min(0), pixels.max(0)
    return Head(R_cam_head, t_cam_head_m, pixels, FaceBox(float(x1), float(y1), float(x2), float(y2)), person.identity.id)


def draw(
    renderer: Renderer,
    people: list[tuple[list[Part], np.ndarray, np.ndarray]],
    camera: Camera,
    lighting: Lighting,
    behind: np.ndarray,
    behind_m: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws people over a background, the farthest first.

    Args:
        renderer: the renderer.
        people: parts, bones and (3,) head position of each.
        camera: the camera.
        lighting: the same for all.
        behind: (H, W, 3) uint8 BGR.
        behind_m: its depth; 0 for none.

    Returns:
        (H, W, 3) uint8 BGR and (H, W) float32 z in metres.
    """
    image, depth_m = behind.copy(), np.broadcast_to(np.float32(behind_m), behind.shape[:2]).copy()
    view = View(camera.K, camera.width, camera.height)
    for parts, bones, place in sorted(people, key=lambda p: -p[2][2]):
        renderer.upload(parts)
        layers = renderer.render(parts, bones, view, lighting, place)
        image = composite_bgr(Layers(layers.bgr, layers.alpha, layers.depth_m), image)
        depth_m = np.where(layers.depth_m > 0, layers.depth_m, depth_m)
    return image, depth_m.astype(np.float32)


def random_frame(maker: CropMaker, number: int, depth_model: str = 'ideal') -> Frame:
    """Renders a random frame with one to three people, upper bodies included.

    Args:
        maker: gives people, preset and seed.
        number: which frame; the same number gives the same frame.
        depth_model: the sensor, as of depth_sensor.measure.
    """
    rng = np.random.default_rng([maker.seed, 0xF4A3, number])
    camera = camera_640x480(rng.uniform(450, 700))
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
    _, _, _, lighting = lights.sample(rng, maker.preset.lights or None)
    lighting = replace(lighting, shadow_strength=lighting.shadow_strength * 0.9)
    columns = rng.permutation((np.arange(count) + 0.5) / count)
    people, heads = [], []
    for column in columns:
        dressed = maker.dress_person(rng, maker.people[rng.integers(len(maker.people))], maker.preset.variety)
        distance = rng.uniform(0.5, 1.0) if count == 1 else rng.uniform(0.8, 1.7)
        x = (column - 0.5 + rng.uniform(-0.08, 0.08)) * FRAME_WIDTH
        lowest = FRAME_HEIGHT / 2 - _BODY_BELOW_FACE_M * camera.K[1, 1] / distance  # the body ends outside the picture
        y = max(rng.uniform(-0.25, 0.1) * FRAME_HEIGHT, lowest)
        t_cam_head_m = distance * np.array([x / camera.K[0, 0], y / camera.K[1, 1], 1.0])
        pose = np.clip(rng.normal(0, [35, 16, 9]), [-95, -50, -30], [95, 50, 30])
        R_cam_head = geometry.rotation_from_ypr_deg(pose)
        R_cam_torso = geometry.rotation_from_ypr_deg(pose * [0.45, 0.1, 0.2])
        bones = dressed.person.bones(R_cam_head, R_cam_torso, t_cam_head_m)
        people.append((dressed.person.parts, bones, t_cam_head_m))
        heads.append(head_label(dressed.person, bones, R_cam_head, t_cam_head_m, camera))
    behind = backgrounds.background(rng, FRAME_WIDTH, FRAME_HEIGHT)
    if lighting.near_infrared > 0:
        behind = cv2.cvtColor((cv2.cvtColor(behind, cv2.COLOR_BGR2GRAY) * 0.35).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    image, depth_m = draw(maker.renderer, people, camera, lighting, behind, rng.uniform(2.4, 4.0))
    heads.sort(key=lambda h: h.t_cam_head_m[2])
    return Frame(sensor.everyday_camera(image, rng), depth_sensor.measure(depth_model, depth_m, camera.K, rng), camera, tuple(heads))
