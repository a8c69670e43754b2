"""Reads true head rotations from CSV files, as spreadsheets, loggers and other tools write them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...files import seconds_from_ns
from ...geometry import geodesic_deg, rotation_from_ypr_deg
from ...recordings.bagfile import BagError
from ..rotations import quaternions_from_rotations, rotations_from_quaternions
from .heads import Truth, TruthHead, make_head

_STAMPS_NS = {'stamp_ns': 1, 'stamp_us': 10**3, 'stamp_ms': 10**6, 'stamp_s': 10**9}
"""Columns of time, and nanoseconds in their unit."""
_QUATERNION, _MATRIX = ('qx', 'qy', 'qz', 'qw'), tuple(f'r{i}{j}' for i in range(3) for j in range(3))
_DEGREES, _RADIANS = ('yaw_deg', 'pitch_deg', 'roll_deg'), ('yaw_rad', 'pitch_rad', 'roll_rad')
_ROTATIONS = (_QUATERNION, _MATRIX, _DEGREES, _RADIANS)
_POSITION = ('x_m', 'y_m', 'z_m')
_UNKNOWN = ('', 'nan', 'na', 'n/a', 'null', 'none', '-', '?')
_LARGEST_RADIANS = 3.2
"""Angles in degrees that all lie within a little more than pi may be radians."""
_SAME_HEAD_DEG = 5.0
"""Rotations of one head with equal stamps differ by less: at 500 deg/s a head turns so far in the 10 ms that stamps may be rounded to."""
_BYTE_ORDER_MARKS = (
    (b'\xff\xfe\x00\x00', 'utf-32'),
    (b'\x00\x00\xfe\xff', 'utf-32'),
    (b'\xef\xbb\xbf', 'utf-8-sig'),
    (b'\xff\xfe', 'utf-16'),
    (b'\xfe\xff', 'utf-16'),
)


@dataclass(frozen=True)
class _Table:
    """The lines of a CSV file by column, as text; `decimal_comma` where the separator leaves the comma to numbers."""

    path: Path
    columns: tuple[str, ...]
    lines: tuple[tuple[int, list[str]], ...]
    decimal_comma: bool

    def number(self, text: str) -> float:
        """Returns a cell's value; NaN if it is unknown."""
        text = text.strip()
        if text.lower() in _UNKNOWN:
            return math.nan
        return float(text.replace(',', '.') if self.decimal_comma else text)

    def stamp_s(self, text: str, unit_ns: int) -> float:
        """Returns a stamp in seconds; NaN if it is unknown."""
        if text.strip().lower() in _UNKNOWN:
            return math.nan
        try:
            value = Decimal(text.strip().replace(',', '.') if self.decimal_comma else text.strip())
            if not value.is_finite() or abs(value) > 10**20:
                raise ValueError(f'{text.strip()!r} is no stamp')
            return seconds_from_ns(int(value * unit_ns))
        except InvalidOperation:
            raise ValueError(f'{text.strip()!r} is no number') from None


class _Row(NamedTuple):
    """A line's values; NaN for what is unknown. `rotation` in the columns' own form, `position` empty without such columns."""

    head: str
    stamp_s: float
    rotation: np.ndarray
    position: list[float]


def read_csv(path: Path) -> Truth:
    """Reads the truth from a CSV file with a header line.

    Columns: `stamp_ns`, `stamp_us`, `stamp_ms` or `stamp_s`; a rotation as `qx, qy, qz, qw`, or `yaw_deg, pitch_deg, roll_deg` (300W-LP
    signs; or `yaw_rad, pitch_rad, roll_rad`), or `r00` ... `r22` (R_cam_head by rows); optionally `id`, and a position `x_m, y_m, z_m`.
    Cells may be empty: that row's rotation or position is unknown. UTF-8, UTF-16 and UTF-32 are read, with commas, semicolons (then with
    decimal commas too) or tabs. Other columns are not used, which the truth notes.

    Raises:
        BagError: naming the column or line that is wrong.
    """
    if not path.is_file():
        raise BagError(f'{path} does not exist')
    table = _read_table(path)
    stamp = next((name for name in _STAMPS_NS if name in table.columns), None)
    if stamp is None:
        raise BagError(f'{path} has no column stamp_ns, stamp_us, stamp_ms or stamp_s; its columns are {_listed(table.columns)}')
    rotation = next((names for names in _ROTATIONS if set(names) <= set(table.columns)), None)
    if rotation is None:
        raise BagError(_no_rotation(table))
    position = _position(table)
    rows = [*_parsed(table, stamp, rotation, position)]
    known = [row for row in rows if not math.isnan(row.stamp_s) and not np.isnan(row.rotation).any()]
    if not known:
        raise BagError(f'{path} holds no pose: the truth is empty')
    left_out = f' ({len(rows) - len(known)} rows without a rotation left out)' if len(known) < len(rows) else ''
    small = rotation is _DEGREES and max(np.abs(row.rotation).max() for row in known) <= _LARGEST_RADIANS
    unused = {*table.columns} - {'', 'id', stamp, *rotation, *position}
    note = f'columns that are not used: {_listed(unused)}'
    by_head = _by_head(known, rotation)
    for name, poses in by_head.items():
        if problem := _several_people(np.array(poses)):
            raise BagError(f'{path}: {problem}, both of {name!r}: give each person a name in the column id; {note}')
    return Truth(
        _heads(by_head, position),
        f'{path}{left_out}',
        as_radians=_heads(_by_head(known, _RADIANS), position) if small else (),
        notes=(f'{path}: {note}',) if unused else (),
    )


def _parsed(table: _Table, stamp: str, rotation: Sequence[str], position: Sequence[str]) -> Iterator[_Row]:
    """Returns the rows of a table, without a last line that is cut off."""
    places = {name: k for k, name in enumerate(table.columns)}
    needed = max(places[name] for name in (stamp, *rotation, *position)) + 1
    for count, (line, cells) in enumerate(table.lines, start=1):
        if len(cells) < needed:
            if count == len(table.lines) and count > 1:
                return
            raise BagError(f'{table.path}, line {line}: it has {len(cells)} cells, {needed} are needed')
        try:
            values = np.array([table.number(cells[places[name]]) for name in rotation])
            place = [table.number(cells[places[name]]) for name in position]
            seconds = table.stamp_s(cells[places[stamp]], _STAMPS_NS[stamp])
        except ValueError as error:
            raise BagError(f'{table.path}, line {line}: {error}') from None
        name = cells[places['id']].strip() if 'id' in places and places['id'] < len(cells) else ''
        yield _Row(name or 'head', seconds, values, place)


def _read_table(path: Path) -> _Table:
    text = _decoded(path.read_bytes())
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith('#') and not re.fullmatch(r'"?sep=."?', line.strip())
    ]
    if not numbered:
        return _Table(path, (), (), False)
    head = numbered[0][1]
    separator = max(',;\t', key=head.count)
    cells = csv.reader((line for _, line in numbered), delimiter=separator, skipinitialspace=True)
    try:
        parsed = [[cell.replace('\x00', '') for cell in row] for row in cells]
    except csv.Error as error:
        raise BagError(f'{path} is no CSV file ({error})') from None
    columns = tuple(name.strip().lower() for name in parsed[0])
    return _Table(path, columns, tuple((number, row) for (number, _), row in zip(numbered[1:], parsed[1:])), separator == ';')


def _decoded(data: bytes) -> str:
    """A file's text: by its byte order mark, else UTF-16 where every second byte is 0, else UTF-8, else Windows' Latin alphabet."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
    if encoding is None and len(data) >= 4 and (0 in data[:2]):
        encoding = 'utf-16-be' if data[0] == 0 else 'utf-16-le'
    if encoding is not None:
        return data.decode(encoding, errors='replace')
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError:
        return data.decode('cp1252', errors='replace')


def _no_rotation(table: _Table) -> str:
    without_unit = [name for name in ('yaw', 'pitch', 'roll') if name in table.columns]
    remedy = (
        f'; {", ".join(without_unit)} have no unit: name them {", ".join(f"{name}_deg" for name in without_unit)}, or _rad'
        if without_unit
        else ''
    )
    return (
        f'{table.path} has no rotation: needed are {" ".join(_QUATERNION)}, or {" ".join(_DEGREES)} (or _rad), or r00 ... r22; '
        f'its columns are {_listed(table.columns)}{remedy}'
    )


def _position(table: _Table) -> tuple[str, ...]:
    """Returns the columns of the position, none without one; x and y alone may be pixels, so they are no position."""
    missing = [name for name in _POSITION if name not in table.columns]
    without_unit = [name[0] for name in missing if name[0] in table.columns]
    if not missing:
        return _POSITION
    if len(missing) == 3 and len(without_unit) < 3:
        return ()
    problem = (
        f'the unit of {", ".join(without_unit)} is missing: name them {", ".join(f"{axis}_m" for axis in without_unit)} if they are metres'
        if without_unit
        else f'{", ".join(missing)} is missing'
    )
    raise BagError(f'{table.path}: a position needs {" ".join(_POSITION)}, but {problem}; name all three otherwise to leave it out')


def _several_people(poses: np.ndarray) -> str | None:
    """Says where one head has two rotations at a time; `poses` (n, 5 or more): stamp in seconds, quaternion x, y, z, w."""
    poses = poses[np.argsort(poses[:, 0], kind='stable')]
    again = np.flatnonzero(np.diff(poses[:, 0]) == 0)
    apart_deg = geodesic_deg(*(rotations_from_quaternions(poses[rows, 1:5]) for rows in (again, again + 1)))
    wrong = np.flatnonzero(apart_deg > _SAME_HEAD_DEG)
    return f'at {poses[again[wrong[0]], 0]:.3f} s are two rotations, {apart_deg[wrong[0]]:.0f} degrees apart' if len(wrong) else None


def _quaternion_of(values: np.ndarray, rotation: Sequence[str]) -> np.ndarray:
    if rotation is _QUATERNION:
        return values
    if rotation is _MATRIX:
        return quaternions_from_rotations(np.reshape(values, (3, 3)))[0]
    return quaternions_from_rotations(rotation_from_ypr_deg(np.degrees(values) if rotation is _RADIANS else values))[0]


def _by_head(rows: Sequence[_Row], rotation: Sequence[str]) -> dict[str, list[tuple[float, ...]]]:
    """Returns the rows of each head as make_head takes them."""
    by_head: dict[str, list[tuple[float, ...]]] = {}
    for row in rows:
        by_head.setdefault(row.head, []).append((row.stamp_s, *_quaternion_of(row.rotation, rotation), *row.position))
    return by_head


def _heads(by_head: Mapping[str, Sequence[tuple[float, ...]]], position: Sequence[str]) -> tuple[TruthHead, ...]:
    return tuple(make_head(name, rows, bool(position)) for name, rows in by_head.items())


def _listed(columns: Iterable[str]) -> str:
    return ', '.join(sorted(columns)) or 'none'
