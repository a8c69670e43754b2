"""Between ROS messages and the attention decision: pure functions. Every number is cast to a builtin first."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Float32, String
from visualization_msgs.msg import Marker, MarkerArray

from ...attention.monitor import Attention, State
from ...attention.zones import AWAY, ROAD, ZoneMap, direction
from ...geometry import rotation_from_quaternion
from ...types import HeadPose

_UNKNOWN_VARIANCE_M2 = 1e5
_NO_POSE = np.full((3, 3), np.nan)
_ARROW_M = 0.4
_OUTLINE_M = 0.6
_COLOURS = {State.ATTENTIVE: (0.2, 0.9, 0.3), State.DISTRACTED: (1.0, 0.2, 0.1), State.ABSENT: (0.6, 0.6, 0.6),
            State.UNKNOWN: (1.0, 0.8, 0.1)}
_LEVELS = {State.ATTENTIVE: DiagnosticStatus.OK, State.DISTRACTED: DiagnosticStatus.WARN, State.ABSENT: DiagnosticStatus.OK,
           State.UNKNOWN: DiagnosticStatus.WARN}


def head_from_pose(pose_with_covariance: Any, assumed_std_deg: float, track_id: int | None = None, score: float = 1.0) -> HeadPose:
    """A head from geometry_msgs/PoseWithCovariance as the node head_pose publishes it.

    A quaternion that is no rotation gives a head without a pose: somebody is there, nothing is known of where they look.

    Args:
        pose_with_covariance: the covariance of the rotation is about the header frame's axes, R diag(s^2) R^T.
        assumed_std_deg: taken where the whole covariance is 0, which means unknown.
        track_id: of the face.
        score: of its detection.
    """
    pose = pose_with_covariance.pose
    try:
        R = rotation_from_quaternion(np.array([getattr(pose.orientation, axis) for axis in 'xyzw']))
    except ValueError:
        R = _NO_POSE
    covariance = np.array(pose_with_covariance.covariance, float).reshape(6, 6)
    if not covariance.any():
        std_deg = np.full(3, float(assumed_std_deg))
    else:
        with np.errstate(all='ignore'):
            std_deg = np.degrees(np.sqrt(np.diag(R.T @ covariance[3:, 3:] @ R)))
    t = np.array([getattr(pose.position, axis) for axis in 'xyz'], float)
    variance = np.diag(covariance)[:3]
    known = np.all(np.isfinite(t)) and not np.any(variance >= _UNKNOWN_VARIANCE_M2) and np.any(t != 0)
    return HeadPose(R, std_deg, 'L1', np.full(4, 0.25), score=float(score), track_id=track_id, t_cam_head_m=t if known else None)


def heads_from_detections(array: Any, assumed_std_deg: float) -> list[HeadPose]:
    """All heads of a vision_msgs/Detection3DArray as the node head_pose publishes it."""
    heads = []
    for detection in array.detections:
        for result in detection.results[:1]:
            number = str(detection.id).rpartition('_')[2]
            heads.append(head_from_pose(result.pose, assumed_std_deg, int(number) if number.isdecimal() else None,
                                        result.hypothesis.score))
    return heads


def stamp_s(header: Any) -> float:
    """A header's stamp in seconds."""
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def state(said: Attention) -> String:
    """The state's name."""
    return String(data=said.state.value)


def zone(said: Attention) -> String:
    """The zone's name."""
    return String(data=said.zone)


def head_off_road_s(said: Attention) -> Float32:
    """How long the current look off the road has lasted."""
    return Float32(data=float(said.off_road_s))


def decision(header: Any, name: str, said: Attention) -> DiagnosticArray:
    """The whole decision under the header of the frame it rests on."""
    values = {
        'state': said.state.value, 'reason': said.reason.value, 'zone': said.zone, 'zone probability': f'{said.zone_probability:.3f}',
        'confidence': f'{said.confidence:.3f}', 'since': '' if said.since_s is None else f'{said.since_s:.3f}',
        'head off road s': f'{said.off_road_s:.3f}', 'short glances s': f'{said.short_glances_s:.3f}',
        'head azimuth elevation deg': '' if said.head_deg is None else '{:.1f} {:.1f}'.format(*said.head_deg),
        'natural azimuth elevation deg': '{:.1f} {:.1f}'.format(*said.natural_deg), 'cues': ' '.join(said.cues),
        'face': '' if said.track_id is None else f'face_{said.track_id}'}
    return DiagnosticArray(header=header, status=[_status(_LEVELS[said.state], name, f'{said.state.value}: {said.reason.value}', values)])


def health(header: Any, name: str, said: Attention, problem: str, values: Mapping[str, str]) -> DiagnosticArray:
    """What /diagnostics says: an error while there is no input, else the decision's level."""
    level = DiagnosticStatus.ERROR if problem else _LEVELS[said.state]
    text = problem or f'{said.state.value}: {said.reason.value}'
    return DiagnosticArray(header=header, status=[_status(level, name, text, {'state': said.state.value, 'zone': said.zone, **values})])


def looking_at(header: Any, looks: Mapping[str, Mapping[str, bool | None]]) -> DiagnosticArray:
    """One status a face: its message names the targets looked at, its values say yes, no or unknown for each."""
    words = {True: 'yes', False: 'no', None: 'unknown'}
    return DiagnosticArray(header=header, status=[
        _status(DiagnosticStatus.OK, face, ' '.join(target for target, looking in targets.items() if looking),
                {target: words[looking] for target, looking in targets.items()}) for face, targets in looks.items()])


def markers(header: Any, said: Attention, zones: ZoneMap, R_vehicle_cam: np.ndarray, t_cam_head_m: np.ndarray | None) -> MarkerArray:
    """The zones' outlines about the head, an arrow where the face points, and the state: for RViz, and to check the mount by eye.

    Args:
        header: of the frame.
        said: the decision.
        zones: of the vehicle.
        R_vehicle_cam: (3, 3) the header's frame to vehicle axes.
        t_cam_head_m: (3,) the head in the header's frame; None draws at its origin.
    """
    origin = np.zeros(3) if t_cam_head_m is None else np.asarray(t_cam_head_m, float)
    made = [Marker(header=header, ns='attention', action=Marker.DELETEALL)]
    for number, entry in enumerate(zones.zones):
        outline = zones.outline(entry.name) @ R_vehicle_cam * _OUTLINE_M + origin
        strength = 1.0 if entry.name == said.zone else 0.35
        red, green, blue = {ROAD: (0.2, 0.9, 0.3), AWAY: (1.0, 0.3, 0.2)}.get(entry.kind, (0.3, 0.6, 1.0))
        made.append(Marker(header=header, ns='zones', id=number, type=Marker.LINE_STRIP, action=Marker.ADD,
                           points=[_point(corner) for corner in outline], scale=Vector3(x=0.004, y=0.0, z=0.0),
                           color=ColorRGBA(r=red, g=green, b=blue, a=strength)))
    red, green, blue = _COLOURS[said.state]
    colour = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    if said.head_deg is not None:
        tip = origin + direction(*said.head_deg) @ R_vehicle_cam * _ARROW_M
        made.append(Marker(header=header, ns='face', type=Marker.ARROW, action=Marker.ADD, points=[_point(origin), _point(tip)],
                           scale=Vector3(x=0.015, y=0.03, z=0.04), color=colour))
    text = Marker(header=header, ns='state', type=Marker.TEXT_VIEW_FACING, action=Marker.ADD, color=colour,
                  scale=Vector3(x=0.0, y=0.0, z=0.06), text=f'{said.state.value}: {said.reason.value}\n{said.zone} {said.off_road_s:.1f} s')
    text.pose.position = _point(origin + np.array([0.0, 0.0, 0.3]) @ R_vehicle_cam)
    return MarkerArray(markers=[*made, text])


def _status(level: bytes, name: str, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    return DiagnosticStatus(level=level, name=name, message=message, values=[KeyValue(key=k, value=str(v)) for k, v in values.items()])


def _point(xyz: np.ndarray) -> Point:
    x, y, z = np.asarray(xyz, float).tolist()
    return Point(x=x, y=y, z=z)
