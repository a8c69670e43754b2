"""Represents one dressed person: the parts to draw, and the places of the labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..scene.drawables import Part, pack
from . import garments, identities, shapes
from .appearance import Look, Wardrobe
from .heads import NECK1, Calibration, HeadModel, Shape, neck_transforms, normals, sellion
from .identities import Identity
from .landmarks import HEAD_FROM_MESH
from .scan_shapes import ScanShapes

_ONLY_HEAD = np.array([0.0, 0, 0, 1])
_SPHERE, _SPHERE_TRIANGLES = shapes.sphere()
_CORNEA_RAD = 0.52


@dataclass(frozen=True, eq=False)
class Person:
    """A person's geometry, before lights, pose and camera.

    Attributes:
        identity: the person.
        shape: vertices with expression and arms down, at rest.
        zero: (3, 3) mesh axes -> mesh axes in the zero pose.
        origin: (3,) sellion, mesh axes at rest.
        landmarks: (68, 3) mesh axes at rest.
        landmark_weights: (68, 4) of neck01..03 and head.
        parts: parts to upload and draw.
        collar_origin: (3,) where the collar's plane is counted from.
    """

    identity: Identity
    shape: Shape
    zero: np.ndarray
    origin: np.ndarray
    landmarks: np.ndarray
    landmark_weights: np.ndarray
    parts: list[Part] = field(default_factory=list)

    def bones(self, R_cam_head: np.ndarray, R_cam_torso: np.ndarray, t_cam_head_m: np.ndarray) -> np.ndarray:
        """Computes the transform of each bone for a pose.

        Args:
            R_cam_head: (3, 3) head axes -> camera.
            R_cam_torso: (3, 3) the torso's, as if the neck were straight: equal to R_cam_head for a straight neck.
            t_cam_head_m: (3,) of the sellion.

        Returns:
            (5, 3, 4) float64 mesh axes at rest -> camera frame, of torso, neck01..03, head.
        """
        placed, local = self._turned(R_cam_head, R_cam_torso)
        # The head must land exactly on its label; the rest of the body follows from it.
        shift = np.asarray(t_cam_head_m, float) - placed @ (local[4, :, :3] @ self.origin + local[4, :, 3])
        return _placed(placed, local, shift)

    def bones_on_torso(self, R_cam_head: np.ndarray, R_cam_torso: np.ndarray, neck_root_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes the bones for a body that stays in place, with the neck's root at (3,) neck_root_m. Also returns t_cam_head_m, (3,)."""
        placed, local = self._turned(R_cam_head, R_cam_torso)
        bones = _placed(placed, local, np.asarray(neck_root_m, float) - placed @ self.shape.bone_heads[NECK1])
        return bones, bones[4, :, :3] @ self.origin + bones[4, :, 3]

    def _turned(self, R_cam_head: np.ndarray, R_cam_torso: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        head, torso = R_cam_head @ HEAD_FROM_MESH @ self.zero, R_cam_torso @ HEAD_FROM_MESH @ self.zero
        local = neck_transforms(self.shape, torso.T @ head)
        return head @ local[4, :, :3].T, local

    def landmarks_in_camera(self, bones: np.ndarray) -> np.ndarray:
        """Computes the (68, 3) float64 landmarks in the camera's frame, metres."""
        weights = np.concatenate([1 - self.landmark_weights.sum(1, keepdims=True), self.landmark_weights], axis=1)
        blended = np.einsum('nb,bij->nij', weights, bones)
        return np.einsum('nij,nj->ni', blended[:, :, :3], self.landmarks) + blended[:, :, 3]


def _placed(R: np.ndarray, local: np.ndarray, shift: np.ndarray) -> np.ndarray:
    out = np.empty((5, 3, 4))
    out[:, :, :3] = R @ local[:, :, :3]
    out[:, :, 3] = local[:, :, 3] @ R.T + shift
    return out


class Dresser:
    """Makes people out of the head model.

    Args:
        model: the head model.
        calibration: its zero pose.
        scans: shapes of scans, which every person then has; None for the body model's own.
    """

    def __init__(self, model: HeadModel, calibration: Calibration, scans: ScanShapes | None = None):
        self.model = model
        self.scans = scans
        self.calibration = calibration
        self._beard = beard_region(model)
        self._neutral: tuple[Identity, Shape, np.ndarray] | None = None

    def neutral(self, identity: Identity) -> tuple[Shape, np.ndarray]:
        """Returns an identity at rest without expression, and its rotation into the zero pose."""
        if self._neutral is None or self._neutral[0] != identity:
            if self.scans is None:
                shape, calibration = identities.neutral_shape(self.model, identity), self.calibration
            else:
                shape, calibration = self.scans.neutral_shape(identity), self.scans.calibration
            self._neutral = (identity, shape, calibration.rotation(shape))
        return self._neutral[1], self._neutral[2]

    def dress(self, identity: Identity, expression: dict[str, float], gaze_deg: np.ndarray, wardrobe: Wardrobe, look: Look) -> Person:
        """Makes a dressed person.

        Args:
            identity: who.
            expression: facial action (ARKit's names) to strength 0..1.
            gaze_deg: (2,) of the eyes in the head: to the person's left, up.
            wardrobe: the clothes.
            look: colours and textures.
        """
        model = self.model
        neutral, zero = self.neutral(identity)
        moved = np.zeros(len(model.names), np.float32)
        for action, strength in expression.items():
            moved[model.actions[action]] = strength
        shape = model.with_arms_down(model.add(neutral, moved), wardrobe.arms_down_deg)
        neck = model.neck_weights()
        landmark_vertices = model.landmarks
        person = Person(
            identity,
            shape,
            zero,
            sellion(model, neutral),
            shape.vertices[landmark_vertices].astype(float),
            neck[landmark_vertices].astype(float),
        )
        self._add_body(person, wardrobe, look, neck)
        eyes = self._add_eyes(person, neutral, gaze_deg, look)
        self._add_fitted(person, expression, wardrobe, look)
        self._add_garments(person, eyes, wardrobe, look)
        return person

    def _add_body(self, person: Person, wardrobe: Wardrobe, look: Look, neck: np.ndarray) -> None:
        mesh, model = self.model.parts['body'], self.model
        at, n = person.shape.vertices, normals(person.shape.vertices, model.body_triangles)
        v = mesh.vertex
        region = self._beard * (wardrobe.beard_density > 0)
        points = pack(at[v], n[v], mesh.uv, self.calibration.occlusion[v], region[v], neck[v])
        person.parts.append(
            Part(
                'body',
                'skin',
                points,
                mesh.triangles,
                {
                    **look.skin,
                    'collar': (*wardrobe.collar, 1.0),
                    'collar_origin': tuple(float(x) for x in person.shape.bone_heads[1]),
                    'beard': (wardrobe.beard_density, wardrobe.beard_length),
                    'beard_depth': 0.007 * wardrobe.beard_length * (wardrobe.beard_density > 0),
                },
                {'picture': look.skin_picture, 'picture2': look.skin_picture2, 'lips': 'lips.png'},
                closed=True,
            )
        )

    def _add_eyes(self, person: Person, neutral: Shape, gaze_deg: np.ndarray, look: Look) -> np.ndarray:
        side, up = np.radians(gaze_deg)
        gaze = np.array([np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)])
        points, triangles, centres, axes = [], [], [], []
        for number, (name, inward) in enumerate((('eye_left', -2.0), ('eye_right', 2.0))):
            helper = neutral.vertices[np.unique(self.model.parts[name].vertex)].astype(float)
            centre, extent = (helper.max(0) + helper.min(0)) / 2, np.ptp(helper, axis=0)
            c, s = np.cos(np.radians(inward)), np.sin(np.radians(inward))
            axis = np.array([c * gaze[0] + s * gaze[2], gaze[1], -s * gaze[0] + c * gaze[2]])
            cornea = np.clip((_SPHERE @ axis - np.cos(_CORNEA_RAD)) / (1 - np.cos(_CORNEA_RAD)), 0, 1) ** 0.8
            ball = centre + _SPHERE * (extent[:2].mean() / 2 * 0.985) * (1 + 0.07 * cornea)[:, None]
            points.append(pack(ball, _SPHERE, np.zeros((len(ball), 2)), 0.75, float(number), _ONLY_HEAD))
            triangles.append(_SPHERE_TRIANGLES + number * len(_SPHERE))
            centres.append(centre)
            axes.append(axis)
        person.parts.append(
            Part(
                'eyes',
                'eye',
                np.concatenate(points),
                np.concatenate(triangles),
                {**look.eyes, 'eye_centre': [tuple(c) for c in centres], 'gaze': [tuple(a) for a in axes]},
                closed=True,
            )
        )
        return np.array(centres)

    def _add_fitted(self, person: Person, expression: dict[str, float], wardrobe: Wardrobe, look: Look) -> None:
        def add(
            name: str,
            surface: str,
            occlusion: float,
            uniforms: dict[str, object],
            picture: int = 0,
            closed: bool = False,
            thin: bool = False,
        ) -> None:
            fitted = self.model.fitted[name]
            at = fitted.place(person.shape.vertices)
            v = fitted.mesh.vertex
            n = normals(at, v[fitted.mesh.triangles])
            person.parts.append(
                Part(
                    name,
                    surface,
                    pack(at[v], n[v], fitted.mesh.uv, occlusion, 0.0, _ONLY_HEAD),
                    fitted.mesh.triangles,
                    dict(uniforms),
                    {'picture': f'{name.replace("/", "_")}_{picture}.png'},
                    closed=closed,
                    thin=thin,
                )
            )

        woven = {'weave': (0.0, 0.0, 0.0, 1.0)}
        if expression.get('jawOpen', 0) > 0.02 or any(k.startswith(('mouth', 'tongue')) and v > 0.25 for k, v in expression.items()):
            add('teeth/Teeth_Base', 'plain', 0.55, {'tint': (0.85, 0.82, 0.76), 'roughness': 0.25, **woven}, closed=True, thin=True)
        if expression.get('jawOpen', 0) > 0.3:
            add('tongue/tongue01', 'plain', 0.3, {'roughness': 0.35, **woven}, closed=True, thin=True)
        add(wardrobe.brows, 'hair', 1.0, {'tint': look.brow_colour}, thin=True)
        add(wardrobe.lashes, 'hair', 1.0, {'tint': (0.012, 0.010, 0.009)}, thin=True)
        if wardrobe.hair:
            add(wardrobe.hair, 'hair', 0.9, {'tint': look.hair_colour, 'shine': look.hair_shine})
        if wardrobe.hat == 'fedora':
            add(
                'clothes/fedora',
                'plain',
                0.9,
                {'tint': look.hat_colour, 'roughness': 0.8, 'weave': (0.2, 0.0, 0.0, 0.6)},
                int(look.hat_picture),
            )

    def _add_garments(self, person: Person, eyes: np.ndarray, wardrobe: Wardrobe, look: Look) -> None:
        rng = np.random.default_rng(wardrobe.seed)
        model, shape = self.model, person.shape

        def add(key: str, surface: str, pieces: list[garments.Garment], uniforms: dict[str, object]) -> None:
            for number, g in enumerate(pieces):
                # Of a lens, a fan of few triangles, the curved front's own normal.
                n = normals(g.points, g.triangles) if surface != 'lens' else g.points * [7.0, 0, 0] + [0, 0, 1.0]
                points = pack(g.points, n, g.uv, 0.9, 0.0, g.neck)
                person.parts.append(Part(f'{key}{number}', surface, points, g.triangles, dict(uniforms)))

        def wear(key: str, pieces: list[garments.Garment], tint: object, weave: tuple[float, ...]) -> None:
            add(key, 'plain', pieces, {'roughness': 0.85, 'shine': 0.5, 'tint': tint, 'weave': weave})

        if wardrobe.hat in ('beanie', 'visor_cap'):
            knit = (0.5, 150.0, 1.0, 0.0) if wardrobe.hat == 'beanie' else (0.15, 0.0, 0.0, 0.0)
            wear(wardrobe.hat, garments.cap(model, shape, rng, wardrobe.hat == 'visor_cap'), look.hat_colour, knit)
        if wardrobe.hat == 'headscarf':
            wear('headscarf', garments.headscarf(model, shape, rng), look.hat_colour, (0.25, 0.0, 0.0, 0.0))
        if wardrobe.covering == 'mask':
            wear('mask', garments.mask(model, shape, rng), look.covering_colour, (0.1, 0.0, 0.0, 0.0))
        if wardrobe.covering == 'scarf':
            wear('scarf', garments.scarf(model, shape, rng), look.covering_colour, (0.4, 90.0, 0.5, 0.0))
        if wardrobe.eyewear != 'none':
            sun = wardrobe.eyewear == 'sunglasses'
            frame, lenses = garments.glasses(model, shape, eyes, rng, sun)
            add('frame', 'plain', [frame], {'tint': look.frame_colour, 'roughness': 0.25, 'shine': 1.5, 'weave': (0.0, 0.0, 0.0, 0.0)})
            add('lenses', 'lens', [lenses], {'tint': look.lens_colour, 'opacity': look.lens_opacity, 'roughness': 0.12, 'shine': 1.0})


def beard_region(model: HeadModel) -> np.ndarray:
    """Computes where a beard grows, (n,) float32 0..1: upper lip, chin, cheeks below a line from mouth to ear, and under the jaw."""
    v = model.template.vertices
    p = v[model.landmarks]
    across = np.array([0.0, abs(p[54, 0]), abs(p[[4, 12], 0]).mean(), abs(p[[2, 14], 0]).mean(), 0.2])
    ear = p[[1, 15], 1].mean()
    top = np.interp(np.abs(v[:, 0]), across, [p[33, 1] - 0.004, p[54, 1] + 0.006, p[[4, 12], 1].mean() + 0.022, ear, ear])
    below = np.clip((top - v[:, 1]) / 0.012, 0, 1)
    above_neck = np.clip((v[:, 1] - (p[8, 1] - 0.03)) / 0.02, 0, 1)
    in_front = np.clip((v[:, 2] - (p[[1, 15], 2].mean() - 0.005)) / 0.015, 0, 1)
    outside = np.linalg.norm((v - p[60:68].mean(0)) / [0.024, 0.009, 0.05], axis=1) > 1
    return (below * above_neck * in_front * outside).astype(np.float32)
