"""Measures a model on labelled faces and on rendered heads."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from c2f_head_pose import geometry
from c2f_head_pose.depth import depth_crop
from c2f_head_pose.engine import NetworkOutput
from c2f_head_pose.estimator import HeadPoseEstimator
from c2f_head_pose.evaluation import metrics
from c2f_head_pose.types import Camera

from ..data.crops import SyntheticCrops
from ..data.depth import DEPTH_RANGE_M
from ..datasets.base import Face
from ..datasets.face_crops import SQUARES, box_square, cutter, detected, ray_of
from ..datasets.registry import NAMES, SOURCES, open_faces, source_of, spread
from ..loop.checkpoint import commit
from ..loop.config import config_of, read_config
from ..loop.validate import held_out
from ..synthetic.layout import read_manifest
from .model_file import Model
from .report import Result

RENDERED = ('synthetic', 'disturbed')


def crops_of(faces: list[Face], crop_name: str, model: Model) -> np.ndarray:
    """Returns (N, 1, S, S) uint8 crops of real faces, gray or of depth."""
    if model.modality == 'depth':
        return depth_crops(faces, model)
    cut = cutter(crop_name, model.size, model.margin(crop_name))
    return np.stack([cut(face, face.read()) for face in faces])[:, None]


def rays_of(faces: list[Face], crop_name: str, model: Model) -> np.ndarray:
    """Returns (N, 3, 3) R_ray of the crops' centres (R_cam_head = R_ray R_crop_head); the identity for a face with an unknown camera."""
    if crop_name not in SQUARES:
        return np.tile(np.eye(3), (len(faces), 1, 1))
    return np.stack([ray_of(face, SQUARES[crop_name](face, model.margin(crop_name))) for face in faces])


def depth_crops(faces: list[Face], model: Model) -> np.ndarray:
    """Returns (N, 1, S, S) uint8 depth crops about the faces' boxes, which must be in the depth camera's image (`biwi.depth_face`)."""
    out = []
    for face in faces:
        if face.read_depth_m is None or face.box is None:
            raise ValueError(f'{face.name} has no depth or no box, which a depth model needs; use an rgb model')
        out.append(depth_crop(face.read_depth_m(), box_square(face, model.crop_margin), model.size, DEPTH_RANGE_M))
    return np.stack(out)[:, None]


def evaluate_faces(model: Model, faces: list[Face], crop_name: str) -> Result:
    """Runs a model on the faces of a real set; compares in the camera's frame if the camera is known.

    Raises:
        ValueError: without faces, or for a face that lacks the data that the crop needs.
    """
    if not faces:
        raise ValueError('there are no faces to evaluate on; check the folder of the data set')
    crops, rays = crops_of(faces, crop_name, model), rays_of(faces, crop_name, model)
    output = model.infer(crops)
    R = rays @ output.rotation.astype(float)
    return _collect_faces(model, faces, crop_name, crops[:, 0], rays, R, output.rotation_std_rad, output.category_logits)


def evaluate_detected(model: Model, source: str, faces: list[Face], threads: int = 1, device: str = 'auto') -> Result:
    """Runs a model on the faces of a set that YuNet finds; a model file is run by the whole package, a checkpoint on its crops.

    Raises:
        ValueError: if no face is found, or for a depth model.
    """
    if model.modality == 'depth':
        raise ValueError("the crop 'detector' needs pictures, which a depth model does not read; use the crop 'box'")
    found = detected(faces, threads)
    if not found:
        raise ValueError('the detector found none of the labelled faces; use another crop')
    if Path(source).suffix == '.pt':
        result = evaluate_faces(model, found, 'detector')
    else:
        estimator = HeadPoseEstimator.load(source, device, threads)
        poses = []
        for face in found:
            image, box = face.read(), (face.box.x1, face.box.y1, face.box.x2, face.box.y2)
            camera = None if face.K is None else Camera(image.shape[1], image.shape[0], face.K)
            poses += estimator.estimate(image, camera, boxes=[box])
        result = _collect_faces(
            model,
            found,
            'detector',
            crops_of(found, 'detector', model)[:, 0],
            rays_of(found, 'detector', model),
            np.array([p.R_cam_head for p in poses]),
            np.radians([p.rotation_std_deg for p in poses]),
            np.log(np.maximum([p.category_probabilities for p in poses], 1e-12)),
        )
    result.row['detected'] = len(found) / len(faces)
    return result


def _collect_faces(
    model: Model, faces: list[Face], crop_name: str, crops: np.ndarray, rays: np.ndarray, R: np.ndarray, std: np.ndarray, logits: np.ndarray
) -> Result:
    """Computes the figures of estimates for real faces; `crops` (N, S, S), `rays` (N, 3, 3) R_ray."""
    truth = np.array([face.ypr_deg for face in faces])
    pointing = np.isfinite(truth[:, :2]).all(1)
    R_crop = np.full((len(faces), 3, 3), np.nan)
    R_crop[pointing] = rays[pointing].swapaxes(1, 2) @ geometry.rotation_from_ypr_deg(np.nan_to_num(truth[pointing]))
    return collect(
        model,
        [face.name for face in faces],
        truth,
        R,
        std,
        logits,
        crops,
        crop_name,
        R_crop,
        metrics.angle_errors(truth, R),
        [face.sequence for face in faces],
    )


def rendered_answers(
    model: Model,
    folders: str | Path | list[str],
    disturbed: bool,
    split: str | None,
    limit: int | None = None,
    within_deg: tuple[float, float] | None = None,
) -> tuple[SyntheticCrops, torch.Tensor, np.ndarray, NetworkOutput]:
    """Runs a model on a split of rendered sets.

    Augmentation and pose limits are those of the model's own training; for an exported file, which does not carry them, the defaults.

    Args:
        model: the model to run.
        folders: one rendered set, or several that are joined.
        disturbed: whether to augment as in training; otherwise crops are centred and clean.
        split: 'val' or 'test'; None for all.
        limit: largest number of samples, spread over the split.
        within_deg: yaw and pitch beyond which samples are excluded, instead of the run's own limits.

    Returns:
        The split, its crops (N, 1, S, S) uint8, their R_crop_head (N, 3, 3), and the model's output.
    """
    config = model.config or config_of(
        {
            'name': model.name,
            'network': read_config('edge').network | {'size': model.size},
            'loss': {'kind': 'coarse_to_fine'},
            'modality': model.modality,
            'augment': {'margin': model.crop_margin},
        }
    )
    limits_deg = config.pose_limits_deg if within_deg is None else (*within_deg, 180.0)
    paths = folders if isinstance(folders, list) else [folders]
    data = SyntheticCrops(paths, split, model.modality == 'depth', limits_deg, limit)
    crops, truth = held_out(data, config, disturbed)
    return data, crops, truth, model.infer(crops.numpy())


def evaluate_synthetic(
    model: Model,
    folders: str | Path | list[str],
    disturbed: bool,
    split: str | None = 'test',
    limit: int | None = 4000,
    within_deg: tuple[float, float] | None = None,
) -> Result:
    """Runs a model on rendered crops of held-out identities, clean or disturbed; arguments as of `rendered_answers`."""
    _, crops, truth, output = rendered_answers(model, folders, disturbed, split, limit, within_deg)
    return collect(
        model,
        [str(i) for i in range(len(truth))],
        geometry.ypr_deg_from_rotation(truth),
        output.rotation,
        output.rotation_std_rad,
        output.category_logits,
        crops[:, 0].numpy(),
        'landmarks',
        truth,
        metrics.rotation_errors(truth, output.rotation),
    )


def collect(
    model: Model,
    names: list[str],
    truth_ypr: np.ndarray,
    R: np.ndarray,
    std: np.ndarray,
    logits: np.ndarray,
    crops: np.ndarray,
    crop_name: str,
    R_crop_true: np.ndarray,
    errors: metrics.AngleErrors,
    sequences: list[str] | None = None,
) -> Result:
    """Computes the figures of a model's estimates. Categories are compared with `R_crop_true`, the head as seen in the crop."""
    row: dict[str, object] = {'model': model.name, 'crop': crop_name, **errors.summary()}
    if away := int((np.isfinite(truth_ypr[:, 0]) & np.isnan(errors.absolute_deg[:, 0])).sum()):
        row['turned_away'] = away
    nearer, beyond = metrics.nearer_errors(errors, truth_ypr, R)
    if beyond:
        row['beyond_90'] = beyond
        row |= {f'nearer_{axis}': value for axis, value in nearer.summary().items() if axis in metrics.AXES}
    pointing = np.isfinite(R_crop_true).all((1, 2))
    if pointing.any():
        accuracy = metrics.coarse_accuracy(R_crop_true[pointing], logits[pointing])
        row['coarse'] = accuracy.pop('beyond_0')
        row |= {f'coarse_{name}': share for name, share in accuracy.items()}
    whole = np.isfinite(truth_ypr).all(1)
    if whole.any():
        R_true = np.full((len(R), 3, 3), np.nan)
        R_true[whole] = geometry.rotation_from_ypr_deg(truth_ypr[whole])
        calibration = metrics.std_calibration(R_true[whole], R[whole], std[whole])
        row |= {'within_1': calibration['within_1'], 'within_2': calibration['within_2']}
        row |= errors.percentiles((50, 90, 99))['geodesic']
        if any(sequences or ()):
            runs = [np.flatnonzero(np.array(sequences) == s) for s in dict.fromkeys(sequences)]
            unrest = [metrics.jitter_deg(R[i], R_true[i]) for i in runs if len(i) > 2]
            row['jitter'] = float(np.mean(unrest)) if unrest else None
    row |= {'trained_by': model.commit, 'data_hash': model.data_hash, 'seed': model.seed, 'commit': commit()}
    return Result(row, names, truth_ypr, R, std, errors, crops, R_crop_true)


def parse_set(name: str, crop_name: str | None = None) -> tuple[str, str]:
    """Splits a SET of the command line into its name and its crop.

    Raises:
        ValueError: for an unknown set, part, rendered dataset or crop.
    """
    kind, _, place = name.partition(':')
    if kind in RENDERED:
        if not place:
            raise ValueError(f'{name!r} lacks a folder; write {kind}:FOLDER with the folder of a rendered dataset')
        read_manifest(Path(place))
        return name, 'landmarks'
    own = None
    # An @ in the path of an existing file is part of the path.
    if not Path(place).is_file() and '@' in Path(name).name:
        name, _, own = name.rpartition('@')
    if name.partition(':')[0] not in (*SOURCES, 'csv'):
        raise ValueError(f'data set {name!r} is unknown; use one of {", ".join((*NAMES, *(f"{kind}:FOLDER" for kind in RENDERED)))}')
    source, chosen = source_of(name), own or crop_name
    crops = (*(('box',) if source is None else source.crops), 'detector')
    if chosen not in (None, *crops):
        raise ValueError(f'{name} has no crop {chosen!r}; it has {", ".join(crops)}')
    return name, chosen or crops[0]


def place_of(name: str, folder: str | None) -> str:
    """Returns absolute path of the folder or file of a SET."""
    name, _ = parse_set(name)
    kind, _, place = name.partition(':')
    return os.path.abspath(folder or os.environ.get(SOURCES[kind].variable, '') if kind in SOURCES else place)


def run_set(
    model: Model,
    source: str,
    name: str,
    crop_name: str | None,
    folder: str | None,
    limit: int | None,
    threads: int,
    split: str | None = 'test',
    within_deg: tuple[float, float] | None = None,
    device: str = 'auto',
) -> Result:
    """Evaluates one SET of the command line."""
    name, crop_name = parse_set(name, crop_name)
    kind, _, rest = name.partition(':')
    if kind in RENDERED:
        result = evaluate_synthetic(model, rest, kind == 'disturbed', split, 4000 if limit is None else limit, within_deg)
    else:
        faces = open_faces(name, folder)
        if limit is not None and limit < len(faces):
            # The remaining frames are not neighbours, so they form no sequence.
            faces = [replace(face, sequence='') for face in spread(faces, limit)]
        if model.modality == 'depth' and kind == 'biwi':
            from ..datasets.biwi import depth_face

            faces = [depth_face(face, Path(folder or os.environ['BIWI_DIR'])) for face in faces]
        if crop_name == 'detector':
            result = evaluate_detected(model, source, faces, threads, device)
        else:
            result = evaluate_faces(model, faces, crop_name)
    result.row['set'] = kind + (f':{Path(os.path.abspath(rest)).name}' if rest else '')
    return result
