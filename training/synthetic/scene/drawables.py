"""Defines the renderer's input and output as plain data: parts, cameras, lights, layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

ATTRIBUTES = (('position', 3), ('normal', 3), ('uv', 2), ('occlusion', 1), ('region', 1), ('neck', 4))
FLOATS = sum(n for _, n in ATTRIBUTES)


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of a person, ready to draw.

    Attributes:
        key: parts with the same key have the same triangles, and share buffers on the device.
        surface: 'skin', 'eye', 'hair', 'plain' or 'lens'.
        points: (n, 14) float32, ATTRIBUTES side by side; mesh axes at rest.
        triangles: (m, 3) int32.
        uniforms: values of the surface's shader by name.
        textures: sampler name to picture name in the asset folder.
        pose: (3, 4) its own place in the camera's frame, for things that no neck moves; None for parts of the person.
        closed: triangles that show their back need no drawing.
        thin: too little to cast a shadow or to stand off in depth (brows, lashes), or hidden inside (teeth).
    """

    key: str
    surface: str
    points: np.ndarray
    triangles: np.ndarray
    uniforms: dict[str, Any] = field(default_factory=dict)
    textures: dict[str, str] = field(default_factory=dict)
    pose: np.ndarray | None = None
    closed: bool = False
    thin: bool = False


def pack(
    points: np.ndarray, normals: np.ndarray, uv: np.ndarray, occlusion: np.ndarray | float, region: np.ndarray | float, neck: np.ndarray
) -> np.ndarray:
    """Packs the points of a Part into (n, 14) float32."""
    out = np.empty((len(points), FLOATS), np.float32)
    out[:, 0:3], out[:, 3:6], out[:, 6:8], out[:, 8], out[:, 9], out[:, 10:14] = points, normals, uv, occlusion, region, neck
    return out


@dataclass(frozen=True, eq=False)
class View:
    """A pinhole camera.

    Attributes:
        K: (3, 3) intrinsics; the principal point counts from the first pixel's centre.
        width: pixels.
        height: pixels.
    """

    K: np.ndarray
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Lighting:
    """Lights and the camera's exposure; directions in the camera's optical frame.

    Attributes:
        directions: (3, 3) unit vectors towards the lights; the first casts shadows.
        colours: (3, 3) linear RGB strengths; 0 for a light that is off.
        sky: (9, 3) spherical harmonics of the ambient light.
        shadow_strength: 0..1.
        gobo: (4,) pattern in the key light: strength, size, 1 stripes or 0 leaves, turn in radians.
        falloff_m: distance at which a lamp at the camera has its stated colour; 0 for far lights.
        exposure: factor before the camera's response curve.
        near_infrared: 0 visible, 1 near infrared.
        pupil_glow: 0 dark pupils .. 1 the near-infrared lamp shines back out of them.
    """

    directions: np.ndarray
    colours: np.ndarray
    sky: np.ndarray
    shadow_strength: float = 0.8
    gobo: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 0.0)
    falloff_m: float = 0.0
    exposure: float = 1.0
    near_infrared: float = 0.0
    pupil_glow: float = 0.0


@dataclass(frozen=True, eq=False)
class Layers:
    """What a render gives.

    Attributes:
        bgr: (H, W, 3) uint8, premultiplied by alpha.
        alpha: (H, W) uint8.
        depth_m: (H, W) float32 z; 0 where nothing is.
    """

    bgr: np.ndarray
    alpha: np.ndarray
    depth_m: np.ndarray
