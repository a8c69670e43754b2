"""Makes the sample crops, gray and of depth, on which engines are compared: `python -m training.exporting.sample_crops DATASET`.

The crops are heads of the test split, spread over yaw. The dataset is our own render, so the file has the repository's licence, and its
assets are CC0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from c2f_head_pose import geometry
from c2f_head_pose.crop import cut, square_about
from c2f_head_pose.depth import depth_crop
from c2f_head_pose.engine.parity import SHEET_COLUMNS, SHEET_ROWS, SHEETS
from c2f_head_pose.types import FaceBox

from ..data.depth import DEPTH_RANGE_M
from ..synthetic.dataset import SyntheticDataset, composite
from ..synthetic.scene import backgrounds

_MARGIN = 1.5  # close to every shipped model's
_SIDE = 144
_DEPTH_MARGIN, _DEPTH_SIDE = 1.7, 96  # those of c2f_depth, because depth is not interpolated
_RANGE_DEG = (75, 45, 60)  # yaw, pitch, roll
_SEED = 0


def main() -> None:
    """Writes the sheets into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dataset', type=Path)
    dataset = SyntheticDataset(parser.parse_args().dataset, 'test')
    rng = np.random.default_rng(_SEED)
    count = SHEET_ROWS * SHEET_COLUMNS
    rotations = dataset.column('R_crop_head')
    ypr_deg = np.array([geometry.ypr_deg_from_rotation(R) for R in rotations])
    seen = np.array([geometry.faces_camera(R) for R in rotations]) & (np.abs(ypr_deg) <= _RANGE_DEG).all(1)
    # Only faces that a detector would find, because small numerical differences grow on other crops.
    rows = np.flatnonzero(seen & (dataset.column('occluder') == 0))
    chosen = rows[np.argsort(ypr_deg[rows, 0])][np.linspace(0, len(rows) - 1, count).astype(int)]
    rng.shuffle(chosen)
    crops, depths = [], []
    for i in chosen:
        sample = dataset.sample(int(i))
        size = sample.image.shape[0]
        behind = cv2.cvtColor(backgrounds.background(rng, size, size), cv2.COLOR_BGR2GRAY)
        box = FaceBox(*map(float, sample.box_px))
        crops.append(cut(composite(sample.image, sample.alpha, behind), square_about(box, _MARGIN), _SIDE))
        depths.append(depth_crop(sample.depth_mm / 1000, square_about(box, _DEPTH_MARGIN), _DEPTH_SIDE, DEPTH_RANGE_M))
    _write(SHEETS['rgb'], crops, [cv2.IMWRITE_JPEG_QUALITY, 92])
    _write(SHEETS['depth'], depths, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _write(path: Path, crops: list[np.ndarray], quality: list[int]) -> None:
    strips = [np.concatenate(crops[r * SHEET_COLUMNS : (r + 1) * SHEET_COLUMNS], 1) for r in range(SHEET_ROWS)]
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.concatenate(strips), quality)
    print(f'{path}: {path.stat().st_size / 1024:.0f} KiB')


if __name__ == '__main__':
    main()
