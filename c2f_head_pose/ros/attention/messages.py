"""Converts the attention decision to ROS messages with pure functions. Numbers are cast to builtins first, as rclpy requires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Float32, String
from visualization_msgs.msg import Marker, MarkerArray

from ...attention.settings import Attention, State
from ...attention.zones import AWAY, ROAD, ZoneMap, direction

_ARROW_M = 0.4
_OUTLINE_M = 0.6
_COLOURS = {
    State.ATTENTIVE: (0.2, 0.9, 0.3),
    State.DISTRACTED: (1.0, 0.2, 0.1),
    State.ABSENT: (0.6, 0.6, 0.6),
    State.UNKNOWN: (1.0, 0.8, 0.1),
}
_LEVELS = {
    State.ATTENTIVE: DiagnosticStatus.OK,
    State.DISTRACTED: DiagnosticStatus.WARN,
    State.ABSENT: DiagnosticStatus.OK,
    State.UNKNOWN: DiagnosticStatus.WARN,
}


def state(attention: Attention) -> String:
    """Returns the message with the state's name."""
    return String(data=attention.state.value)


def zone(attention: Attention) -> String:
    """Returns the message with the zone's name."""
    return String(data=attention.zone)


def head_off_road_s(attention: Attention) -> Float32:
    """Returns the message with the duration of the current glance off the road, seconds."""
    return Float32(data=float(attention.off_road_s))


def decision(header: Any, name: str, attention: Attention) -> DiagnosticArray:
    """Returns the message with the whole decision, under the header of its frame."""
    values = {
        'state': attention.state.value,
        'reason': attention.reason.value,
        'zone': attention.zone,
        'zone probability': f'{attention.zone_probability:.3f}',
        'confidence': f'{attention.confidence:.3f}',
        'since': '' if attention.since_s is None else f'{attention.since_s:.3f}',
        'head off road s': f'{attention.off_road_s:.3f}',
        'short glances s': f'{attention.short_glances_s:.3f}',
        'head azimuth elevation deg': '' if attention.head_deg is None else '{:.1f} {:.1f}'.format(*attention.head_deg),
        'natural azimuth elevation deg': '{:.1f} {:.1f}'.format(*attention.natural_deg),
        'cues': ' '.join(attention.cues),
        'face': attention.face_id or '',
    }
    return DiagnosticArray(header=header, status=[_status(_LEVELS[attention.state], name, _summary(attention), values)])


def health(header: Any, name: str, attention: Attention, problem: str, values: Mapping[str, str]) -> DiagnosticArray:
    """Returns the status for /diagnostics: an error while there is no input, else the decision's level."""
    level = DiagnosticStatus.ERROR if problem else _LEVELS[attention.state]
    stated = {'state': attention.state.value, 'zone': attention.zone, **values}
    return DiagnosticArray(header=header, status=[_status(level, name, problem or _summary(attention), stated)])


def looking_at(header: Any, looks: Mapping[str, Mapping[str, bool | None]]) -> DiagnosticArray:
    """Returns one status for each face, under its id: its message lists the targets, its values are yes, no or unknown for each."""
    answers = {True: 'yes', False: 'no', None: 'unknown'}
    return DiagnosticArray(
        header=header,
        status=[
            _status(
                DiagnosticStatus.OK,
                face,
                ' '.join(target for target, looking in targets.items() if looking),
                {target: answers[looking] for target, looking in targets.items()},
            )
            for face, targets in looks.items()
        ],
    )


def markers(header: Any, attention: Attention, zones: ZoneMap, R_vehicle_cam: np.ndarray, t_cam_head_m: np.ndarray | None) -> MarkerArray:
    """Returns markers for RViz, to check the mount by eye: the zones' outlines about the head, the face's direction, and the state.

    Args:
        header: the frame's header.
        attention: the decision.
        zones: the vehicle's zones.
        R_vehicle_cam: (3, 3) the header's frame to vehicle axes.
        t_cam_head_m: (3,) the head in the header's frame; None to draw at the frame's origin.
    """
    origin = np.zeros(3) if t_cam_head_m is None else np.asarray(t_cam_head_m, float)
    drawn = [Marker(header=header, ns='attention', action=Marker.DELETEALL)]
    for number, entry in enumerate(zones.zones):
        outline = zones.outline(entry.name) @ R_vehicle_cam * _OUTLINE_M + origin
        strength = 1.0 if entry.name == attention.zone else 0.35
        red, green, blue = {ROAD: (0.2, 0.9, 0.3), AWAY: (1.0, 0.3, 0.2)}.get(entry.kind, (0.3, 0.6, 1.0))
        drawn.append(
            Marker(
                header=header,
                ns='zones',
                id=number,
                type=Marker.LINE_STRIP,
                action=Marker.ADD,
                points=[_point(corner) for corner in outline],
                scale=Vector3(x=0.004, y=0.0, z=0.0),
                color=ColorRGBA(r=red, g=green, b=blue, a=strength),
            )
        )
    red, green, blue = _COLOURS[attention.state]
    colour = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    if attention.head_deg is not None:
        tip = origin + direction(*attention.head_deg) @ R_vehicle_cam * _ARROW_M
        drawn.append(
            Marker(
                header=header,
                ns='face',
                type=Marker.ARROW,
                action=Marker.ADD,
                points=[_point(origin), _point(tip)],
                scale=Vector3(x=0.015, y=0.03, z=0.04),
                color=colour,
            )
        )
    text = Marker(
        header=header,
        ns='state',
        type=Marker.TEXT_VIEW_FACING,
        action=Marker.ADD,
        color=colour,
        scale=Vector3(x=0.0, y=0.0, z=0.06),
        text=f'{_summary(attention)}\n{attention.zone} {attention.off_road_s:.1f} s',
    )
    text.pose.position = _point(origin + np.array([0.0, 0.0, 0.3]) @ R_vehicle_cam)
    return MarkerArray(markers=[*drawn, text])


def _summary(attention: Attention) -> str:
    return f'{attention.state.value}: {attention.reason.value}'


def _status(level: bytes, name: str, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(level=level, name=name, message=message, values=[KeyValue(key=k, value=str(v)) for k, v in values.items()])


def _point(xyz: np.ndarray) -> Point:
    x, y, z = np.asarray(xyz, float).tolist()
    return Point(x=x, y=y, z=z)
