"""Writes what `make demo` recorded: an annotated video, a plot of the angles beside the truth, and the poses as CSV and JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ..counting import counted
from ..geometry import geodesic_deg, ypr_deg_from_rotation
from ..images.video_file import VideoFile

_NAMES = ('yaw', 'pitch', 'roll')


@dataclass
class Recording:
    """The recorded messages, each by the image's stamp in nanoseconds.

    Attributes:
        rotations: R_cam_head of the primary face.
        stds_deg: standard deviation about the camera's x, y, z axes, degrees.
        arrivals_s: arrival of the pose, time.monotonic().
        truths: R_cam_head in the recording.
        pictures: annotated images as JPEG, because ten minutes of uncompressed images would take 16 GB.
        images: arrival of the image's camera_info, time.monotonic(); empty for a recording without.
    """

    rotations: dict[int, np.ndarray] = field(default_factory=dict)
    stds_deg: dict[int, np.ndarray] = field(default_factory=dict)
    arrivals_s: dict[int, float] = field(default_factory=dict)
    truths: dict[int, np.ndarray] = field(default_factory=dict)
    pictures: dict[int, np.ndarray] = field(default_factory=dict)
    images: dict[int, float] = field(default_factory=dict)

    @property
    def answered(self) -> set[int]:
        """Stamps of the images that the node answered, with or without a face."""
        return self.rotations.keys() | self.pictures.keys()

    @property
    def counts(self) -> str:
        """Text with the number of answered images, and of all images if it is known."""
        answered = len(self.answered)
        return f'{answered} of {counted(len(self.images), "image")} answered' if self.images else f'{counted(answered, "image")} answered'


def write(recording: Recording, output: Path) -> list[str]:
    """Writes video, plot, CSV and JSON.

    Args:
        recording: the recorded messages, with one pose or more.
        output: existing folder for the files.

    Returns:
        Lines of text that summarise the results.

    Raises:
        OSError: naming the file that cannot be written.
    """
    stamps = sorted(recording.rotations)
    seconds = (np.array(stamps) - stamps[0]) * 1e-9
    ypr_deg = np.array([ypr_deg_from_rotation(recording.rotations[s]) for s in stamps])
    known = [s for s in stamps if s in recording.truths]
    errors_deg = {s: float(geodesic_deg(recording.truths[s], recording.rotations[s])) for s in known}
    _write_tables(recording, stamps, seconds, ypr_deg, errors_deg, output)
    _write_video(recording, output / 'annotated.mp4')
    _plot(recording, stamps, seconds, ypr_deg, output / 'angles.png')
    latency_ms = [1e3 * (recording.arrivals_s[s] - recording.images[s]) for s in stamps if s in recording.images]
    nobody = len(recording.answered) - len(stamps)
    lines = [f'{recording.counts}, each with its own stamp' + (f'; no face was found in {nobody} of them' if nobody else '')]
    if dropped := len(recording.images.keys() - recording.answered):
        lines.append(
            f'{counted(dropped, "image")} {"was" if dropped == 1 else "were"} dropped, because the node processes the newest image only; '
            '--rate 0.5 gives this machine more time'
        )
    if latency_ms:
        lines.append(f'from camera_info to pose: median {np.median(latency_ms):.1f} ms, worst {max(latency_ms):.1f} ms')
    if errors_deg:
        lines.append(
            f"difference to the recording's truth: mean {np.mean(list(errors_deg.values())):.1f} degrees, "
            f'worst {max(errors_deg.values()):.1f} (geodesic, on these renders)'
        )
    return lines


def _write_tables(
    recording: Recording, stamps: list[int], seconds: np.ndarray, ypr_deg: np.ndarray, errors_deg: dict[int, float], output: Path
) -> None:
    rows = []
    for stamp, second, angles in zip(stamps, seconds, ypr_deg):
        truth = ypr_deg_from_rotation(recording.truths[stamp]).tolist() if stamp in recording.truths else [None] * 3
        rows.append(
            {
                'stamp_ns': stamp,
                'time_s': round(float(second), 6),
                **{f'{name}_deg': round(float(a), 3) for name, a in zip(_NAMES, angles)},
                **{f'true_{name}_deg': None if a is None else round(float(a), 3) for name, a in zip(_NAMES, truth)},
                'error_deg': None if stamp not in errors_deg else round(errors_deg[stamp], 3),
            }
        )
    (output / 'poses.json').write_text(json.dumps(rows, indent=1))
    with open(output / 'poses.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_video(recording: Recording, path: Path) -> None:
    stamps = sorted(recording.pictures)
    if len(stamps) < 2:
        return
    fps = 1e9 / float(np.median(np.diff(stamps)))
    pictures = [picture for stamp in stamps if (picture := cv2.imdecode(recording.pictures[stamp], cv2.IMREAD_COLOR)) is not None]
    height, width = pictures[0].shape[:2]
    video = VideoFile(path, fps, (width, height))
    for picture in pictures:
        video.write(picture)
    video.close()


def _plot(recording: Recording, stamps: list[int], seconds: np.ndarray, ypr_deg: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(10, 7), constrained_layout=True)
    truth = np.array([ypr_deg_from_rotation(recording.truths[s]) if s in recording.truths else [np.nan] * 3 for s in stamps])
    for k, (axis, name, colour) in enumerate(zip(axes, _NAMES, ('#2f6fde', '#2a9d57', '#d64545'))):
        axis.plot(seconds, truth[:, k], color='#999999', linewidth=3, label='truth')
        axis.plot(seconds, ypr_deg[:, k], color=colour, linewidth=1.4, label='estimate')
        axis.set_ylabel(f'{name} (degrees)')
        axis.grid(alpha=0.3)
    axes[0].legend(loc='upper right', ncols=2, frameon=False)
    axes[-1].set_xlabel('time (s)')
    figure.savefig(path, dpi=110)
    plt.close(figure)
