"""Drivers who look at named zones, as scenarios for the tests of attention, and the decisions about them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2f_head_pose.attention.monitor import AttentionMonitor, Motion, State
from c2f_head_pose.attention.vehicle_profile import load_zones
from c2f_head_pose.attention.zones import azimuth_elevation_deg, camera_mount, direction
from c2f_head_pose.types import HeadPose

CONFIG = Path(__file__).parents[1] / 'config'
LHD = load_zones(CONFIG / 'zones_passenger_car_lhd.yaml')
RHD = load_zones(CONFIG / 'zones_passenger_car_rhd.yaml')
MOUNT = camera_mount(180, 0)
RATE_HZ = 10
ATTENTIVE, DISTRACTED, ABSENT, UNKNOWN = State
STARTED = [(0.0, UNKNOWN), (1.0, ATTENTIVE)]
"""How each scenario begins: the state changes once the road was seen for a second."""
MOTORWAY, TOWN, CRAWLING = (Motion(kmh / 3.6, 0.0) for kmh in (110, 40, 10))


def head(azimuth, elevation, std_deg=2.0, mount=MOUNT, track_id=7, **fields):
    """A head whose face points there in the car, as the camera sees it."""
    x = direction(azimuth, elevation)
    y = np.cross([0, 0, 1], x)
    y /= np.linalg.norm(y)
    R_cam_head = mount.T @ np.stack([x, y, np.cross(x, y)], axis=1)
    return HeadPose(R_cam_head, np.full(3, float(std_deg)), 'L1', np.full(4, 0.25), track_id=track_id, **fields)


def looks(seconds, at, zones=LHD, **fields):
    """A piece of a scenario: the head rests on a zone's middle, or on an (azimuth, elevation), for some seconds."""
    azimuth, elevation = azimuth_elevation_deg(zones.centre(at)) if isinstance(at, str) else at
    return [[head(azimuth, elevation, **fields)]] * round(seconds * RATE_HZ)


def blind(seconds):
    return [None] * round(seconds * RATE_HZ)


def nobody(seconds):
    """A piece of a scenario: nobody is in view for some seconds."""
    return [[]] * round(seconds * RATE_HZ)


@dataclass
class Drive:
    """The monitor's decision at each frame of a scenario."""

    decisions: list
    monitor: AttentionMonitor

    def at(self, t):
        """The decision at a time in seconds."""
        return self.decisions[round(t * RATE_HZ)]

    def changes(self):
        """(time, state) where the state changes, the first frame included."""
        states = [one.state for one in self.decisions]
        return [(i / RATE_HZ, s) for i, s in enumerate(states) if i == 0 or s != states[i - 1]]


def drive(*pieces, zones=LHD, motion=MOTORWAY, mount=MOUNT, settings=None, seat='any', start_s=1000.0):
    """The decisions about a scenario made of pieces, one monitor from its first frame to its last."""
    monitor = AttentionMonitor(zones, mount, settings, seat=seat)
    frames = [frame for piece in pieces for frame in piece]
    motions = motion if isinstance(motion, list) else [motion] * len(frames)
    return Drive([monitor.update(start_s + i / RATE_HZ, frame, m) for i, (frame, m) in enumerate(zip(frames, motions))], monitor)
