"""A recording's attention as spans of time, for the bag report's timeline."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..attention import Attention, AttentionMonitor, Motion, Reason, State
from ..types import HeadPose


@dataclass(frozen=True)
class Span:
    """A stretch of one state for one reason.

    Attributes:
        begin_s: stamp of its first frame.
        end_s: stamp of the next span's first frame; of the last frame for the last span.
        state: of the driver.
        reason: why.
        zone: the zone most frames of the span point into; 'unknown' if most say nothing.
    """

    begin_s: float
    end_s: float
    state: State
    reason: Reason
    zone: str


def attention_timeline(monitor: AttentionMonitor, frames: Iterable[tuple[float, Sequence[HeadPose] | None, Motion | None]]) -> list[Span]:
    """The spans of a recording, in order and without holes except where input was stale, which is a span of its own.

    Args:
        monitor: fresh, with the vehicle's zones and the camera's mount.
        frames: (stamp, heads, motion) as for AttentionMonitor.update; stamps that do not rise are passed over.
    """
    spans: list[Span] = []
    zones: dict[str, int] = {}
    last_s: float | None = None
    for stamp_s, heads, motion in frames:
        if last_s is not None and not stamp_s > last_s:
            continue
        if last_s is not None and stamp_s - last_s > monitor.settings.stale_s:
            _extend(spans, zones, monitor.at(stamp_s), last_s + monitor.settings.stale_s)
        _extend(spans, zones, monitor.update(stamp_s, heads, motion), stamp_s)
        last_s = stamp_s
    if spans and last_s is not None:
        spans[-1] = replace(spans[-1], end_s=last_s)
    return spans


def _extend(spans: list[Span], zones: dict[str, int], said: Attention, stamp_s: float) -> None:
    if not spans or (spans[-1].state, spans[-1].reason) != (said.state, said.reason):
        if spans:
            spans[-1] = replace(spans[-1], end_s=stamp_s)
        zones.clear()
        spans.append(Span(stamp_s, stamp_s, said.state, said.reason, said.zone))
    zones[said.zone] = zones.get(said.zone, 0) + 1
    spans[-1] = replace(spans[-1], zone=max(zones, key=zones.__getitem__))
