"""The paper's figures of its data, drawn from rendered sets: `python -m training.studies.exemplars --data FOLDER --out FOLDER`.

Writes figure4.jpg (poses), figure5.jpg (faces of the real sets at hand: look at it, do not pass it on), figure6.png (distributions of the
angles, rendered and real), figure7.jpg, figure8.jpg and figure9.jpg (light, masks, blur: the renderer's robustness presets in --robustness)
and figure10.jpg (depth). Crops are cut as the network gets them. Where a set is missing its figure is left out, with a line that says why.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import torch

from c2f_head_pose import geometry

from ..command import exits_with_message, positive_int
from ..data.augment import plain
from ..data.crops import SyntheticCrops
from ..data.depth import plain_depth
from ..datasets.base import MissingDataError
from ..datasets.face_crops import cutter
from ..datasets.label_sheet import sheet
from ..datasets.registry import open_faces, spread
from ..paper.experiments import REAL
from ..paper.published import ROBUSTNESS_ROWS

MARGIN = 1.5
"""Side of the crops over the landmarks' larger extent, as in configs/paper.yaml."""
YAWS_DEG = (50, 30, 10, -10, -30, -50)
PITCHES_DEG = (75, 45, 15, -15, -45, -75)
BINS = 20
ANGLES = ((1, 'pitch', 75), (0, 'yaw', 50), (2, 'roll', 20))
"""Column of yaw, pitch, roll; name; the paper's range in degrees; in the order of the paper's Fig. 6."""


def cut(data: SyntheticCrops, rows: np.ndarray, size: int, depth: bool = False) -> list[np.ndarray]:
    """(size, size) uint8 crops of some samples, as the network gets them without augmentation."""
    crops = (plain_depth if depth else plain)(data.gather(rows), size, MARGIN).crops
    return list(crops[:, 0].numpy())


def angles_of(data: SyntheticCrops) -> np.ndarray:
    """(N, 3) yaw, pitch, roll of the heads as the crops show them, degrees."""
    return geometry.ypr_deg_from_rotation(np.asarray(data.R_crop_head, float))


def nearest_poses(ypr_deg: np.ndarray) -> np.ndarray:
    """Rows of the samples nearest to each pitch and yaw of the grid, at little roll."""
    wanted = np.array([(yaw, pitch, 0.0) for pitch in PITCHES_DEG for yaw in YAWS_DEG])
    apart = np.abs(ypr_deg[None] - wanted[:, None]) * (1.0, 1.0, 0.5)
    return apart.sum(2).argmin(1)


def poses(data: SyntheticCrops, size: int) -> np.ndarray:
    """Fig. 4: yaw by column, pitch by row."""
    return sheet(cut(data, nearest_poses(angles_of(data)), size), len(YAWS_DEG))


def depths(data: SyntheticCrops, size: int) -> np.ndarray:
    """Fig. 10: depth images of the same poses, near is bright."""
    return sheet(cut(data, nearest_poses(angles_of(data)), size, depth=True), len(YAWS_DEG))


def conditions(folder: Path, size: int) -> np.ndarray:
    """Figs. 7 to 9: two rows of a robustness preset, a column for each step; ten columns where there are at most two."""
    data = SyntheticCrops([folder], None)
    steps = len(data.sets[0].manifest.conditions)
    columns = steps if steps > 2 else 10
    return sheet(cut(data, np.arange(min(2 * columns, len(data))), size), columns)


def real_faces(size: int, count: int = 10) -> np.ndarray:
    """Fig. 5: faces of each real set at hand, a row each.

    Raises:
        MissingDataError: where none is.
    """
    cut_face = cutter('box', size, MARGIN)
    rows, missing = [], []
    for name in REAL:
        try:
            faces = [face for face in open_faces(name) if face.box is not None]
        except MissingDataError as error:
            missing.append(str(error))
            continue
        if faces:
            picked = islice(cycle(spread(faces, count)), count)  # a small set's faces again
            rows.append(np.hstack([cut_face(face, face.read()) for face in picked]))
    if not rows:
        raise MissingDataError(' '.join(missing))
    return np.vstack(rows)


def distributions(data: SyntheticCrops, path: Path) -> dict[str, float]:
    """Fig. 6: a histogram of each angle, of the renders and of the real sets at hand.

    Returns:
        For each angle of the renders chi-square over `BINS` equal bins: about 19 where it is uniform, above 30 in one case of twenty.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    sets = {'rendered': geometry.ypr_deg_from_rotation(data.sets[0].column('R_cam_head').astype(float))}
    for name in REAL:
        try:
            sets[name] = np.array([face.ypr_deg for face in open_faces(name)])
        except MissingDataError as error:
            print(f'figure 6: {error}', file=sys.stderr)
    figure, axes = plt.subplots(len(sets), 3, figsize=(9, 0.6 + 1.7 * len(sets)), squeeze=False)
    uniformity = {}
    for line, (name, ypr) in zip(axes, sets.items(), strict=True):
        for axis, (column, angle, limit) in zip(line, ANGLES, strict=True):
            values = ypr[np.isfinite(ypr[:, column]), column]
            if not len(values):
                axis.axis('off')
                axis.text(0.5, 0.5, f'{name}: {angle} is not labelled', ha='center', fontsize=8, transform=axis.transAxes)
                continue
            counts, edges = np.histogram(values, bins=BINS, range=(-limit, limit))
            if name == 'rendered':
                uniformity[angle] = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
            axis.stairs(counts, edges, fill=True)
            axis.set_title(f'{name}: {angle}', fontsize=8)
            axis.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
    return uniformity


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 1 where a figure is left out."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.exemplars', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', required=True, help='rendered set of preset paper')
    parser.add_argument('--robustness', type=Path, help="folder of the renderer's robustness presets")
    parser.add_argument('--depth', help='rendered set of preset depth (default: the depth of --data)')
    parser.add_argument('--out', type=Path, required=True, help='folder of the figures')
    parser.add_argument('--size', type=positive_int, default=96, help='side of a crop')
    parser.add_argument('--limit', type=positive_int, default=20_000, help='samples to look at')
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    data = SyntheticCrops([args.data], None, limit=args.limit)
    in_depth = SyntheticCrops([args.depth or args.data], None, depth=True, limit=args.limit)
    uniformity = distributions(data, args.out / 'figure6.png')
    print('figure6.png: chi-square over 20 bins ' + ', '.join(f'{angle} {value:.0f}' for angle, value in uniformity.items()))
    robust = [name for name in ROBUSTNESS_ROWS if args.robustness and (args.robustness / name / 'manifest.json').exists()]
    figures: dict[str, Callable[[], np.ndarray]] = {
        'figure4': lambda: poses(data, args.size),
        'figure5': lambda: real_faces(args.size),
        'figure10': lambda: depths(in_depth, args.size),
    }
    for number, names in ((7, [n for n in robust if n.startswith('illumination')]), (8, ['occlusion']), (9, ['blur'])):
        if set(names) <= set(robust) and names:
            figures[f'figure{number}'] = lambda names=names: _stack([conditions(args.robustness / n, args.size) for n in names])
    left_out = {f'figure{n}' for n in (4, 5, 7, 8, 9, 10)} - set(figures)
    for name, draw in figures.items():
        try:
            cv2.imwrite(str(args.out / f'{name}.jpg'), draw(), [cv2.IMWRITE_JPEG_QUALITY, 80])
        except MissingDataError as error:
            print(f'{name}: {error}', file=sys.stderr)
            left_out.add(name)
    print(f'{args.out}: figures' + (f'; left out: {", ".join(sorted(left_out))}' if left_out else ''))
    return 1 if left_out else 0


def _stack(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures of different widths below one another."""
    width = max(picture.shape[1] for picture in pictures)
    return np.vstack([np.pad(picture, ((0, 0), (0, width - picture.shape[1]))) for picture in pictures])


if __name__ == '__main__':
    sys.exit(main())
