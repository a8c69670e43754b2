"""Reads the zones of a vehicle from a profile in YAML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..config_files import config_folders, find_config
from ..files import read_yaml
from .zones import Zone, ZoneMap


def find_zones(name: str) -> ZoneMap:
    """Finds the vehicle profile of a name or path.

    Raises:
        ValueError: for a file that is no profile, or an unknown name.
        OSError: for a path that cannot be read.
    """
    if name.endswith(('.yaml', '.yml')):
        return load_zones(name)
    file = f'zones_{name}.yaml'
    if found := find_config(file):
        return load_zones(found)
    known = sorted({path.stem.removeprefix('zones_') for folder in config_folders() for path in folder.glob('zones_*.yaml')})
    raise ValueError(f'no such vehicle profile; shipped are {", ".join(known)}; give your own by its path (….yaml)')


def load_zones(path: str | Path) -> ZoneMap:
    """Reads the zones of a vehicle profile.

    Args:
        path: a YAML file such as config/zones_passenger_car_lhd.yaml, or one whose `mirror_of` names another file in its folder.

    Raises:
        ValueError: for a file that is not a vehicle profile, naming the file, the zone and the remedy.
        OSError: when the file cannot be read.
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
    try:
        profile = read_yaml(path)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if not isinstance(profile, dict) or not isinstance(profile.get('name'), str) or ('zones' in profile) == ('mirror_of' in profile):
        raise ValueError(f'{path}: a vehicle profile needs `name` and either `zones` or `mirror_of`')
    if not isinstance(profile.get('mirror_of', ''), str):
        raise ValueError(f'{path}: mirror_of must be the name of a file')
    if 'mirror_of' in profile:
        _refuse_others(profile, {'name', 'mirror_of'}, f'{path}', ' beside mirror_of; use zones instead')
    else:
        _refuse_others(profile, {'name', 'zones', 'head_share'}, f'{path}')
    return profile


def _refuse_others(mapping: Iterable, known: set[str], where: str, remedy: str = '') -> None:
    """Refuses keys that would have no effect."""
    if unknown := set(mapping) - known:
        raise ValueError(f'{where}: unknown keys {sorted(map(str, unknown))}{remedy}')


def _zone_map(path: Path, profile: dict) -> ZoneMap:
    try:
        share = profile.get('head_share', {})
        _refuse_others(share, {'azimuth', 'elevation'}, 'head_share', '; it has azimuth and elevation')
        zones = tuple(_zone_from_yaml(entry) for entry in profile['zones'])
        return ZoneMap(profile['name'], zones, (float(share.get('azimuth', 1.0)), float(share.get('elevation', 1.0))))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(
            f'{path}: not a vehicle profile ({type(error).__name__}: {error}); see config/zones_passenger_car_lhd.yaml'
        ) from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _zone_from_yaml(entry: dict) -> Zone:
    for key in ('name', 'kind'):
        if not isinstance(entry[key], str):
            raise ValueError(f'a zone: {key} must be a text')
    _refuse_others(entry, {'name', 'kind', 'polygon', 'cone', 'addw_area'}, f'zone {entry["name"]!r}')
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
