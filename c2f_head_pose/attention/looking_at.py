"""Decides whether a person looks at a target, such as a robot's camera or any named frame.

The decision uses the direction of the face, which does not show movements of the eyes alone. REP-155's frame `gaze_<id>` has its z axis
along the gaze, which is the head's x axis here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..stamp_order import LATE_S, SLOWEST_S
from .zones import head_directions


@dataclass(frozen=True)
class LookingAtSettings:
    """When a face counts as looking at a target. Engineering estimates; no norm defines it.

    Attributes:
        radius_deg: radius of the cone about the direction to the target. The eyes turn a part of the angle, so the head stops up to
            fifteen degrees short of the target.
        enter_mass: looking begins with at least this probability mass in the cone.
        leave_mass: looking ends below this mass; the difference to `enter_mass` is a hysteresis against flicker at the edge.
        dwell_s: time for which the mass must stay beyond a limit, seconds.
        forget_s: after this time without a detection of the person the result is None, and the decision starts again; seconds. A person
            who is in every image is followed where these are up to 2 s apart.
        max_std_deg: largest standard deviation of a direction that counts as evidence, degrees.
    """

    radius_deg: float = 15.0
    enter_mass: float = 0.6
    leave_mass: float = 0.4
    dwell_s: float = 0.3
    forget_s: float = 1.0
    max_std_deg: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.leave_mass < self.enter_mass < 1:
            raise ValueError(f'leave_mass ({self.leave_mass:g}) must be below enter_mass ({self.enter_mass:g}), both in (0, 1)')
        if not 0 < self.radius_deg < 90:
            raise ValueError(f'radius_deg must be between 0 and 90, got {self.radius_deg:g}')


class LookingAt:
    """Decides over time whether one person looks at one target.

    Attributes:
        looking: whether the person looks at the target; None unknown.
        since_s: stamp at which `looking` got its value, seconds; None unknown.
        mass: probability mass in the cone at the last frame with a head.
    """

    def __init__(self, settings: LookingAtSettings | None = None) -> None:
        self.settings = settings or LookingAtSettings()
        self._reset()

    def _reset(self) -> None:
        self.looking: bool | None = None
        self.since_s: float | None = None
        self.mass = 0.0
        self._verdict: bool | None = None
        self._stamp_s = self._seen_s = self._verdict_since_s = -np.inf

    def update(
        self, stamp_s: float, R_head: np.ndarray | None, rotation_std_deg: np.ndarray | None, to_target: np.ndarray | None
    ) -> bool | None:
        """Processes one frame.

        Args:
            stamp_s: the image's stamp, seconds. A stamp that is not newer than the last one is ignored; one that is older by a second
                or more restarts the decision.
            R_head: (3, 3) rotation from head axes to any frame's axes; None if the person is not seen.
            rotation_std_deg: (3,) standard deviation as in HeadPose, degrees.
            to_target: (3,) vector from the head to the target in the same frame's axes, of any length; None if it is unknown.

        Returns:
            Whether the person looks at the target; None where that is unknown.
        """
        s = self.settings
        if not np.isfinite(stamp_s) or self._stamp_s - LATE_S < stamp_s <= self._stamp_s:
            return self.looking
        if stamp_s <= self._stamp_s:
            self._reset()
        mass = self._mass_at(R_head, rotation_std_deg, to_target)
        forgotten = self._forgotten(stamp_s, in_every_image=mass is not None and self._seen_s == self._stamp_s)
        self._stamp_s = stamp_s
        if forgotten:
            self.looking, self.since_s, self.mass, self._verdict = None, None, 0.0, None
        if mass is None:
            return self.looking
        self._seen_s, self.mass = stamp_s, mass
        verdict = True if mass >= s.enter_mass else False if mass < s.leave_mass else self.looking
        if verdict != self._verdict:
            self._verdict, self._verdict_since_s = verdict, stamp_s
        if verdict != self.looking and stamp_s - self._verdict_since_s >= s.dwell_s - 1e-3:
            self.looking, self.since_s = verdict, stamp_s
        return self.looking

    def at(self, now_s: float) -> bool | None:
        """Returns whether the person looks at the target at a time after the last frame, and changes nothing.

        Args:
            now_s: seconds, on the stamps' clock. It may be an estimate: the next frame may have an earlier stamp.
        """
        return None if self._forgotten(now_s, in_every_image=self._seen_s == self._stamp_s) else self.looking

    def _forgotten(self, stamp_s: float, in_every_image: bool) -> bool:
        """Whether the person was last seen too long before a stamp; one who was in every image may have been between rare ones too."""
        limit_s = self.settings.forget_s
        return stamp_s - self._seen_s > (max(limit_s, SLOWEST_S) if in_every_image else limit_s)

    def _mass_at(self, R_head: np.ndarray | None, rotation_std_deg: np.ndarray | None, to_target: np.ndarray | None) -> float | None:
        if R_head is None or rotation_std_deg is None or to_target is None:
            return None
        R_head, std, to_target = (np.asarray(v, float) for v in (R_head, rotation_std_deg, to_target))
        if not (np.all(np.abs(R_head) < 2) and np.all((std >= 0) & (std <= self.settings.max_std_deg))):
            return None
        if not np.all(np.abs(to_target) < 1e6) or np.abs(R_head @ R_head.T - np.eye(3)).max() > 1e-3:
            return None
        distance = float(np.linalg.norm(to_target))
        if distance < 1e-6:
            return None
        cosines = head_directions(R_head, std) @ (to_target / distance)
        return float(np.mean(cosines >= np.cos(np.radians(self.settings.radius_deg))))
