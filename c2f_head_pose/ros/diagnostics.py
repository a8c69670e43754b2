"""Writes the head_pose node's status on /diagnostics, and reads it for other nodes of this package."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

SUBJECT = 'head pose'
"""What the status is about; diagnostic_aggregator groups by the name `<node>: <subject>`."""
STATE, IMAGE_FRAME, FACES, FACES_IN_REGION = 'state', 'image_frame', 'faces', 'faces in seat_region'
"""Keys that programs may rely on; the message and the other values are for people."""


class State(enum.Enum):
    """What the node is doing. The name, in lower case, is for programs; the value is (level, text), and the text is for people."""

    UNCONFIGURED = (DiagnosticStatus.WARN, 'unconfigured')
    CONFIGURE_FAILED = (DiagnosticStatus.ERROR, 'could not be configured')
    FINALIZED = (DiagnosticStatus.WARN, 'shut down')
    INACTIVE = (DiagnosticStatus.WARN, 'inactive')
    DISABLED = (DiagnosticStatus.OK, 'disabled by ~/enable')
    IDLE = (DiagnosticStatus.OK, 'idle, nobody subscribes')
    NO_TRANSFORM = (DiagnosticStatus.ERROR, 'no transform to target_frame')
    NO_IMAGE = (DiagnosticStatus.WARN, 'no image yet')
    SILENT = (DiagnosticStatus.ERROR, 'images have stopped')
    BAD_IMAGES = (DiagnosticStatus.ERROR, 'images cannot be read')
    MODEL_FAILED = (DiagnosticStatus.ERROR, 'model failed')
    DEGRADED = (DiagnosticStatus.WARN, 'degraded')
    NO_FACE = (DiagnosticStatus.OK, 'no face')
    OK = (DiagnosticStatus.OK, 'ok')

    @property
    def key(self) -> str:
        """The name by which the value of `state` states it."""
        return self.name.lower()


@dataclass(frozen=True)
class Report:
    """What one head_pose node states about itself.

    Attributes:
        node: its name with namespace, without the leading slash.
        state: the node's state.
        image_frame: frame of the images it answers; empty before the first, or where images have none.
        faces: number of faces in the last image, 0 where none is in seat_region; None where it is not stated.
    """

    node: str
    state: State
    image_frame: str
    faces: int | None


def diagnostic_array(stamp: Any, node_name: str, image_frame: str, state: State, reason: str, values: Mapping[str, str]) -> DiagnosticArray:
    """Returns the node's status in the form that diagnostic_aggregator and rqt_robot_monitor read.

    Args:
        stamp: now, builtin_interfaces/Time.
        node_name: fully qualified.
        image_frame: frame of the images; also the hardware id.
        state: the node's state.
        reason: why, with the remedy; may be empty.
        values: figures as text.
    """
    level, text = state.value
    stated = {STATE: state.key, IMAGE_FRAME: image_frame, **values}
    status = DiagnosticStatus(
        level=level,
        name=f'{node_name.lstrip("/")}: {SUBJECT}',
        message=f'{text}: {reason}' if reason else text,
        hardware_id=image_frame,
        values=[KeyValue(key=key, value=str(value)) for key, value in stated.items()],
    )
    message = DiagnosticArray(status=[status])
    message.header.stamp = stamp
    return message


def read_reports(message: DiagnosticArray) -> list[Report]:
    """Reads the reports of head_pose nodes in a message of /diagnostics; other statuses, and states of an unknown name, are skipped."""
    states = {state.key: state for state in State}
    reports = []
    for status in message.status:
        node, _, subject = status.name.rpartition(': ')
        values = {pair.key: pair.value for pair in status.values}
        if subject == SUBJECT and values.get(STATE) in states:
            faces = '0' if values.get(FACES_IN_REGION) == '0' else values.get(FACES, '')
            reports.append(Report(node, states[values[STATE]], values.get(IMAGE_FRAME, ''), int(faces) if faces.isdecimal() else None))
    return reports
