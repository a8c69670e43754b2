"""How a portrait's pictures differ: turns, expressions, gaze, light, distance. One table; `draw_poses` follows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from c2f_head_pose import geometry

from .head import IDENTITY_MODES
from .portrait import FAR_M, Pose
from .turn import UNLIT, Light

SIDED_MOVEMENTS = (
    *('browDown', 'browOuterUp', 'cheekPuff', 'cheekRaiser', 'cheekSquint', 'eyeSquint', 'eyeWide', 'mouthDimple', 'mouthFrown'),
    *('mouthPress', 'mouthSmile', 'mouthStretch', 'mouthUpperUp', 'noseSneer'),
)
MOVEMENTS = ('browInnerUp_L', 'browInnerUp_R', 'jawForward', 'jawLeft', 'jawRight', 'mouthFunnel', 'mouthLeft', 'mouthPucker', 'mouthRight')
_NECK_LIMIT_DEG = 60.0  # a neck turns no further: the torso takes the rest


@dataclass(frozen=True)
class Variety:
    """How the pictures of one portrait differ.

    Attributes:
        pictures: number of pictures of each portrait.
        as_taken: how many of these are the photograph itself: with its background, without it, and so on in turn.
        upright: share of the others that is nearly upright: normally distributed.
        upright_sd_deg: standard deviations of their yaw, pitch and roll.
        yaw_deg: largest yaw of the rest, which are turned far: uniform up to this either way.
        pitch_sd_deg: standard deviation of the rest's pitch.
        pitch_deg: largest pitch of the rest.
        roll_sd_deg: standard deviation of the rest's roll.
        closed_eyes: share of pictures with closed eyes.
        open_mouth: share with an open mouth.
        gaze: share whose eyes look elsewhere.
        animated: share with another expression: some of its own is taken away, up to three movements are added.
        reshaped: share with another identity, the portrait's colours on it.
        reshaped_sd: standard deviation of what is added to each mode of the identity, in standard deviations of people.
        relit: share that is relit.
        distance_m: uniform in the logarithm between these; portraits themselves are taken from afar.
        far: share seen from very far, without perspective.
    """

    pictures: int = 16
    as_taken: int = 2
    upright: float = 0.27
    upright_sd_deg: tuple[float, float, float] = (18.0, 12.0, 8.0)
    yaw_deg: float = 90.0
    pitch_sd_deg: float = 18.0
    pitch_deg: float = 50.0
    roll_sd_deg: float = 8.0
    closed_eyes: float = 0.4
    open_mouth: float = 0.25
    gaze: float = 0.5
    animated: float = 0.5
    reshaped: float = 0.7
    reshaped_sd: float = 0.9
    relit: float = 0.5
    distance_m: tuple[float, float] = (0.5, 3.0)
    far: float = 0.3


def draw_poses(rng: np.random.Generator, R_cam_head: np.ndarray, variety: Variety) -> list[Pose]:
    """The poses of one portrait's pictures.

    Args:
        rng: the only source of randomness.
        R_cam_head: (3, 3) of the portrait, about.
        variety: the pictures' differences.
    """
    poses = [Pose(np.eye(3))] * variety.as_taken
    for _ in range(variety.pictures - variety.as_taken):
        if rng.random() < variety.upright:
            ypr = rng.normal(0, variety.upright_sd_deg)
        else:
            pitch = np.clip(rng.normal(0, variety.pitch_sd_deg), -variety.pitch_deg, variety.pitch_deg)
            ypr = np.array([rng.uniform(-variety.yaw_deg, variety.yaw_deg), pitch, rng.normal(0, variety.roll_sd_deg)])
        D = geometry.rotation_from_ypr_deg(ypr) @ R_cam_head.T
        turn = np.degrees(np.linalg.norm(geometry.rotation_vector(D)))
        needed = max(0.0, turn - _NECK_LIMIT_DEG) / max(turn, 1.0)
        poses.append(
            Pose(
                D,
                torso_share=float(rng.uniform(max(0.2, needed), max(0.6, needed))),
                distance_m=FAR_M if rng.random() < variety.far else float(np.exp(rng.uniform(*np.log(variety.distance_m)))),
                **_face(rng, variety),
                light=_light(rng) if rng.random() < variety.relit else UNLIT,
            )
        )
    return poses


def _face(rng: np.random.Generator, variety: Variety) -> dict[str, Any]:
    """Identity, expression and gaze, as `Pose` takes them."""
    out: dict[str, float] = {}
    gaze = (0.0, 0.0)
    if rng.random() < variety.gaze:
        gaze = (rng.uniform(-28, 28), float(np.clip(rng.normal(0, 8), -18, 18)))
        # lids and their corners follow the eyes; full strength at 30 degrees
        across, up = gaze[0] / 30, gaze[1] / 30
        out |= {f'eyeLook{"Up" if up > 0 else "Down"}_{side}': abs(up) for side in 'LR'}
        out |= {'eyeLookOut_L': across, 'eyeLookIn_R': across} if across > 0 else {'eyeLookIn_L': -across, 'eyeLookOut_R': -across}
    if rng.random() < variety.closed_eyes:
        closed = rng.uniform(0.85, 1.0)
        out |= {'eyeBlink_L': closed, 'eyeBlink_R': closed}
    if rng.random() < variety.open_mouth:
        out['jawOpen'] = rng.uniform(0.1, 0.7)
    face: dict[str, Any] = {'morphs': out, 'gaze_deg': gaze}
    if rng.random() < variety.animated:
        face['relaxed'] = rng.uniform(0, 0.8)
        for movement in rng.choice([*SIDED_MOVEMENTS, *MOVEMENTS], rng.integers(4), replace=False):
            strength = rng.uniform(0.1, 0.8)
            out |= dict.fromkeys([movement] if movement in MOVEMENTS else [f'{movement}_{side}' for side in 'LR'], strength)
    if rng.random() < variety.reshaped:
        face['identity'] = rng.normal(0, variety.reshaped_sd, IDENTITY_MODES)
    return face


def _light(rng: np.random.Generator) -> Light:
    azimuth, elevation = rng.uniform(-1.9, 1.9), rng.normal(0.4, 0.4)
    direction = np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), -np.cos(azimuth) * np.cos(elevation)])
    directed = rng.uniform(0.2, 0.9)
    return Light(direction, float(rng.uniform(0.9, 1.1) - 0.6 * directed), float(directed))
