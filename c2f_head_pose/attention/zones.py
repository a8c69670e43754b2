"""Zones of a vehicle on the unit sphere, and how the direction of a head, with its uncertainty, divides over them.

Vehicle frame: REP-103, x forward, y left, z up. A direction is given as (azimuth, elevation) in degrees as seen from the
driver's eyes: azimuth > 0 to the left, elevation > 0 up, (0, 0) straight ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

ROAD, DRIVING, AWAY = 'road', 'driving', 'away'
KINDS = (ROAD, DRIVING, AWAY)
ELSEWHERE = 'elsewhere'
"""The name of all directions that no zone covers; they count as `away`."""

_SAMPLES = 256
_POLE_DEG = 89.0


@dataclass(frozen=True)
class Zone:
    """One target of a driver's looks, as a cone or a convex polygon on the unit sphere.

    Attributes:
        name: 'road_ahead', 'driver_mirror', ...; the same for left- and right-hand drive.
        kind: 'road', the forward road view; 'driving', targets that the driving task needs (mirrors, cluster); 'away', all others.
        polygon_deg: corners (azimuth, elevation) of a convex polygon whose edges are great circles; or empty.
        cone_deg: (azimuth, elevation, radius) of a cone; or None. Exactly one of the two is given.
        addw_area: 3 where the EU's distraction timer runs (below the plane 30 degrees down), 0 elsewhere.
    """

    name: str
    kind: str
    polygon_deg: tuple[tuple[float, float], ...] = ()
    cone_deg: tuple[float, float, float] | None = None
    addw_area: int = 0

    def mirrored(self) -> Zone:
        """The same zone of the car with the wheel on the other side."""
        polygon = tuple((-azimuth, elevation) for azimuth, elevation in reversed(self.polygon_deg))
        cone = None if self.cone_deg is None else (-self.cone_deg[0], *self.cone_deg[1:])
        return replace(self, polygon_deg=polygon, cone_deg=cone)


@dataclass(frozen=True)
class ZoneMass:
    """Probabilities of a head direction, by zone.

    Attributes:
        probabilities: zone name -> probability mass, `elsewhere` included; sums to 1.
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
        """Mass on targets that the driving task does not need."""
        return max(0.0, 1.0 - self.road - self.driving)

    @property
    def most_probable(self) -> str:
        """Name of the zone with the most mass."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


@dataclass(frozen=True)
class ZoneMap:
    """The zones of one vehicle; where zones overlap, the first in the list holds the direction.

    Attributes:
        name: of the vehicle.
        zones: in order of precedence, in degrees of gaze, as measured in the car.
        head_share: the part of a gaze's (azimuth, elevation) that the head turns; the eyes turn the rest. Zones are shrunk by it
            towards straight ahead: from directions of the eyes to directions of the face.
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
        """The zones of the same car with the wheel on the other side."""
        return ZoneMap(name, tuple(zone.mirrored() for zone in self.zones), self.head_share)

    def zone_of(self, direction_vehicle: np.ndarray) -> str:
        """Name of the zone that holds one (3,) direction."""
        index = int(self._assign(np.asarray(direction_vehicle, float)[None])[0])
        return ELSEWHERE if index < 0 else self.zones[index].name

    def mass(self, R_vehicle_head: np.ndarray, rotation_std_deg: np.ndarray) -> ZoneMass:
        """The probability that the face points into each zone.

        Args:
            R_vehicle_head: (3, 3) head axes (x out of the face) to vehicle axes.
            rotation_std_deg: (3,) standard deviation of the rotation vector about the head's x, y, z axes, degrees.

        Returns:
            Masses in steps of 1/256, over a fixed set of normally distributed rotations: the same pose gives the same masses.
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
        """(3,) unit direction of the face in the middle of a zone, vehicle axes."""
        zone = next(zone for zone in self.zones if zone.name == name)
        if zone.cone_deg is not None:
            return direction(*_shared(zone.cone_deg[:2], self.head_share))
        middle = np.sum([direction(*_shared(corner, self.head_share)) for corner in zone.polygon_deg], axis=0)
        return middle / np.linalg.norm(middle)

    def outline(self, name: str) -> np.ndarray:
        """(n, 3) unit directions of the face along a zone's edge, closed; for drawing."""
        zone = next(zone for zone in self.zones if zone.name == name)
        if zone.cone_deg is None:
            corners = np.array([direction(*_shared(corner, self.head_share)) for corner in zone.polygon_deg])
            steps = np.linspace(0, 1, 8, endpoint=False)[:, None]
            edges = [a + steps * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0))]
            around = np.concatenate([*edges, corners[:1]])
        else:
            axis, radius = self.centre(name), np.radians(zone.cone_deg[2])
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


def load_zones(path: str | Path) -> ZoneMap:
    """Reads the zones of a vehicle profile.

    Args:
        path: a YAML file as config/zones_passenger_car_lhd.yaml, or one with `mirror_of:` another file beside it.

    Raises:
        ValueError: naming the file, the zone and the remedy.
        OSError: where the file cannot be read.
    """
    path = Path(path)
    profile = _read_profile(path)
    if 'mirror_of' not in profile:
        return _zone_map(path, profile)
    original = path.parent / profile['mirror_of']
    seen = _read_profile(original)
    if 'mirror_of' in seen:
        raise ValueError(f'{path}: mirror_of must name a profile with zones, but {original} has mirror_of itself')
    return _zone_map(original, seen).mirrored(profile['name'])


def _read_profile(path: Path) -> dict:
    from ..files import read_yaml

    try:
        profile = read_yaml(path)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if not isinstance(profile, dict) or not isinstance(profile.get('name'), str) or ('zones' in profile) == ('mirror_of' in profile):
        raise ValueError(f'{path}: a vehicle profile needs `name` and either `zones` or `mirror_of`')
    if not isinstance(profile.get('mirror_of', ''), str):
        raise ValueError(f'{path}: mirror_of must be the name of a file')
    return profile


def _zone_map(path: Path, profile: dict) -> ZoneMap:
    try:
        share = profile.get('head_share', {})
        zones = tuple(_zone_from_yaml(entry) for entry in profile['zones'])
        return ZoneMap(profile['name'], zones, (float(share.get('azimuth', 1.0)), float(share.get('elevation', 1.0))))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(
            f'{path}: not a vehicle profile ({type(error).__name__}: {error}); see config/zones_passenger_car_lhd.yaml'
        ) from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def direction(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """(3,) unit vector of a direction, vehicle axes."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    return np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])


def azimuth_elevation_deg(vector_vehicle: np.ndarray) -> tuple[float, float]:
    """Azimuth and elevation in degrees of a (3,) vector of any length, vehicle axes."""
    x, y, z = (float(v) for v in vector_vehicle)
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def camera_mount(azimuth_deg: float, elevation_deg: float, turned_deg: float = 0.0) -> np.ndarray:
    """(3, 3) R_vehicle_cam of a camera, from where it looks.

    Args:
        azimuth_deg: of the optical axis; 180 looks straight back along the car.
        elevation_deg: of the optical axis; a camera on the steering column looks up.
        turned_deg: clockwise turn of the camera about its optical axis, seen from behind it; 0 keeps the image upright.
    """
    z = direction(azimuth_deg, elevation_deg)
    if abs(elevation_deg) > _POLE_DEG:
        raise ValueError(f'camera elevation {elevation_deg:g}: within +-{_POLE_DEG:g} degrees, or the image has no upright')
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    c, s = np.cos(np.radians(turned_deg)), np.sin(np.radians(turned_deg))
    return np.stack([c * x + s * y, c * y - s * x, z], axis=1)


def head_directions(R_head: np.ndarray, rotation_std_deg: np.ndarray) -> np.ndarray:
    """(256, 3) unit directions of the face, drawn from the pose's uncertainty with the same draws each time.

    The face's direction is R exp([d]x) e_x. Roll about e_x hardly moves it, so d is drawn in the head's y and z only, where
    the length of d is the angle: exp([d]x) e_x = (cos a, d_z sin a / a, -d_y sin a / a).
    """
    d = _NORMAL_DRAWS * np.radians(np.asarray(rotation_std_deg, float)[1:3])
    angle = np.linalg.norm(d, axis=1)
    sinc = np.sinc(angle / np.pi)
    return np.stack([np.cos(angle), d[:, 1] * sinc, -d[:, 0] * sinc], axis=1) @ np.asarray(R_head, float).T


def _normal_draws(count: int) -> np.ndarray:
    """(count, 2) points that fill the plane as a standard normal does: a Fibonacci spiral through its quantiles."""
    i = np.arange(count)
    radius = np.sqrt(-2 * np.log1p(-(i + 0.5) / count))
    turn = i * np.pi * (3 - np.sqrt(5))
    draws = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    draws -= draws.mean(axis=0)
    return draws / draws.std(axis=0)


_NORMAL_DRAWS = _normal_draws(_SAMPLES)


def _shared(azimuth_elevation: Sequence[float], head_share: tuple[float, float]) -> tuple[float, float]:
    return azimuth_elevation[0] * head_share[0], azimuth_elevation[1] * head_share[1]


def _half_spaces(zone: Zone, head_share: tuple[float, float]) -> np.ndarray:
    """(n, 4) rows (normal, offset): a direction u is inside the zone where normal . u >= offset for every row."""
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
        return np.array([[*direction(*_shared(zone.cone_deg[:2], head_share)), np.cos(np.radians(radius))]])
    corners = np.array([direction(*_shared(corner, head_share)) for corner in zone.polygon_deg])
    if len(corners) < 3:
        raise ValueError(f'zone {zone.name!r}: a polygon needs three corners or more, got {len(corners)}')
    normals = np.cross(corners, np.roll(corners, -1, axis=0))
    normals = normals if np.sum(normals @ corners.sum(axis=0)) > 0 else -normals
    if np.min(normals @ corners.T) < -1e-9 or np.min(np.linalg.norm(normals, axis=1)) < 1e-9 or np.linalg.norm(corners.sum(axis=0)) < 1e-6:
        raise ValueError(f'zone {zone.name!r}: the polygon must be convex, its corners in order and within a half sphere')
    return np.hstack([normals, np.zeros((len(normals), 1))])


def _zone_from_yaml(entry: dict) -> Zone:
    for key in ('name', 'kind'):
        if not isinstance(entry[key], str):
            raise ValueError(f'a zone: {key} must be a text')
    unknown = set(entry) - {'name', 'kind', 'polygon', 'cone', 'addw_area'}
    if unknown:
        raise ValueError(f'zone {entry.get("name")!r}: unknown keys {sorted(unknown)}')
    cone = entry.get('cone')
    return Zone(
        entry['name'],
        entry['kind'],
        _corners(entry.get('polygon', ())),
        None if cone is None else (float(cone[0]), float(cone[1]), float(cone[2])),
        int(entry.get('addw_area', 0)),
    )


def _corners(points: Iterable[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(azimuth), float(elevation)) for azimuth, elevation in points)
