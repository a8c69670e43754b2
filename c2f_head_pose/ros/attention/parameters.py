"""Defines the parameters of the node `attention` in one table, from which descriptors, validation and config/attention.yaml are made.

python -m c2f_head_pose.ros.attention.parameters --yaml > config/attention.yaml
python -m c2f_head_pose.ros.attention.parameters --markdown
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ...attention.looking_at import LookingAtSettings
from ...attention.monitor import AttentionSettings
from ...attention.vehicle_profile import find_zones
from ...attention.zones import ZoneMap, camera_mount
from ...parameters import ParameterTable, parameter
from .. import parameters

_S = AttentionSettings()
_L = LookingAtSettings()


@dataclass(frozen=True)
class AttentionParameters(ParameterTable):
    """Every parameter of the node `attention`: this class is the table. Sources of the times: attention.settings.AttentionSettings."""

    zones: str = parameter('passenger_car_lhd', 'Vehicle profile: NAME of config/zones_NAME.yaml, or a path to such a file.')
    camera_azimuth_deg: float = parameter(
        180.0, 'Azimuth of the optical axis in the car: 0 ahead, 90 left, 180 straight back.', 'deg', -360.0, 360.0
    )
    camera_elevation_deg: float = parameter(
        0.0, 'Elevation of the optical axis: above 0 up, as from the steering column.', 'deg', -89.0, 89.0
    )
    camera_turned_deg: float = parameter(
        0.0,
        "Clockwise turn of the camera about its optical axis, seen from behind the camera; has the value of head_pose's image_rotation.",
        'deg',
        -360.0,
        360.0,
    )
    vehicle_frame: str = parameter('base_link', 'Poses in this frame are in vehicle axes (x forward, y left, z up) and need no mount.')
    seat: str = parameter(
        'any',
        "The driver's seat, seen from the camera in the direction of travel; heads on the other side are ignored. "
        'Needs a calibrated camera.',
        choices=('any', 'left', 'right'),
    )
    assumed_std_deg: float = parameter(
        5.0, 'Deviation assumed for poses whose covariance is 0 throughout, which means unknown.', 'deg', 0.1, 45.0
    )
    speed_timeout_s: float = parameter(
        2.5,
        'A speed older than this is unknown; longer than two periods of its source, which is 1 s for most GPS receivers.',
        's',
        0.1,
        60.0,
    )
    long_away_s: float = parameter(
        _S.long_away_s, 'Long distraction: one look at a target that the driving task does not need.', 's', 0.5, 60.0
    )
    long_driving_s: float = parameter(
        _S.long_driving_s, 'Long distraction: one look off the road, mirrors and cluster included.', 's', 0.5, 60.0
    )
    short_total_s: float = parameter(
        _S.short_total_s, 'Short distractions: sum of looks off the road within short_window_s.', 's', 1.0, 600.0
    )
    short_window_s: float = parameter(_S.short_window_s, 'Window of the sum of short distractions.', 's', 1.0, 600.0)
    short_reset_s: float = parameter(_S.short_reset_s, 'Time on the road that resets the sum of short distractions.', 's', 0.1, 60.0)
    driving_allowance_s: float = parameter(
        _S.driving_allowance_s,
        'Beginning of a look at a zone of kind driving (mirrors, cluster) that does not count in short_total_s.',
        's',
        0.01,
        60.0,
    )
    addw: bool = parameter(_S.addw, "Run the EU's timer for looks into the lap in addition to Euro NCAP's.")
    addw_fast_s: float = parameter(_S.addw_fast_s, "The EU's timer at speed, or at unknown speed.", 's', 0.5, 60.0)
    addw_slow_s: float = parameter(_S.addw_slow_s, "The EU's timer below addw_fast_mps.", 's', 0.5, 60.0)
    addw_fast_mps: float = parameter(
        round(_S.addw_fast_mps, 3), "Speed from which addw_fast_s applies: the EU's 50 km/h.", 'm/s', 0.1, 100.0
    )
    judged_from_mps: float = parameter(round(_S.judged_from_mps, 3), 'Least speed for the state distracted: 20 km/h.', 'm/s', 0.01, 100.0)
    return_s: float = parameter(_S.return_s, 'Time on the road until the state is attentive.', 's', 0.1, 60.0)
    unresponsive_s: float = parameter(
        _S.unresponsive_s, 'Duration of one look off the road until the reason is unresponsive.', 's', 0.5, 600.0
    )
    gap_s: float = parameter(_S.gap_s, 'A look at the road shorter than this does not end a look away.', 's', 0.01, 5.0)
    min_mass: float = parameter(_S.min_mass, 'Least probability with which a frame is evidence for or against the road.', '', 0.51, 0.99)
    max_std_deg: float = parameter(_S.max_std_deg, 'Largest deviation of a direction that is evidence.', 'deg', 0.5, 90.0)
    uncertain_s: float = parameter(_S.uncertain_s, 'Time without evidence until the state is unknown.', 's', 0.1, 60.0)
    absent_s: float = parameter(
        _S.absent_s, 'Time in which nobody was found until the state is absent, or unknown in a moving car.', 's', 0.1, 60.0
    )
    moving_mps: float = parameter(_S.moving_mps, 'Speed above which nobody can have left the car.', 'm/s', 0.01, 100.0)
    stale_s: float = parameter(_S.stale_s, 'Time without input until the state is unknown.', 's', 0.1, 10.0)
    max_step_s: float = parameter(_S.max_step_s, 'Frames further apart than this are not continuous evidence.', 's', 0.01, 10.0)
    looking_at: str = parameter('camera', 'Targets of ~/looking_at, separated by commas: camera, or TF frames; none for no targets.')
    looking_at_radius_deg: float = parameter(
        _L.radius_deg, 'Radius of the cone about a target within which a face looks at it.', 'deg', 1.0, 89.0
    )

    def __post_init__(self) -> None:
        """Reads the vehicle's zones now.

        Raises:
            ValueError, OSError: for a vehicle profile that cannot be read.
        """
        _ = self.zone_map

    @classmethod
    def contradictions(cls, checked: Mapping[str, Any]) -> list[str]:
        """Lists settings that contradict each other, and a vehicle profile that cannot be read."""
        problems = []
        try:
            AttentionSettings(**{name: checked[name] for name in _setting_names()})
        except ValueError as error:
            problems.append(str(error))
        try:
            find_zones(checked['zones'])
        except (OSError, ValueError) as error:
            problems.append(f'zones cannot be {checked["zones"]!r}: {error}')
        return problems

    @property
    def settings(self) -> AttentionSettings:
        """Times and thresholds of the decision."""
        return AttentionSettings(**{name: getattr(self, name) for name in _setting_names()})

    @functools.cached_property
    def zone_map(self) -> ZoneMap:
        """The vehicle's zones as this set was made with them: what becomes of their file later has no effect on it."""
        return find_zones(self.zones)

    @property
    def R_vehicle_cam(self) -> np.ndarray:
        """(3, 3) the camera's mount."""
        return camera_mount(self.camera_azimuth_deg, self.camera_elevation_deg, self.camera_turned_deg)

    @property
    def targets(self) -> list[str]:
        """Names of the targets of ~/looking_at."""
        names = [name.strip() for name in self.looking_at.split(',')]
        return [] if names == ['none'] else list(dict.fromkeys(name for name in names if name))


def _setting_names() -> list[str]:
    return [row.name for row in fields(AttentionSettings)]


if __name__ == '__main__':
    parameters.main(AttentionParameters, 'attention', 'attention.parameters')
