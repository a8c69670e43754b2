"""Presets of rendered datasets, in one table; the command line chooses one and can change some settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .people.appearance import Variety
from .scene.drawables import Lighting
from .scene.lights import COLOURS
from .scene.lights import paper as paper_light

WIDE_OCCLUSION = {'none': 0.80, 'hand': 0.09, 'phone': 0.03, 'bar': 0.04, 'rectangle': 0.04}


@dataclass(frozen=True)
class Preset:
    """Settings of a rendered dataset.

    Attributes:
        name: its name on the command line.
        count: samples by default.
        identities: people in the population.
        male_share: share of men among the people, 0..1.
        crop_size: side of the crops, pixels.
        crop_margin: side of the crop over the larger extent of the 68 landmarks' box.
        channels: 1 gray, 3 BGR.
        composited: whether the renderer adds backgrounds and sensor noise; otherwise training adds them.
        depth_model: 'ideal', 'structured_light', 'time_of_flight' or 'ray_distance'.
        yaw_deg: uniform between plus and minus this.
        pitch_deg: uniform between plus and minus this.
        roll_deg: uniform between plus and minus this.
        distance_m: uniform in the logarithm between these, camera to sellion.
        focal_px: uniform between these, of a 640x480 camera.
        reach: largest distance of heads from the middle of the image, as a fraction of half the image.
        variety: frequencies of clothing and expressions.
        lights: shares of layout.LIGHTS; None for the default mix; empty for the paper's single lamp.
        occlusion: shares of layout.OCCLUDERS.
        noise_sigma: standard deviation of Gaussian noise in 8-bit grey levels, if composited.
        blur_sigma_px: range of a Gaussian blur, if composited; None for none.
        masks: whether to add the black masks of the paper's section 4.4.
        conditions: names of a robustness set's steps; sample i has step i % len.
        light_of: maps the number of a step to its light.
        per_head: crops rendered of one dressed head.
        scans: whether faces have the shapes of scans (people/scan_shapes.py), not the body model's.
    """

    name: str
    count: int
    identities: int = 3000
    male_share: float = 0.5
    crop_size: int = 192
    crop_margin: float = 2.2
    channels: int = 1
    composited: bool = False
    depth_model: str = 'ideal'
    yaw_deg: float = 100.0
    pitch_deg: float = 80.0
    roll_deg: float = 45.0
    distance_m: tuple[float, float] = (0.35, 2.5)
    focal_px: tuple[float, float] = (450.0, 800.0)
    reach: float = 0.8
    variety: Variety = field(default_factory=Variety)
    lights: dict[str, float] | None = None
    occlusion: dict[str, float] = field(default_factory=lambda: dict(WIDE_OCCLUSION))
    noise_sigma: float = 0.0
    blur_sigma_px: tuple[float, float] | None = None
    masks: bool = False
    conditions: tuple[str, ...] = ()
    light_of: Callable[[int], Lighting] | None = None
    per_head: int = 4
    scans: bool = False


PAPER_SIDE_PX = 256
"""Side of the paper's pictures. We assume that they show 1.4 times the landmarks' extent, which the paper does not specify."""

# wider than the paper's pictures, so that shifted crops and networks with 1.7 times the extent have enough margin
_PAPER = dict(
    identities=300,
    male_share=2 / 3,
    composited=True,
    yaw_deg=50.0,
    pitch_deg=75.0,
    roll_deg=20.0,
    distance_m=(0.8, 1.3),
    focal_px=(575.0, 575.0),
    reach=0.2,
    variety=Variety(plain=True, neutral=1.0, closed_eyes=0.0),
    lights={},
    occlusion={'none': 1.0},
    noise_sigma=4.0,
    crop_margin=1.8,
)
_ROBUST = {**_PAPER, 'crop_size': 330}  # the middle `PAPER_SIDE_PX` are the paper's picture

_ANGLES = tuple(range(-100, 101, 20))
_INTENSITIES = tuple(round(0.3 + 0.1 * i, 1) for i in range(10))

PRESETS = {
    p.name: p
    for p in (
        Preset('wide', 20_000),
        Preset('scans', 20_000, scans=True),
        Preset('back', 20_000, yaw_deg=180.0),
        Preset('near_infrared', 20_000, lights={'near_infrared': 1.0}),
        Preset('paper', 310_000, crop_size=160, **_PAPER),
        Preset(
            'illumination_angle',
            11_000,
            conditions=tuple(f'{a} deg' for a in _ANGLES),
            light_of=lambda i: paper_light(azimuth_deg=_ANGLES[i]),
            **_ROBUST,
        ),
        Preset(
            'illumination_intensity',
            10_000,
            conditions=tuple(str(v) for v in _INTENSITIES),
            light_of=lambda i: paper_light(intensity=_INTENSITIES[i]),
            **_ROBUST,
        ),
        Preset(
            'illumination_colour',
            9_000,
            conditions=tuple(COLOURS),
            channels=3,
            light_of=lambda i: paper_light(colour=list(COLOURS.values())[i]),
            **_ROBUST,
        ),
        Preset('blur', 10_000, blur_sigma_px=(1.0, 4.0), **_ROBUST),
        Preset('occlusion', 10_000, masks=True, conditions=('60x60', '60x120'), **_ROBUST),
        Preset('depth', 60_000, crop_size=160, depth_model='ray_distance', **_PAPER),
        Preset('depth_structured_light', 20_000, depth_model='structured_light'),
        Preset('depth_time_of_flight', 20_000, depth_model='time_of_flight'),
    )
}
"""The paper's sizes: 310k in all (4.1), 30k illumination, 10k blur, 10k occlusion (4.4), 60k depth (4.5).

The paper specifies neither the sigma of the blur (here 1 to 4 pixels of the 256x256 input, uniform) nor that of the noise (here 4 of 255).
"""


def sample_pose_deg(rng: np.random.Generator, preset: Preset) -> np.ndarray:
    """Draws (3,) yaw, pitch, roll, uniform within the preset's ranges, 300W-LP convention."""
    limit = np.array([preset.yaw_deg, preset.pitch_deg, preset.roll_deg])
    return rng.uniform(-limit, limit)
