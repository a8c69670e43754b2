"""Draws contact sheets of presets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose import geometry

from .dataset import composite
from .people import appearance
from .presets import PRESETS, Preset, sample_pose_deg
from .scene import backgrounds, frames, lights
from .scene.crops import CropMaker, Dressed, composite_bgr, crop_camera
from .scene.drawables import Layers, Lighting, View
from .sensors import depth as depth_sensor

_GREY = (126, 120, 112)


def write_sheet(name: str, assets: Path, preset: Preset, seed: int, path: Path) -> None:
    """Renders a contact sheet into a JPEG.

    Raises:
        ValueError: for an unknown sheet; the message lists the sheets.
    """
    if name not in SHEETS:
        raise ValueError(f'sheets: {", ".join(SHEETS)}')
    image = SHEETS[name](assets, preset, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 82])
    print(f'{path}: {image.shape[1]}x{image.shape[0]}, {path.stat().st_size / 1000:.0f} kB')


def crops(assets: Path, preset: Preset, seed: int, count: int = 64, columns: int = 8, tile: int = 128) -> np.ndarray:
    """Draws random samples with backgrounds, as in training."""
    maker = CropMaker(assets, replace(preset, channels=3, per_head=1), seed)
    tiles = []
    for number in range(count):
        crop = maker.make(number)
        image = crop.image
        if not preset.composited:
            behind = backgrounds.background(np.random.default_rng([seed, number]), preset.crop_size, preset.crop_size)
            image = composite(image, crop.alpha, behind)
        tiles.append(image)
    return _sheet(tiles, columns, tile)


def poses(assets: Path, preset: Preset, seed: int) -> np.ndarray:
    """Draws one head over yaw (columns) and pitch (rows), with its landmarks in the middle row."""
    maker = CropMaker(assets, replace(preset, channels=3), seed)
    dressed = _plain(maker, 8)
    tiles = []
    for pitch in (60, 30, 0, -30, -60):
        for yaw in (100, 75, 50, 25, 0, -25, -50, -75, -100):
            image, pixels = _portrait(maker, dressed, np.array([yaw, pitch, 0.0]), lights.paper(20, 0.9), 160)
            if pitch == 0:
                for x, y in pixels:
                    cv2.circle(image, (int(x), int(y)), 1, (60, 255, 60), -1)
            tiles.append(_label(image, f'yaw {yaw} pitch {pitch}'))
    return _sheet(tiles, 9, 120)


def people(assets: Path, preset: Preset, seed: int) -> np.ndarray:
    """Draws people of all ages and ethnicities in the zero pose, in rows of women and men."""
    maker = CropMaker(assets, replace(preset, channels=3), seed)
    tiles = []
    for sex in ('female', 'male'):
        for race in range(3):
            group = sorted((p for p in maker.people if p.sex == sex and p.race[race] > 0.6), key=lambda p: p.age_years)
            for place in np.linspace(0.02, 0.98, 8):
                dressed = _plain(maker, 1, group[int(place * (len(group) - 1))])
                tiles.append(
                    _label(
                        _portrait(maker, dressed, np.zeros(3), lights.paper(15, 0.9), 160)[0],
                        f'{dressed.person.identity.age_years:.0f} years',
                    )
                )
    return _sheet(tiles, 8, 128)


def robustness(assets: Path, preset: Preset, seed: int) -> np.ndarray:
    """Draws the paper's robustness sets: a row each for angle, intensity, colour, blur and masks."""
    rows = []
    for name in ('illumination_angle', 'illumination_intensity', 'illumination_colour', 'blur', 'occlusion'):
        maker = CropMaker(assets, replace(PRESETS[name], channels=3), seed)
        steps = maker.preset.conditions
        start = 4 * len(steps) if len(steps) >= 10 else 40  # one scene's steps, or several scenes
        tiles = []
        for number in range(start, start + 10):
            crop = maker.make(number)
            tiles.append(_label(crop.image, steps[crop.row['condition']] if steps else 'blurred', 2))
        rows.append(_sheet(tiles, 10, 112))
    return np.vstack(rows)


def depth(assets: Path, preset: Preset, seed: int) -> np.ndarray:
    """Draws colour, ideal depth, structured light and time of flight for three frames."""
    maker = CropMaker(assets, preset, seed)
    tiles = []
    for number in range(3):
        frame = frames.random_frame(maker, 20 + number)
        tiles.append(frame.image_bgr)
        for model in ('ideal', 'structured_light', 'time_of_flight'):
            seen = depth_sensor.measure(model, frame.depth_m, frame.camera.K, np.random.default_rng(number))
            colours = cv2.applyColorMap(np.clip((seen - 0.4) / 3.0 * 255, 0, 255).astype(np.uint8), cv2.COLORMAP_TURBO)
            tiles.append(np.where(seen[..., None] > 0, colours, 0))
    return np.vstack([np.hstack([cv2.resize(t, (320, 240), interpolation=cv2.INTER_AREA) for t in tiles[k : k + 4]]) for k in (0, 4, 8)])


def scenes(assets: Path, preset: Preset, seed: int) -> np.ndarray:
    """Draws whole frames with one to three people, and their boxes."""
    maker = CropMaker(assets, preset, seed)
    tiles = []
    for number in range(6):
        frame = frames.random_frame(maker, number)
        image = frame.image_bgr.copy()
        for head in frame.heads:
            cv2.rectangle(image, (int(head.box.x1), int(head.box.y1)), (int(head.box.x2), int(head.box.y2)), (60, 255, 60), 2)
        tiles.append(cv2.resize(image, (400, 300), interpolation=cv2.INTER_AREA))
    return np.vstack([np.hstack(tiles[k : k + 3]) for k in (0, 3)])


def near_infrared(assets: Path, preset: Preset, seed: int) -> np.ndarray:
    """Samples in near infrared."""
    return crops(assets, replace(PRESETS['near_infrared'], yaw_deg=70, pitch_deg=35, roll_deg=20), seed, 24, 8, 144)


def distribution(assets: Path, preset: Preset, seed: int) -> np.ndarray:
    """Plots the paper's Fig. 6 for the paper and the wide preset: pitch, yaw and roll of 20,000 samples, with chi-square over 20 bins.

    Poses are sampled before rendering, so this sheet renders nothing.
    """
    rows = []
    for number, name in enumerate(('paper', 'wide')):
        rng = np.random.default_rng([seed, 6, number])
        drawn = np.array([sample_pose_deg(rng, PRESETS[name]) for _ in range(20_000)])
        tiles = []
        for column, angle, limit in (
            (1, 'pitch', PRESETS[name].pitch_deg),
            (0, 'yaw', PRESETS[name].yaw_deg),
            (2, 'roll', PRESETS[name].roll_deg),
        ):
            counts, _ = np.histogram(drawn[:, column], bins=20, range=(-limit, limit))
            chi_square = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
            image = np.full((200, 320, 3), 255, np.uint8)
            for k, value in enumerate(counts):
                cv2.rectangle(image, (14 + 15 * k, 180 - int(value / counts.max() * 130)), (26 + 15 * k, 180), (150, 110, 60), -1)
            text = f'{name}: {angle} +-{limit:.0f} deg, chi2(19) = {chi_square:.1f}'
            cv2.putText(image, text, (10, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
            tiles.append(image)
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


SHEETS: dict[str, Callable[[Path, Preset, int], np.ndarray]] = {
    'crops': crops,
    'poses': poses,
    'people': people,
    'robustness': robustness,
    'depth': depth,
    'scenes': scenes,
    'near_infrared': near_infrared,
    'distribution': distribution,
}


def _plain(maker: CropMaker, seed: int, identity: object = None) -> Dressed:
    rng = np.random.default_rng(seed)
    who = maker.people[rng.integers(len(maker.people))] if identity is None else identity
    variety = appearance.Variety(plain=True, neutral=1.0, closed_eyes=0.0)
    return maker.dress_person(rng, who, variety)


def _portrait(maker: CropMaker, dressed: Dressed, pose_deg: np.ndarray, lighting: Lighting, size: int) -> tuple[np.ndarray, np.ndarray]:
    R_cam_head = geometry.rotation_from_ypr_deg(pose_deg)
    bones = dressed.person.bones(R_cam_head, geometry.rotation_from_ypr_deg(pose_deg * 0.45), np.array([0, 0, 1.0]))
    landmarks_m = dressed.person.landmarks_in_camera(bones)
    K_crop, _ = crop_camera(frames.camera_640x480().K, landmarks_m, R_cam_head, 2.0, size)
    maker.renderer.upload(dressed.person.parts)
    layers = maker.renderer.render(dressed.person.parts, bones, View(K_crop, size, size), lighting, landmarks_m.mean(0))
    pixels = landmarks_m @ K_crop.T
    image = composite_bgr(Layers(layers.bgr, layers.alpha, layers.depth_m), np.full((size, size, 3), _GREY, np.uint8))
    return np.ascontiguousarray(image), pixels[:, :2] / pixels[:, 2:] + 0.5


def _label(image: np.ndarray, text: str, scale: int = 1) -> np.ndarray:
    image = np.ascontiguousarray(image)
    cv2.putText(image, text, (4, 12 * scale), cv2.FONT_HERSHEY_SIMPLEX, 0.38 * scale, (255, 255, 255), scale, cv2.LINE_AA)
    return image


def _sheet(tiles: list[np.ndarray], columns: int, tile: int) -> np.ndarray:
    small = [cv2.resize(t, (tile, tile), interpolation=cv2.INTER_AREA) for t in tiles]
    small += [np.zeros_like(small[0])] * (-len(small) % columns)
    return np.vstack([np.hstack(small[k : k + columns]) for k in range(0, len(small), columns)])
