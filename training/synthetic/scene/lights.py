"""Samples the light on a head and the camera's exposure. Directions are in the camera's optical frame."""

from __future__ import annotations

import numpy as np

from .drawables import Lighting

_SHARES = {'soft': 0.30, 'sun': 0.15, 'one_sided': 0.20, 'patterned': 0.08, 'backlit': 0.07, 'coloured': 0.08, 'near_infrared': 0.12}

COLOURS = {
    'red': (1.0, 0.05, 0.05),
    'orange': (1.0, 0.45, 0.05),
    'yellow': (1.0, 0.95, 0.1),
    'green': (0.1, 0.9, 0.1),
    'cyan': (0.1, 0.9, 0.9),
    'blue': (0.1, 0.15, 1.0),
    'purple': (0.55, 0.1, 0.85),
    'pink': (1.0, 0.5, 0.7),
    'gray': (0.5, 0.5, 0.5),
    'white': (1.0, 1.0, 1.0),
}
"""The ten colours of the paper's section 4.4; linear RGB values are ours, the paper names them only."""


def direction(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """Returns (3,) unit vector towards a light: azimuth 0 at the camera, > 0 to the image's right; elevation > 0 above."""
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.array([np.sin(a) * np.cos(e), -np.sin(e), -np.cos(a) * np.cos(e)])


def sample(rng: np.random.Generator, kinds: dict[str, float] | None = None) -> tuple[str, float, float, Lighting]:
    """Draws random light.

    Args:
        rng: random generator.
        kinds: shares of layout.LIGHTS; None the default mix.

    Returns:
        kind, the key light's azimuth in degrees and strength, and the lighting.
    """
    kinds = kinds or _SHARES
    kind = str(rng.choice(list(kinds), p=np.array(list(kinds.values())) / sum(kinds.values())))
    if kind == 'near_infrared':
        return (kind, *near_infrared(rng))
    sides, level = {
        'soft': (60, (0.3, 0.8)),
        'sun': (100, (0.9, 1.6)),
        'one_sided': (0, (0.8, 1.5)),
        'patterned': (80, (0.9, 1.5)),
        'backlit': (0, (0.6, 1.4)),
        'coloured': (100, (0.5, 1.2)),
    }[kind]
    azimuth = rng.uniform(-sides, sides)
    elevation = rng.uniform(-15, 65)
    if kind == 'one_sided':
        azimuth, elevation = rng.choice([-1, 1]) * rng.uniform(50, 110), rng.uniform(-15, 45)
    if kind == 'backlit':
        azimuth = rng.choice([-1, 1]) * rng.uniform(120, 180)
    ambient = rng.uniform(0.04, 0.18) if kind in ('one_sided', 'backlit') else rng.uniform(0.16, 0.5)
    directions, colours = np.tile([0.0, 0, -1], (3, 1)), np.zeros((3, 3))
    intensity = rng.uniform(*level)
    for i in range(rng.integers(1, 4)):
        warm = rng.uniform(-1, 1)
        tint = np.clip(np.array([1 + 0.25 * warm, 1, 1 - 0.3 * warm]) + rng.normal(0, 0.04, 3), 0.3, 1.6)
        if kind == 'coloured':
            tint = np.array(list(COLOURS.values())[rng.integers(len(COLOURS))]) * rng.uniform(0.7, 1.0, 3) + 0.03
        if i == 0:
            directions[0], colours[0] = direction(azimuth, elevation), tint * intensity
        else:
            directions[i] = direction(rng.uniform(-100, 100), rng.uniform(-25, 70))
            colours[i] = tint * intensity * rng.uniform(0.1, 0.4) * (0.4 if kind == 'one_sided' else 1.0)
    sky = sample_sky(rng, ambient)
    gobo = (0.0, 1.0, 0.0, 0.0)
    if kind == 'patterned':
        gobo = (
            float(rng.uniform(0.5, 0.95)),
            float(rng.uniform(4, 14)),
            float(rng.choice([0.0, 1.0], p=[0.65, 0.35])),
            float(rng.uniform(0, 3.2)),
        )
    return (
        kind,
        float(azimuth),
        float(intensity),
        Lighting(
            directions,
            colours,
            sky,
            float(rng.choice([0.0, rng.uniform(0.6, 1.0)], p=[0.2, 0.8])),
            gobo,
            exposure=exposure_for(directions, colours, ambient) * float(rng.uniform(0.7, 1.3)),
        ),
    )


def near_infrared(rng: np.random.Generator) -> tuple[float, float, Lighting]:
    """Makes the light of a lamp near the camera in an otherwise dark place, as in driver monitoring; azimuth, strength, lighting."""
    azimuth, elevation = rng.uniform(-35, 35), rng.uniform(-30, 30)
    directions, colours = np.tile([0.0, 0, -1], (3, 1)), np.zeros((3, 3))
    directions[0], colours[0] = direction(azimuth, elevation), np.full(3, rng.uniform(0.9, 1.3))
    if rng.random() < 0.4:
        directions[1], colours[1] = direction(rng.uniform(-120, 120), rng.uniform(0, 60)), np.full(3, rng.uniform(0.1, 0.8))
    ambient = rng.uniform(0.01, 0.15)
    sky = np.repeat(sample_sky(rng, ambient).mean(1, keepdims=True), 3, axis=1)
    lighting = Lighting(
        directions,
        colours,
        sky,
        float(rng.uniform(0.6, 1.0)),
        falloff_m=1.0,
        exposure=float(rng.uniform(0.6, 1.5)),
        near_infrared=1.0,
        pupil_glow=float(rng.uniform(0.3, 1.0)) if np.hypot(azimuth, elevation) < 12 else 0.0,
    )
    return float(azimuth), float(colours[0, 0]), lighting


def paper(azimuth_deg: float = 0.0, intensity: float = 1.0, colour: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Lighting:
    """Makes the paper's one lamp, of which section 4.4 changes horizontal angle, intensity or colour; the rest stays constant."""
    directions, colours = np.tile([0.0, 0, -1], (3, 1)), np.zeros((3, 3))
    directions[0], colours[0] = direction(azimuth_deg, 25.0), np.array(colour) * intensity
    sky = np.zeros((9, 3))
    sky[0] = 0.18
    return Lighting(directions, colours, sky, 0.8, exposure=1.05)


def sample_sky(rng: np.random.Generator, ambient: float) -> np.ndarray:
    """Draws (9, 3) smooth surroundings, which are usually brighter from above."""
    base = np.clip(rng.normal(1, 0.07, 3), 0.7, 1.3) * ambient
    sky = np.stack(
        [base]
        + [base * rng.normal(0, 0.28) * np.clip(rng.normal(1, 0.2, 3), 0.5, 1.5) for _ in range(3)]
        + [base * rng.normal(0, 0.08) for _ in range(5)]
    )
    sky[1] = -np.abs(sky[1])
    return sky


def exposure_for(directions: np.ndarray, colours: np.ndarray, ambient: float) -> float:
    """Computes the exposure that a camera would choose for a face in the middle: the more light falls on its front, the smaller."""
    front = np.clip(-directions[:, 2], 0.15, 1) * colours.mean(1)
    return float(1.0 / (0.6 * ambient + 0.55 * front.sum() ** 0.85 + 0.18))
