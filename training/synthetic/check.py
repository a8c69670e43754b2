"""Checks the labels of rendered crops: python -m training.synthetic.check --samples 200."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace

import cv2
import numpy as np

from c2f_head_pose import geometry
from training.synthetic.assets.fetch import ensure_assets

from .people import identities
from .people.heads import Calibration, HeadModel
from .people.landmarks import HEAD_FROM_MESH, rigid_alignment
from .presets import PRESETS
from .scene import lights
from .scene.crops import CropMaker, crop_camera, sample_place, sample_turn
from .scene.drawables import View

_INNER = slice(17, 68)


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Errors of the labels, per sample.

    Attributes:
        matrix_deg: against the rotation of the vertices transformed by the renderer's matrices, float64.
        picture_deg: against the rotation by PnP from each pixel's position on the mesh and the crop's intrinsics.
        position_mm: the sellion's position by the same PnP.
        depth_mm: largest difference of ideal depth from the geometry, over skin pixels.
        misaligned: share of skin pixels without alpha or depth.
    """

    matrix_deg: np.ndarray
    picture_deg: np.ndarray
    position_mm: np.ndarray
    depth_mm: np.ndarray
    misaligned: np.ndarray


def check_labels(maker: CropMaker, samples: int) -> LabelErrors:
    """Renders heads without hair at random poses and compares the pixels, which are all skin, with the labels."""
    preset = maker.preset
    rows = []
    for number in range(samples):
        rng = np.random.default_rng([maker.seed, 0xC4EC, number])
        dressed = maker.dress_person(rng, maker.people[rng.integers(len(maker.people))], preset.variety)
        person = dressed.person
        # Beards and clothes are displaced from the mesh at rest, to which the positions refer, so they are removed.
        bare = {'beard_depth': 0.0, 'collar': (0.0, 0.0, 0.0, 0.0)}
        skin = [replace(part, uniforms={**part.uniforms, **bare}) for part in person.parts if part.surface == 'skin']
        maker.renderer.upload(skin)
        R_cam_head, R_cam_torso = sample_turn(rng, preset)
        t_cam_head_m, K = sample_place(rng, preset)
        bones = person.bones(R_cam_head, R_cam_torso, t_cam_head_m)
        to_head = HEAD_FROM_MESH @ person.zero
        rigid = np.flatnonzero(maker.model.bone_weights[:, 4] > 0.9999)[::7]
        at_rest = person.shape.vertices[rigid].astype(float)
        in_camera = at_rest @ bones[4, :, :3].T + bones[4, :, 3]
        found = rigid_alignment((at_rest - person.origin) @ to_head.T, in_camera)
        landmarks_m = person.landmarks_in_camera(bones)
        K_crop, _ = crop_camera(K, landmarks_m, R_cam_head, preset.crop_margin, preset.crop_size)
        view = View(K_crop, preset.crop_size, preset.crop_size)
        layers = maker.renderer.render(skin, bones, view, lights.paper(), landmarks_m.mean(0))
        places = maker.renderer.render_coordinates(skin, bones, view)
        y, x = np.nonzero(places[..., 3] > 0.5)
        head = (places[y, x, :3].astype(float) - person.origin) @ to_head.T
        z = (head @ R_cam_head.T + t_cam_head_m)[:, 2]
        measured = layers.depth_m[y, x]
        missing = (measured == 0) | (layers.alpha[y, x] == 0)
        off = 1000 * np.abs(measured - z)
        R, t = _pnp(head, np.stack([x, y], 1).astype(float), K_crop, rng)
        rows.append(
            (
                geometry.geodesic_deg(found, R_cam_head),
                geometry.geodesic_deg(R, R_cam_head),
                1000 * np.linalg.norm(t - t_cam_head_m),
                off[~missing].max(initial=0.0),
                missing.mean(),
            )
        )
    return LabelErrors(*np.array(rows, float).T)


def _pnp(points: np.ndarray, pixels: np.ndarray, K: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    chosen = rng.permutation(len(points))[:1500]
    _, vector, t = cv2.solvePnP(points[chosen], pixels[chosen], K, None, flags=cv2.SOLVEPNP_SQPNP)
    _, vector, t = cv2.solvePnP(points[chosen], pixels[chosen], K, None, vector, t, True, cv2.SOLVEPNP_ITERATIVE)
    return cv2.Rodrigues(vector)[0], t.ravel()


@dataclass(frozen=True, eq=False)
class NeutralBias:
    """Pitch of people's neutral faces against the mean face, degrees, each (n,).

    Attributes:
        surface_before: measured by the face's surface, in the body model's own pose.
        surface_after: measured by the face's surface, in our zero pose.
        landmarks_before: measured by the 51 inner landmarks, 20 of them on the lips, in the body model's own pose.
        landmarks_after: measured by the inner landmarks, in our zero pose.
        people: the identities.
    """

    surface_before: np.ndarray
    surface_after: np.ndarray
    landmarks_before: np.ndarray
    landmarks_after: np.ndarray
    people: list[identities.Identity]


def neutral_bias(model: HeadModel, calibration: Calibration, count: int = 300, seed: int = 4) -> NeutralBias:
    """Measures how the pitch of the neutral face depends on the identity, before and after the rigid alignment to the mean face."""
    people = identities.population(count, 0.5, seed)
    shapes = [identities.neutral_shape(model, p) for p in people]
    inner = [s.vertices[model.landmarks[_INNER]].astype(float) for s in shapes]
    mean, rows = np.mean(inner, axis=0), []
    for shape, points in zip(shapes, inner):
        turn = (calibration.zero.T @ calibration.rotation(shape)).T
        face = shape.vertices[calibration.region].astype(float)
        rows.append(
            [_pitch_deg(rigid_alignment(p, calibration.mean_face, calibration.area)) for p in (face, face @ turn)]
            + [_pitch_deg(rigid_alignment(p, mean)) for p in (points, points @ turn)]
        )
    return NeutralBias(*np.array(rows).T, people)


def _pitch_deg(R: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(R[2, 1], R[2, 2])))


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog='python -m training.synthetic.check', description=__doc__)
    parser.add_argument('--samples', type=int, default=200)
    parser.add_argument('--preset', choices=sorted(PRESETS), default='wide')
    parser.add_argument('--people', type=int, default=300, help='for the neutral pitch')
    options = parser.parse_args(arguments)
    assets = ensure_assets()
    maker = CropMaker(assets, PRESETS[options.preset], 11)
    errors = check_labels(maker, options.samples)
    print(f'{options.samples} samples of {options.preset}, largest errors:')
    print(
        f'  rotation from the matrices  {errors.matrix_deg.max():.5f} deg\n  rotation from the picture   {errors.picture_deg.max():.5f} deg'
    )
    print(f'  position from the picture   {errors.position_mm.max():.3f} mm\n  ideal depth                 {errors.depth_mm.max():.4f} mm')
    print(f'  skin without alpha or depth {errors.misaligned.max():.5f} of its pixels')
    bias = neutral_bias(maker.model, maker.dresser.calibration, options.people)
    print(f'neutral pitch of {options.people} people against their mean, degrees')
    print('                  sd   largest  correlation with female, African, Asian, Caucasian, age')
    who = np.array([[p.sex == 'female', *p.race, p.age_years] for p in bias.people], float)
    for name in ('surface_before', 'surface_after', 'landmarks_before', 'landmarks_after'):
        pitch = getattr(bias, name)
        related = [np.corrcoef(column, pitch)[0, 1] if pitch.std() > 0.01 else 0.0 for column in who.T]
        print(f'{name:16s} {pitch.std():5.2f}  {np.abs(pitch).max():5.2f}   ' + ' '.join(f'{r:+.2f}' for r in related))
    return 0


if __name__ == '__main__':
    sys.exit(main())
