"""Implements the head model in numpy: shape coefficients to vertices, neck joints, and meshes fitted to the head.

Mesh axes: x to the person's left, y up, z to the front; metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2f_head_pose import geometry

from .landmarks import SELLION, rigid_alignment

TORSO, NECK1, NECK2, NECK3, HEAD, ARM_LEFT, ARM_RIGHT = range(7)
_NECK_SHARE = (0.25, 0.5, 0.75, 1.0)
_RACES, _MUSCLE, _HEIGHT = 3, 3, 2


@dataclass(frozen=True, eq=False)
class Shape:
    """One head at rest.

    Attributes:
        vertices: (n, 3) float32.
        bone_heads: (7, 3) float64 joints of TORSO..ARM_RIGHT.
    """

    vertices: np.ndarray
    bone_heads: np.ndarray


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles over vertices of the head.

    Attributes:
        vertex: (k,) index of each corner point's head vertex; several points share one where the texture has a seam.
        uv: (k, 2) texture coordinates.
        triangles: (m, 3) indices into the points.
    """

    vertex: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray


@dataclass(frozen=True, eq=False)
class Fitted:
    """A mesh attached to the head: vertex = sum_k weight_k V[reference_k] + offset * size / scale.

    Attributes:
        mesh: its own points and triangles.
        reference: (n, 3) head vertices.
        weight: (n, 3).
        offset: (n, 3) metres at the scale.
        scale_vertices: (3, 2) pairs of head vertices whose distances along x, y, z measure the head.
        scale_m: (3,) distances for which the offsets hold unscaled.
    """

    mesh: Mesh
    reference: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    scale_vertices: np.ndarray
    scale_m: np.ndarray

    def place(self, vertices: np.ndarray) -> np.ndarray:
        """Computes the (n, 3) float32 vertices of the mesh on a head."""
        a, b = vertices[self.scale_vertices[:, 0]], vertices[self.scale_vertices[:, 1]]
        size = np.abs(np.diagonal(a - b)) / self.scale_m
        return np.einsum('nk,nkd->nd', self.weight, vertices[self.reference]) + self.offset * size.astype(np.float32)


class HeadModel:
    """All heads that the assets can form.

    Args:
        folder: the asset cache.

    Attributes:
        template: the mean of the body model at rest.
        parts: 'body', 'eye_left', 'eye_right'.
        fitted: 'hair/short01', ...
        landmarks: (68,) vertices of the landmarks.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        with np.load(self.folder / 'assets.npz') as file:
            arrays = {name: file[name] for name in file.files}
        self.template = Shape(arrays['vertices'], arrays['bone_heads'].astype(float))
        self.names = [str(name) for name in arrays['shape_names']]
        self.landmarks = arrays['landmarks']
        self.bone_weights = arrays['bone_weights']
        self._moves = np.flatnonzero(arrays['shape_moves'])
        self._shapes = arrays['shapes'].astype(np.float32).reshape(len(self._moves), -1)
        self._bone_shapes = arrays['bone_head_shapes'].reshape(len(self._moves), -1)
        self._mask, self._projection = arrays['phenotype_mask'], arrays['phenotype_projection']
        self.parts = {name: self._mesh(arrays, f'part:{name}') for name in ('body', 'eye_left', 'eye_right')}
        self.fitted = {}
        for name in sorted({key.split(':')[1] for key in arrays if key.startswith('fit:')}):
            key = f'fit:{name}'
            self.fitted[name] = Fitted(
                self._mesh(arrays, key), *(arrays[f'{key}:{k}'] for k in ('reference', 'weight', 'offset', 'scale_vertices', 'scale_m'))
            )
        self.hand_vertices = arrays['hand:vertices']
        self.hand_mesh = Mesh(np.arange(len(arrays['hand:uv'])), arrays['hand:uv'], arrays['hand:triangles'])
        self.actions = {name.split(':')[1]: i for i, name in enumerate(self.names) if name.startswith('facial_action')}
        self.body_triangles = self.parts['body'].vertex[self.parts['body'].triangles]

    @staticmethod
    def _mesh(arrays: dict[str, np.ndarray], key: str) -> Mesh:
        return Mesh(arrays[f'{key}:vertex'], arrays[f'{key}:uv'], arrays[f'{key}:triangles'])

    @property
    def phenotype_count(self) -> int:
        """Number of phenotype shapes, which come first."""
        return self._projection.shape[1]

    def local_pairs(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Groups local shape changes: name without side -> side ('l-', 'r-' or '') -> (shape one way, shape the other way)."""
        local = [(i, name.split(':')[1]) for i, name in enumerate(self.names) if name.startswith('local_change')]
        pairs: dict[str, dict[str, tuple[int, int]]] = {}
        for (one, name), (other, _) in zip(local[::2], local[1::2]):
            side = name[:2] if name[:2] in ('l-', 'r-') else ''
            pairs.setdefault(name[len(side) :], {})[side] = (one, other)
        return pairs

    def phenotype(
        self, race: np.ndarray, gender: float, age: float, muscle: float, weight: float, height: float, proportions: float
    ) -> np.ndarray:
        """Coefficients of the phenotype shapes.

        Args:
            race: (3,) weights of African, Asian, Caucasian; normalised here.
            gender: 0 male, 1 female.
            age: 1/3 child, 2/3 young adult, 1 old (anny's scale).
            muscle: 0..1.
            weight: 0..1.
            height: 0..1.
            proportions: 0..1.

        Source: anny 0.6.2: hat functions at each phenotype's anchors, multiplied.
        """
        values = np.concatenate(
            [
                np.asarray(race, float) / np.sum(race),
                _hats(gender, np.linspace(0, 1, 2)),
                _hats(age, np.linspace(-1 / 3, 1, 5)),
                _hats(muscle, np.linspace(0, 1, 3)),
                _hats(weight, np.linspace(0, 1, 3)),
                _hats(height, np.linspace(0, 1, 2)),
                _hats(proportions, np.linspace(0, 1, 2)),
                _hats(0.3, np.linspace(0, 1, 3)),
                _hats(0.7, np.linspace(0, 1, 3)),
            ]
        )
        return np.prod(values * self._mask + 1 - self._mask, axis=1) @ self._projection

    def evaluate(self, coefficients: np.ndarray) -> Shape:
        """Computes the head of (len(names),) shape coefficients."""
        return self.add(self.template, coefficients)

    def add(self, shape: Shape, coefficients: np.ndarray) -> Shape:
        """Adds coefficients to a shape; fast if few are non-zero."""
        own = coefficients[self._moves].astype(np.float32)
        used = np.flatnonzero(own)
        if len(used) == 0:
            return shape
        moved = own[used] @ self._shapes[used] if len(used) < len(own) // 2 else own @ self._shapes
        joints = own[used] @ self._bone_shapes[used]
        return Shape(shape.vertices + moved.reshape(-1, 3), shape.bone_heads + joints.reshape(-1, 3))

    def with_arms_down(self, shape: Shape, angle_deg: float) -> Shape:
        """Rotates the arms down from the body model's rest pose."""
        out = shape.vertices.copy()
        for bone, sign in ((ARM_LEFT, -1), (ARM_RIGHT, 1)):
            weight = self.bone_weights[:, bone]
            touched = weight > 1e-4
            R = geometry.rotation_from_vector(np.array([0, 0, sign * np.radians(angle_deg)]))
            centred = shape.vertices[touched] - shape.bone_heads[bone]
            out[touched] += weight[touched, None] * (centred @ R.T - centred).astype(np.float32)
        return Shape(out, shape.bone_heads)

    def neck_weights(self) -> np.ndarray:
        """Computes (n, 4) float32 weights of the three neck bones and the head; the torso has the remaining weight."""
        return np.ascontiguousarray(self.bone_weights[:, NECK1 : HEAD + 1])


@dataclass(frozen=True, eq=False)
class Calibration:
    """The zero pose, common to all heads.

    Attributes:
        zero: (3, 3) rotation of the mean face into the zero pose, mesh axes (landmarks.zero_rotation).
        region: (k,) vertices of the face, without ears and neck, by which identities are aligned to the mean.
        mean_face: (k, 3) these vertices of the mean identity.
        area: (k,) surface of the mean face around each vertex, a weight that compensates for the finer mesh of lips and lids.
        occlusion: (n,) float32 share of ambient light that reaches each vertex.
    """

    zero: np.ndarray
    region: np.ndarray
    mean_face: np.ndarray
    area: np.ndarray
    occlusion: np.ndarray

    @classmethod
    def load(cls, folder: Path) -> Calibration:
        """Loads the calibration from the asset cache."""
        with np.load(Path(folder) / 'calibration.npz') as file:
            return cls(*(file[name] for name in ('zero', 'region', 'mean_face', 'area', 'occlusion')))

    def rotation(self, neutral: Shape) -> np.ndarray:
        """Computes the (3, 3) rotation of an identity with neutral expression into the zero pose; mesh axes."""
        return self.zero @ rigid_alignment(neutral.vertices[self.region], self.mean_face, self.area)


def sellion(model: HeadModel, neutral: Shape) -> np.ndarray:
    """Returns the (3,) float64 origin of the head, mesh axes."""
    return neutral.vertices[model.landmarks[SELLION]].astype(float)


def neck_transforms(shape: Shape, R_torso_head: np.ndarray) -> np.ndarray:
    """Transforms of the neck's bones and the head for a head that turns on a fixed torso.

    Args:
        shape: the head at rest.
        R_torso_head: (3, 3) rotation of the head, mesh axes.

    Returns:
        (5, 3, 4) float64 of torso, neck01..03, head: x -> M[:, :3] x + M[:, 3].
    """
    turn = geometry.rotation_vector(R_torso_head)
    out = np.zeros((5, 3, 4))
    out[0, :, :3] = np.eye(3)
    joint = shape.bone_heads[NECK1].copy()
    previous = np.eye(3)
    for number, share in enumerate(_NECK_SHARE, start=1):
        bone = NECK1 + number - 1
        if number > 1:
            joint = joint + previous @ (shape.bone_heads[bone] - shape.bone_heads[bone - 1])
        R = geometry.rotation_from_vector(turn * share)
        out[number, :, :3], out[number, :, 3] = R, joint - R @ shape.bone_heads[bone]
        previous = R
    return out


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Computes (n, 3) float32 unit normals of the vertices, weighted by the areas of the triangles."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    out = np.empty(vertices.shape, np.float32)
    for axis in range(3):
        out[:, axis] = sum(np.bincount(triangles[:, k], face[:, axis], len(vertices)) for k in range(3))
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def _hats(value: float, anchors: np.ndarray) -> np.ndarray:
    """Piecewise linear weights of a value between anchors."""
    value = float(np.clip(value, anchors[0], anchors[-1]))
    low = min(int(np.searchsorted(anchors, value, side='right')) - 1, len(anchors) - 2)
    t = (value - anchors[low]) / (anchors[low + 1] - anchors[low])
    out = np.zeros(len(anchors))
    out[low], out[low + 1] = 1 - t, t
    return out
