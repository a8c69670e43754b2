"""Things of our own that people wear on the head: caps, headscarves, masks, scarves, glasses.

Cloth is a surface around the head: in every direction from a centre, the farthest skin, widened and smoothed, plus a gap. So it
fits every head, and skin cannot show through it. Mesh axes (x to the person's left, y up, z to the front), metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import shapes
from .heads import HeadModel, Shape

_TURN, _TILT = 72, 48  # cells of the map of the skin's distance: azimuth, elevation


@dataclass(frozen=True, eq=False)
class Garment:
    """Something worn.

    Attributes:
        points: (n, 3) mesh axes at rest.
        triangles: (m, 3).
        neck: (n, 4) weights of neck01..03 and head.
        uv: (n, 2).
    """

    points: np.ndarray
    triangles: np.ndarray
    neck: np.ndarray
    uv: np.ndarray


def head_centre(model: HeadModel, shape: Shape) -> np.ndarray:
    """Returns the (3,) point between the ears."""
    ears = shape.vertices[model.landmarks[[0, 16]]].mean(0).astype(float)
    return ears * [0, 1, 1] + [0, -0.005, 0.0]


class SkinDistance:
    """How far the skin lies from the head's centre in each direction."""

    def __init__(self, model: HeadModel, shape: Shape, cover: np.ndarray | None = None):
        self.centre = head_centre(model, shape)
        skin = np.unique(model.parts['body'].vertex)
        points = shape.vertices[skin] - self.centre
        if cover is not None:
            points = np.concatenate([points, cover - self.centre])
        points = points[points[:, 1] > -0.16]
        radius = np.linalg.norm(points, axis=1)
        near = radius < 0.22
        points, radius = points[near], radius[near]
        column = ((np.arctan2(points[:, 0], points[:, 2]) / (2 * np.pi) + 0.5) * _TURN).astype(int) % _TURN
        row = np.clip(((np.arcsin(points[:, 1] / radius) / np.pi + 0.5) * _TILT).astype(int), 0, _TILT - 1)
        grid = np.zeros(_TURN * _TILT, np.float32)
        np.maximum.at(grid, row * _TURN + column, radius.astype(np.float32))
        grid = np.concatenate([grid.reshape(_TILT, _TURN)] * 3, axis=1)
        kernel = np.ones((3, 3), np.uint8)
        while (empty := grid == 0).any():
            grid = np.where(empty, cv2.dilate(grid, kernel), grid)
        grid = cv2.GaussianBlur(cv2.dilate(grid, kernel), (5, 5), 1.2)
        self._grid = grid

    def surface(self, azimuth: np.ndarray, elevation: np.ndarray, gap: np.ndarray | float) -> np.ndarray:
        """Returns (..., 3) points `gap` metres off the skin; radians, azimuth 0 to the front and > 0 to the person's left."""
        column = ((azimuth / (2 * np.pi) + 0.5) % 1.0 * _TURN - 0.5 + _TURN).astype(np.float32)
        row = ((elevation / np.pi + 0.5) * _TILT - 0.5).astype(np.float32)
        radius = cv2.remap(self._grid, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(azimuth.shape) + gap
        direction = np.stack([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], -1)
        return self.centre + radius[..., None] * direction


def _sheet(points: np.ndarray, neck: np.ndarray | None = None) -> Garment:
    rows, columns = points.shape[:2]
    v, u = np.mgrid[0 : 1 : complex(0, rows), 0 : 1 : complex(0, columns)]
    flat = points.reshape(-1, 3)
    if neck is None:
        neck = np.tile([0.0, 0, 0, 1], (len(flat), 1))
    return Garment(flat, shapes.grid_triangles(rows, columns), neck, np.stack([u.ravel(), v.ravel()], 1))


def _elevation(distance: SkinDistance, point: np.ndarray) -> float:
    d = np.asarray(point, float) - distance.centre
    return float(np.arctan2(d[1], np.hypot(d[0], d[2])))


def cap(model: HeadModel, shape: Shape, rng: np.random.Generator, visor: bool) -> list[Garment]:
    """Makes a knitted cap, or one with a visor."""
    distance = SkinDistance(model, shape)
    brow = _elevation(distance, shape.vertices[model.landmarks[19:25]].mean(0))
    front = brow + np.radians(rng.uniform(10, 24) if visor else rng.uniform(5, 22))
    back = np.radians(rng.uniform(0, 15) if visor else rng.uniform(-25, 5))
    azimuth = np.linspace(-np.pi, np.pi, 49)
    edge = back + (front - back) * (0.5 + 0.5 * np.cos(azimuth)) ** 0.8
    share = np.linspace(0, 1, 20)[:, None]
    elevation = edge + (np.pi / 2 - edge) * share
    gap = rng.uniform(0.006, 0.012) + rng.uniform(0.0, 0.03) * share**2 * (not visor) + np.zeros_like(elevation)
    if not visor:
        gap[:3] += 0.004  # the turned-up rim
    pieces = [_sheet(distance.surface(np.broadcast_to(azimuth, elevation.shape).copy(), elevation, gap))]
    if visor:
        a = np.linspace(-0.95, 0.95, 21)
        start = distance.surface(a, np.interp(a, azimuth, edge), 0.008)
        reach = rng.uniform(0.055, 0.08) * np.cos(a / 0.95 * np.pi / 2) ** 0.4
        slope = rng.uniform(-0.5, 0.0)
        out = start + np.stack([0.15 * np.sin(a) * reach, slope * reach - 0.01 * np.sin(a) ** 2, reach], 1)
        pieces.append(_sheet(np.stack([start * (1 - s) + out * s for s in np.linspace(0, 1, 6)])))
    return pieces


def headscarf(model: HeadModel, shape: Shape, rng: np.random.Generator) -> list[Garment]:
    """Makes a headscarf that does not cover the face, with its fall over neck and shoulders."""
    distance = SkinDistance(model, shape)
    points = shape.vertices[model.landmarks].astype(float)
    top = _elevation(distance, points[19:25].mean(0)) + np.radians(rng.uniform(8, 18))
    side = np.arctan2(np.abs(points[[1, 15], 0]).mean(), points[[1, 15], 2].mean() - distance.centre[2]) + np.radians(rng.uniform(-22, -8))
    chin = _elevation(distance, points[8]) - np.radians(6)
    around = np.linspace(-np.pi, np.pi, 61)
    middle = (top + chin) / 2
    hole_azimuth, hole_elevation = side * np.sin(around), middle + (top - middle) * np.cos(around)
    share = np.linspace(0, 1, 22)[:, None] ** 0.8
    behind = np.array([0.0, 0.2, -1.0])
    direction = np.stack(
        [np.sin(hole_azimuth) * np.cos(hole_elevation), np.sin(hole_elevation), np.cos(hole_azimuth) * np.cos(hole_elevation)], -1
    )
    swept = (
        direction[None] * (1 - share[..., None])
        + behind * share[..., None]
        + 0.9 * np.sin(np.pi * share)[..., None] * (direction * [1, 1, 0])[None]
    )
    swept /= np.linalg.norm(swept, axis=-1, keepdims=True)
    azimuth, elevation = np.arctan2(swept[..., 0], swept[..., 2]), np.arcsin(np.clip(swept[..., 1], -1, 1))
    folds = 0.003 * np.sin(around * rng.integers(5, 11) + rng.uniform(0, 6))
    return [
        _sheet(distance.surface(azimuth, elevation, rng.uniform(0.007, 0.011) + folds + 0.006 * np.sin(np.pi * share))),
        *scarf(model, shape, rng, top_landmark=8, lift=-0.004, wide=0.012),
    ]


def mask(model: HeadModel, shape: Shape, rng: np.random.Generator) -> list[Garment]:
    """Makes a face mask from the nose's bridge to under the chin, with its bands to the ears."""
    distance = SkinDistance(model, shape)
    points = shape.vertices[model.landmarks].astype(float)
    top = _elevation(distance, points[28 if rng.random() < 0.7 else 30])
    low = _elevation(distance, points[8]) - np.radians(12)
    half = np.radians(rng.uniform(48, 66))
    azimuth = np.linspace(-half, half, 33)
    s = np.abs(azimuth) / half
    upper = top - (top - np.radians(-18)) * s**1.6
    lower = low + (np.radians(-42) - low) * s**2
    share = np.linspace(0, 1, 16)[:, None]
    elevation = upper + (lower - upper) * share
    pleats = rng.uniform(0, 0.002) * np.sin(share * 3 * 2 * np.pi)
    gap = 0.004 + 0.010 * np.sin(np.pi * share) * (1 - s**2) + pleats
    sheet = distance.surface(np.broadcast_to(azimuth, elevation.shape).copy(), elevation, gap)
    pieces = [_sheet(sheet)]
    for column, landmark in ((0, 0), (-1, 16)):
        ear = points[landmark] + [0, 0, -0.015]
        ear[0] *= 1.04
        for row in (1, -2):
            path = np.linspace(sheet[row, column], ear, 8)
            a, e = (
                np.arctan2(path[:, 0] - distance.centre[0], path[:, 2] - distance.centre[2]),
                np.array([_elevation(distance, p) for p in path]),
            )
            points_, triangles = shapes.tube(distance.surface(a, e, 0.002), 0.0013, 5)
            pieces.append(Garment(points_, triangles, np.tile([0.0, 0, 0, 1], (len(points_), 1)), np.zeros((len(points_), 2))))
    return pieces


def scarf(
    model: HeadModel, shape: Shape, rng: np.random.Generator, top_landmark: int | None = None, lift: float = 0.0, wide: float | None = None
) -> list[Garment]:
    """Makes a scarf around the neck, up to the chin, the mouth or the nose."""
    points = shape.vertices[model.landmarks].astype(float)
    if top_landmark is None:
        top_landmark = int(rng.choice([8, 57, 33, 30]))
    wide = rng.uniform(0.014, 0.024) if wide is None else wide
    low = float(shape.bone_heads[1][1]) - 0.02
    front_top, back_top = points[top_landmark, 1] + lift, points[[2, 14], 1].mean() + rng.uniform(-0.02, 0.02)
    azimuth = np.linspace(-np.pi, np.pi, 49)
    top = back_top + (front_top - back_top) * (0.5 + 0.5 * np.cos(azimuth)) ** 1.2
    share = np.linspace(0, 1, 18)[:, None]
    height = low + (top - low) * share
    skin = shape.vertices[np.unique(model.parts['body'].vertex)].astype(float)
    skin = skin[(skin[:, 1] > low - 0.01) & (skin[:, 1] < top.max() + 0.03)]
    axis = np.array([0, shape.bone_heads[2][2]])
    rows = 24
    level = np.clip(((skin[:, 1] - low) / (top.max() + 0.03 - low) * rows).astype(int), 0, rows - 1)
    column = ((np.arctan2(skin[:, 0], skin[:, 2] - axis[1]) / (2 * np.pi) + 0.5) * _TURN).astype(int) % _TURN
    radius = np.hypot(skin[:, 0], skin[:, 2] - axis[1])
    fits = radius < 0.16
    grid = np.zeros(rows * _TURN, np.float32)
    np.maximum.at(grid, (level * _TURN + column)[fits], radius[fits].astype(np.float32))
    grid = np.concatenate([grid.reshape(rows, _TURN)] * 3, axis=1)
    kernel = np.ones((3, 3), np.uint8)
    while (empty := grid == 0).any():
        grid = np.where(empty, cv2.dilate(grid, kernel), grid)
    grid = cv2.GaussianBlur(cv2.dilate(grid, kernel), (7, 7), 1.6)
    x = np.broadcast_to((azimuth / (2 * np.pi) + 0.5) * _TURN - 0.5 + _TURN, height.shape).astype(np.float32)
    y = ((height - low) / (top.max() + 0.03 - low) * rows - 0.5).astype(np.float32)
    folds = rng.uniform(0.002, 0.006) * np.sin(share * 2 * np.pi * rng.uniform(2, 4) + 2 * np.sin(azimuth * 2 + rng.uniform(0, 6)))
    r = (
        cv2.remap(grid, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        + wide * (0.45 + 0.55 * np.sin(np.pi * np.clip(share, 0.1, 0.9)))
        + folds
    )
    sheet = np.stack([r * np.sin(azimuth), height, axis[1] + r * np.cos(azimuth)], -1)
    chin = points[8, 1]
    t = np.clip((sheet[..., 1] - low) / max(chin - low, 0.02), 0, 1).reshape(-1) * 4
    neck = np.stack([np.clip(1 - np.abs(t - k), 0, 1) for k in (1, 2, 3, 4)], 1)
    return [_sheet(sheet, neck)]


def glasses(model: HeadModel, shape: Shape, eye_centres: np.ndarray, rng: np.random.Generator, sun: bool) -> tuple[Garment, Garment]:
    """Makes frame and lenses.

    Args:
        model: the head model.
        shape: the head.
        eye_centres: (2, 3) left, right.
        rng: random generator for the cut.
        sun: larger lenses.

    Returns:
        frame, lenses.
    """
    points = shape.vertices[model.landmarks].astype(float)
    half_width = rng.uniform(0.026, 0.033) if sun else rng.uniform(0.022, 0.028)
    half_height = half_width * (rng.uniform(0.62, 0.95) if sun else rng.uniform(0.55, 0.95))
    power = rng.choice([2.0, 2.6, 4.0])
    thick = rng.choice([0.0008, 0.0014, 0.0024])
    front = max(points[36:48, 2].max() + 0.012, points[27, 2] + 0.002)
    angle = np.linspace(0, 2 * np.pi, 33)[:-1]
    c, s = np.cos(angle), np.sin(angle)
    frame, lenses = [], []
    rims = []
    for side, centre in ((1, eye_centres[0]), (-1, eye_centres[1])):
        x = centre[0] + side * 0.003 + half_width * np.sign(c) * np.abs(c) ** (2 / power)
        y = centre[1] - 0.004 + half_height * np.sign(s) * np.abs(s) ** (2 / power)
        rim = np.stack([x, y, front - 3.5 * x**2], 1)
        rims.append(rim)
        frame.append(shapes.tube(rim, thick, 6, closed=True))
        lenses.append(shapes.fan(rim))
        outer = rim[np.argmax(side * x)] + [0, half_height * 0.3, 0]
        ear = points[16 if side > 0 else 0] + [0, 0.012, -0.012]
        ear[0] = side * max(abs(ear[0]) + 0.004, abs(outer[0]))
        bow = np.linspace(outer, ear, 8)
        bow[:, 0] += side * 0.006 * np.sin(np.pi * np.linspace(0, 1, 8)) + side * 0.001
        frame.append(shapes.tube(bow, max(thick, 0.0012), 6))
    inner = [rims[0][np.argmin(rims[0][:, 0])], rims[1][np.argmax(rims[1][:, 0])]]
    bridge = np.linspace(inner[0], inner[1], 7) + np.stack(
        [np.zeros(7), 0.004 * np.sin(np.pi * np.linspace(0, 1, 7)) + 0.004, np.zeros(7)], 1
    )
    frame.append(shapes.tube(bridge, thick, 6))

    def garment(pieces: list[shapes.Triangulated]) -> Garment:
        p, t = shapes.join(*pieces)
        return Garment(p, t, np.tile([0.0, 0, 0, 1], (len(p), 1)), np.zeros((len(p), 2)))

    return garment(frame), garment(lenses)
