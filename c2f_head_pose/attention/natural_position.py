"""What is learned of one driver over minutes: where the head naturally rests, and whether it nods."""
from __future__ import annotations

import collections
from dataclasses import dataclass

import numpy as np

from .. import geometry


@dataclass(frozen=True)
class NaturalPositionSettings:
    """How a driver's natural position is learned; openpilot learns its own in the same manner (selfdrive/monitoring).

    Attributes:
        min_speed_mps: learn at this speed or above; 50 km/h, where Euro NCAP lets impairment functions begin their learning
            (Safe Driving, Driver Engagement v1.1, clause not verified) and openpilot learns (13 m/s).
        max_yaw_rate_rps: learn only where the car turns no faster, so that the road ahead is straight ahead: 0.02 rad/s at
            50 km/h is a bend of 700 m radius. Engineering estimate.
        min_learned_s: nothing is corrected before so many seconds were learned from; a minute, as in openpilot.
        time_constant_s: of the slow average. Engineering estimate.
        max_step_deg: a deviation from the average counts for no more than this, so that glances hardly move it.
        window_deg: a head further than this from straight ahead is not at rest and teaches nothing.
        max_azimuth_deg: the learned position is clamped to this, to either side.
        max_elevation_deg: likewise up and down. No habit of looking away can thus become 'straight ahead'.
    """

    min_speed_mps: float = 50 / 3.6
    max_yaw_rate_rps: float = 0.02
    min_learned_s: float = 60.0
    time_constant_s: float = 30.0
    max_step_deg: float = 3.0
    window_deg: float = 18.0
    max_azimuth_deg: float = 8.0
    max_elevation_deg: float = 6.0


class NaturalPosition:
    """The direction in which one driver's head rests while the car drives straight ahead."""

    def __init__(self, settings: NaturalPositionSettings | None = None) -> None:
        self.settings = settings or NaturalPositionSettings()
        self.learned_s = 0.0
        self._azimuth_elevation_deg = np.zeros(2)

    @property
    def offset_deg(self) -> tuple[float, float]:
        """The (azimuth, elevation) by which to correct, degrees; zero until enough was learned."""
        if self.learned_s < self.settings.min_learned_s:
            return 0.0, 0.0
        return float(self._azimuth_elevation_deg[0]), float(self._azimuth_elevation_deg[1])

    def learn(self, seconds: float, azimuth_deg: float, elevation_deg: float, speed_mps: float | None,
              yaw_rate_rps: float | None) -> None:
        """Count a head direction, uncorrected, that was held for some time; ignored unless driving straight ahead."""
        s = self.settings
        if speed_mps is None or yaw_rate_rps is None or speed_mps < s.min_speed_mps or abs(yaw_rate_rps) > s.max_yaw_rate_rps:
            return
        if max(abs(azimuth_deg), abs(elevation_deg)) > s.window_deg:
            return
        step = np.clip(np.array([azimuth_deg, elevation_deg]) - self._azimuth_elevation_deg, -s.max_step_deg, s.max_step_deg)
        clamp = np.array([s.max_azimuth_deg, s.max_elevation_deg])
        moved = self._azimuth_elevation_deg + step * min(1.0, seconds / s.time_constant_s)
        self._azimuth_elevation_deg = np.clip(moved, -clamp, clamp)
        self.learned_s += seconds

    def correct(self, R_vehicle_head: np.ndarray) -> np.ndarray:
        """(3, 3) R_vehicle_head turned so that the natural position points straight ahead."""
        azimuth, elevation = np.radians(self.offset_deg)
        return geometry.rotation_from_vector(np.array([0.0, -elevation, azimuth])).T @ R_vehicle_head


@dataclass(frozen=True)
class NodSettings:
    """What counts as a nod: a slow droop of the head and its return. A cue, not a measure of fatigue.

    No regulation defines nodding; these are engineering estimates. Head alone cannot tell a nod from a slow look down, and
    the regulated signs of fatigue (eye closure: Euro NCAP microsleep and sleep; the Karolinska scale: Regulation (EU)
    2021/1341) need the eyes.

    Attributes:
        depth_deg: the head falls at least this far.
        return_deg: and comes back to within this of where it was.
        min_fall_s: the middle half of the fall takes at least this long: a glance at the cluster is quicker.
        max_nod_s: the whole nod takes no longer.
        window_s: nods are counted over this long.
        cue_count: so many within the window give the cue 'nodding'.
        smoothing_s: time constant of the filter before.
    """

    depth_deg: float = 12.0
    return_deg: float = 5.0
    min_fall_s: float = 0.3
    max_nod_s: float = 3.0
    window_s: float = 60.0
    cue_count: int = 3
    smoothing_s: float = 0.15


class NodCounter:
    """Counts nods in a head's elevation over time."""

    def __init__(self, settings: NodSettings | None = None) -> None:
        self.settings = settings or NodSettings()
        self._trace: collections.deque[tuple[float, float]] = collections.deque(maxlen=512)
        self._nods: collections.deque[float] = collections.deque(maxlen=64)

    def update(self, stamp_s: float, elevation_deg: float) -> None:
        """Count one measurement; stamps must not fall."""
        s = self.settings
        if self._trace and stamp_s - self._trace[-1][0] > 0.5:
            self._trace.clear()
        if self._trace:
            last_s, last_deg = self._trace[-1]
            share = 1 - np.exp(-(stamp_s - last_s) / s.smoothing_s)
            elevation_deg = float(last_deg + share * (elevation_deg - last_deg))
        self._trace.append((stamp_s, elevation_deg))
        while stamp_s - self._trace[0][0] > s.max_nod_s:
            self._trace.popleft()
        if self._ends_a_nod():
            self._nods.append(stamp_s)
            self._trace.clear()

    def count(self, stamp_s: float) -> int:
        """Nods within the window before a time."""
        while self._nods and stamp_s - self._nods[0] > self.settings.window_s:
            self._nods.popleft()
        return len(self._nods)

    def nodding(self, stamp_s: float) -> bool:
        """Whether there were enough nods for the cue."""
        return self.count(stamp_s) >= self.settings.cue_count

    def _ends_a_nod(self) -> bool:
        s = self.settings
        times, angles = np.array(self._trace).T
        bottom = int(angles.argmin())
        if bottom == 0 or angles[-1] - angles[bottom] < s.depth_deg - s.return_deg:
            return False
        top = int(angles[:bottom].argmax())
        depth = angles[top] - angles[bottom]
        if depth < s.depth_deg or angles[-1] < angles[top] - s.return_deg:
            return False
        fall = angles[top:bottom + 1]
        quarter, three_quarters = ((fall > angles[top] - share * depth).nonzero()[0][-1] for share in (0.25, 0.75))
        return bool(times[top + three_quarters] - times[top + quarter] >= s.min_fall_s)
