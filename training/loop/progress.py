"""The log of a run (log.csv), its curves, and the estimate of the time left."""

from __future__ import annotations

import csv
from pathlib import Path

FIELDS = (
    'step',
    'seconds',
    'samples',
    'lr',
    'loss',
    'error_deg',
    'nll',
    'category_loss',
    'coarse_accuracy',
    'teacher_deg',
    'val_geodesic',
    'val_mae',
    'val_yaw',
    'val_pitch',
    'val_roll',
    'val_coarse',
    'val_within_1',
)


class Log:
    """Appends rows to log.csv; a resumed run first drops the rows after its checkpoint.

    Args:
        folder: the run's folder.
        step: the checkpoint's step.
    """

    def __init__(self, folder: Path, step: int):
        self.path = folder / 'log.csv'
        rows = [_with_current_names(row) for row in read_rows(self.path) if int(row['step']) <= step] if self.path.exists() else []
        with open(self.path, 'w', newline='') as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)

    def add(self, **figures: float) -> None:
        """Appends one row; columns without a figure stay empty."""
        with open(self.path, 'a', newline='') as file:
            csv.DictWriter(file, FIELDS).writerow({k: f'{v:.6g}' if isinstance(v, float) else v for k, v in figures.items() if k in FIELDS})


def _with_current_names(row: dict[str, str]) -> dict[str, str]:
    """A row of a log with the learning rate in the column 'lr', which older logs name 'rate'."""
    return {'lr' if name == 'rate' else name: value for name, value in row.items()}


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
        axes, (('error_deg', 'teacher_deg', 'val_geodesic', 'val_mae'), ('coarse_accuracy', 'val_coarse', 'val_within_1'), ('loss', 'nll'))
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


def remaining(done: int, total: int, seconds: float, seconds_left: float | None) -> str:
    """Text for the time left: by the speed so far, or by the time budget if that ends first."""
    by_steps = seconds / max(done, 1) * (total - done)
    left = by_steps if seconds_left is None else min(by_steps, max(seconds_left, 0))
    return f'{left / 3600:.1f} h left' if left > 5400 else f'{left / 60:.0f} min left'
