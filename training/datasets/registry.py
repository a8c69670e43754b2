"""Opens real data sets by name, with the protocols of their papers and without alignment. No shipped weights are trained on them.

Folders come from the command line or from environment variables; the error for a missing set prints the steps to get it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .aflw2000 import aflw2000, w300lp
from .base import Face, MissingDataError, Source
from .biwi import read_biwi, read_part
from .boston import read_boston
from .pointing04 import pointing04
from .user_csv import CSV_COLUMNS, user_csv


def _biwi(folder: Path, part: str = '', **options: object) -> Iterator[Face]:
    return iter(read_part(folder, part)) if part else read_biwi(folder, **options)


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
        read_boston,
        (),
        ('light',),
    ),
}


def spread(faces: list[Face], count: int) -> list[Face]:
    """Returns at most `count` faces, evenly spread from the first to the last."""
    return [faces[i] for i in np.linspace(0, len(faces) - 1, min(count, len(faces))).astype(int)]


NAMES = (*(name for kind, source in SOURCES.items() for name in (kind, *(f'{kind}:{part}' for part in source.parts))), 'csv:FILE')
"""Names that `open_faces` accepts."""


def source_of(name: str) -> Source | None:
    """Returns the source of a data set's name; None for `csv:FILE`.

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
    """Returns the faces of a data set; pictures are read later.

    Args:
        name: one of NAMES.
        folder: the set's folder; None for the set's environment variable.
        options: options of that set's reader.

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
