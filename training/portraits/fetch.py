"""Fetches what turned portraits are made of, once: pictures, MediaPipe's networks and ICT-FaceKit.

Everything goes into a cache outside the checkout; no picture of a person is ever part of the repository. `PORTRAITS_DIR` names a folder of
pictures at hand, PERSON_anything.jpg, which is then used instead.
"""

from __future__ import annotations

import csv
import hashlib
import http.client
import os
import subprocess
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose.files import written_whole
from c2f_head_pose.models.fetch import files_of_wheel
from training.synthetic.assets import facekit
from training.synthetic.assets.fetch import cache_dir

from .mediapipe import FACE_MESH, LANDMARKER, SEGMENTER

LANDMARKER_ADDRESS = 'https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/' + LANDMARKER
LANDMARKER_SHA256 = '64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff'
MEDIAPIPE_WHEEL = 'mediapipe==0.10.21'
OF_WHEEL = {
    SEGMENTER: ('mediapipe/modules/selfie_segmentation/', '9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c'),
    FACE_MESH: ('mediapipe/modules/face_landmark/', '1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814'),
}
"""Networks in the wheel: folder and sha256 by name."""
SUMS = 'sha256.csv'
_WHEEL_OPTIONS = ('--python-version', '3.11', '--platform', 'manylinux_2_28_x86_64')
_WHEEL_TIMEOUT_S = 600.0  # 35 MB
_TIMEOUT_S = 60
_PAUSE_S = 0.1  # between pictures: a free service
_IN_VAIN = 10  # so many first pictures of a collection that cannot be had mean that none can


@dataclass(frozen=True)
class Collection:
    """Portraits of one source.

    Attributes:
        whose: whom they show.
        licence: their licence.
        address: a picture's address, with {} for its place.
        listed_in: file with the places, one a row; the last part of a place is the picture's name.
        table: address of a table of what the people state of themselves; '' if there is none.
    """

    whose: str
    licence: str
    address: str
    listed_in: Path
    table: str = ''

    def places(self) -> list[str]:
        """Places of the pictures."""
        with open(self.listed_in, newline='') as file:
            return [row['place'] for row in csv.DictReader(file)]


_WEBMORPH = 'https://raw.githubusercontent.com/debruine/webmorphR.stim/fa8b78fda2d659bb74ce62fcd99c4407551d2a77/'
COLLECTIONS = (
    Collection(
        'members of the United States Congress',
        'public domain',
        'https://unitedstates.github.io/images/congress/450x550/{}.jpg',
        Path(__file__).with_name('congress.csv'),
    ),
    Collection(
        'Face Research Lab London Set',
        'CC BY 4.0',
        _WEBMORPH + 'inst/{}.jpg',
        Path(__file__).with_name('london.csv'),
        _WEBMORPH + 'data-raw/london_info.csv',
    ),
    Collection(
        'Young Adult White Faces, photographed in Canada',
        'CC BY 4.0',
        _WEBMORPH + 'inst/{}.jpg',
        Path(__file__).with_name('canada.csv'),
        _WEBMORPH + 'data-raw/canada_info.csv',
    ),
)
"""A picture's person is its name up to the first `_` (`training.data.portrait_turns.person_of`); no two collections name a person alike."""


@dataclass(frozen=True)
class Sources:
    """Where the materials lie.

    Attributes:
        portraits: folder of pictures of one person each (`training.data.portrait_turns.person_of`).
        licences: licences of the pictures by whose they are.
        models: folder with MediaPipe's networks.
        head: the .npz of ICT-FaceKit.
    """

    portraits: Path
    licences: dict[str, str]
    models: Path
    head: Path


def sources() -> Sources:
    """Where the materials lie on this machine, fetched or not."""
    folder = cache_dir().parent / 'portraits'
    own = os.environ.get('PORTRAITS_DIR')
    if own:
        return Sources(Path(own), {'pictures of PORTRAITS_DIR': 'not stated'}, folder, facekit.built_file())
    licences = {collection.whose: collection.licence for collection in COLLECTIONS}
    return Sources(folder / 'pictures', licences, folder, facekit.built_file())


def fetch(facekit_at: Path | None = None, say: Callable[[str], None] = print) -> Sources:
    """Fetches what is not there yet.

    Args:
        facekit_at: a clone of ICT-FaceKit or its .zip at hand; None fetches it, 160 MB.
        say: receives a line for each step.

    Raises:
        RuntimeError: naming what could not be fetched, and the remedy.
    """
    where = sources()
    where.models.mkdir(parents=True, exist_ok=True)
    if not (where.models / LANDMARKER).exists():
        say(f'fetching {LANDMARKER_ADDRESS}')
        _store(where.models / LANDMARKER, _download(LANDMARKER_ADDRESS), LANDMARKER_SHA256)
    if lacking := [name for name in OF_WHEEL if not (where.models / name).exists()]:
        say(f'fetching {" and ".join(lacking)} out of the wheel {MEDIAPIPE_WHEEL}')
        for name, content in zip(lacking, _out_of_wheel(lacking), strict=True):
            _store(where.models / name, content, OF_WHEEL[name][1])
    if not where.head.exists():
        with tempfile.TemporaryDirectory() as scratch:
            if facekit_at is None:
                say(f'fetching {facekit.ADDRESS}')
                facekit_at = Path(scratch) / 'facekit.zip'
                facekit_at.write_bytes(_download(facekit.ADDRESS))
            arrays = facekit.read_facekit(facekit_at)
            with written_whole(where.head, where.head.with_suffix('.part.npz')) as part:
                np.savez(part, **arrays)
    if not os.environ.get('PORTRAITS_DIR'):
        for collection in COLLECTIONS:
            fetch_pictures(where.portraits, collection, say)
    return where


def fetch_pictures(folder: Path, collection: Collection, say: Callable[[str], None], pause_s: float = _PAUSE_S) -> None:
    """Fetches a collection's pictures that are missing and notes their sha256, so that a later run sees whether they are still the same.

    The service replaces pictures now and then, so no sum is fixed in advance: a picture must decode, and keep the sum of its first fetch.

    Raises:
        ValueError: for a picture that changed since it was fetched.
        RuntimeError: where none can be fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums = _read_sums(folder)
    for name, digest in sums.items():
        path = folder / f'{name}.jpg'
        if path.exists() and _sha256(path.read_bytes()) != digest:
            raise ValueError(f'{path} changed since it was fetched: delete it and {folder / SUMS} to accept another picture')
    by_name = {place.rpartition('/')[2]: place for place in collection.places()}
    missing, lost = [name for name in by_name if not (folder / f'{name}.jpg').exists()], []
    if missing:
        say(f'fetching {len(missing)} portraits ({collection.whose}, {collection.licence}) into {folder}')
    for tried, name in enumerate(missing):
        address = collection.address.format(by_name[name])
        try:
            content = _download(address)
        except RuntimeError as error:
            lost.append(str(error))
            if len(lost) == tried + 1 == _IN_VAIN:
                break
            continue
        if cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is None:
            lost.append(f'{address} is no picture')
            continue
        _write(folder / f'{name}.jpg', content)
        sums[name] = _sha256(content)
        _write_sums(folder, sums)
        time.sleep(pause_s)
    table = folder / collection.table.rpartition('/')[2]
    if collection.table and not table.exists() and any((folder / f'{name}.jpg').exists() for name in by_name):
        _write(table, _download(collection.table))
    if lost:
        say(f'{len(lost)} portraits ({collection.whose}) could not be fetched, the first: {lost[0]}')
    if not any(folder.glob('*.jpg')):
        raise RuntimeError(f'no portrait could be fetched ({lost[0]}): set PORTRAITS_DIR to a folder of portraits at hand')


def _read_sums(folder: Path) -> dict[str, str]:
    if not (folder / SUMS).exists():
        return {}
    with open(folder / SUMS, newline='') as file:
        return {row['id']: row['sha256'] for row in csv.DictReader(file)}


def _write_sums(folder: Path, sums: dict[str, str]) -> None:
    with written_whole(folder / SUMS) as part, open(part, 'w', newline='') as file:
        csv.writer(file).writerows([('id', 'sha256'), *sorted(sums.items())])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _store(path: Path, content: bytes, sha256: str) -> None:
    if _sha256(content) != sha256:
        raise RuntimeError(f'{path.name} as fetched has sha256 {_sha256(content)}, not {sha256}: fetch it by other means into {path}')
    _write(path, content)


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as part:
        part.write_bytes(content)


def _download(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as reply:
            return reply.read()
    except (OSError, http.client.HTTPException) as error:  # also of a connection that breaks off; URLError is an OSError
        raise RuntimeError(f'{address} cannot be fetched: {error}') from error


def _out_of_wheel(names: list[str]) -> list[bytes]:
    """The networks' bytes, of one download; the wheel is not installed, because it pins numpy."""
    try:
        return files_of_wheel(MEDIAPIPE_WHEEL, [OF_WHEEL[name][0] + name for name in names], _WHEEL_OPTIONS, _WHEEL_TIMEOUT_S)
    except (OSError, ValueError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
        raise RuntimeError(f'pip could not fetch {MEDIAPIPE_WHEEL}: {error}') from error
