"""What a run leaves to look at: a csv of every figure, curves, sample pictures, and a line with the time left."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

FIELDS = (
    'step',
    'seconds',
    'samples',
    'rate',
    'loss',
    'error_deg',
    'nll',
    'category_loss',
    'coarse_accuracy',
    'val_geodesic',
    'val_mae',
    'val_yaw',
    'val_pitch',
    'val_roll',
    'val_coarse',
    'val_within_1',
)


class Log:
    """Appends rows to log.csv; a resumed run drops the rows its checkpoint does not know."""

    def __init__(self, folder: Path, step: int):
        self.path = folder / 'log.csv'
        rows = [row for row in read_rows(self.path) if int(row['step']) <= step] if self.path.exists() else []
        with open(self.path, 'w', newline='') as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)

    def add(self, **figures: float) -> None:
        """One row; figures that a network does not have stay empty."""
        with open(self.path, 'a', newline='') as file:
            csv.DictWriter(file, FIELDS).writerow({k: f'{v:.6g}' if isinstance(v, float) else v for k, v in figures.items() if k in FIELDS})


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a csv file."""
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def plot_curves(folder: Path) -> None:
    """Draws curves.png from log.csv."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    rows = read_rows(folder / 'log.csv')
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6))
    for axis, names in zip(
        axes, (('error_deg', 'val_geodesic', 'val_mae'), ('coarse_accuracy', 'val_coarse', 'val_within_1'), ('loss', 'nll'))
    ):
        for name in names:
            points = [(int(r['samples']), float(r[name])) for r in rows if r.get(name)]
            if points:
                axis.plot(*zip(*points), label=name, marker='.' if name.startswith('val') else None, linewidth=1)
        axis.set_xlabel('samples seen')
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
    axes[0].set_yscale('log')
    figure.tight_layout()
    figure.savefig(folder / 'curves.png', dpi=80)
    plt.close(figure)


def draw_axes(image: np.ndarray, R: np.ndarray, thickness: int = 1) -> np.ndarray:
    """The BGR picture of a gray crop with the head's axes from its centre: x (out of the face) blue, y (its left) green, z (up) red."""
    out = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    size = out.shape[0]
    for axis, colour in enumerate(((255, 120, 0), (0, 200, 0), (0, 0, 255))):
        end = size / 2 + R[:2, axis] * size * 0.35
        cv2.line(out, (size // 2, size // 2), (round(float(end[0])), round(float(end[1]))), colour, thickness, cv2.LINE_AA)
    return out


def sheet(tiles: list[np.ndarray], columns: int = 8) -> np.ndarray:
    """One picture of equal BGR tiles, row by row."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)])


def remaining(done: int, total: int, seconds: float, seconds_left: float | None) -> str:
    """Words for the time a run still needs: by steps, or by its budget if that ends first."""
    by_steps = seconds / max(done, 1) * (total - done)
    left = by_steps if seconds_left is None else min(by_steps, max(seconds_left, 0))
    return f'{left / 3600:.1f} h left' if left > 5400 else f'{left / 60:.0f} min left'
