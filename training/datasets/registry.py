"""Real data sets with their papers' own protocols. Nothing is aligned or forgiven; no shipped weight ever trains on them.

Folders are given on the command line or by environment variables; a missing one says how to get it.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.types import FaceBox


@dataclass(frozen=True, eq=False)
class Face:
    """One labelled face of a real data set.

    Attributes:
        name: unique within the set.
        ypr_deg: (3,) yaw, pitch, roll, 300W-LP signs; nan for an angle the set does not label.
        read: reads the picture: (H, W, 3) BGR uint8.
        box: the set's own face box, pixels; None where it has none.
        landmarks: (68, 2) pixels, or None.
        points21: (21, 2) pixels of AFLW's landmarks, <= 0 where hidden, or None.
        R_cam_head: (3, 3) in the camera of the picture, where the set gives a rotation; else None.
        K: (3, 3) intrinsics of the picture, or None.
        read_depth_m: reads the depth picture: (H, W) float32 metres, nan unknown; None without depth.
        sequence: the video it belongs to, '' for single pictures.
    """

    name: str
    ypr_deg: np.ndarray
    read: Callable[[], np.ndarray]
    box: FaceBox | None = None
    landmarks: np.ndarray | None = None
    points21: np.ndarray | None = None
    R_cam_head: np.ndarray | None = None
    K: np.ndarray | None = None
    read_depth_m: Callable[[], np.ndarray] | None = None
    sequence: str = ''


@dataclass(frozen=True)
class Source:
    """How a data set is obtained and under which terms.

    Attributes:
        title: full name.
        variable: environment variable with its folder.
        pattern: a file pattern that its folder must hold.
        steps: how to get it.
        licence: its terms in short.
        read: reads the folder.
        crops: the crops of `protocols` that can be cut of it beside 'detector'; the first is what it is evaluated by unless told otherwise.
        options: what `read` may be told.
        parts: test sets within it, for names such as 'biwi:official'.
    """

    title: str
    variable: str
    pattern: str
    steps: str
    licence: str
    read: Callable[..., Iterator[Face]]
    crops: tuple[str, ...]
    options: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


class MissingDataError(ValueError):
    """A data set that is not there; the message has the steps to get it."""


def read_picture(path: Path) -> Callable[[], np.ndarray]:
    """A function that reads a picture when it is needed.

    Raises (when called):
        ValueError: for a file that is no picture.
    """

    def read() -> np.ndarray:
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f'{path} is missing or no picture: unpack the data set again')
        return image

    return read


def aflw2000(folder: Path) -> Iterator[Face]:
    """AFLW2000-3D. Faces with an angle beyond 99 degrees are left out, as in the literature (FSA-Net, Hopenet).

    The .mat files hold pitch, yaw, roll in Pose_Para (radians), 68 fitted landmarks in pt3d_68, and AFLW's 21 in pt2d.
    """
    from scipy.io import loadmat

    for path in sorted(folder.glob('*.mat')):
        content = loadmat(path)
        pitch, yaw, roll = np.degrees(content['Pose_Para'][0][:3])
        if max(abs(pitch), abs(yaw), abs(roll)) > 99:
            continue
        yield Face(
            path.stem,
            np.array([yaw, pitch, roll]),
            read_picture(path.with_suffix('.jpg')),
            landmarks=content['pt3d_68'][:2].T.astype(float),
            points21=content['pt2d'].T.astype(float),
        )


def w300lp(folder: Path, flipped: bool = True) -> Iterator[Face]:
    """300W-LP: AFW, HELEN, IBUG and LFPW turned synthetically to profile, and their mirror images.

    Args:
        folder: with AFW, HELEN, ...
        flipped: whether the `*_Flip` folders are read too.
    """
    from scipy.io import loadmat

    for path in sorted(folder.glob('*/*.mat')):
        if path.parent.name in ('landmarks', 'Code') or (not flipped and path.parent.name.endswith('_Flip')):
            continue
        content = loadmat(path)
        pitch, yaw, roll = np.degrees(content['Pose_Para'][0][:3])
        if max(abs(pitch), abs(yaw), abs(roll)) > 99:
            continue
        yield Face(
            f'{path.parent.name}/{path.stem}',
            np.array([yaw, pitch, roll]),
            read_picture(path.with_suffix('.jpg')),
            landmarks=content['pt2d'].T.astype(float),
        )


MAX_PAN_DEG, MAX_TILT_DEG = 60.0, 30.0
"""Pointing'04's angles beyond are left out unless told otherwise."""


def pointing04(
    folder: Path, max_pan_deg: float = MAX_PAN_DEG, max_tilt_deg: float = MAX_TILT_DEG, people: tuple[int, ...] | None = None
) -> Iterator[Face]:
    """Pointing'04: pan and tilt in steps of 15 (tilt also 30) degrees of a grid of markers looked at; roll is not labelled.

    Args:
        folder: with Person01, Person02, ...
        max_pan_deg: larger ones are left out.
        max_tilt_deg: likewise.
        people: which persons; None for all.
    """
    for path in sorted(folder.glob('Person*/*.jpg')):
        match = re.match(r'person(\d\d)\d\d\d([+-]\d+)([+-]\d+)\.jpg', path.name)
        if match is None:
            continue
        person, tilt, pan = int(match[1]), float(match[2]), float(match[3])
        if abs(pan) > max_pan_deg or abs(tilt) > max_tilt_deg or (people is not None and person not in people):
            continue
        x, y, width, height = map(float, path.with_suffix('.txt').read_text().split()[-4:])
        yield Face(
            path.name,
            np.array([pan, tilt, np.nan]),
            read_picture(path),
            box=FaceBox(x - width / 2, y - height / 2, x + width / 2, y + height / 2),
            sequence=f'person{person:02d}',
        )


ANGLES = ('yaw_deg', 'pitch_deg', 'roll_deg')
CSV_COLUMNS = ('image', 'x1', 'y1', 'x2', 'y2', *ANGLES)


def user_csv(path: Path) -> Iterator[Face]:
    """The user's own pictures: a csv file with columns image, x1, y1, x2, y2, yaw_deg, pitch_deg, roll_deg (empty: unknown).

    Paths are relative to the file; signs are 300W-LP's. Look at `python -m training.evaluate --axes csv:FILE` before training. Angles that
    look like radians are warned of.

    Raises:
        ValueError: for a file that is no UTF-8, without faces, or lacking a column; for a value that cannot be, with its line.
    """
    rows = csv.DictReader(io.StringIO(_text(path), newline=''))
    if missing := [name for name in CSV_COLUMNS if name not in (rows.fieldnames or ())]:
        if ';' in (rows.fieldnames or [''])[0]:
            raise ValueError(f'{path} is separated by semicolons: save it with commas between the columns and points in the numbers')
        raise ValueError(f'{path} lacks the columns {", ".join(missing)}')
    largest = []
    for row in rows:
        where = f'{path}, line {rows.line_num}'
        if None in row.values() or any(row.get(None, ())):
            raise ValueError(f'{where}: has other columns than the header')
        try:
            x1, y1, x2, y2, *ypr_deg = (float(row[name]) if row[name].strip() else np.nan for name in CSV_COLUMNS[1:])
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        if not np.isfinite([x1, y1, x2, y2]).all() or x2 <= x1 or y2 <= y1:
            raise ValueError(f'{where}: the box needs x1 < x2 and y1 < y2')
        for name, angle, limit in zip(ANGLES, ypr_deg, (180, 90, 180)):
            if abs(angle) > limit:
                raise ValueError(f'{where}: {name} {angle:g} is beyond {limit}')
        largest.append(np.nanmax(np.abs([0, *ypr_deg])))
        box = FaceBox(x1, y1, x2, y2)
        yield Face(row['image'], np.array(ypr_deg), _own_picture(path.parent / row['image'], box, where), box=box)
    if not largest:
        raise ValueError(f'{path} has no faces, only its header')
    if 0 < max(largest) < 2:
        print(f'{path}: no angle reaches 2 degrees: if they are radians, the file needs degrees', file=sys.stderr)


def _text(path: Path) -> str:
    """A UTF-8 file's text, without the byte order mark that Excel writes."""
    content = path.read_bytes()
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content.count(b'\n', 0, error.start) + 1
        raise ValueError(f'{path}, line {line}: is no UTF-8: save the file as "CSV UTF-8"') from error


def _own_picture(path: Path, box: FaceBox, where: str) -> Callable[[], np.ndarray]:
    """As `read_picture`, of a picture that a line of the user's own file names.

    Raises (when called):
        ValueError: with the line, for a file that is no picture, or a box wholly outside of it.
    """

    def read() -> np.ndarray:
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f'{where}: {path} ' + ('is no picture' if path.exists() else 'does not exist'))
        height, width = image.shape[:2]
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= width or box.y1 >= height:
            raise ValueError(f'{where}: the box is outside the picture, which has {width} x {height} pixels')
        return image

    return read


def _biwi(folder: Path, part: str = '', **options: object) -> Iterator[Face]:
    from .biwi import read_biwi, read_part

    return iter(read_part(folder, part)) if part else read_biwi(folder, **options)


def _boston(folder: Path, **options: object) -> Iterator[Face]:
    from .boston import read_boston

    return read_boston(folder, **options)


SOURCES = {
    'aflw2000': Source(
        'AFLW2000-3D',
        'AFLW2000_DIR',
        '*.mat',
        'From the page of Zhu et al. 2016 (3DDFA), http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm, '
        'unpack AFLW2000-3D.zip; the folder has image00002.jpg and image00002.mat.',
        'research use only',
        aflw2000,
        ('published', 'unstretched', 'landmarks'),
    ),
    '300wlp': Source(
        '300W-LP',
        'W300LP_DIR',
        '*/*.mat',
        'From the page of Zhu et al. 2016 (3DDFA), http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm, '
        'unpack 300W-LP.zip; the folder has AFW, HELEN, IBUG, LFPW.',
        'research use only',
        w300lp,
        ('landmarks',),
        ('flipped',),
    ),
    'pointing04': Source(
        "Pointing'04",
        'POINTING04_DIR',
        'Person*/*.jpg',
        "From the Pointing'04 workshop's page (Gourier, Hall, Crowley), http://www-prima.inrialpes.fr/Pointing04/data-face.html, unpack "
        'Person01-1.tar.gz ... Person15-2.tar.gz into one folder.',
        'free use, to be cited',
        pointing04,
        ('box',),
        ('max_pan_deg', 'max_tilt_deg', 'people'),
    ),
    'biwi': Source(
        'Biwi Kinect Head Pose Database',
        'BIWI_DIR',
        '**/*_pose.txt',
        'Ask for kinect_head_pose_db.tgz on the page of Fanelli et al., '
        'https://data.vision.ee.ethz.ch/cvl/gfanelli/head_pose/head_forest.html, '
        'unpack; the folder has 01 ... 24 with frame_00003_rgb.png, frame_00003_depth.bin, frame_00003_pose.txt, rgb.cal and depth.cal.',
        'research use only',
        _biwi,
        ('box',),
        ('sequences',),
        ('official', '80-20'),
    ),
    'boston': Source(
        'Boston University head tracking',
        'BOSTON_DIR',
        '**/*.dat',
        'From the page of La Cascia, Sclaroff and Athitsos, http://www.cs.bu.edu/groups/ivc/data.php ("headtracking"), '
        'unpack uniform-light and varying-light: jam1.avi with jam1.dat and so on.',
        'research use',
        _boston,
        (),
        ('light',),
    ),
}


def spread(faces: list[Face], count: int) -> list[Face]:
    """At most so many faces, evenly spread over the set from the first to the last."""
    return [faces[i] for i in np.linspace(0, len(faces) - 1, min(count, len(faces))).astype(int)]


NAMES = (*(name for kind, source in SOURCES.items() for name in (kind, *(f'{kind}:{part}' for part in source.parts))), 'csv:FILE')
"""What `open_faces` opens."""


def source_of(name: str) -> Source | None:
    """The source of a data set's name; None for `csv:FILE`.

    Raises:
        ValueError: for an unknown set or part.
    """
    kind, _, part = name.partition(':')
    if kind == 'csv':
        if not part or Path(part).is_dir():
            raise ValueError(f'{name!r} names no file: csv:FILE is a table with the columns {", ".join(CSV_COLUMNS)}')
        return None
    if kind not in SOURCES:
        raise ValueError(f'data set {name!r} is none of {", ".join(NAMES)}')
    if part and part not in SOURCES[kind].parts:
        raise ValueError(f'{kind} has no part {part!r}; it has {", ".join(SOURCES[kind].parts) or "none"}')
    return SOURCES[kind]


def open_faces(name: str, folder: str | Path | None = None, **options: object) -> list[Face]:
    """The faces of a data set, pictures not read yet.

    Args:
        name: one of NAMES.
        folder: where it is; None takes the set's environment variable.
        options: of that set's reader.

    Raises:
        MissingDataError: with the steps to get it.
        ValueError: for an unknown set, part or option.
    """
    source, (kind, _, part) = source_of(name), name.partition(':')
    if source is None:
        path = Path(part)
        if not path.is_file():
            raise MissingDataError(f'{path} does not exist: {user_csv.__doc__.splitlines()[0]}')
        return list(user_csv(path))
    if unknown := set(options) - set(source.options):
        raise ValueError(f'{kind} has no option {", ".join(sorted(unknown))}; it has {", ".join(source.options) or "none"}')
    given = folder or os.environ.get(source.variable)
    if not given:
        raise MissingDataError(f'{source.title} ({source.licence}) is not given: set {source.variable} or name its folder. {source.steps}')
    if next(Path(given).glob(source.pattern), None) is None:
        raise MissingDataError(f'{given} has no {source.pattern} of {source.title}. {source.steps}')
    faces = list(source.read(Path(given), **({'part': part} if part else {}), **options))
    if part and not faces:
        raise MissingDataError(f'{given} has no frames of {name}: it is a part of {source.title}. {source.steps}')
    return faces
