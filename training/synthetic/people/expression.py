"""Samples facial expressions and gaze."""

from __future__ import annotations

import numpy as np

from ..layout import EXPRESSIONS
from .appearance import Variety


def sample_expression(rng: np.random.Generator, actions: list[str], variety: Variety) -> tuple[str, dict[str, float]]:
    """Samples a facial expression.

    Args:
        rng: random generator.
        actions: every facial action of the model.
        variety: frequencies of expressions.

    Returns:
        The name among layout.EXPRESSIONS, and the strength of each action.
    """
    rest = (1 - variety.neutral - variety.closed_eyes) / 5
    kind = str(rng.choice(EXPRESSIONS, p=[variety.neutral, rest, rest, rest, rest, variety.closed_eyes, rest]))
    out: dict[str, float] = {}
    if kind == 'talk':
        out['jawOpen'] = rng.uniform(0.05, 0.45)
        out[str(rng.choice(['mouthFunnel', 'mouthPucker', 'mouthStretchLeft', 'mouthShrugLower', 'mouthRollUpper']))] = rng.uniform(0, 0.5)
    elif kind == 'smile':
        s = rng.uniform(0.3, 1)
        out.update(mouthSmileLeft=s, mouthSmileRight=s * rng.uniform(0.8, 1), cheekSquintLeft=s * 0.6, cheekSquintRight=s * 0.6)
        out['jawOpen'] = rng.choice([0.0, rng.uniform(0.05, 0.3)])
    elif kind == 'open_mouth':
        out['jawOpen'] = rng.uniform(0.45, 1.0)
        out['browInnerUp'] = rng.uniform(0, 0.8)
    elif kind == 'squint':
        s = rng.uniform(0.4, 1)
        out.update(
            eyeSquintLeft=s,
            eyeSquintRight=s,
            browDownLeft=s * rng.uniform(0.2, 1),
            browDownRight=s * rng.uniform(0.2, 1),
            noseSneerLeft=s * 0.3,
            noseSneerRight=s * 0.3,
        )
    elif kind == 'random':
        free = [a for a in actions if a != 'tongueOut' and 'eyeLook' not in a and 'Blink' not in a and a != 'mouthClose']
        out.update({str(a): rng.uniform(0, 0.6) for a in rng.choice(free, 4, replace=False)})
    lids = rng.uniform(0.85, 1.0) if kind == 'blink' else rng.choice([rng.uniform(0, 0.25), rng.uniform(0.25, 0.6)], p=[0.85, 0.15])
    out['eyeBlinkLeft'] = out['eyeBlinkRight'] = lids
    return kind, {k: float(v) for k, v in out.items()}


def sample_gaze(rng: np.random.Generator, expression: dict[str, float]) -> np.ndarray:
    """Samples the gaze in the head, (2,) degrees to the person's left and up; adds the eyelids' movement to `expression`."""
    gaze = np.clip(rng.normal(0, [12, 7]), [-32, -20], [32, 16])
    for eye in ('Left', 'Right'):
        expression[f'eyeLookUp{eye}'] = float(max(gaze[1], 0) / 25)
        expression[f'eyeLookDown{eye}'] = float(max(-gaze[1], 0) / 25)
    return gaze
