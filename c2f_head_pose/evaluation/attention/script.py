"""Writes scripted drives: a driver's glances and distractions over time, and the direction of the face that follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...attention.zones import direction

TURN_S = 0.3
"""Duration in seconds of a head's rotation to its target; a glance begins at the middle of the rotation."""

GAZE_DEG = {
    'road_ahead': (0.0, -1.0),
    'interior_mirror': (-29.0, 16.0),
    'driver_mirror': (39.0, -11.0),
    'passenger_mirror': (-46.0, -6.0),
    'instrument_cluster': (-4.0, -25.0),
    'centre_screen': (-33.0, -20.0),
    'lap': (-13.0, -50.0),
    'passenger': (-82.0, 4.0),
    'driver_window': (70.0, 0.0),
    'passenger_footwell': (-53.0, -40.0),
}
"""Directions of gaze, azimuth and elevation, left-hand drive. Source: the table in config/zones_passenger_car_lhd.yaml."""

DRIVING_GLANCES = {
    'interior_mirror': (0.70, 0.20),
    'driver_mirror': (1.10, 0.30),
    'passenger_mirror': (0.75, 0.36),
    'instrument_cluster': (0.62, 0.48),
}
"""Mean and standard deviation, in seconds, of an attentive driver's glances. Source: Taoka 1990, Duration of drivers' glances at
mirrors and displays, as reproduced in Green 1999, UMTRI-98-16 (secondary); interior mirror after Rockwell 1988, in the same."""


@dataclass(frozen=True)
class Glance:
    """A glance at one target, which lasts until the next glance begins.

    Attributes:
        begin_s: seconds from the start of the drive.
        target: a key of GAZE_DEG.
    """

    begin_s: float
    target: str


@dataclass(frozen=True)
class Distraction:
    """A scripted distraction, during which the state must become distracted.

    Attributes:
        kind: 'long' or 'short'.
        begin_s: begin, seconds from the start of the drive.
        end_s: end, seconds from the start of the drive.
        due_s: earliest correct time of the decision, seconds from the start of the drive.
    """

    kind: str
    begin_s: float
    end_s: float
    due_s: float


@dataclass(frozen=True)
class Script:
    """The glances and distractions of a drive of `end_s` seconds."""

    glances: tuple[Glance, ...]
    distractions: tuple[Distraction, ...]
    end_s: float


def scripted_drive(minutes: float, seed: int) -> Script:
    """Makes a drive of attentive driving with glances at mirrors and cluster, and a distraction about once a minute.

    Long distractions: one glance of 3.8 to 6 s at a target of kind `away`, due 3.0 s after it began. Short ones: glances of 1.5 s at
    the centre screen with 1 s of road between, due when their sum is 10 s: in the seventh, 6 * 2.5 + 1.0 = 16.0 s after the first.

    Args:
        minutes: duration of the drive.
        seed: seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    glances, distractions, t = [Glance(0.0, 'road_ahead')], [], 4.0
    next_distraction_s = 30.0
    while t < minutes * 60:
        if t >= next_distraction_s:
            begin_s = t
            if rng.random() < 0.7:
                target = str(rng.choice(['lap', 'centre_screen', 'passenger', 'passenger_footwell', 'driver_window']))
                glances.append(Glance(t, target))
                t += float(rng.uniform(3.8, 6.0))
                distractions.append(Distraction('long', begin_s, t, begin_s + 3.0))
            else:
                for _ in range(8):
                    glances += [Glance(t, 'centre_screen'), Glance(t + 1.5, 'road_ahead')]
                    t += 2.5
                t -= 1.0
                distractions.append(Distraction('short', begin_s, t, begin_s + 16.0))
            glances.append(Glance(t, 'road_ahead'))
            next_distraction_s = t + float(rng.uniform(40, 70))
            t += 5.0
        else:
            target = str(rng.choice(list(DRIVING_GLANCES)))
            mean, std = DRIVING_GLANCES[target]
            spread = np.sqrt(np.log1p((std / mean) ** 2))  # of a log-normal distribution with this mean and deviation
            glances.append(Glance(t, target))
            t += float(np.clip(rng.lognormal(np.log(mean) - spread**2 / 2, spread), 0.4, 2.4))
            glances.append(Glance(t, 'road_ahead'))
            t += 2.0 + float(rng.exponential(4.0))
    return Script(tuple(glances), tuple(distractions), minutes * 60)


def head_deg(script: Script, stamps_s: np.ndarray, share: tuple[float, float], rest_deg: tuple[float, float]) -> np.ndarray:
    """Computes the direction of the face over time: targets times the head's share, with smooth rotations between them.

    Args:
        script: the drive.
        stamps_s: (n,) seconds from the start of the drive, increasing.
        share: fraction of this driver's gaze (azimuth, elevation) that the head turns.
        rest_deg: (azimuth, elevation) of the resting head.

    Returns:
        (n, 2) azimuth and elevation in degrees, left-hand drive.
    """
    begins = np.array([g.begin_s for g in script.glances])
    targets = np.array([GAZE_DEG[g.target] for g in script.glances]) * share + rest_deg
    index = np.searchsorted(begins, stamps_s, side='right') - 1
    # Minimum-jerk movement from the last target to this one (Flash and Hogan 1985).
    u = np.clip((stamps_s - begins[index]) / TURN_S, 0, 1)[:, None]
    turned = 10 * u**3 - 15 * u**4 + 6 * u**5
    before = targets[np.maximum(index - 1, 0)]
    return before + turned * (targets[index] - before)


def R_vehicle_face(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """Returns the (3, 3) rotation from head axes to vehicle axes of a face that points in a direction without roll."""
    x = direction(azimuth_deg, elevation_deg)
    y = np.cross([0, 0, 1], x) / np.hypot(x[0], x[1])
    return np.stack([x, y, np.cross(x, y)], axis=1)
