"""Makes the sample crops on which engines are compared: `python -m training.exporting.sample_crops DATASET`.

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
from c2f_head_pose.engine.parity import SHEET, SHEET_COLUMNS, SHEET_ROWS
from c2f_head_pose.types import FaceBox

from ..synthetic.dataset import SyntheticDataset, composite
from ..synthetic.scene import backgrounds

_MARGIN = 1.5  # close to every shipped model's
_SIDE = 144
_RANGE_DEG = (75, 45, 60)  # yaw, pitch, roll
_SEED = 0


def main() -> None:
    """Writes the sheet into the package."""
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
    crops = []
    for i in chosen:
        sample = dataset.sample(int(i))
        size = sample.image.shape[0]
        behind = cv2.cvtColor(backgrounds.background(rng, size, size), cv2.COLOR_BGR2GRAY)
        box = FaceBox(*map(float, sample.box_px))
        crops.append(cut(composite(sample.image, sample.alpha, behind), square_about(box, _MARGIN), _SIDE))
    strips = [np.concatenate(crops[r * SHEET_COLUMNS : (r + 1) * SHEET_COLUMNS], 1) for r in range(SHEET_ROWS)]
    SHEET.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(SHEET), np.concatenate(strips), [cv2.IMWRITE_JPEG_QUALITY, 92])
    print(f'{SHEET}: {SHEET.stat().st_size / 1024:.0f} KiB')


if __name__ == '__main__':
    main()
