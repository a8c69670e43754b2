"""ICT-FaceKit's head: a mesh with 100 identity modes and 57 expressions, and where MediaPipe's points lie on it.

Mesh axes are x to the person's left, y to the scalp, z out of the face, in centimetres, as in `training.synthetic.people.landmarks`.
Source: Li et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020; github.com/ICT-VGL/ICT-FaceKit, MIT.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.spatial import cKDTree

from training.synthetic.people.landmarks import HEAD_FROM_MESH, rigid_alignment, zero_rotation
from training.synthetic.people.registration import Surface, smooth_warp

from .mediapipe import IBUG68

SKIN, SOCKET, MOUTH, GUMS, TEETH, EYE = range(6)
"""Kinds of surface."""

_RANGES = (  # first vertex and kind of each part that is drawn; vertices from _END on are lids' seams, tears and lashes
    (0, SKIN),  # face
    (9409, SKIN),  # rest of the head, and neck
    (11248, MOUTH),  # the mouth's inside
    (13294, SOCKET),
    (14062, GUMS),  # gums and tongue
    (17039, TEETH),
    (21451, EYE),
)
_END = 24591
IDENTITY_MODES = 100
_LEFT_EYE = (21451, 23021)
_RIGHT_EYE = (23021, _END)


class HeadModel:
    """The mesh, its modes, and its correspondences.

    Args:
        path: the .npz of `training.portraits.fetch`.
        canonical: (468, 3) MediaPipe's canonical face.

    Attributes:
        neutral: (V, 3) float64, the mean head.
        triangles: (T, 3) int32.
        identity: (100, V, 3) float32 displacements of one standard deviation.
        expression: name to (V, 3) float32 displacements.
        landmarks68: (68,) vertices.
        kind: (V,) of the surface.
        mirrored: (V,) the vertex on the other side.
        corners: (468, 3) vertices of the triangle that holds each of MediaPipe's points.
        weights: (468, 3) float64 barycentric weights.
        zero: (3, 3) mesh axes -> mesh axes of the zero pose.
        skull_centre: (3,) middle of the skull.
        beyond_face: (V,) centimetres to the nearest of MediaPipe's points.
        edges: (V, V) sparse, 1 where two vertices share an edge.
        smooth_parts: parts of the outside, (vertices, their edges), over each of which colours are smooth.
    """

    def __init__(self, path: Path, canonical: np.ndarray):
        with np.load(path) as z:
            faces = z['faces'][(z['faces'] < _END).all(1)]
            self.neutral = z['neutral'][:_END].astype(float)
            self.identity = z['identity'][:, :_END].astype(np.float32)
            names = [str(name) for name in z['expression_names']]
            self.expression = dict(zip(names, z['expression'][:, :_END].astype(np.float32), strict=True))
            self.landmarks68 = z['landmarks68'].astype(int)
        quads = faces[(faces >= 0).all(1)]
        self.triangles = np.concatenate([faces[:, :3], quads[:, [0, 2, 3]]]).astype(np.int32)
        self.kind = np.zeros(_END, np.uint8)
        for first, kind in _RANGES:
            self.kind[first:] = kind
        self.mirrored = cKDTree(self.neutral).query(self.neutral * [-1, 1, 1])[1]
        self.corners, self.weights = self._place(canonical)
        self.zero = zero_rotation(self.neutral[self.landmarks68])
        self.skull_centre = self._middle_of_skull()
        self.beyond_face = cKDTree(self.points(self.neutral)).query(self.neutral)[0]
        self.edges = self._neighbours()
        outside, eyes = np.flatnonzero(np.isin(self.kind, (SKIN, SOCKET))), np.flatnonzero(self.kind == EYE)
        self.smooth_parts = [(part, self.edges[part][:, part]) for part in (outside, eyes)]

    @property
    def head_from_mesh(self) -> np.ndarray:
        """(3, 3) mesh axes -> head axes (REP-155)."""
        return HEAD_FROM_MESH @ self.zero

    def points(self, vertices: np.ndarray) -> np.ndarray:
        """(468, ...) MediaPipe's points of (V, ...) vertices or displacements."""
        return np.einsum('nk,nk...->n...', self.weights, vertices[self.corners])

    def eye(self, left: bool) -> slice:
        """The vertices of an eyeball."""
        return slice(*(_LEFT_EYE if left else _RIGHT_EYE))

    def _place(self, canonical: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The triangle and weights of each of MediaPipe's points: the canonical face is warped onto ours and laid on it.

        The warp begins with the 68 landmarks that both name and is refined by the nearest points of the surface.
        """
        face = self.triangles[(self.triangles < _RANGES[1][0]).all(1)]
        ours, theirs = self.neutral[self.landmarks68], canonical[list(IBUG68)]
        inner = np.arange(17, 68)  # jaws are defined by the outline, differently
        R = rigid_alignment(theirs[inner], ours[inner])
        a, b = theirs[inner].mean(0), ours[inner].mean(0)
        scale = (((theirs[inner] - a) @ R.T) * (ours[inner] - b)).sum() / ((theirs[inner] - a) ** 2).sum()
        laid = scale * (canonical - a) @ R.T + b
        moved = smooth_warp(laid[list(IBUG68)][inner], ours[inner] - laid[list(IBUG68)][inner], laid, 6.0, 0.02)
        laid = laid + moved
        surface = Surface(self.neutral, face)
        for reach in (6.0, 4.0, 3.0):
            corners, weights = surface.nearest(laid)
            on = np.einsum('nk,nkd->nd', weights, self.neutral[corners])
            laid = laid + smooth_warp(laid, on - laid, laid, reach, 0.3)
        return surface.nearest(laid)

    def _middle_of_skull(self) -> np.ndarray:
        """(3,) in the plane of symmetry, a little above the eyes, half way from the forehead to the back."""
        height = self.neutral[self.landmarks68[36:48], 1].mean() + 0.8
        level = self.neutral[(self.kind == SKIN) & (np.abs(self.neutral[:, 1] - height) < 1.5), 2]
        return np.array([0.0, height, (level.min() + level.max()) / 2])

    def _neighbours(self) -> csr_matrix:
        """(V, V) 1 where two vertices share an edge."""
        i, j = self.triangles[:, [0, 1, 2]].ravel(), self.triangles[:, [1, 2, 0]].ravel()
        n = len(self.neutral)
        both = coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), (n, n)).tocsr()
        both.data[:] = 1
        return both
