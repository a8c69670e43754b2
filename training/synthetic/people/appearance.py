"""Samples the appearance of people: hair, clothes, accessories and colours. Other modules draw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from .identities import RACES, Identity

Colour = tuple[float, float, float]

_HAIR_MALE = ('hair/short01', 'hair/short02', 'hair/short03', 'hair/short04', 'hair/afro01', '')
_HAIR_MALE_SHARE = (0.24, 0.22, 0.18, 0.14, 0.07, 0.15)
_HAIR_FEMALE = ('hair/bob01', 'hair/bob02', 'hair/long01', 'hair/ponytail01', 'hair/Braid01', 'hair/afro01', 'hair/short04', 'hair/short03')
_HAIR_FEMALE_SHARE = (0.08, 0.13, 0.19, 0.22, 0.16, 0.06, 0.10, 0.06)
_HAIR_COLOURS = np.array(
    [
        [0.012, 0.010, 0.009],
        [0.03, 0.018, 0.011],
        [0.075, 0.04, 0.02],
        [0.16, 0.09, 0.045],
        [0.33, 0.22, 0.11],
        [0.22, 0.07, 0.025],
        [0.35, 0.34, 0.33],
        [0.55, 0.5, 0.42],
    ]
)
"""Linear RGB: black, dark brown, brown, light brown, blond, red, grey, white."""
_GREY, _WHITE = 6, 7
_IRISES = np.array(
    [
        [0.10, 0.045, 0.018],
        [0.05, 0.022, 0.01],
        [0.20, 0.11, 0.04],
        [0.10, 0.20, 0.32],
        [0.16, 0.27, 0.36],
        [0.12, 0.2, 0.1],
        [0.22, 0.25, 0.27],
    ]
)


@dataclass(frozen=True)
class Wardrobe:
    """Hair, hat, glasses, covering and beard of a person.

    Attributes:
        hair: name among the fitted meshes, '' for none.
        hat: '', 'fedora', 'beanie', 'visor_cap' or 'headscarf'.
        eyewear: among layout.EYEWEAR.
        covering: among layout.COVERINGS.
        brows: name among the fitted meshes.
        lashes: name among the fitted meshes.
        beard_density: 0 none .. 1.
        beard_length: 0 stubble .. 1 full.
        collar: height in metres over the root of the neck, slope to the front, slope to the sides.
        arms_down_deg: angle of the arms below the rest pose.
        seed: seed of the shapes of our own garments.
    """

    hair: str = ''
    hat: str = ''
    eyewear: str = 'none'
    covering: str = 'none'
    brows: str = 'eyebrows/eyebrow001'
    lashes: str = 'eyelashes/Eyelashes01'
    beard_density: float = 0.0
    beard_length: float = 0.0
    collar: tuple[float, float, float] = (-0.01, 0.0, 0.5)
    arms_down_deg: float = 42.0
    seed: int = 0


@dataclass(frozen=True)
class Look:
    """Colours (linear RGB) and pictures of a person.

    Attributes:
        skin: uniforms of skin.frag.
        eyes: uniforms of eye.frag.
        skin_picture: first skin texture.
        skin_picture2: second skin texture, mixed with the first.
        hair_colour: colour of the hair.
        hair_shine: shine of the hair.
        brow_colour: colour of the brows.
        hat_colour: colour of the hat.
        hat_picture: number of the fedora's texture.
        covering_colour: colour of mask or scarf.
        frame_colour: colour of the glasses' frame.
        lens_colour: colour of the glasses' lenses.
        lens_opacity: 0 clear .. 1.
    """

    skin: dict[str, object] = field(default_factory=dict)
    eyes: dict[str, object] = field(default_factory=dict)
    skin_picture: str = ''
    skin_picture2: str = ''
    hair_colour: Colour = (0.03, 0.02, 0.01)
    hair_shine: float = 1.0
    brow_colour: Colour = (0.02, 0.015, 0.01)
    hat_colour: Colour = (0.1, 0.1, 0.1)
    hat_picture: int = 0
    covering_colour: Colour = (0.7, 0.7, 0.7)
    frame_colour: Colour = (0.02, 0.02, 0.02)
    lens_colour: Colour = (0.5, 0.5, 0.5)
    lens_opacity: float = 0.1


@dataclass(frozen=True)
class Variety:
    """Frequencies of clothing and expressions, as shares in 0..1.

    Attributes:
        plain: whether hats, glasses, coverings and beards are excluded, as in the paper.
        hat: share with a hat of any kind.
        glasses: share with clear glasses.
        sunglasses: share with dark glasses.
        mask: share with a mask over mouth and nose.
        scarf: share with a scarf up to chin, mouth or nose.
        beard: share of men with a beard, from stubble to full.
        neutral: share of faces without an expression.
        closed_eyes: share of blinks and closed eyes.
    """

    plain: bool = False
    hat: float = 0.16
    glasses: float = 0.15
    sunglasses: float = 0.10
    mask: float = 0.06
    scarf: float = 0.05
    beard: float = 0.45
    neutral: float = 0.30
    closed_eyes: float = 0.07


def sample_wardrobe(rng: np.random.Generator, identity: Identity, variety: Variety) -> Wardrobe:
    """Samples the wardrobe of a person."""
    female = identity.sex == 'female'
    names, shares = (_HAIR_FEMALE, _HAIR_FEMALE_SHARE) if female else (_HAIR_MALE, _HAIR_MALE_SHARE)
    hair = str(rng.choice(names, p=shares))
    hat = eyewear = covering = ''
    density = length = 0.0
    draws = rng.random(8)
    if not variety.plain:
        if draws[0] < variety.hat:
            hat = str(
                rng.choice(['fedora', 'beanie', 'visor_cap', 'headscarf'], p=[0.15, 0.3, 0.25, 0.3] if female else [0.2, 0.4, 0.4, 0.0])
            )
        if draws[1] < variety.glasses + variety.sunglasses:
            eyewear = 'glasses' if draws[1] < variety.glasses else 'sunglasses'
        if draws[2] < variety.mask + variety.scarf and hat != 'headscarf':
            covering = 'mask' if draws[2] < variety.mask else 'scarf'
        if not female and identity.age_years > 18 and draws[3] < variety.beard:
            density = float(rng.uniform(0.35, 1.0))
            length = float(rng.choice([0.0, rng.uniform(0.1, 0.5), rng.uniform(0.5, 1.0)], p=[0.45, 0.25, 0.3]))
    if hat:
        hair = ''  # hair would penetrate the cloth
    return Wardrobe(
        hair=hair,
        hat=hat,
        eyewear=eyewear or 'none',
        covering=covering or 'none',
        brows=f'eyebrows/eyebrow{rng.integers(1, 13):03d}',
        lashes=str(rng.choice(['eyelashes/Eyelashes01', 'eyelashes/eyelashes02', 'eyelashes/eyelashes03', 'eyelashes/eyelashes04'])),
        beard_density=density,
        beard_length=length,
        collar=(float(rng.uniform(-0.045, 0.005)), float(rng.uniform(-0.35, 0.1)), float(rng.choice([0, rng.uniform(0.2, 1.2)]))),
        arms_down_deg=float(rng.uniform(35, 48)),
        seed=int(rng.integers(2**31)),
    )


def sample_look(rng: np.random.Generator, identity: Identity, wardrobe: Wardrobe, skins: dict[tuple[str, str, str], list[str]]) -> Look:
    """Samples the colours of a person; the skin depends on ethnicity, sex and age.

    Args:
        rng: random generator.
        identity: the person.
        wardrobe: the person's clothes.
        skins: textures by (age, race, sex), `skin_pictures`.
    """
    age = 'young' if identity.age_years < 38 else 'middleage' if identity.age_years < 58 else 'old'
    race = rng.choice(3, 2, p=np.array(identity.race) / sum(identity.race))
    first, second = (str(rng.choice(skins[(age, RACES[r], identity.sex)])) for r in race)
    dark = max(identity.race[0], identity.race[1]) > 0.45
    hair = _HAIR_COLOURS[rng.choice([0, 0, 1, 1, 2] if dark else len(_HAIR_COLOURS) - 2)] * rng.uniform(0.8, 1.25)
    if rng.random() < np.clip((identity.age_years - 50) / 40, 0, 0.7):
        hair = _HAIR_COLOURS[rng.choice([_GREY, _GREY, _WHITE])] * rng.uniform(0.7, 1.2)
    tint = np.clip(rng.normal(1, 0.05, 3) * rng.uniform(0.75, 1.12), 0.55, 1.25)
    female = identity.sex == 'female'
    pattern = rng.choice([0, 0, 0, 1])
    skin = {
        'tint': _colour(tint),
        'roughness': float(rng.uniform(0.36, 0.55)),
        'shine': float(rng.uniform(0.7, 1.6)),
        'picture_mix': float(rng.random()),
        'lip_colour': float(rng.uniform(0, 0.45) * (1.6 if female else 0.6)),
        'blotches': float(rng.uniform(0.3, 1.3)),
        'freckles': float(max(0, rng.normal(-0.1, 0.3))),
        'pores': float(rng.uniform(0.4, 1.1)),
        'cloth': _colour(_cloth(rng)),
        'cloth2': _colour(_cloth(rng)),
        'cloth_pattern': (float(pattern * rng.uniform(20, 70)), float(rng.integers(0, 2))),
        'beard_colour': _colour(np.minimum(hair * rng.uniform(0.6, 1.0), 0.4)),
    }
    eyes = {'iris_colour': _colour(_IRISES[rng.choice(2) if dark else rng.choice(len(_IRISES))]), 'pupil': float(rng.uniform(0.10, 0.22))}
    mask = [(0.75, 0.75, 0.75), (0.28, 0.48, 0.62), (0.02, 0.02, 0.02), _colour(_cloth(rng))][rng.integers(4)]
    return Look(
        skin=skin,
        eyes=eyes,
        skin_picture=first,
        skin_picture2=second,
        hair_colour=_colour(hair),
        hair_shine=float(rng.uniform(0.5, 2.0)),
        brow_colour=_colour(np.minimum(hair * 0.8, 0.12)),
        hat_colour=_colour(_cloth(rng)),
        hat_picture=int(rng.integers(3)),
        covering_colour=mask,
        frame_colour=_colour(rng.choice([0.01, 0.03, 0.3]) * rng.uniform(0.3, 1.0, 3)),
        lens_colour=_colour(rng.uniform(0.01, 0.08, 3)),
        lens_opacity=float(rng.uniform(0.7, 1.0) if wardrobe.eyewear == 'sunglasses' else rng.uniform(0.02, 0.12)),
    )


@cache
def skin_pictures(folder: Path) -> dict[tuple[str, str, str], list[str]]:
    """Returns skin textures of the asset folder by (age, race, sex)."""
    out: dict[tuple[str, str, str], list[str]] = {}
    for path in sorted(folder.glob('skin_*.png')):
        _, age, race, sex, _ = path.stem.split('_')
        out.setdefault((age, race, sex), []).append(path.name)
    return out


def _cloth(rng: np.random.Generator) -> np.ndarray:
    grey = rng.uniform(0.01, 0.7)
    return np.clip(grey * (1 + rng.uniform(0, 0.9) * rng.uniform(-1, 1, 3)), 0.008, 0.85)


def _colour(values: np.ndarray) -> Colour:
    r, g, b = (float(v) for v in values)
    return (r, g, b)
