"""Vehicle profiles: YAML of any content, and the zones of those that are accepted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from c2f_head_pose.attention.vehicle_profile import load_zones

from .scratch import scratch_file

MODULES = ('c2f_head_pose.attention.zones',)
_CONFIG = Path(__file__).parents[2] / 'config'


def seeds() -> list[bytes]:
    """The shipped profile, small ones of each form, and YAML's own oddities."""
    shipped = (_CONFIG / 'zones_passenger_car_lhd.yaml').read_bytes()
    small = [
        b'name: x\nzones:\n- {name: a, kind: road, cone: [0, 0, 5]}\n- {name: b, kind: away, polygon: [[-20, -20], [20, -20], [0, 20]]}\n',
        b'name: x\nhead_share: {azimuth: 0.8, elevation: 0.7}\nzones: [{name: a, kind: driving, cone: [1, 2, 3], addw_area: 3}]',
        b'name: x\nmirror_of: zones.yaml',
        b'name: x\nmirror_of: other.yaml',
        b'a: &a [x]\nb: *a',
        b'!!int ""',
        b'!!timestamp x',
        b'? [1]: 2',
    ]
    return [shipped, *small]


def check(data: bytes) -> None:
    """Loads a profile; the masses of one that is accepted sum to one, wherever the face points."""
    scratch_file('other.yaml', b'name: y\nmirror_of: zones.yaml')
    try:
        zones = load_zones(scratch_file('zones.yaml', data))
    except (ValueError, OSError):
        return
    assert isinstance(zones.name, str)
    mass = zones.mass(np.eye(3), np.full(3, 5.0))
    assert abs(sum(mass.probabilities.values()) - 1) < 1e-9
    for zone in zones.zones:
        assert abs(np.linalg.norm(zones.centre(zone.name)) - 1) < 1e-9 and np.isfinite(zones.outline(zone.name)).all()
