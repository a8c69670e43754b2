"""Renders one labelled crop: pose, camera, light and person to image, alpha, depth and its row of the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose import geometry

from .. import presets
from ..assets import facekit
from ..layout import COVERINGS, EXPRESSIONS, EYEWEAR, LIGHTS, OCCLUDERS
from ..people import appearance, expression
from ..people.heads import Calibration, HeadModel
from ..people.identities import Identity, population
from ..people.person import Dresser, Person
from ..people.scan_shapes import ScanShapes
from ..presets import Preset
from ..sensors import colour as sensor
from ..sensors import depth as depth_sensor
from . import backgrounds, lights, occluders
from .drawables import Layers, Lighting, View
from .renderer import Renderer

FRAME_WIDTH, FRAME_HEIGHT = 640, 480
_NECK_LIMIT_DEG = np.array([55.0, 35.0, 25.0])


@dataclass(frozen=True, eq=False)
class Crop:
    """One rendered sample.

    Attributes:
        image: (S, S) or (S, S, 3) uint8.
        alpha: (S, S) uint8.
        depth_mm: (S, S) uint16.
        row: every column of layout.COLUMNS.
    """

    image: np.ndarray
    alpha: np.ndarray
    depth_mm: np.ndarray
    row: dict[str, object]


@dataclass(frozen=True, eq=False)
class Dressed:
    """A person ready to be posed, and its columns of the table."""

    person: Person
    look: appearance.Look
    wardrobe: appearance.Wardrobe
    expression: str


class CropMaker:
    """Makes crops of one preset; one per process.

    Args:
        assets: the asset cache.
        preset: the preset to make.
        seed: the dataset's seed.
        photographs: folder of the user's own background pictures, for presets that have the background in the picture.
    """

    def __init__(self, assets: Path, preset: Preset, seed: int, photographs: Path | None = None):
        self.preset = preset
        self.seed = seed
        self.model = HeadModel(assets)
        calibration = Calibration.load(assets)
        scans = ScanShapes(facekit.built_file(), self.model, calibration) if preset.scans else None
        self.dresser = Dresser(self.model, calibration, scans)
        self.renderer = Renderer(assets)
        self.people = population(preset.identities, preset.male_share, seed)
        self._skins = appearance.skin_pictures(Path(assets))
        self._photographs = backgrounds.list_photographs(photographs) if photographs else []
        self._dressed: tuple[int, Dressed] | None = None

    def identity_of(self, group: int) -> Identity:
        """Returns the person of a group of samples; all persons come once before any comes twice."""
        turn, place = divmod(group, len(self.people))
        order = np.random.default_rng([self.seed, 0x0DE5, turn]).permutation(len(self.people))
        return self.people[order[place]]

    def dress(self, group: int) -> Dressed:
        """Dresses the person of a group of samples, and uploads it to the device."""
        if self._dressed is None or self._dressed[0] != group:
            rng = np.random.default_rng([self.seed, 0xD2E5, group])
            dressed = self.dress_person(rng, self.identity_of(group), self.preset.variety)
            self.renderer.upload(dressed.person.parts)
            self._dressed = (group, dressed)
        return self._dressed[1]

    def dress_person(self, rng: np.random.Generator, identity: Identity, variety: appearance.Variety) -> Dressed:
        """Dresses a person with an expression and clothes."""
        kind, strength = expression.sample_expression(rng, list(self.model.actions), variety)
        gaze = expression.sample_gaze(rng, strength)
        wardrobe = appearance.sample_wardrobe(rng, identity, variety)
        look = appearance.sample_look(rng, identity, wardrobe, self._skins)
        return Dressed(self.dresser.dress(identity, strength, gaze, wardrobe, look), look, wardrobe, kind)

    def make(self, number: int) -> Crop:
        """Renders sample `number` of the dataset, 0..count-1; it does not depend on the samples rendered before."""
        preset = self.preset
        sample_seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1, np.uint64)[0])
        rng = np.random.default_rng(sample_seed)
        condition = number % len(preset.conditions) if preset.conditions else -1
        # Steps of a robustness set show the same heads in the same poses: only the condition differs.
        scene = number // len(preset.conditions) if preset.conditions else number
        if preset.conditions:
            rng = np.random.default_rng([self.seed, 0x5CE0, scene])
        dressed = self.dress(scene // preset.per_head)
        R_cam_head, R_cam_torso = sample_turn(rng, preset)
        t_cam_head_m, K = sample_place(rng, preset)
        person = dressed.person
        bones = person.bones(R_cam_head, R_cam_torso, t_cam_head_m)
        landmarks_m = person.landmarks_in_camera(bones)
        K_crop, R_crop_head = crop_camera(K, landmarks_m, R_cam_head, preset.crop_margin, preset.crop_size)
        kind, azimuth, intensity, lighting = self._light(rng, condition)
        if lighting.falloff_m > 0:  # a camera with its own lamp exposes for the head it sees
            lighting = replace(lighting, falloff_m=float(np.linalg.norm(t_cam_head_m)))
        occluder = str(rng.choice(list(preset.occlusion), p=np.array(list(preset.occlusion.values())) / sum(preset.occlusion.values())))
        parts = list(person.parts)
        if occluder != 'none':
            things = occluders.occlude(rng, occluder, self.model, dressed.look, landmarks_m)
            self.renderer.upload(things)
            parts += things
        view = View(K_crop, preset.crop_size, preset.crop_size)
        layers = self.renderer.render(parts, bones, view, lighting, landmarks_m.mean(0))
        image = self._photograph(rng, layers, condition)
        depth_m = depth_sensor.measure(preset.depth_model, layers.depth_m, K_crop, rng)
        pixels = landmarks_m @ K_crop.T
        pixels = pixels[:, :2] / pixels[:, 2:] + 0.5
        row = {
            'R_cam_head': R_cam_head,
            'R_crop_head': R_crop_head,
            't_cam_head_m': t_cam_head_m,
            'K_crop': K_crop,
            'landmarks68_px': pixels,
            'box_px': np.concatenate([pixels.min(0), pixels.max(0)]),
            'identity': person.identity.id,
            'expression': EXPRESSIONS.index(dressed.expression),
            'light': LIGHTS.index(kind),
            'light_azimuth_deg': azimuth,
            'light_intensity': intensity,
            'occluder': OCCLUDERS.index(occluder),
            'covering': COVERINGS.index(dressed.wardrobe.covering),
            'eyewear': EYEWEAR.index(dressed.wardrobe.eyewear),
            'condition': condition,
            'seed': sample_seed,
        }
        return Crop(image, layers.alpha, np.rint(1000 * np.clip(depth_m, 0, 65)).astype(np.uint16), row)

    def _light(self, rng: np.random.Generator, condition: int) -> tuple[str, float, float, Lighting]:
        if self.preset.light_of is not None:
            lighting = self.preset.light_of(condition)
            towards = lighting.directions[0]
            return 'soft', float(np.degrees(np.arctan2(towards[0], -towards[2]))), float(lighting.colours[0].max()), lighting
        if self.preset.lights == {}:
            azimuth, intensity = rng.uniform(-30, 30), rng.uniform(0.8, 1.1)
            return 'soft', float(azimuth), float(intensity), lights.paper(azimuth, intensity)
        return lights.sample(rng, self.preset.lights)

    def _photograph(self, rng: np.random.Generator, layers: Layers, condition: int) -> np.ndarray:
        preset = self.preset
        image = layers.bgr
        if preset.composited:
            behind = backgrounds.background(rng, preset.crop_size, preset.crop_size, self._photographs)
            image = composite_bgr(layers, behind)
        if preset.channels == 1:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if preset.blur_sigma_px is not None:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*preset.blur_sigma_px))
        if preset.masks:
            width, height = (60, 60) if condition == 0 else (60, 120)
            edge = (preset.crop_size - presets.PAPER_SIDE_PX) // 2
            middle = (slice(edge, edge + presets.PAPER_SIDE_PX),) * 2
            image[middle] = sensor.black_masks(image[middle], width, height, rng)
        if preset.noise_sigma > 0:
            image = sensor.gaussian_noise(image, preset.noise_sigma, rng)
        return image


def composite_bgr(layers: Layers, behind: np.ndarray) -> np.ndarray:
    """Draws a render over a background, (H, W, 3) uint8."""
    hidden = 255 - layers.alpha.astype(np.uint16)
    return np.minimum(layers.bgr + (hidden[..., None] * behind + 127) // 255, 255).astype(np.uint8)


def sample_turn(rng: np.random.Generator, preset: Preset) -> tuple[np.ndarray, np.ndarray]:
    """Draws R_cam_head, and R_cam_torso, which follows the head a part of the way, and as far as a neck needs."""
    pose = presets.sample_pose_deg(rng, preset)
    turned = np.clip(pose * (1 - rng.uniform(0.2, 0.6)), -_NECK_LIMIT_DEG, _NECK_LIMIT_DEG)
    return geometry.rotation_from_ypr_deg(pose), geometry.rotation_from_ypr_deg(pose - turned)


def sample_place(rng: np.random.Generator, preset: Preset) -> tuple[np.ndarray, np.ndarray]:
    """Draws t_cam_head_m, and K of the whole 640x480 image."""
    focal = rng.uniform(*preset.focal_px)
    K = np.array([[focal, 0, FRAME_WIDTH / 2 - 0.5], [0, focal, FRAME_HEIGHT / 2 - 0.5], [0, 0, 1]])
    distance = np.exp(rng.uniform(*np.log(preset.distance_m)))
    x, y = rng.uniform(-preset.reach, preset.reach, 2) * [FRAME_WIDTH / 2, FRAME_HEIGHT / 2]
    return distance * np.array([x / focal, y / focal, 1.0]), K


def crop_camera(K: np.ndarray, landmarks_m: np.ndarray, R_cam_head: np.ndarray, margin: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the camera of a square crop about the landmarks' box, and the label relative to the ray through its centre.

    Args:
        K: (3, 3) of the whole image.
        landmarks_m: (68, 3) camera frame.
        R_cam_head: (3, 3).
        margin: side of the square over the box's larger extent.
        size: side of the crop, pixels.

    Returns:
        K_crop (3, 3), R_crop_head (3, 3) = ray_rotation(centre).T @ R_cam_head.
    """
    pixels = landmarks_m @ K.T
    pixels = pixels[:, :2] / pixels[:, 2:] + 0.5
    low, high = pixels.min(0), pixels.max(0)
    side = margin * (high - low).max()
    corner = (low + high - side) / 2
    zoom = size / side
    K_crop = K.copy()
    K_crop[:2] *= zoom
    K_crop[:2, 2] = (K[:2, 2] + 0.5 - corner) * zoom - 0.5
    return K_crop, crop_rotation(K_crop, R_cam_head, size)


def crop_rotation(K_crop: np.ndarray, R_cam_head: np.ndarray, size: int) -> np.ndarray:
    """Computes the (3, 3) head rotation relative to the ray through a crop's centre."""
    ray = np.linalg.solve(K_crop, [size / 2 - 0.5, size / 2 - 0.5, 1.0])
    return geometry.ray_rotation(ray).T @ R_cam_head
