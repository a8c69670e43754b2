"""Smooths a head's rotation over time with the One-Euro filter on SO(3).

Source: Casiez, Roussel, Vogel 2012, "1 Euro Filter"; its exponential smoothing taken along geodesics.
"""
from __future__ import annotations

import numpy as np

from .geometry import rotation_from_vector, rotation_vector

_SPEED_CUTOFF_HZ = 1.0


class RotationFilter:
    """Smooths one head; still heads a lot, moving heads little, so that a fast turn lags little."""

    def __init__(self) -> None:
        self._R: np.ndarray | None = None
        self._speed = np.zeros(3)
        self._stamp_s = 0.0

    def update(self, R: np.ndarray, stamp_s: float, min_cutoff_hz: float, beta: float) -> np.ndarray:
        """The smoothed rotation at a stamp.

        Args:
            R: (3, 3) this image's estimate.
            stamp_s: seconds; a stamp that does not advance leaves the smoothed rotation as it is.
            min_cutoff_hz: cutoff of a still head, Hz, > 0.
            beta: how much the cutoff grows with speed, Hz per (rad/s), >= 0.

        Returns:
            (3, 3) float64.
        """
        if self._R is None:
            self._R, self._stamp_s = R, stamp_s
            return R
        dt = stamp_s - self._stamp_s
        if dt <= 0:
            return self._R
        self._stamp_s = stamp_s
        step = rotation_vector(self._R.T @ R)
        self._speed = self._speed + _alpha(_SPEED_CUTOFF_HZ, dt) * (step / dt - self._speed)
        cutoff_hz = min_cutoff_hz + beta * float(np.linalg.norm(self._speed))
        self._R = self._R @ rotation_from_vector(_alpha(cutoff_hz, dt) * step)
        return self._R


def _alpha(cutoff_hz: float, dt: float) -> float:
    """Weight of the newest sample of a first-order low-pass with a cutoff, after dt seconds (Casiez 2012, eq. 5)."""
    ratio = 2 * np.pi * cutoff_hz * dt
    return ratio / (1 + ratio)
