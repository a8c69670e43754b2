"""Represents the zones of a vehicle on the unit sphere, and computes the probability that a head points into each.

Vehicle frame: REP-103, x forward, y left, z up. A direction is given as (azimuth, elevation) in degrees as seen from the
driver's eyes: azimuth > 0 to the left, elevation > 0 up, (0, 0) straight ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

ROAD, DRIVING, AWAY = 'road', 'driving', 'away'
KINDS = (ROAD, DRIVING, AWAY)
ELSEWHERE = 'elsewhere'
"""Name of the directions outside of all zones; they count as `away`."""

_SAMPLES = 256
_POLE_DEG = 89.0


@dataclass(frozen=True)
class Zone:
    """One target of a driver's glances, as a cone or a convex polygon on the unit sphere.

    Attributes:
        name: name such as 'road_ahead' or 'driver_mirror', the same for left- and right-hand drive.
        kind: 'road' for the forward road view, 'driving' for targets that the driving task needs (mirrors, cluster), 'away' for others.
        polygon_deg: corners (azimuth, elevation) of a convex polygon whose edges are great circles; empty for a cone.
        cone_deg: (azimuth, elevation, radius) of a cone; None for a polygon.
        addw_area: 3 for a zone in which the EU's distraction timer runs (below the plane 30 degrees down), else 0.
    """

    name: str
    kind: str
    polygon_deg: tuple[tuple[float, float], ...] = ()
    cone_deg: tuple[float, float, float] | None = None
    addw_area: int = 0

    def mirrored(self) -> Zone:
        """Returns the same zone of a car with the wheel on the other side."""
        polygon = tuple((-azimuth, elevation) for azimuth, elevation in reversed(self.polygon_deg))
        cone = None if self.cone_deg is None else (-self.cone_deg[0], *self.cone_deg[1:])
        return replace(self, polygon_deg=polygon, cone_deg=cone)


@dataclass(frozen=True)
class ZoneMass:
    """Probability mass of a head direction in each zone.

    Attributes:
        probabilities: mass by zone name, `elsewhere` included; the sum is 1.
        road: mass of the forward road view.
        driving: mass of the zones of kind 'driving'.
        addw_area_3: mass of the zones in the EU's area 3.
    """

    probabilities: dict[str, float]
    road: float
    driving: float
    addw_area_3: float

    @property
    def off_road(self) -> float:
        """Mass outside the forward road view."""
        return 1.0 - self.road

    @property
    def away(self) -> float:
        """Mass outside of zones of kind 'road' and 'driving'."""
        return max(0.0, 1.0 - self.road - self.driving)

    @property
    def most_probable(self) -> str:
        """Name of the zone with the most mass."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


@dataclass(frozen=True)
class ZoneMap:
    """The zones of one vehicle. If zones overlap, a direction belongs to the first of them.

    Attributes:
        name: name of the vehicle.
        zones: zones in order of precedence, in degrees of gaze, as measured in the car.
        head_share: fraction of a gaze's (azimuth, elevation) that the head turns; the eyes turn the rest. It shrinks the zones towards
            straight ahead, from directions of the eyes to directions of the face; a cone stays a cone, whose radius shrinks by the
            geometric mean.

    Raises:
        ValueError: for zones without a road, equal names, a share outside of (0, 1], or an impossible shape.
    """

    name: str
    zones: tuple[Zone, ...]
    head_share: tuple[float, float] = (1.0, 1.0)
    _planes: np.ndarray = field(init=False, repr=False, compare=False)
    _owner: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.zones or not any(zone.kind == ROAD for zone in self.zones):
            raise ValueError(f"zones of {self.name!r}: at least one zone of kind 'road' is needed")
        names = [zone.name for zone in self.zones]
        if len(set(names)) != len(names) or ELSEWHERE in names:
            raise ValueError(f'zones of {self.name!r}: names must differ from each other and from {ELSEWHERE!r}, got {names}')
        if not all(0 < share <= 1 for share in self.head_share):
            raise ValueError(f'zones of {self.name!r}: head_share must be in (0, 1], got {self.head_share}')
        planes = [_half_spaces(zone, self.head_share) for zone in self.zones]
        object.__setattr__(self, '_planes', np.concatenate(planes))
        object.__setattr__(self, '_owner', np.repeat(np.arange(len(planes)), [len(p) for p in planes]))

    def mirrored(self, name: str) -> ZoneMap:
        """Returns the zones of the same car with the wheel on the other side."""
        return ZoneMap(name, tuple(zone.mirrored() for zone in self.zones), self.head_share)

    def zone_of(self, direction_vehicle: np.ndarray) -> str:
        """Returns the name of the zone of a (3,) direction of the face in vehicle axes."""
        index = int(self._assign(np.asarray(direction_vehicle, float)[None])[0])
        return ELSEWHERE if index < 0 else self.zones[index].name

    def mass(self, R_vehicle_head: np.ndarray, rotation_std_deg: np.ndarray) -> ZoneMass:
        """Computes the probability that the face points into each zone.

        Args:
            R_vehicle_head: (3, 3) rotation from head axes (x out of the face) to vehicle axes.
            rotation_std_deg: (3,) standard deviation of the rotation vector about the head's x, y, z axes, degrees.

        Returns:
            Masses in steps of 1/256 over a fixed set of normally distributed rotations, so equal poses give equal masses.
        """
        owners = self._assign(head_directions(R_vehicle_head, rotation_std_deg))
        counts = np.bincount(owners + 1, minlength=len(self.zones) + 1) / len(owners)
        probabilities = {ELSEWHERE: float(counts[0])}
        road = driving = area_3 = 0.0
        for zone, count in zip(self.zones, counts[1:]):
            mass = float(count)
            probabilities[zone.name] = mass
            road += mass * (zone.kind == ROAD)
            driving += mass * (zone.kind == DRIVING)
            area_3 += mass * (zone.addw_area == 3)
        return ZoneMass(probabilities, road, driving, area_3)

    def centre(self, name: str) -> np.ndarray:
        """Returns the (3,) unit direction of the face at the centre of a zone, in vehicle axes."""
        zone = next(zone for zone in self.zones if zone.name == name)
        if zone.cone_deg is not None:
            return direction(*_shared(zone.cone_deg[:2], self.head_share))
        middle = np.sum([direction(*_shared(corner, self.head_share)) for corner in zone.polygon_deg], axis=0)
        return middle / np.linalg.norm(middle)

    def outline(self, name: str) -> np.ndarray:
        """Returns (n, 3) unit directions of the face along a zone's closed edge, in vehicle axes, for drawing."""
        zone = next(zone for zone in self.zones if zone.name == name)
        if zone.cone_deg is None:
            corners = np.array([direction(*_shared(corner, self.head_share)) for corner in zone.polygon_deg])
            steps = np.linspace(0, 1, 8, endpoint=False)[:, None]
            edges = [a + steps * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0))]
            around = np.concatenate([*edges, corners[:1]])
        else:
            axis, radius = self.centre(name), _shared_radius(zone.cone_deg[2], self.head_share)
            side = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
            side /= np.linalg.norm(side)
            turns = np.linspace(0, 2 * np.pi, 33)[:, None]
            around = np.cos(radius) * axis + np.sin(radius) * (np.cos(turns) * side + np.sin(turns) * np.cross(axis, side))
        return around / np.linalg.norm(around, axis=1, keepdims=True)

    def _assign(self, directions: np.ndarray) -> np.ndarray:
        inside = directions @ self._planes[:, :3].T >= self._planes[:, 3]
        starts = np.flatnonzero(np.diff(self._owner, prepend=-1))
        in_zone = np.logical_and.reduceat(inside, starts, axis=1)
        return np.where(in_zone.any(axis=1), in_zone.argmax(axis=1), -1)


def direction(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """Returns the (3,) unit vector of a direction in vehicle axes."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    return np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])


def azimuth_elevation_deg(vector_vehicle: np.ndarray) -> tuple[float, float]:
    """Returns azimuth and elevation in degrees of a (3,) vector of any length in vehicle axes."""
    x, y, z = (float(v) for v in vector_vehicle)
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def camera_mount(azimuth_deg: float, elevation_deg: float, turned_deg: float = 0.0) -> np.ndarray:
    """Computes the (3, 3) rotation R_vehicle_cam of a camera from the direction of its optical axis.

    Args:
        azimuth_deg: azimuth of the optical axis; at 180 the camera faces backwards along the car.
        elevation_deg: elevation of the optical axis; > 0 for a camera on the steering column, which faces up.
        turned_deg: clockwise rotation of the camera about its optical axis, seen from behind it; 0 for an upright image.

    Raises:
        ValueError: for an elevation beyond 89 degrees.
    """
    z = direction(azimuth_deg, elevation_deg)
    if abs(elevation_deg) > _POLE_DEG:
        raise ValueError(
            f'the camera elevation must be within +-{_POLE_DEG:g} degrees, got {elevation_deg:g}; otherwise the image has no up'
        )
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    c, s = np.cos(np.radians(turned_deg)), np.sin(np.radians(turned_deg))
    return np.stack([c * x + s * y, c * y - s * x, z], axis=1)


def head_directions(R_head: np.ndarray, rotation_std_deg: np.ndarray) -> np.ndarray:
    """Draws (256, 3) unit directions of the face from the pose's uncertainty, with the same draws at each call.

    The face's direction is R exp([d]x) e_x. Roll about e_x hardly changes it, so d is drawn in the head's y and z only, where
    the length of d is the angle a: exp([d]x) e_x = (cos a, d_z sin a / a, -d_y sin a / a).

    Args:
        R_head: (3, 3) rotation from head axes to any frame's axes.
        rotation_std_deg: (3,) standard deviation as in HeadPose, degrees.
    """
    d = _NORMAL_DRAWS * np.radians(np.asarray(rotation_std_deg, float)[1:3])
    angle = np.linalg.norm(d, axis=1)
    sinc = np.sinc(angle / np.pi)
    return np.stack([np.cos(angle), d[:, 1] * sinc, -d[:, 0] * sinc], axis=1) @ np.asarray(R_head, float).T


def _normal_draws(count: int) -> np.ndarray:
    """(count, 2) points with the density of a standard normal distribution: a Fibonacci spiral through its quantiles."""
    i = np.arange(count)
    radius = np.sqrt(-2 * np.log1p(-(i + 0.5) / count))
    turn = i * np.pi * (3 - np.sqrt(5))
    draws = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    draws -= draws.mean(axis=0)
    return draws / draws.std(axis=0)


_NORMAL_DRAWS = _normal_draws(_SAMPLES)


def _shared(azimuth_elevation: Sequence[float], head_share: tuple[float, float]) -> tuple[float, float]:
    return azimuth_elevation[0] * head_share[0], azimuth_elevation[1] * head_share[1]


def _shared_radius(radius_deg: float, head_share: tuple[float, float]) -> float:
    """A cone's radius in radians for the face: of the circle with the area of the ellipse to which the shares shrink it."""
    return float(np.radians(radius_deg * np.sqrt(head_share[0] * head_share[1])))


def _half_spaces(zone: Zone, head_share: tuple[float, float]) -> np.ndarray:
    """(n, 4) rows (normal, offset); a direction u is inside the zone if normal . u >= offset for every row."""
    if zone.kind not in KINDS:
        raise ValueError(f'zone {zone.name!r}: kind must be one of {KINDS}, got {zone.kind!r}')
    if (zone.cone_deg is None) == (not zone.polygon_deg):
        raise ValueError(f'zone {zone.name!r}: give either a cone or a polygon')
    if not np.isfinite([*(zone.cone_deg or ()), *(angle for corner in zone.polygon_deg for angle in corner)]).all():
        raise ValueError(f'zone {zone.name!r}: its angles must be finite numbers')
    if zone.cone_deg is not None:
        radius = zone.cone_deg[2]
        if not 0 < radius < 90:
            raise ValueError(f'zone {zone.name!r}: the radius must be between 0 and 90 degrees, got {radius:g}')
        return np.array([[*direction(*_shared(zone.cone_deg[:2], head_share)), np.cos(_shared_radius(radius, head_share))]])
    corners = np.array([direction(*_shared(corner, head_share)) for corner in zone.polygon_deg])
    if len(corners) < 3:
        raise ValueError(f'zone {zone.name!r}: a polygon needs three corners or more, got {len(corners)}')
    normals = np.cross(corners, np.roll(corners, -1, axis=0))
    normals = normals if np.sum(normals @ corners.sum(axis=0)) > 0 else -normals
    if np.min(normals @ corners.T) < -1e-9 or np.min(np.linalg.norm(normals, axis=1)) < 1e-9 or np.linalg.norm(corners.sum(axis=0)) < 1e-6:
        raise ValueError(f'zone {zone.name!r}: the polygon must be convex, its corners in order and within a half sphere')
    return np.hstack([normals, np.zeros((len(normals), 1))])
