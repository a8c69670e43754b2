"""Learns one driver's natural position: the direction in which the head rests, averaged over minutes of driving straight ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import geometry


@dataclass(frozen=True)
class NaturalPositionSettings:
    """How a driver's natural position is learned. openpilot learns its own in the same manner (selfdrive/monitoring).

    Attributes:
        min_speed_mps: least speed. 50 km/h: from there on Euro NCAP allows impairment functions to learn (Safe Driving, Driver
            Engagement v1.1, clause not verified) and openpilot learns (13 m/s).
        max_yaw_rate_rps: greatest yaw rate, so that the road ahead is straight ahead: 0.02 rad/s at 50 km/h is a bend of 700 m
            radius. Engineering estimate.
        min_learned_s: the correction begins after so many seconds of learning; a minute, as in openpilot.
        time_constant_s: of the slow average. Engineering estimate.
        max_step_deg: deviations from the average are clipped to this, so that glances hardly move it.
        window_deg: directions further than this from straight ahead are ignored: the head is not at rest there.
        max_azimuth_deg: the learned azimuth is clipped to this on either side, so that a habit of looking away cannot become
            straight ahead.
        max_elevation_deg: likewise up and down.
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
    """A running average of the direction in which one driver's head rests while the car drives straight ahead."""

    def __init__(self, settings: NaturalPositionSettings | None = None) -> None:
        self.settings = settings or NaturalPositionSettings()
        self.learned_s = 0.0
        self._azimuth_elevation_deg = np.zeros(2)

    @property
    def offset_deg(self) -> tuple[float, float]:
        """The (azimuth, elevation) by which to correct, degrees; zero until `min_learned_s` is reached."""
        if self.learned_s < self.settings.min_learned_s:
            return 0.0, 0.0
        return float(self._azimuth_elevation_deg[0]), float(self._azimuth_elevation_deg[1])

    def learn(self, seconds: float, azimuth_deg: float, elevation_deg: float, speed_mps: float | None, yaw_rate_rps: float | None) -> None:
        """Takes an uncorrected head direction that was held for some seconds; ignored unless the car drives straight ahead."""
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
