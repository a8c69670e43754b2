"""Learns one driver's natural position: the average direction of the head over minutes of driving straight ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import geometry


@dataclass(frozen=True)
class NaturalPositionSettings:
    """Settings for learning a driver's natural position. openpilot uses the same method (selfdrive/monitoring).

    Attributes:
        min_speed_mps: smallest speed. Euro NCAP allows impairment functions to learn from 50 km/h on (Safe Driving, Driver Engagement
            v1.1, clause not verified), and openpilot learns from 13 m/s on.
        max_yaw_rate_rps: largest yaw rate, so that the road ahead is straight: 0.02 rad/s at 50 km/h is a bend of 700 m radius.
            Engineering estimate.
        min_learned_s: time of learning after which the correction begins, seconds; a minute, as in openpilot.
        time_constant_s: time constant of the average, seconds. Engineering estimate.
        max_step_deg: limit of the deviations from the average, degrees, so that glances hardly change it.
        window_deg: directions farther than this from straight ahead are ignored, because the head is not at rest there.
        max_azimuth_deg: limit of the learned azimuth on either side, degrees, so that a habit of looking away does not become
            'straight ahead'.
        max_elevation_deg: limit of the learned elevation up and down, degrees.
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
    """Running average of the direction of one driver's head while the car drives straight ahead.

    Attributes:
        learned_s: time of driving that was learned from, seconds.
    """

    def __init__(self, settings: NaturalPositionSettings | None = None) -> None:
        self.settings = settings or NaturalPositionSettings()
        self.learned_s = 0.0
        self._azimuth_elevation_deg = np.zeros(2)

    @property
    def offset_deg(self) -> tuple[float, float]:
        """The learned (azimuth, elevation), degrees; zero until `min_learned_s` is reached."""
        if self.learned_s < self.settings.min_learned_s:
            return 0.0, 0.0
        return float(self._azimuth_elevation_deg[0]), float(self._azimuth_elevation_deg[1])

    def learn(self, seconds: float, azimuth_deg: float, elevation_deg: float, speed_mps: float | None, yaw_rate_rps: float | None) -> None:
        """Adds an uncorrected head direction to the average, unless the car is slow, turns, or its motion is unknown.

        Args:
            seconds: time for which the head kept the direction.
            azimuth_deg: direction in vehicle axes, > 0 to the left.
            elevation_deg: direction in vehicle axes, > 0 up.
            speed_mps: the car's speed; None unknown.
            yaw_rate_rps: the car's yaw rate, rad/s; None unknown.
        """
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
        """Rotates a (3, 3) R_vehicle_head so that the natural position points straight ahead."""
        azimuth, elevation = np.radians(self.offset_deg)
        return geometry.rotation_from_vector(np.array([0.0, -elevation, azimuth])).T @ R_vehicle_head
