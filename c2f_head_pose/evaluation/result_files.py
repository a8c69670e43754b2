"""Names the files that an evaluation writes into the folder of a recording."""

from __future__ import annotations

RESULT_FILES = ('metrics.json', 'report.html', 'frames.csv', 'poses.mcap', 'annotated.mp4', 'series.npz', 'aligned.npy', 'worst.json')
