"""What the node says about itself on /diagnostics."""
from __future__ import annotations

import enum
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue


class State(enum.Enum):
    """What the node is up to, each distinguishable: value is (level, text)."""

    UNCONFIGURED = (DiagnosticStatus.WARN, 'unconfigured')
    CONFIGURE_FAILED = (DiagnosticStatus.ERROR, 'could not be configured')
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


def diagnostic_array(stamp: Any, node_name: str, hardware_id: str, state: State, reason: str, values: dict[str, str]) -> DiagnosticArray:
    """The node's status as diagnostic_aggregator and rqt_robot_monitor read it.

    Args:
        stamp: now, builtin_interfaces/Time.
        node_name: fully qualified.
        hardware_id: the camera's frame.
        state: what the node is up to.
        reason: why, with the remedy; may be empty.
        values: figures as text.
    """
    level, text = state.value
    status = DiagnosticStatus(level=level, name=f'{node_name.lstrip("/")}: head pose', message=f'{text}: {reason}' if reason else text,
                              hardware_id=hardware_id, values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])
    message = DiagnosticArray(status=[status])
    message.header.stamp = stamp
    return message
