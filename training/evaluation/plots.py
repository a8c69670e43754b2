"""Plots of an evaluation: error by pose, and calibration of the estimated uncertainty."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from c2f_head_pose.evaluation import metrics


def error_by_pose(path: Path, truth_ypr_deg: np.ndarray, errors: metrics.AngleErrors) -> None:
    """Plots the mean error of each axis by the true yaw and by the true pitch."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), sharey=True)
    edges = np.arange(-105, 106, 15)
    for axis, (which, name) in zip(axes, enumerate(('yaw', 'pitch'))):
        for i, label in enumerate(metrics.AXES):
            rows = [r for r in metrics.by_bin(truth_ypr_deg[:, which], errors.absolute_deg[:, i], edges) if r['n'] >= 3]
            if rows:
                axis.plot([(r['low'] + r['high']) / 2 for r in rows], [r['mean'] for r in rows], marker='.', label=f'{label} error')
        axis.set_xlabel(f'true {name}, degrees')
        axis.grid(alpha=0.3)
    axes[0].set_ylabel('mean error, degrees')
    if axes[0].get_legend_handles_labels()[0]:
        axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def calibration(path: Path, errors: metrics.AngleErrors, std_rad: np.ndarray) -> None:
    """Plots the actual error against the estimated standard deviation, by tenths of the faces; without 10 known rotations, nothing."""
    known = np.isfinite(errors.geodesic_deg)
    if known.sum() < 10:
        return
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    stated = np.degrees(np.sqrt((std_rad[known] ** 2).sum(1)))
    order = np.argsort(stated)
    parts = np.array_split(order, 10)
    figure, axis = plt.subplots(figsize=(4.5, 4))
    actual = [np.sqrt((errors.geodesic_deg[known][p] ** 2).mean()) for p in parts]
    axis.plot([stated[p].mean() for p in parts], actual, marker='o')
    limit = max(*actual, *(stated[p].mean() for p in parts))
    axis.plot([0, limit], [0, limit], linestyle=':', color='gray')
    axis.set_xlabel('stated, degrees (root of the sum of squares)')
    axis.set_ylabel('actual root mean square, degrees')
    axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
