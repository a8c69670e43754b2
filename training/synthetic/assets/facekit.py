"""Reads the published files of ICT-FaceKit into one .npz; `python -m training.portraits fetch` does it once."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .fetch import cache_dir

COMMIT = 'da5f95a607f5e6b37755b38d3385d7f2853732e5'
ADDRESS = f'https://github.com/ICT-VGL/ICT-FaceKit/archive/{COMMIT}.zip'
_FOLDER = 'FaceXModel'
_IDENTITIES = 100


def built_file() -> Path:
    """Returns the path of the .npz file."""
    return cache_dir().parent / 'portraits' / 'ict_facekit.npz'


def read_facekit(source: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of the .npz, which `training.portraits.head` and `training.synthetic.people.scan_shapes` use.

    Args:
        source: a clone of the repository, or its .zip.

    Returns:
        neutral (V, 3) float32 in centimetres, faces (F, 4) int32 (the fourth -1 of triangles), identity (100, V, 3) and expression
        (E, V, 3) float16 displacements, expression_names (E,), landmarks68 (68,) int32.

    Raises:
        ValueError: where a file is missing.
    """
    if source.is_dir():
        folder = source / _FOLDER if (source / _FOLDER).is_dir() else source
        names = sorted(path.name for path in folder.glob('*'))
        return _read(names, lambda name: (folder / name).read_bytes(), source)
    with zipfile.ZipFile(source) as archive:
        entries = {Path(entry).name: entry for entry in archive.namelist() if f'/{_FOLDER}/' in entry}
        return _read(sorted(entries), lambda name: archive.read(entries[name]), source)


def _read(names: list[str], read: Callable[[str], bytes], source: Path) -> dict[str, np.ndarray]:
    identities = [f'identity{i:03d}.obj' for i in range(_IDENTITIES)]
    needed = ['generic_neutral_mesh.obj', 'vertex_indices.json', *identities]
    if missing := [name for name in needed if name not in names]:
        raise ValueError(f'{source} lacks {_FOLDER}/{missing[0]}: give a whole clone of github.com/ICT-VGL/ICT-FaceKit, or its .zip')
    neutral, faces = read_obj(read(needed[0]))
    expressions = [name for name in names if name.endswith('.obj') and name not in needed]
    return {
        'neutral': neutral.astype(np.float32),
        'faces': faces,
        'identity': np.stack([read_obj(read(name), False)[0] - neutral for name in identities]).astype(np.float16),
        'expression': np.stack([read_obj(read(name), False)[0] - neutral for name in expressions]).astype(np.float16),
        'expression_names': np.array([Path(name).stem for name in expressions]),
        'landmarks68': np.array(json.loads(read('vertex_indices.json'))['idx_to_landmark_verts'], np.int32),
    }


def read_obj(content: bytes, faces: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Reads (V, 3) float64 vertices and (F, 4) int32 faces, -1 for a missing fourth corner, of a Wavefront .obj file."""
    lines = content.split(b'\n')
    vertices = np.loadtxt(io.BytesIO(b'\n'.join(line[2:] for line in lines if line.startswith(b'v '))))
    corners = []
    if faces:
        for line in lines:
            if line.startswith(b'f '):
                corner = [int(part.split(b'/')[0]) - 1 for part in line[2:].split()]
                corners.append(corner + [-1] * (4 - len(corner)))
    return vertices[:, :3], np.array(corners, np.int32).reshape(-1, 4)
