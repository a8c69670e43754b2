"""Head poses of a driver who looks at named zones, for the tests of attention."""

from pathlib import Path

import numpy as np

from c2f_head_pose.attention.monitor import Motion
from c2f_head_pose.attention.vehicle_profile import load_zones
from c2f_head_pose.attention.zones import azimuth_elevation_deg, camera_mount, direction
from c2f_head_pose.types import HeadPose

CONFIG = Path(__file__).parents[1] / 'config'


LHD = load_zones(CONFIG / 'zones_passenger_car_lhd.yaml')


MOUNT = camera_mount(180, 0)


RATE_HZ = 10


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
