"""Defines the states, reasons and settings of the attention decision, with the source of each number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

UNKNOWN_ZONE = 'unknown'
_TIMERS = ('long_away_s', 'long_driving_s', 'addw_fast_s', 'addw_slow_s', 'unresponsive_s')
"""Settings that are the length of one glance."""


class State(str, Enum):
    """State of the driver. Treat every state but `attentive` as no evidence of attention."""

    ATTENTIVE = 'attentive'
    DISTRACTED = 'distracted'
    ABSENT = 'absent'
    UNKNOWN = 'unknown'


class Reason(str, Enum):
    """Reason for the state."""

    ROAD = 'road'
    GLANCE = 'glance'
    RETURNING = 'returning_to_road'
    LONG = 'long_distraction'
    SHORT = 'short_distractions'
    ADDW = 'addw_area_3'
    UNRESPONSIVE = 'unresponsive'
    NOBODY = 'nobody'
    NO_FACE_MOVING = 'no_face_while_moving'
    BLIND = 'blind'
    UNCERTAIN = 'uncertain'
    NO_EVIDENCE = 'not_seen_attentive_yet'
    NOT_JUDGED = 'not_judged_at_low_speed'
    STALE = 'stale'


@dataclass(frozen=True)
class AttentionSettings:
    """When a glance counts as a distraction. Times in seconds of the stamps, speeds in m/s.

    Sources: [NCAP] Euro NCAP Assessment Protocol SA Safe Driving v10.4 (February 2024), section 3.5.3.1 Distraction, continued in
    Safe Driving Driver Engagement v1.1 (October 2025), section 1.3. [ADDW] Commission Delegated Regulation (EU) 2023/2590,
    Annex I, Part 1, section 3.3.2. They were read in secondary renderings, not in the documents themselves; docs/attention.md lists
    what was verified and how. All of them define gaze; `Head:` states which part of it a head's direction can replace.

    Attributes:
        long_away_s: [NCAP] long distraction, a single glance of 3 s or more away from the forward road view. Head: owl glances.
        long_driving_s: [NCAP] the same for mirrors and cluster, with the additional second that it allows where justified: a longer
            look at a mirror serves the driving task. Head: driver's and passenger's mirror; glances at the cluster are mostly lizard.
        short_total_s: [NCAP] short distraction (VATS): glances away whose sum reaches 10 s within `short_window_s`.
        short_window_s: 30 s, see `short_total_s`.
        short_reset_s: the sum is reset when the gaze returns to the forward road view for 2 s. Head: owl glances only, so reading a
            phone on the dashboard with the eyes alone is not counted.
        driving_allowance_s: the first second of a look at a mirror or the cluster does not count towards short_total_s. AttenD:
            Kircher and Ahlstroem 2009, VTI report 638A (secondary source).
        addw: whether the EU's timer runs in addition to Euro NCAP's.
        addw_fast_s: [ADDW] 3.3.2.1 and 3.3.2.2 (which of them applies to which speed was not verified): gaze into area 3 (below the
            plane 30 degrees down) for 3.5 s at 50 km/h and above. Head: the face points into the zones marked area 3, which are
            shrunk by the head's share of a gaze.
        addw_slow_s: [ADDW] the same clauses: 6 s from 20 to 50 km/h.
        addw_fast_mps: [ADDW] the same clauses: 50 km/h. An unknown speed counts as fast.
        judged_from_mps: [NCAP], [ADDW]: 20 km/h. Below it the state is never distracted, since a long look aside at a junction or in
            a car park is the driving task; it is unknown instead, never attentive. With an unknown speed the rules apply.
        return_s: [NCAP] (Driver Engagement v1.1) an intervention ends after 1 s of continuous gaze to the forward road view.
            Also the evidence needed before the state is attentive at all.
        unresponsive_s: [NCAP] gaze away for 6 s, or not back 3 s after a warning: the same moment for a glance warned of at 3 s.
        gap_s: [ADDW] 3.3.2.4: a timer is not reset by a short 'in, out, back in'; the manufacturer chooses the length. Likewise a
            look off the road that is shorter than this does not reset return_s or short_reset_s; it subtracts its own time.
        min_mass: smallest probability mass on the road, or off it, with which a frame counts as evidence.
        max_std_deg: largest standard deviation of a direction that counts as evidence. At 12 degrees a face straight at the road has
            0.62 of its mass in the shipped zones' road, just above min_mass; beyond, uncertainty itself would look like a glance.
        uncertain_s: time without evidence after which the state is unknown. It is shorter than each timer of one glance, so that no
            distraction is decided without evidence; [NCAP] requires that the driver be informed within 10 s.
        absent_s: time without a face in the searched images after which the state is absent, unless the car is known to move.
        moving_mps: speed above which a driver cannot have left the car, so a missing face means a blind camera.
        stale_s: time without any input after which the state is unknown.
        max_step_s: largest time between two frames of continuous evidence.
    """

    long_away_s: float = 3.0
    long_driving_s: float = 4.0
    short_total_s: float = 10.0
    short_window_s: float = 30.0
    short_reset_s: float = 2.0
    driving_allowance_s: float = 1.0
    addw: bool = True
    addw_fast_s: float = 3.5
    addw_slow_s: float = 6.0
    addw_fast_mps: float = 50 / 3.6
    judged_from_mps: float = 20 / 3.6
    return_s: float = 1.0
    unresponsive_s: float = 6.0
    gap_s: float = 0.3
    min_mass: float = 0.6
    max_std_deg: float = 12.0
    uncertain_s: float = 2.0
    absent_s: float = 2.0
    moving_mps: float = 1.4
    stale_s: float = 1.0
    max_step_s: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, bool) and not (np.isfinite(value) and value > 0):
                raise ValueError(f'attention setting {name} must be finite and above 0, got {value!r}')
        if not 0.5 < self.min_mass < 1:
            raise ValueError(f'attention setting min_mass must be between 0.5 and 1, got {self.min_mass:g}')
        for name in _TIMERS:
            if self.uncertain_s >= (limit_s := getattr(self, name)):
                raise ValueError(
                    f'attention setting uncertain_s ({self.uncertain_s:g}) must be shorter than {name} '
                    f'({limit_s:g}), or time without evidence would count as distraction'
                )
        if self.short_total_s > self.short_window_s:
            raise ValueError(
                f'attention setting short_total_s ({self.short_total_s:g}) must be no longer than short_window_s '
                f'({self.short_window_s:g}), or short distractions would never be found'
            )


@dataclass(frozen=True)
class Attention:
    """The decision at one stamp.

    Attributes:
        state: attentive, distracted, absent or unknown.
        reason: reason for the state.
        stamp_s: stamp of the frame that the decision is based on; None before the first.
        since_s: stamp at which the state began; None before the first frame.
        confidence: in [0, 1], share of the recent probability mass that supports the state; 0 for unknown.
        zone: the most probable zone of this frame's head; 'unknown' for a frame without evidence.
        zone_probability: its probability mass.
        off_road_s: seconds that the current glance away from the forward road view has lasted; 0 on the road.
        short_glances_s: seconds away within the last 30 s that count towards the short distractions.
        head_deg: (azimuth, elevation) of the face in the vehicle, corrected by the natural position; None without a head.
        natural_deg: the driver's learned natural position (azimuth, elevation), which head_deg is corrected by.
        cues: cues of fatigue that a head alone can show: 'nodding'. They never change the state.
        face_id: id of the driver's head, as text; None unknown.
    """

    state: State = State.UNKNOWN
    reason: Reason = Reason.NO_EVIDENCE
    stamp_s: float | None = None
    since_s: float | None = None
    confidence: float = 0.0
    zone: str = UNKNOWN_ZONE
    zone_probability: float = 0.0
    off_road_s: float = 0.0
    short_glances_s: float = 0.0
    head_deg: tuple[float, float] | None = None
    natural_deg: tuple[float, float] = (0.0, 0.0)
    cues: tuple[str, ...] = ()
    face_id: str | None = None


@dataclass(frozen=True)
class Motion:
    """The car's motion.

    Attributes:
        speed_mps: absolute speed, m/s; None if it is unknown or its source is stale.
        yaw_rate_rps: yaw rate, rad/s, > 0 to the left; None likewise.
    """

    speed_mps: float | None = None
    yaw_rate_rps: float | None = None

    def __post_init__(self) -> None:
        for name in ('speed_mps', 'yaw_rate_rps'):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None or not np.isfinite(value) else float(value))
        if self.speed_mps is not None:
            object.__setattr__(self, 'speed_mps', abs(self.speed_mps))
