"""Makes a second family of head shapes: ICT-FaceKit's identity modes, from light-stage scans, on the body model's face.

The body model's own faces are an artist's: noses stand out less and lips more than in scans. Here a person keeps the body model's
mesh, so that skin, hair and clothes fit, and its face takes the shape of a random scan.

Source: Li et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020; github.com/ICT-VGL/ICT-FaceKit, MIT.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from . import identities
from .heads import Calibration, HeadModel, Shape
from .identities import Identity
from .landmarks import similarity, zero_rotation
from .registration import Surface, kernel, smooth_warp

_FACE_VERTICES = 9409  # of ICT-FaceKit's mesh, the first ones
_INNER = np.arange(17, 68)  # landmarks but the jaw's, which outlines define differently
_PEOPLE, _SEED = 60, 2018  # whose mean is laid onto the scans' mean
_LIDS = (slice(36, 42), slice(42, 48))  # landmarks
_EYE_M = 0.024
_CONTROLS = 260
_REACH_M = 0.07
_OPEN = 0.25  # ambient light that reaches skin; less is inside
_NEAREST = 24
_STIFFNESS = 0.02
_SPREAD = 0.9  # of the modes' standard deviations: the tails of 100 modes at once look damaged
_LARGEST = 2.2


class ScanShapes:
    """Makes scan-shaped heads.

    Args:
        path: ICT-FaceKit's .npz (`training.synthetic.assets.facekit`).
        model: the head model.
        calibration: calibration of the body model's own faces.

    Attributes:
        calibration: the family's own zero pose: its mean face's 26 landmarks on the canonical face, each head laid onto that mean.

    Raises:
        RuntimeError: where the file is missing.
    """

    def __init__(self, path: Path, model: HeadModel, calibration: Calibration):
        if not path.is_file():
            raise RuntimeError(f'{path} is missing: run `python -m training.portraits fetch`')
        with np.load(path) as z:
            faces, scan = z['faces'], z['neutral'].astype(float) / 100
            modes = z['identity'].astype(np.float32) / 100
            landmarks = z['landmarks68'].astype(int)
        self._model = model
        mean = np.mean([identities.neutral_shape(model, one).vertices for one in identities.population(_PEOPLE, 0.5, _SEED)], axis=0)
        centres = [mean[model.landmarks[lids]].mean(0) for lids in _LIDS]
        away = np.min([np.linalg.norm(mean[calibration.region] - centre, axis=1) for centre in centres], 0) > _EYE_M
        self._controls = np.r_[model.landmarks[_INNER], spread(mean, calibration.region[away], _CONTROLS)]
        corners, weights = _on_scan(mean, model.landmarks, self._controls, scan, landmarks, faces)
        self._mean = np.einsum('nk,nkd->nd', weights, scan[corners])
        self._modes = np.einsum('nk,mnkd->mnd', weights, modes[:, corners]).astype(float)
        at = mean[self._controls]
        solved = np.linalg.inv(kernel(np.linalg.norm(at[:, None] - at[None], axis=-1), _REACH_M) + _STIFFNESS * np.eye(len(at)))
        near = np.flatnonzero(np.linalg.norm(mean - at.mean(0), axis=1) < 3 * _REACH_M)
        # what lies behind the skin, as sockets and the mouth's bag do, goes along with the skin nearest to it, or it would pierce it
        skin = np.flatnonzero(calibration.occlusion > _OPEN)
        reach = kernel(np.linalg.norm(mean[:, None] - at[None], axis=-1), _REACH_M)
        inside = np.flatnonzero(calibration.occlusion[near] <= _OPEN)
        distance, which = cKDTree(mean[skin]).query(mean[near[inside]], _NEAREST)
        share = 1 / (distance + 0.002) ** 2
        share /= share.sum(1, keepdims=True)
        reach_near = reach[near]
        reach_near[inside] = np.einsum('nk,nkc->nc', share, reach[skin[which]])
        self._eyeballs = []
        for centre, part in zip(centres, ('eye_right', 'eye_left'), strict=True):
            ball = np.unique(model.parts[part].vertex)
            self._eyeballs.append(ball[np.linalg.norm(mean[ball] - centre, axis=1) < 2 * _EYE_M])
        self._near, self._warp = near, (reach_near @ solved).astype(np.float32)
        middle = self.laid_over(Shape(mean.astype(np.float32), model.template.bone_heads), np.zeros(len(self._modes)))
        region = calibration.region
        zero = zero_rotation(middle.vertices[model.landmarks].astype(float))
        self.calibration = Calibration(zero, region, middle.vertices[region].astype(float), calibration.area, calibration.occlusion)

    def neutral_shape(self, identity: Identity) -> Shape:
        """Computes the person's head at rest: the body model's, with a scan's face that the person's seed selects."""
        rng = np.random.default_rng([identity.seed, 3])
        strength = np.clip(rng.normal(0, _SPREAD, len(self._modes)), -_LARGEST, _LARGEST)
        return self.laid_over(identities.neutral_shape(self._model, identity), strength)

    def laid_over(self, shape: Shape, strength: np.ndarray) -> Shape:
        """Computes a head whose face has the shape of modes: aligns the scan rigidly with scale, then moves the face to it smoothly.

        Args:
            shape: the body model's head.
            strength: (100,) of the modes, in standard deviations.
        """
        target, own = self._mean + np.tensordot(strength, self._modes, 1), shape.vertices[self._controls].astype(float)
        R, scale = similarity(target, own)
        moves = scale * (target - target.mean(0)) @ R.T - (own - own.mean(0))
        for lids in _LIDS:  # the eyes go along whole, or lids would part from the eyeballs
            moves[lids.start - _INNER[0] : lids.stop - _INNER[0]] = moves[lids.start - _INNER[0] : lids.stop - _INNER[0]].mean(0)
        vertices = shape.vertices.copy()
        vertices[self._near] += self._warp @ moves.astype(np.float32)
        for ball, lids in zip(self._eyeballs, _LIDS, strict=True):
            lid = self._model.landmarks[lids]
            vertices[ball] = shape.vertices[ball] + (vertices[lid] - shape.vertices[lid]).mean(0)
        return Shape(vertices, shape.bone_heads)


def spread(vertices: np.ndarray, among: np.ndarray, count: int) -> np.ndarray:
    """Chooses `count` of some vertices, each the farthest from those before it."""
    points = vertices[among]
    chosen, distance = [0], np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(count, len(among)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return among[chosen]


def _on_scan(
    mean: np.ndarray, landmarks: np.ndarray, controls: np.ndarray, scan: np.ndarray, scan_landmarks: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the controls lie on the scan's mean face: triangles' corners and weights. The 51 inner landmarks that both name begin, the
    nearest places on the surface refine.
    """
    ours, theirs = mean[landmarks[_INNER]], scan[scan_landmarks[_INNER]]
    R, scale = similarity(ours, theirs)

    def laid(points: np.ndarray) -> np.ndarray:
        return scale * (points - ours.mean(0)) @ R.T + theirs.mean(0)

    at = laid(mean[controls])
    at = at + smooth_warp(laid(ours), theirs - laid(ours), at, 0.06, 0.02)
    face = faces[(faces[:, :3] < _FACE_VERTICES).all(1)]
    quads = face[(face[:, 3] >= 0) & (face[:, 3] < _FACE_VERTICES)]
    surface = Surface(scan, np.concatenate([face[:, :3], quads[:, [0, 2, 3]]]))
    for _ in range(3):
        corners, weights = surface.nearest(at)
        on = np.einsum('nk,nkd->nd', weights, scan[corners])
        at = at + smooth_warp(at, on - at, at, 0.04, 0.3)
    return surface.nearest(at)
