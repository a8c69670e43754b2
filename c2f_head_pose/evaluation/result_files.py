"""Names and removes the files that an evaluation writes into the folder of a recording."""

from __future__ import annotations

from pathlib import Path

RESULT_FILES = ('metrics.json', 'report.html', 'frames.csv', 'poses.mcap', 'annotated.mp4', 'series.npz', 'aligned.npy', 'worst.json')


def remove_results(folder: Path) -> None:
    """Removes the files of an earlier evaluation, so that none is taken for one of the evaluation that begins; other files stay."""
    for name in RESULT_FILES:
        (folder / name).unlink(missing_ok=True)
