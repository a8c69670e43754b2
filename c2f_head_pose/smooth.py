"""Smooths a head's rotation on SO(3) and its position over time: a One-Euro filter about a damped trend.

The head is expected to go on as it moved, less and less over `_TREND_S`; what differs from that passes the One-Euro filter. So a turn lags
less than behind the filter alone, and a still head may be smoothed more. Where a movement ends abruptly, the smoothed one goes a little
too far (2 degrees after a jump of 30).

Source: Casiez, Roussel, Vogel 2012, "1 Euro Filter"; Gardner, McKenzie 1985, "Forecasting Trends in Time Series" (the damped trend). The
rotation's smoothing runs along geodesics; a position's cutoff follows the speed as a vector, so the result does not depend on the direction
of the frame's axes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .geometry import rotation_from_vector, rotation_vector
from .options import EstimatorOptions
from .types import HeadPose

_TREND_S = 0.06
"""After this time a movement is expected to have slowed to 1/e, seconds."""
_TREND_CUTOFF_HZ = 6.0
_SPEED_CUTOFF_HZ = 1.0

CameraPlace = tuple[np.ndarray, np.ndarray]
"""(3, 3) R_fixed_cam and (3,) t_fixed_cam_m: where a camera is in a frame that does not move with it."""


class PoseFilter:
    """Smooths one head's pose as the options specify."""

    def __init__(self) -> None:
        self._rotation: RotationFilter | None = None
        self._position: PositionFilter | None = None
        self._frame: tuple[bool, bool] | None = None

    def update(
        self, pose: HeadPose, stamp_s: float, options: EstimatorOptions, place: CameraPlace | None = None, calibrated: bool = True
    ) -> HeadPose:
        """Smooths the pose at a stamp. A filter that is switched off, or whose input is unknown, restarts at its next input.

        Both restart where the frame of smoothing changes: where the fixed one or the calibration comes or goes.

        Args:
            pose: this image's pose in the camera's frame.
            stamp_s: the image's stamp, seconds.
            options: options of smoothing.
            place: the camera in a frame that does not move with it, in which smoothing then runs: (3, 3) R_fixed_cam, (3,) t_fixed_cam_m.
            calibrated: False for a rotation relative to the ray through the face, as of an image without a calibration.

        Returns:
            The smoothed pose in the camera's frame.
        """
        frame = (place is not None, calibrated)
        if self._frame != frame:
            self._frame, self._rotation, self._position = frame, None, None
        R_fixed_cam, t_fixed_cam_m = (np.eye(3), np.zeros(3)) if place is None else place
        if not options.smoothing:
            self._rotation = None
        else:
            self._rotation = self._rotation or RotationFilter()
            R_fixed_head = self._rotation.update(
                R_fixed_cam @ pose.R_cam_head, stamp_s, options.smoothing_min_cutoff_hz, options.smoothing_beta
            )
            pose = replace(pose, R_cam_head=R_fixed_cam.T @ R_fixed_head)
        if not (options.smoothing and options.smoothing_position) or pose.t_cam_head_m is None:
            self._position = None
            return pose
        self._position = self._position or PositionFilter()
        t_fixed_head_m = self._position.update(
            R_fixed_cam @ pose.t_cam_head_m + t_fixed_cam_m,
            stamp_s,
            options.smoothing_position_min_cutoff_hz,
            options.smoothing_position_beta,
        )
        return replace(pose, t_cam_head_m=R_fixed_cam.T @ (t_fixed_head_m - t_fixed_cam_m))


class RotationFilter:
    """Smooths one head's rotation: strongly while the head is still, weakly while it moves, so that a fast rotation has little lag."""

    def __init__(self) -> None:
        self._R: np.ndarray | None = None
        self._course = _Course()

    def update(self, R: np.ndarray, stamp_s: float, min_cutoff_hz: float, beta: float) -> np.ndarray:
        """Smooths the rotation at a stamp.

        Args:
            R: (3, 3) this image's estimate.
            stamp_s: seconds; a stamp that does not advance does not change the smoothed rotation.
            min_cutoff_hz: cutoff of a still head, Hz, > 0.
            beta: growth of the cutoff with speed, Hz per (rad/s), >= 0.

        Returns:
            (3, 3) float64.
        """
        if self._R is None:
            self._R = R
        step = self._course.update(rotation_vector(self._R.T @ R), stamp_s, min_cutoff_hz, beta)
        self._R = self._R @ rotation_from_vector(step)
        return self._R


class PositionFilter:
    """Smooths one head's position, in any frame in which a still head has a constant position."""

    def __init__(self) -> None:
        self._t_m: np.ndarray | None = None
        self._course = _Course()

    def update(self, t_m: np.ndarray, stamp_s: float, min_cutoff_hz: float, beta: float) -> np.ndarray:
        """Smooths the position at a stamp.

        Args:
            t_m: (3,) this image's estimate, metres.
            stamp_s: seconds; a stamp that does not advance does not change the smoothed position.
            min_cutoff_hz: cutoff of a still head, Hz, > 0.
            beta: growth of the cutoff with speed, Hz per (m/s), >= 0.

        Returns:
            (3,) float64 metres.
        """
        if self._t_m is None:
            self._t_m = t_m
        self._t_m = self._t_m + self._course.update(t_m - self._t_m, stamp_s, min_cutoff_hz, beta)
        return self._t_m


class _Course:
    """Computes the smoothed value's steps, rotation vectors or differences of positions."""

    def __init__(self) -> None:
        self._trend, self._speed = np.zeros(3), np.zeros(3)
        self._stamp_s: float | None = None

    def update(self, difference: np.ndarray, stamp_s: float, min_cutoff_hz: float, beta: float) -> np.ndarray:
        """The (3,) step from the last smoothed value, given the newest sample's (3,) difference from it.

        It is 0 for the first sample and for a stamp that does not advance.
        """
        if self._stamp_s is None:
            self._stamp_s = stamp_s
        dt = stamp_s - self._stamp_s
        if dt <= 0:
            return np.zeros(3)
        self._stamp_s = stamp_s
        self._speed = self._speed + _alpha(_SPEED_CUTOFF_HZ, dt) * (difference / dt - self._speed)
        expected = np.exp(-dt / _TREND_S) * dt * self._trend
        step = expected + _alpha(min_cutoff_hz + beta * float(np.linalg.norm(self._speed)), dt) * (difference - expected)
        self._trend = self._trend + _alpha(_TREND_CUTOFF_HZ, dt) * (step / dt - self._trend)
        return step


def _alpha(cutoff_hz: float, dt: float) -> float:
    """Weight of the newest sample of a first-order low-pass with a cutoff, after dt seconds (Casiez 2012, eq. 5)."""
    ratio = 2 * np.pi * cutoff_hz * dt
    return ratio / (1 + ratio)
