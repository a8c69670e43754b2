"""Samples the population to render from one seed, spread evenly over sex, age and ethnicity."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2f_head_pose.files import written_whole

from .heads import HeadModel, Shape

RACES = ('african', 'asian', 'caucasian')
_HEAD_SHAPES = ('head-', 'forehead', 'cheek', 'chin', 'ear-', 'eye', 'mouth', 'nose', 'neck')
_LEFT_OUT = (
    'head-angle',  # would change the zero pose
    'head-age',
    'ear-shape',  # babies, elves
    'septumangle',
    'nose-compression',
    'nose-nostrils-width',
    'nose-flaring',
)  # would show the inside of the nostrils
_SMALLER = ('head-trans', 'eye-trans', 'neck', 'mouth-trans', 'nose-trans')
_SPREAD = 0.30
_SIDES = 0.10


@dataclass(frozen=True)
class Identity:
    """One person.

    Attributes:
        id: number in the population.
        split: 'train', 'val' or 'test'.
        sex: 'male' or 'female'.
        age_years: 16..80.
        race: weights of African, Asian, Caucasian, sum 1.
        seed: seed of the person's shape and skin.
    """

    id: int
    split: str
    sex: str
    age_years: float
    race: tuple[float, float, float]
    seed: int


def population(count: int, male_share: float, seed: int) -> list[Identity]:
    """Samples people: stratified by age, with each ethnicity dominant in a third of them, split 90/5/5.

    Args:
        count: number of people.
        male_share: exactly round(count * male_share) are male.
        seed: seed of the population.
    """
    rng = np.random.default_rng([seed, 0x1DE])
    males = round(count * male_share)
    sexes = rng.permutation(np.array(['male'] * males + ['female'] * (count - males)))
    ages = rng.permutation(16 + 64 * (np.arange(count) + rng.random(count)) / count)
    leaders = rng.permutation(np.arange(count) % 3)
    splits = np.array(['train'] * count, dtype='U5')
    order = rng.permutation(count)
    held = max(1, round(0.05 * count)) if count >= 3 else 0
    splits[order[:held]], splits[order[held : 2 * held]] = 'val', 'test'
    seeds = rng.integers(0, 2**32, count)
    out = []
    for i in range(count):
        race = rng.dirichlet(np.where(np.arange(3) == leaders[i], 6.0, 0.6))
        out.append(Identity(i, str(splits[i]), str(sexes[i]), float(ages[i]), tuple(float(v) for v in race), int(seeds[i])))
    return out


def neutral_shape(model: HeadModel, identity: Identity) -> Shape:
    """Computes the person's head at rest with a neutral expression."""
    return model.evaluate(coefficients(model, identity))


def coefficients(model: HeadModel, identity: Identity) -> np.ndarray:
    """Computes the (len(model.names),) float32 shape coefficients of a person."""
    rng = np.random.default_rng([identity.seed, 1])
    female = identity.sex == 'female'
    gender = rng.uniform(0.8, 1.0) if female else rng.uniform(0.0, 0.2)
    out = np.zeros(len(model.names), np.float32)
    out[: model.phenotype_count] = model.phenotype(
        np.array(identity.race),
        gender,
        age_scale(identity.age_years),
        rng.uniform(0.2, 0.8),
        float(np.clip(rng.normal(0.5, 0.22), 0.05, 0.98)),
        rng.uniform(0.3, 0.7),
        rng.uniform(0.2, 0.8),
    )
    for name, sides in model.local_pairs().items():
        if not name.startswith(_HEAD_SHAPES) or name.startswith(_LEFT_OUT) or any(skip in name for skip in _LEFT_OUT[3:]):
            continue
        spread = _SPREAD * (0.6 if name.startswith(_SMALLER) else 1.0) * (0.55 if name.startswith('nose') else 1.0)
        value = float(np.clip(rng.normal(0, spread), -2 * spread, 2 * spread))
        for side, (one, other) in sides.items():
            own = value + (rng.normal(0, _SIDES * spread / _SPREAD) if side else 0.0)
            if name.endswith('trans-out'):
                own *= 0.35
            out[one if own > 0 else other] = min(abs(own), 1.0)
    return out


def age_scale(years: float) -> float:
    """Returns the body model's age scale: 12 years 1/3 (child), 25 years 2/3 (young adult), 90 years 1.

    Source: MakeHuman's macro targets.
    """
    return float(np.interp(years, [12, 25, 90], [1 / 3, 2 / 3, 1]))


def write_identities(path: Path, people: list[Identity]) -> None:
    """Writes identities.csv."""
    with written_whole(path) as part, open(part, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['id', 'split', 'sex', 'age_years', *RACES, 'seed'])
        for p in people:
            writer.writerow([p.id, p.split, p.sex, f'{p.age_years:.1f}', *(f'{w:.4f}' for w in p.race), p.seed])
