"""Renders stand-in heads, ellipsoids with painted eyes, nose and mouth, in the renderer's dataset format.

With them every command can be tried and tested without rendered data. Their labels are exact, but they do not look like heads, so
networks trained on them are useful for tests only. `python -m training.synthetic.stand_in FOLDER` writes a dataset.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from c2f_head_pose import geometry

from .layout import COLUMNS, Manifest, write_manifest
from .writer import ShardWriter

SEMI_AXES_M = np.array([0.10, 0.078, 0.12])
"""Half extents of the head along its x (out of the face), y (left), z (up)."""
# painted spots: direction from the centre in head axes, half width in radians, brightness
_SPOTS = (
    ((0.9, 0.38, 0.25), 0.16, -0.8),
    ((0.9, -0.38, 0.25), 0.16, -0.8),
    ((1.0, 0.0, -0.05), 0.14, 0.45),
    ((0.9, 0.0, -0.45), 0.2, -0.55),
    ((0.1, 1.0, 0.0), 0.22, 0.5),
    ((0.1, -1.0, 0.0), 0.22, 0.5),
    ((0.3, 0.0, 1.0), 0.7, -0.5),
    ((-1.0, 0.0, 0.2), 1.0, -0.5),
)


def landmarks_m() -> np.ndarray:
    """Returns (68, 3) points on the ellipsoid in head axes, spread like the 68 landmarks: a jaw line, then brows, nose, eyes, mouth."""
    jaw = np.linspace(-1.35, 1.35, 17)
    azimuth = [
        *jaw,
        *np.linspace(-0.7, -0.2, 5),
        *np.linspace(0.2, 0.7, 5),
        *([0.0] * 4),
        *np.linspace(-0.2, 0.2, 5),
        *(-0.4 + 0.12 * np.cos(np.arange(6))),
        *(0.4 + 0.12 * np.cos(np.arange(6))),
        *(0.3 * np.cos(np.arange(20))),
    ]
    elevation = [
        *(-0.75 * np.cos(jaw / 1.35 * np.pi / 2) - 0.05),
        *([0.45] * 10),
        *np.linspace(0.3, 0, 4),
        *([-0.1] * 5),
        *(0.27 + 0.05 * np.sin(np.arange(12))),
        *(-0.45 + 0.1 * np.sin(np.arange(20))),
    ]
    # the person's right side comes first, as in the 68-point scheme
    a, e = np.array(azimuth), np.array(elevation)
    return np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], 1) * SEMI_AXES_M


def draw(R_cam_head: np.ndarray, t_m: np.ndarray, K: np.ndarray, size: int, light: np.ndarray, tone: float) -> tuple[np.ndarray, ...]:
    """Draws image, alpha (uint8) and depth in millimetres (uint16) of one head, by intersecting each pixel's ray with the ellipsoid."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones((size, size))], -1)
    d, o = rays @ R_cam_head / SEMI_AXES_M, -t_m @ R_cam_head / SEMI_AXES_M
    a, b, c = (d * d).sum(-1), (d * o).sum(-1), (o * o).sum() - 1
    inside = b * b - a * c
    hit = inside > 0
    z = (-b - np.sqrt(np.maximum(inside, 0))) / a
    unit = o + d * z[..., None]
    normal = unit / SEMI_AXES_M @ R_cam_head.T
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    shade = tone * (0.35 + 0.65 * np.clip(normal @ light, 0, 1))
    for direction, width, brightness in _SPOTS:
        direction = np.array(direction) / np.linalg.norm(direction)
        angle = np.arccos(np.clip(unit @ direction / np.linalg.norm(unit, axis=-1), -1, 1))
        shade = shade * (1 + brightness * np.clip((width - angle) / 0.06, 0, 1))
    image = np.where(hit, np.clip(255 * shade, 0, 255), 0).astype(np.uint8)
    return image, (hit * 255).astype(np.uint8), np.where(hit, 1000 * z, 0).astype(np.uint16)


def write(
    folder: Path | str,
    count: int = 64,
    size: int = 96,
    seed: int = 0,
    limits_deg: tuple[float, float, float] = (50, 40, 15),
    shard_size: int = 64,
    conditions: tuple[str, ...] = (),
) -> None:
    """Writes a dataset of stand-in heads; 8 of 10 identities train, one validates, one tests.

    Args:
        folder: the folder to write to.
        count: samples.
        size: crop side, pixels.
        seed: seed of identities, poses and light.
        limits_deg: limits of the uniform yaw, pitch and roll, degrees.
        shard_size: samples per shard.
        conditions: names of a robustness set's steps; the samples cycle through them.
    """
    folder = Path(folder)
    manifest = Manifest('stand_in', seed, count, shard_size, size, command='python -m training.synthetic.stand_in', conditions=conditions)
    write_manifest(folder, manifest)
    with open(folder / 'identities.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['id', 'split', 'sex', 'age_years', 'african', 'asian', 'caucasian', 'seed'])
        for i in range(10):
            split, sex = 'train' if i < 8 else 'val' if i == 8 else 'test', 'female' if i % 2 else 'male'
            writer.writerow([i, split, sex, 30, 0.3, 0.3, 0.4, 10 * seed + i])
    rng = np.random.default_rng(seed)
    points = landmarks_m()
    for shard in range(manifest.shards):
        writer_ = ShardWriter(folder, manifest, shard)
        for row in range(manifest.shard_count(shard)):
            R = geometry.rotation_from_ypr_deg(rng.uniform(-1, 1, 3) * limits_deg)
            t = np.array([*rng.uniform(-0.2, 0.2, 2), rng.uniform(0.8, 1.3)])
            seen = points @ R.T + t
            flat = seen[:, :2] / seen[:, 2:]
            low, high = flat.min(0), flat.max(0)
            focal = size / (manifest.crop_margin * (high - low).max())
            middle = (low + high) / 2 * focal
            K = np.array([[focal, 0, size / 2 - middle[0] - 0.5], [0, focal, size / 2 - middle[1] - 0.5], [0, 0, 1]])
            pixels = flat * focal + K[:2, 2] + 0.5
            light = rng.normal(size=3) + [0, -0.5, -2.0]
            image, alpha, depth = draw(R, t, K, size, light / np.linalg.norm(light), rng.uniform(0.5, 0.9))
            ray = np.linalg.solve(K, [size / 2 - 0.5, size / 2 - 0.5, 1])
            columns = {name: np.zeros(shape, dtype) for name, (dtype, shape) in COLUMNS.items()}
            columns.update(
                R_cam_head=R,
                R_crop_head=geometry.ray_rotation(ray).T @ R,
                t_cam_head_m=t,
                K_crop=K,
                landmarks68_px=pixels,
                box_px=[*pixels.min(0), *pixels.max(0)],
                identity=row % 10,
                condition=row % len(conditions) if conditions else -1,
            )
            writer_.put(row, image, alpha, depth, columns)
        writer_.finish()


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.synthetic.stand_in', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path)
    parser.add_argument('--count', type=int, default=64)
    parser.add_argument('--size', type=int, default=96)
    args = parser.parse_args()
    write(args.folder, args.count, args.size)


if __name__ == '__main__':
    main()
