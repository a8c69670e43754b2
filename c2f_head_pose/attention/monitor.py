"""Decides from head poses whether a driver is attentive, distracted, absent or unknown.

Time is that of the stamps. The input is heads, not eyes: Euro NCAP and the EU define gaze. A head's direction can replace it in 'owl'
glances, in which the head turns too, but not in 'lizard' glances, in which only the eyes move. The monitor gives no warnings and is not a
certified function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..types import HeadPose
from .driver_choice import DriverChoice
from .glances import GlanceTimers, reached
from .natural_position import NaturalPosition, NaturalPositionSettings
from .nods import NodCounter, NodSettings
from .settings import UNKNOWN_ZONE, Attention, AttentionSettings, Motion, Reason, State
from .zones import ZoneMap, ZoneMass, azimuth_elevation_deg

__all__ = ['Attention', 'AttentionMonitor', 'AttentionSettings', 'Motion', 'Reason', 'State']

BACKWARDS_S = 1.0
"""A stamp that is older by this much or more means that time jumped; one that is less old is late and is ignored."""
_MAX_STD_DEG = 180.0
_CONFIDENCE_S = 0.5


@dataclass(frozen=True)
class _Evidence:
    """The evidence in one frame: a direction of the head, or none (`mass` is None, `why` is the reason)."""

    mass: ZoneMass | None = None
    why: Reason = Reason.UNCERTAIN
    head: HeadPose | None = None
    raw_deg: tuple[float, float] | None = None
    head_deg: tuple[float, float] | None = None

    @property
    def on_road(self) -> bool:
        return self.mass is not None and self.mass.road >= 0.5


class AttentionMonitor:
    """Tracks one driver among the heads of each frame and decides about attention.

    Args:
        zones: zones of the vehicle.
        R_vehicle_cam: (3, 3) rotation from the camera's optical axes to vehicle axes (x forward, y left, z up), such as
            `zones.camera_mount` returns; the identity for poses in vehicle axes.
        settings: times and thresholds of the decision.
        natural: settings for learning the natural position.
        nod: settings for counting nods.
        seat: side of the camera, in the direction of travel, on which the driver sits: 'left', 'right' or 'any'. It excludes heads
            with a known position on the other side, the driver's own only from 0.2 m on.

    Raises:
        ValueError: for a matrix that is not a rotation, or an unknown seat.
    """

    def __init__(
        self,
        zones: ZoneMap,
        R_vehicle_cam: np.ndarray,
        settings: AttentionSettings | None = None,
        natural: NaturalPositionSettings | None = None,
        nod: NodSettings | None = None,
        seat: str = 'any',
    ) -> None:
        R_vehicle_cam = np.asarray(R_vehicle_cam, float)
        if not _is_rotation(R_vehicle_cam):
            raise ValueError(f'R_vehicle_cam must be a (3, 3) rotation, got {R_vehicle_cam.tolist()}; see zones.camera_mount')
        if seat not in ('left', 'right', 'any'):
            raise ValueError(f"seat must be 'left', 'right' or 'any', got {seat!r}")
        self.zones, self.R_vehicle_cam, self.settings, self.seat = zones, R_vehicle_cam, settings or AttentionSettings(), seat
        self._natural_settings, self._nod_settings = natural, nod
        self.reset()

    def reset(self) -> None:
        """Deletes all state, as needed for a new driver or after a jump in time."""
        self._now = Attention()
        self._forget_driver()

    def _forget_driver(self) -> None:
        self._natural = NaturalPosition(self._natural_settings)
        self._nods = NodCounter(self._nod_settings)
        self._glances = GlanceTimers(self.settings)
        self._before = _Evidence()
        self._seen: _Evidence = _Evidence()
        self._seen_s = self._road_s = -np.inf
        self._nobody_since_s = self._road_since_s = np.inf
        self._road_mass = 0.0
        self._driver = DriverChoice(self.R_vehicle_cam, self.seat, self.settings.uncertain_s)

    def update(self, stamp_s: float, heads: Sequence[HeadPose] | None, motion: Motion | None = None) -> Attention:
        """Processes one frame.

        Args:
            stamp_s: the image's stamp, seconds. A stamp that is repeated, or up to 1 s older, is ignored. An older one means that time
                jumped (a bag was restarted) and deletes all state.
            heads: all heads that were found; empty if the search found none; None if no search was possible (no image, a dark one, a
                failed model).
            motion: the car's motion; None where it is unknown.

        Returns:
            The decision. No content of a frame raises an exception.
        """
        if not np.isfinite(stamp_s):
            return self._now
        stamp_s = float(stamp_s)
        last_s = self._now.stamp_s
        if last_s is not None and stamp_s <= last_s - BACKWARDS_S:
            self.reset()
            last_s = None
        if last_s is not None and stamp_s <= last_s:
            return self._now
        motion = motion or Motion()
        if last_s is not None:
            self._elapse(last_s, stamp_s, motion)
        evidence = self._look(stamp_s, heads)
        self._take(stamp_s, evidence, heads or [])
        return self._conclude(stamp_s, evidence, motion)

    def at(self, now_s: float) -> Attention:
        """Returns the decision at a time without a new frame, which is unknown once the last frame is stale.

        Args:
            now_s: the time on the stamps' clock, seconds.
        """
        last_s = self._now.stamp_s
        if last_s is None or (np.isfinite(now_s) and now_s - last_s <= self.settings.stale_s):
            return self._now
        return replace(
            self._now,
            state=State.UNKNOWN,
            reason=Reason.STALE,
            since_s=last_s + self.settings.stale_s,
            confidence=0.0,
            zone=UNKNOWN_ZONE,
            zone_probability=0.0,
            head_deg=None,
        )

    def _look(self, stamp_s: float, heads: Sequence[HeadPose] | None) -> _Evidence:
        """The evidence in a frame's heads."""
        if heads is None:
            return _Evidence(why=Reason.BLIND)
        heads = self._driver.possible(stamp_s, heads)
        if not heads:
            return _Evidence(why=Reason.NOBODY)
        head = next((head for head in heads if _is_pose(head)), None)
        if head is None:
            return _Evidence()
        R_vehicle_head = self.R_vehicle_cam @ head.R_cam_head
        corrected = self._natural.correct(R_vehicle_head)
        raw_deg, head_deg = azimuth_elevation_deg(R_vehicle_head[:, 0]), azimuth_elevation_deg(corrected[:, 0])
        if float(np.max(np.asarray(head.rotation_std_deg)[1:])) > self.settings.max_std_deg:
            return _Evidence(head=head, head_deg=head_deg)
        mass = self.zones.mass(corrected, head.rotation_std_deg)
        if max(mass.road, mass.off_road) < self.settings.min_mass:
            return _Evidence(head=head, head_deg=head_deg)
        return _Evidence(mass, Reason.ROAD, head, raw_deg, head_deg)

    def _elapse(self, last_s: float, stamp_s: float, motion: Motion) -> None:
        """Adds the time since the last frame to the timers of the last evidence, for as long as that evidence is valid."""
        s, seen = self.settings, self._seen
        held_s = min(stamp_s, self._seen_s + s.uncertain_s) - last_s
        if seen.mass is None or held_s <= 0:
            self._glances.road_run_s = 0.0
        elif not seen.on_road:
            self._glances.add_off_road(last_s, held_s, seen.mass)
        if stamp_s - self._seen_s > s.uncertain_s or stamp_s - last_s > s.stale_s:
            self._glances.road_run_s = 0.0
            if self._now.state in (State.ATTENTIVE, State.DISTRACTED):
                self._now = replace(self._now, state=State.UNKNOWN, since_s=min(stamp_s, last_s + s.stale_s))
        if self._before.raw_deg is not None and stamp_s - last_s <= s.max_step_s:
            self._natural.learn(stamp_s - last_s, *self._before.raw_deg, motion.speed_mps, motion.yaw_rate_rps)

    def _take(self, stamp_s: float, evidence: _Evidence, heads: Sequence[HeadPose]) -> None:
        """Stores a frame's evidence as the last one, and who was in view beside the driver."""
        self._before = evidence
        self._nobody_since_s = min(self._nobody_since_s, stamp_s) if evidence.why is Reason.NOBODY else np.inf
        if evidence.mass is None:
            return
        assert evidence.head is not None and evidence.head_deg is not None
        share = 1 - np.exp(-min(10.0, stamp_s - self._seen_s) / _CONFIDENCE_S)
        self._road_mass += float(share) * (evidence.mass.road - self._road_mass)
        if evidence.on_road:
            self._glances.see_road(stamp_s - self._road_s, self._seen.on_road)
            self._road_s = stamp_s
        self._road_since_s = min(self._road_since_s, stamp_s) if evidence.on_road else np.inf
        self._seen, self._seen_s = evidence, stamp_s
        self._driver.take(stamp_s, evidence.head, heads)
        self._nods.update(stamp_s, evidence.head_deg[1])

    def _conclude(self, stamp_s: float, evidence: _Evidence, motion: Motion) -> Attention:
        state, reason = self._decide(stamp_s, motion)
        if state is State.ABSENT and self._now.state is not State.ABSENT:
            nobody_since_s = self._nobody_since_s
            self._forget_driver()
            self._nobody_since_s = nobody_since_s
        since_s = self._now.since_s if state is self._now.state and self._now.since_s is not None else stamp_s
        mass = evidence.mass
        zone = UNKNOWN_ZONE if mass is None else mass.most_probable
        self._now = Attention(
            state=state,
            reason=reason,
            stamp_s=stamp_s,
            since_s=since_s,
            confidence=self._confidence(state),
            zone=zone,
            zone_probability=0.0 if mass is None else mass.probabilities[zone],
            off_road_s=self._glances.off_road_s,
            short_glances_s=self._glances.short_glances_s(stamp_s),
            head_deg=evidence.head_deg,
            natural_deg=self._natural.offset_deg,
            cues=('nodding',) if self._nods.nodding(stamp_s) else (),
            face_id=self._driver.face_id,
        )
        return self._now

    def _decide(self, stamp_s: float, motion: Motion) -> tuple[State, Reason]:
        s = self.settings
        if reached(stamp_s - self._nobody_since_s, s.absent_s):
            moving = motion.speed_mps is not None and motion.speed_mps > s.moving_mps
            return (State.UNKNOWN, Reason.NO_FACE_MOVING) if moving else (State.ABSENT, Reason.NOBODY)
        if stamp_s - self._seen_s > s.uncertain_s:
            return State.UNKNOWN, self._before.why
        broken = self._glances.broken_rule(stamp_s, motion)
        judged = motion.speed_mps is None or motion.speed_mps >= s.judged_from_mps
        if broken is not None:
            return (State.DISTRACTED, broken) if judged else (State.UNKNOWN, Reason.NOT_JUDGED)
        if self._now.state is not State.ATTENTIVE and not reached(self._glances.road_run_s, s.return_s):
            # Images too rare for continuous gaze cannot make the driver attentive, but they show that the distraction is over.
            if self._now.state is State.DISTRACTED and judged and not reached(self._road_s - self._road_since_s, s.return_s):
                return State.DISTRACTED, Reason.RETURNING if self._seen.on_road else self._now.reason
            return State.UNKNOWN, Reason.NO_EVIDENCE
        if stamp_s - self._road_s > s.long_driving_s:
            return State.UNKNOWN, Reason.NO_EVIDENCE
        return State.ATTENTIVE, Reason.ROAD if self._seen.on_road else Reason.GLANCE

    def _confidence(self, state: State) -> float:
        if state is State.ABSENT:
            return 1.0
        if state is State.UNKNOWN:
            return 0.0
        if state is State.DISTRACTED:
            return float(np.clip(1 - self._road_mass, 0, 1))
        used_up = min(1.0, self._glances.off_road_s / self.settings.long_away_s)
        return float(np.clip(1 - used_up * (1 - self._road_mass), 0, 1))


def _is_pose(head: HeadPose) -> bool:
    std = np.asarray(head.rotation_std_deg, float)
    if std.shape != (3,) or not np.all((std >= 0) & (std <= _MAX_STD_DEG)):
        return False
    return _is_rotation(np.asarray(head.R_cam_head, float))


def _is_rotation(matrix: np.ndarray) -> bool:
    with np.errstate(all='ignore'):
        return (
            matrix.shape == (3, 3)
            and bool(np.all(np.abs(matrix) < 2))
            and bool(np.all(np.abs(matrix @ matrix.T - np.eye(3)) < 1e-3))
            and float(np.linalg.det(matrix)) > 0
        )
