"""Fits the head to MediaPipe's points of one portrait: a weak-perspective camera, identity, expression, and what is left as a warp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synthetic.people.landmarks import rigid_alignment
from training.synthetic.people.registration import kernel

from .head import HeadModel
from .mediapipe import MESH_POINTS

CAMERA_FROM_MESH = np.diag([1.0, -1.0, -1.0])
"""(3, 3) mesh axes -> optical axes of a face that looks straight into the camera."""

_ROUNDS = 8
_DEPTH_TRUST = 0.1  # weight of a point's z against its x and y: MediaPipe's z is not metric
_DEPTH_SCALE = 0.85  # of MediaPipe's z: on 60 portraits its noses stand out 15 % farther than those of ICT-FaceKit's scans
_IDENTITY_STIFFNESS = 0.25  # cm^2 over all points that a mode of one standard deviation must save
_EXPRESSION_STIFFNESS = 1.0
_WARP_REACH_CM = 3.0
_WARP_STIFFNESS = 0.05


@dataclass(frozen=True, eq=False)
class Fit:
    """A head laid onto a portrait.

    Attributes:
        vertices: (V, 3) centimetres, mesh axes: identity, expression and warp.
        identity: (100,) in standard deviations.
        expression: (57,) in the order of the model's names.
        R_cam_mesh: (3, 3).
        pixels_per_cm: scale of the picture.
        origin: (3,) where the mesh's origin lies: x, y continuous pixels, z pixels.
        misfit_cm: root mean square distance of the points in the picture's plane before the warp.
    """

    vertices: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    R_cam_mesh: np.ndarray
    pixels_per_cm: float
    origin: np.ndarray
    misfit_cm: float

    def in_picture(self, vertices: np.ndarray) -> np.ndarray:
        """(N, 3) pixels of (N, 3) points in mesh axes: x, y of the picture, z growing away from the camera."""
        return self.pixels_per_cm * vertices @ self.R_cam_mesh.T + self.origin


class Fitter:
    """Prepares the linear parts of the model once.

    Args:
        model: the head.
    """

    def __init__(self, model: HeadModel):
        self.model = model
        self._names = list(model.expression)
        self._identity = np.stack([model.points(mode) for mode in model.identity])
        self._expression = np.stack([model.points(model.expression[name]) for name in self._names])
        self._mean = model.points(model.neutral)
        between = np.linalg.norm(self._mean[:, None] - self._mean[None], axis=-1)
        smoothed = np.linalg.inv(kernel(between, _WARP_REACH_CM) + _WARP_STIFFNESS * np.eye(len(between)))
        reached = np.flatnonzero(model.beyond_face < _WARP_REACH_CM)
        to = kernel(np.linalg.norm(model.neutral[reached][:, None] - self._mean[None], axis=-1), _WARP_REACH_CM)
        self._reached, self._warp = reached, (to @ smoothed).astype(np.float32)

    def fit(self, points: np.ndarray) -> Fit:
        """The head of one portrait's points.

        Args:
            points: (478, 3) or (468, 3) as `MediaPipe.face_points` finds them.
        """
        seen = (points[:MESH_POINTS] - points[:MESH_POINTS].mean(0)) * [1, 1, _DEPTH_SCALE]
        identity, expression = np.zeros(len(self._identity)), np.zeros(len(self._expression))
        modes = np.concatenate([self._identity, self._expression])
        stiffness = np.r_[np.full(len(identity), _IDENTITY_STIFFNESS), np.full(len(expression), _EXPRESSION_STIFFNESS)]
        trust = np.array([1.0, 1.0, _DEPTH_TRUST])
        shape = self._mean
        for _ in range(_ROUNDS):
            R = rigid_alignment(shape, seen)
            a = shape - shape.mean(0)
            turned = a @ R.T
            scale = float((turned * trust * seen).sum() / (turned**2 * trust).sum())
            # what modes must explain, in the mesh's own axes, each camera axis with its trust
            rest = (seen / scale - (self._mean - self._mean.mean(0)) @ R.T) * np.sqrt(trust)
            columns = ((modes - modes.mean(1, keepdims=True)) @ R.T * np.sqrt(trust)).reshape(len(modes), -1)
            found = np.linalg.solve(columns @ columns.T + np.diag(stiffness), columns @ rest.ravel())
            identity, expression = found[: len(identity)], np.clip(found[len(identity) :], -0.2, 1.0)
            shape = self._mean + np.tensordot(np.r_[identity, expression], modes, 1)
        rest = seen / scale - (shape - shape.mean(0)) @ R.T
        vertices = self.shaped(identity, expression)
        vertices[self._reached] += self._warp @ ((rest * [1, 1, 0]) @ R)
        origin = points[:MESH_POINTS].mean(0) - scale * R @ shape.mean(0)
        return Fit(vertices, identity, expression, R, scale, origin, float(np.sqrt((rest[:, :2] ** 2).sum(1).mean())))

    def shaped(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """(V, 3) vertices of an identity and an expression, without a warp."""
        model = self.model
        moved = np.tensordot(identity.astype(np.float32), model.identity, 1)
        moved += np.tensordot(expression.astype(np.float32), np.stack([model.expression[name] for name in self._names]), 1)
        return model.neutral + moved
