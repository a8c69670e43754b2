"""Measures a model: `python -m training.evaluate MODEL SET... [--crop NAME] [--out FOLDER]`.

MODEL is a checkpoint, an .onnx file or a shipped name. A SET is aflw2000, pointing04, biwi, boston, 300wlp, csv:FILE, or
synthetic:FOLDER (held-out identities, clean) or disturbed:FOLDER (the same as in training). Real sets may carry their crop:
aflw2000@landmarks. Nothing is aligned or forgiven.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from c2f_head_pose import geometry
from c2f_head_pose.depth import depth_crop
from c2f_head_pose.engine import NetworkOutput
from c2f_head_pose.evaluation import metrics

from .batches import SyntheticCrops
from .checkpoint import commit
from .config import RunConfig, config_of
from .datasets import SOURCES, Face, MissingDataError, open_faces
from .depth import DEPTH_RANGE_M
from .model_file import Model, open_model
from .protocols import CROPS, box_square, cutter, gray, landmark_box
from .report import Result, axis_sheet, line, write_report, write_rows
from .validate import held_out


def crops_of(faces: list[Face], crop_name: str, model: Model) -> np.ndarray:
    """(N, 1, S, S) uint8 crops of real faces, gray or of depth."""
    cut = cutter(crop_name, model.size, model.crop_margin)
    if model.modality == 'depth':
        return depth_crops(faces, model)
    return np.stack([cut(face, face.read()) for face in faces])[:, None]


def in_camera(faces: list[Face], R_crop_head: np.ndarray, crop_name: str, crop_margin: float) -> np.ndarray:
    """Estimates turned into the camera's frame where a face's camera is known; the others stay relative to their crop."""
    out = R_crop_head.astype(float)
    for i, face in enumerate(faces):
        if face.K is not None and crop_name == 'box':
            x, y = box_square(face, crop_margin).centre
            out[i] = geometry.ray_rotation(np.linalg.solve(face.K, [x - 0.5, y - 0.5, 1])) @ out[i]
    return out


def depth_crops(faces: list[Face], model: Model) -> np.ndarray:
    """(N, 1, S, S) uint8 depth crops about the faces' boxes, which must be the depth camera's (`biwi.depth_face`)."""
    out = []
    for face in faces:
        if face.read_depth_m is None or face.box is None:
            raise ValueError(f'{face.name} has no depth or no box: a depth model cannot read it')
        out.append(depth_crop(face.read_depth_m(), box_square(face, model.crop_margin), model.size, DEPTH_RANGE_M))
    return np.stack(out)[:, None]


def evaluate_faces(model: Model, faces: list[Face], crop_name: str) -> Result:
    """Runs a model on a real set's faces, cropped from the truth."""
    crops = crops_of(faces, crop_name, model)
    output = model.infer(crops)
    truth = np.array([face.ypr_deg for face in faces])
    rotation = in_camera(faces, output.rotation, crop_name, model.crop_margin)
    return collect(
        model,
        [f.name for f in faces],
        truth,
        rotation,
        output.rotation_std_rad,
        output.category_logits,
        crops[:, 0],
        crop_name,
        [f.sequence for f in faces],
    )


def evaluate_detected(source: str, faces: list[Face], threads: int = 1) -> Result:
    """Runs the whole package on a set's pictures: the face that overlaps the labelled one most, if any does by 0.2."""
    from c2f_head_pose.estimator import HeadPoseEstimator

    if Path(source).suffix == '.pt':
        raise ValueError("the crop 'detector' runs the package: export the checkpoint first (python -m training.export)")
    estimator, model = HeadPoseEstimator.load(source, threads=threads), open_model(source, threads=threads)
    kept, poses, crops = [], [], []
    for face in faces:
        image = face.read()
        labelled = landmark_box(face) if face.landmarks is not None else face.box
        found = estimator.estimate(image)
        best = max(found, key=lambda p: p.box.iou(labelled) if labelled else p.score, default=None)
        if best is None or (labelled and best.box.iou(labelled) < 0.2):
            continue
        kept.append(face)
        poses.append(best)
        half = max(best.box.width, best.box.height) * model.detector_margin / 2
        (x, y), (height, width) = best.box.centre, image.shape[:2]
        part = image[max(0, int(y - half)) : min(height, int(y + half) + 1), max(0, int(x - half)) : min(width, int(x + half) + 1)]
        crops.append(gray(cv2.resize(part, (model.size, model.size))))
    if not kept:
        raise ValueError('the detector found no labelled face')
    logits = np.log(np.maximum([p.category_probabilities for p in poses], 1e-12))
    result = collect(
        model,
        [f.name for f in kept],
        np.array([f.ypr_deg for f in kept]),
        np.array([p.R_cam_head for p in poses]),
        np.radians([p.rotation_std_deg for p in poses]),
        logits,
        np.stack(crops),
        'detector',
        [f.sequence for f in kept],
    )
    result.row['detected'] = len(kept) / len(faces)
    return result


def rendered_answers(
    model: Model,
    folder: str | Path,
    disturbed: bool,
    split: str | None,
    limit: int | None = None,
    config: RunConfig | None = None,
    within_deg: tuple[float, float] | None = None,
) -> tuple[SyntheticCrops, torch.Tensor, np.ndarray, NetworkOutput]:
    """A rendered set's split, its crops as the model sees them (N, 1, S, S) uint8, their R_crop_head (N, 3, 3), and what the model says.

    `within_deg`, yaw and pitch, leaves out the samples beyond.
    """
    if config is None:
        config = config_of(
            {
                'name': model.name,
                'network': {'kind': 'coarse_to_fine', 'size': model.size},
                'loss': {'kind': 'coarse_to_fine'},
                'modality': model.modality,
                'augment': {'margin': model.crop_margin},
            }
        )
    limits_deg = config.pose_limits_deg if within_deg is None else (*within_deg, 180.0)
    data = SyntheticCrops([folder], split, model.modality == 'depth', limits_deg, limit)
    crops, truth = held_out(data, config, disturbed)
    return data, crops, truth, model.infer(crops.numpy())


def evaluate_synthetic(
    model: Model,
    folder: str,
    disturbed: bool,
    config: RunConfig | None = None,
    split: str | None = 'test',
    limit: int | None = 4000,
    within_deg: tuple[float, float] | None = None,
) -> Result:
    """Runs a model on rendered crops of held-out identities, clean or disturbed as in training."""
    _, crops, truth, output = rendered_answers(model, folder, disturbed, split, limit, config, within_deg)
    ypr = geometry.ypr_deg_from_rotation(truth)
    return collect(
        model,
        [str(i) for i in range(len(truth))],
        ypr,
        output.rotation,
        output.rotation_std_rad,
        output.category_logits,
        crops[:, 0].numpy(),
        'landmarks',
        None,
        truth,
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
    sequences: list[str] | None = None,
    R_true: np.ndarray | None = None,
) -> Result:
    """Figures of a model's answers."""
    errors = metrics.angle_errors(truth_ypr, R) if R_true is None else metrics.rotation_errors(R_true, R)
    row: dict[str, object] = {'model': model.name, 'crop': crop_name, **errors.summary()}
    whole = np.isfinite(truth_ypr).all(1)
    if R_true is None and whole.any():
        R_true = np.full((len(R), 3, 3), np.nan)
        R_true[whole] = geometry.rotation_from_ypr_deg(truth_ypr[whole])
    pointing = np.isfinite(truth_ypr[:, :2]).all(1)
    if pointing.any():
        aim = geometry.rotation_from_ypr_deg(np.column_stack([truth_ypr[pointing, :2], np.zeros(pointing.sum())]))
        accuracy = metrics.coarse_accuracy(aim, logits[pointing])
        row |= {'coarse': accuracy['beyond_0'], 'coarse_beyond_3': accuracy['beyond_3']}
    if R_true is not None:
        calibration = metrics.std_calibration(R_true[whole], R[whole], std[whole])
        row |= {'within_1': calibration['within_1'], 'within_2': calibration['within_2']}
        row |= errors.percentiles((50, 90, 99))['geodesic']
    if sequences and R_true is not None and any(sequences):
        runs = [np.flatnonzero(np.array(sequences) == s) for s in dict.fromkeys(sequences)]
        unrest = [metrics.jitter_deg(R[i], R_true[i]) for i in runs if len(i) > 2]
        row['jitter'] = float(np.mean(unrest)) if unrest else None
    row |= {'trained_by': model.commit, 'data_hash': model.data_hash, 'seed': model.seed, 'commit': commit()}
    return Result(row, names, truth_ypr, R, std, errors, crops)


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
) -> Result:
    """Evaluates one SET of the command line."""
    kind, _, rest = name.partition(':')
    if kind in ('synthetic', 'disturbed'):
        result = evaluate_synthetic(model, rest, kind == 'disturbed', split=split, limit=limit or 4000, within_deg=within_deg)
    else:
        kind, _, own = name.partition('@')
        faces = open_faces(kind, folder)[:limit]
        crop_name = own or crop_name or (SOURCES[kind].crop if kind in SOURCES else 'box')
        if model.modality == 'depth' and kind == 'biwi':
            from .biwi import depth_face

            faces = [depth_face(face, Path(folder or os.environ['BIWI_DIR'])) for face in faces]
        result = evaluate_detected(source, faces, threads) if crop_name == 'detector' else evaluate_faces(model, faces, crop_name)
    result.row['set'] = name.split('@')[0].partition(':')[0] + (f':{Path(rest).name}' if rest else '')
    return result


def main(arguments: list[str] | None = None) -> int:
    """The command; returns 1 if a set was missing."""
    parser = argparse.ArgumentParser(
        prog='python -m training.evaluate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', nargs='?', help='checkpoint, .onnx file or shipped name')
    parser.add_argument('sets', nargs='*')
    parser.add_argument('--crop', choices=CROPS)
    parser.add_argument('--folder', help='of the one real set; otherwise its environment variable')
    parser.add_argument('--out', type=Path, help='folder for summary.csv, faces, plots and worst cases')
    parser.add_argument(
        '--split', choices=('val', 'test', 'all'), default='test', help='of rendered sets; all: where none of their people were trained on'
    )
    parser.add_argument('--device', default='auto')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--limit', type=int)
    parser.add_argument('--within', type=float, nargs=2, metavar=('YAW', 'PITCH'), help='of rendered sets only samples in these, degrees')
    parser.add_argument('--axes', metavar='SET', help='only writes axes.png: labels drawn on faces of a set')
    args = parser.parse_args(arguments)
    if args.axes:
        path = (args.out or Path('.')) / 'axes.png'
        axis_sheet(open_faces(args.axes, args.folder), path)
        print(f'{path}: blue out of the face, green to its left, red up; if they do not fit the faces, the labels have other signs')
        return 0
    if not args.model or not args.sets:
        parser.error('name a model and at least one set')
    model = open_model(args.model, args.device, args.threads)
    missing = 0
    for name in args.sets:
        try:
            split = None if args.split == 'all' else args.split
            result = run_set(model, args.model, name, args.crop, args.folder, args.limit, args.threads, split, args.within)
        except MissingDataError as error:
            print(f'{name}: not run. {error}', file=sys.stderr)
            missing = 1
            continue
        command = ' '.join(Path(a).name if os.sep in a else a for a in arguments or sys.argv[1:])
        result.row.update(
            ms=model.milliseconds(result.crops[:64, None]), threads=args.threads, command=f'python -m training.evaluate {command}'
        )
        print(line(result.row), flush=True)
        if args.out:
            write_rows(args.out / 'summary.csv', [result.row])
            write_report(args.out, result)
    return missing


if __name__ == '__main__':
    sys.exit(main())
