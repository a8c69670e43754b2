"""Converts the attention in a recording to spans of time, for metrics.json and the report's timeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...attention.monitor import BACKWARDS_S, Attention, AttentionMonitor, Motion, Reason, State
from ...attention.vehicle_profile import find_zones
from ...attention.zones import camera_mount
from ...types import HeadPose


@dataclass(frozen=True)
class Span:
    """A period of one state for one reason.

    Attributes:
        begin_s: stamp of its first frame.
        end_s: stamp of the next span's first frame; of the last frame for the last span.
        state: state of the driver.
        reason: reason for the state.
        zone: the zone of most frames of the span; 'unknown' if most frames have no evidence.
    """

    begin_s: float
    end_s: float
    state: State
    reason: Reason
    zone: str


class AttentionTimeline:
    """Builds spans frame by frame without storing the frames.

    Args:
        monitor: a monitor without frames, with the vehicle's zones and the camera's mount.
    """

    def __init__(self, monitor: AttentionMonitor) -> None:
        self._monitor = monitor
        self._before_jumps: list[Span] = []
        self._spans: list[Span] = []
        self._zones: dict[str, int] = {}
        self._last_s: float | None = None

    def take(self, stamp_s: float, heads: Sequence[HeadPose] | None, motion: Motion | None = None) -> None:
        """Processes one frame; see AttentionMonitor.update for the arguments, and for stamps that do not increase.

        Where time jumps back, the span ends at the frame before, and another one begins at this frame.
        """
        if self._last_s is not None and stamp_s <= self._last_s - BACKWARDS_S:
            self._before_jumps, self._spans, self._last_s = self.spans(), [], None
        if self._last_s is not None:
            if not stamp_s > self._last_s:
                return
            stale_s = self._last_s + self._monitor.settings.stale_s
            if stamp_s > stale_s:
                self._extend(self._monitor.at(stamp_s), stale_s)
        self._extend(self._monitor.update(stamp_s, heads, motion), stamp_s)
        self._last_s = stamp_s

    def spans(self) -> list[Span]:
        """Returns the spans so far, in order and, between jumps back in time, without gaps; stale input is a separate span."""
        if not self._spans or self._last_s is None:
            return self._before_jumps
        return [*self._before_jumps, *self._spans[:-1], replace(self._spans[-1], end_s=self._last_s)]

    def _extend(self, attention: Attention, stamp_s: float) -> None:
        spans, zones = self._spans, self._zones
        if not spans or (spans[-1].state, spans[-1].reason) != (attention.state, attention.reason):
            if spans:
                spans[-1] = replace(spans[-1], end_s=stamp_s)
            zones.clear()
            spans.append(Span(stamp_s, stamp_s, attention.state, attention.reason, attention.zone))
        zones[attention.zone] = zones.get(attention.zone, 0) + 1
        zone = max(zones, key=zones.__getitem__)
        if zone != spans[-1].zone:
            spans[-1] = replace(spans[-1], zone=zone)


def attention_timeline(monitor: AttentionMonitor, frames: Iterable[tuple[float, Sequence[HeadPose] | None, Motion | None]]) -> list[Span]:
    """Returns the spans of a sequence of frames; see AttentionTimeline.

    Args:
        monitor: a monitor without frames, with the vehicle's zones and the camera's mount.
        frames: (stamp, heads, motion) as in AttentionMonitor.update.
    """
    timeline = AttentionTimeline(monitor)
    for stamp_s, heads, motion in frames:
        timeline.take(stamp_s, heads, motion)
    return timeline.spans()


def driver_monitor(zones: str, camera_elevation_deg: float, image_rotation: int) -> AttentionMonitor:
    """Makes a monitor of the driver for a camera that faces straight back along the car.

    Args:
        zones: the vehicle's profile: a shipped one's name, such as passenger_car_lhd, or the path of a .yaml file.
        camera_elevation_deg: elevation of the optical axis, degrees, > 0 up.
        image_rotation: clockwise turn in degrees that makes the image upright, by which the camera itself is turned clockwise.

    Raises:
        ValueError: for an unknown name, a wrong profile, naming the file and the mistake, or an elevation beyond 89 degrees.
        OSError: when the file cannot be read.
    """
    return AttentionMonitor(find_zones(zones), camera_mount(180.0, camera_elevation_deg, image_rotation))
