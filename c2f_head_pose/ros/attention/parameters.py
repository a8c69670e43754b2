"""The parameters of the node `attention`: one table, from which descriptors, validation and config/attention.yaml come.

    python -m c2f_head_pose.ros.attention.parameters --yaml > config/attention.yaml
    python -m c2f_head_pose.ros.attention.parameters --markdown
"""
from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ...attention.looking_at import LookingAtSettings
from ...attention.monitor import AttentionSettings
from ...attention.zones import ZoneMap, camera_mount, load_zones
from .. import parameters
from ..parameters import ParameterTable, parameter

_S = AttentionSettings()
_L = LookingAtSettings()


@dataclass(frozen=True)
class AttentionParameters(ParameterTable):
    """Every parameter of the node `attention`: this class is the table. Sources of the times: attention_rules.AttentionSettings."""

    zones: str = parameter('passenger_car_lhd', 'Vehicle profile: NAME of config/zones_NAME.yaml, or a path to such a file.')
    camera_azimuth_deg: float = parameter(180.0, 'Where the camera looks in the car: 0 ahead, 90 left, 180 straight back.',
                                          'deg', -360.0, 360.0)
    camera_elevation_deg: float = parameter(0.0, 'Where the camera looks: above 0 up, as from the steering column.', 'deg', -89.0, 89.0)
    camera_turned_deg: float = parameter(0.0, 'Clockwise turn of the camera about its optical axis, seen from behind it.',
                                         'deg', -360.0, 360.0)
    vehicle_frame: str = parameter('base_link', 'Poses in this frame are in vehicle axes (x forward, y left, z up) and need no mount.')
    seat: str = parameter('any', "The driver's seat, left or right of the camera as the car drives: whose head counts.",
                          choices=('any', 'left', 'right'))
    assumed_std_deg: float = parameter(5.0, 'Deviation taken for poses whose covariance is all 0, which means unknown.', 'deg', 0.1, 45.0)
    speed_timeout_s: float = parameter(1.0, 'A speed older than this is unknown.', 's', 0.1, 60.0)
    long_away_s: float = parameter(_S.long_away_s, 'Long distraction: one look at what the driving task does not need.', 's', 0.5, 60.0)
    long_driving_s: float = parameter(_S.long_driving_s, 'Long distraction: one look off the road, mirrors and cluster included.',
                                      's', 0.5, 60.0)
    short_total_s: float = parameter(_S.short_total_s, 'Short distractions: looks off the road that add up to this ...', 's', 1.0, 600.0)
    short_window_s: float = parameter(_S.short_window_s, '... within this ...', 's', 1.0, 600.0)
    short_reset_s: float = parameter(_S.short_reset_s, '... starting anew after so long on the road.', 's', 0.1, 60.0)
    driving_allowance_s: float = parameter(_S.driving_allowance_s, 'Begin of a look at a mirror that does not add up.', 's', 0.01, 60.0)
    addw: bool = parameter(_S.addw, "The EU's timer for looks into the lap runs beside Euro NCAP's.")
    addw_fast_s: float = parameter(_S.addw_fast_s, "The EU's timer at speed, or at unknown speed.", 's', 0.5, 60.0)
    addw_slow_s: float = parameter(_S.addw_slow_s, "The EU's timer below that speed.", 's', 0.5, 60.0)
    addw_fast_mps: float = parameter(round(_S.addw_fast_mps, 3), "That speed: the EU's 50 km/h.", 'm/s', 0.1, 100.0)
    judged_from_mps: float = parameter(round(_S.judged_from_mps, 3), 'Slower than this nobody is called distracted: 20 km/h.',
                                       'm/s', 0.01, 100.0)
    return_s: float = parameter(_S.return_s, 'On the road for so long: attentive.', 's', 0.1, 60.0)
    unresponsive_s: float = parameter(_S.unresponsive_s, 'One look off the road for so long: unresponsive.', 's', 0.5, 600.0)
    gap_s: float = parameter(_S.gap_s, 'A look at the road shorter than this does not end a look away.', 's', 0.01, 5.0)
    min_mass: float = parameter(_S.min_mass, 'A frame speaks for or against the road with at least this probability.', '', 0.51, 0.99)
    max_std_deg: float = parameter(_S.max_std_deg, 'A less certain frame says nothing.', 'deg', 0.5, 90.0)
    uncertain_s: float = parameter(_S.uncertain_s, 'Without evidence for so long: unknown.', 's', 0.1, 60.0)
    absent_s: float = parameter(_S.absent_s, 'Looked and found nobody for so long: absent, or unknown in a moving car.', 's', 0.1, 60.0)
    moving_mps: float = parameter(_S.moving_mps, 'Nobody leaves a car that moves faster than this.', 'm/s', 0.01, 100.0)
    stale_s: float = parameter(_S.stale_s, 'Without input for so long: unknown.', 's', 0.1, 10.0)
    max_step_s: float = parameter(_S.max_step_s, 'Frames further apart are no continuous evidence.', 's', 0.01, 10.0)
    looking_at: str = parameter('camera', 'Targets of ~/looking_at, comma separated: camera, or TF frames; none for no targets.')
    looking_at_radius_deg: float = parameter(_L.radius_deg, 'A face within this of a target may look at it.', 'deg', 1.0, 89.0)

    @classmethod
    def contradictions(cls, checked: Mapping[str, Any]) -> list[str]:
        """Settings that contradict each other, and a vehicle profile that cannot be read."""
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
        """When a glance becomes a distraction."""
        return AttentionSettings(**{name: getattr(self, name) for name in _setting_names()})

    @property
    def zone_map(self) -> ZoneMap:
        """The vehicle's zones."""
        return find_zones(self.zones)

    @property
    def R_vehicle_cam(self) -> np.ndarray:
        """(3, 3) the camera's mount."""
        return camera_mount(self.camera_azimuth_deg, self.camera_elevation_deg, self.camera_turned_deg)

    @property
    def targets(self) -> list[str]:
        """Names of what people may look at."""
        names = [name.strip() for name in self.looking_at.split(',')]
        return [] if names == ['none'] else list(dict.fromkeys(name for name in names if name))


def find_zones(name: str) -> ZoneMap:
    """The vehicle profile of a name or path.

    Raises:
        ValueError: for a profile that is none, or a name that is not there.
        OSError: for a path that cannot be read.
    """
    if name.endswith(('.yaml', '.yml')):
        return _load_once(Path(name), Path(name).stat().st_mtime_ns)
    file = f'zones_{name}.yaml'
    for folder in _config_folders():
        if (folder / file).is_file():
            return _load_once(folder / file, (folder / file).stat().st_mtime_ns)
    known = sorted({path.stem.removeprefix('zones_') for folder in _config_folders() for path in folder.glob('zones_*.yaml')})
    raise ValueError(f'no such vehicle profile; shipped are {", ".join(known)}; your own is given by its path (….yaml)')


@functools.lru_cache(maxsize=4)
def _load_once(path: Path, changed_ns: int) -> ZoneMap:
    return load_zones(path)


def _config_folders() -> list[Path]:
    """config/ of the checkout, of a colcon or ROS installation, and of a pip installation."""
    folders = [Path(__file__).parents[3] / 'config']
    try:
        from ament_index_python.packages import get_package_share_directory
        folders.append(Path(get_package_share_directory('c2f_head_pose')) / 'config')
    except (ImportError, LookupError, OSError):  # OSError: no AMENT_PREFIX_PATH
        pass
    return [*folders, Path(sys.prefix) / 'share' / 'c2f_head_pose' / 'config']


def _setting_names() -> list[str]:
    return [row.name for row in fields(AttentionSettings)]


if __name__ == '__main__':
    parameters.main(AttentionParameters, 'attention', 'attention.parameters')
