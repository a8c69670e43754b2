"""Compares our networks with public ones on faces: `python -m training.studies.peers --peers FOLDER --faces FOLDER --output FOLDER`.

Measures accuracy and milliseconds per crop, with preprocessing and without detection. The networks run in turns, so that other load on
the machine affects all alike. FOLDER of --peers has the peers' ONNX files; a missing one is left out:

    opentrack-0.4-small-int8.onnx                                opentrack's neuralnet tracker
    fsanet-1x1-iter-688590.onnx, fsanet-var-iter-688590.onnx     FSA-Net (Yang et al. 2019; headpose-fsanet-pytorch)

FOLDER of --faces is AFLW2000-3D; without it only speed is measured, on rendered faces. Estimates are compared
without alignment.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from c2f_head_pose import crop
from c2f_head_pose.bench.interleaved import Timing, take_turns
from c2f_head_pose.engine.parity import sample_crops
from c2f_head_pose.evaluation import metrics
from c2f_head_pose.evaluation.environment import environment
from c2f_head_pose.models.registry import SHIPPED, ModelError
from c2f_head_pose.provenance import usable_cores

from ..command import exits_with_message, positive_float, positive_int
from ..datasets.base import Face, MissingDataError
from ..datasets.face_crops import landmark_square, published_bounds
from ..datasets.registry import open_faces, spread
from .peer_networks import HeadPoseNetwork, networks

THREADS = (1, 2)
CROPS = ('published', 'landmarks')
_TIMED_FACES = 64


@dataclass(frozen=True)
class Row:
    """One network on one kind of crop.

    Attributes:
        network: name.
        crop: 'published' or 'landmarks' (see `protocols`); 'rendered' without faces.
        faces: number of scored faces.
        yaw_deg: mean absolute error; nan without faces, like the next three.
        pitch_deg: mean absolute error of pitch, degrees.
        roll_deg: mean absolute error of roll, degrees.
        mae_deg: mean of the three.
        timing: milliseconds per crop by number of threads.
        over_first: median ratio of its time to that of the table's first network, by number of threads.
        cpu_ms: median processor time, one thread.
    """

    network: str
    crop: str
    faces: int
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    mae_deg: float
    timing: dict[int, Timing]
    over_first: dict[int, float]
    cpu_ms: float


def cut_for(network: HeadPoseNetwork, face: Face, image: np.ndarray, crop_name: str) -> np.ndarray:
    """Cuts a (size, size, 3) BGR uint8 crop: 'published' is the same region for all networks, 'landmarks' has each network's own margin."""
    if crop_name == 'landmarks':
        return crop.cut(image, landmark_square(face, network.margin), network.size)
    x1, y1, x2, y2 = published_bounds(face, *image.shape[:2])
    # bilinear without averaging, as in the published protocol
    return cv2.resize(image[y1 : max(y2, y1 + 2), x1 : max(x2, x1 + 2)], (network.size, network.size))


def rendered_crops(network: HeadPoseNetwork) -> list[np.ndarray]:
    """Returns the shipped rendered crops, for measurements of speed only."""
    return [cv2.cvtColor(one, cv2.COLOR_GRAY2BGR) for one in sample_crops(network.size)[:, 0]]


def errors(network: HeadPoseNetwork, crops: Sequence[np.ndarray], truth_ypr_deg: np.ndarray) -> dict[str, float]:
    """Computes mean absolute errors in degrees: n, yaw, pitch, roll, mae."""
    return metrics.angle_errors(truth_ypr_deg, np.stack([network.rotation(one) for one in crops])).summary()


def measure(
    models: Sequence[str], peers: Path | None, faces: Sequence[Face], seconds: float, say: Callable[[str], None] = lambda _: None
) -> list[Row]:
    """Measures the accuracy of each network on each crop, and the times of all on the same crops, in turns.

    Args:
        models: shipped names or .onnx files.
        peers: folder of the peers' files.
        faces: labelled faces; without any, speed alone is measured on rendered crops.
        seconds: approximate duration for each number of threads.
        say: called with the progress.
    """
    by_threads = {threads: networks(models, peers, threads) for threads in THREADS}
    alone = by_threads[1]
    kinds = CROPS if faces else ('rendered',)
    crops: dict[tuple[str, str], list[np.ndarray]] = {(one.name, kind): [] for one in alone for kind in kinds}
    for face in faces:
        image = face.read()
        for one, kind in ((one, kind) for one in alone for kind in kinds):
            crops[one.name, kind].append(cut_for(one, face, image, kind))
    if not faces:
        crops = {(one.name, 'rendered'): rendered_crops(one) for one in alone}
    times = {}
    for threads, nets in by_threads.items():
        say(f'times, {threads} thread(s)')
        times[threads] = take_turns({one.name: _in_turn(one, crops[one.name, kinds[-1]][:_TIMED_FACES]) for one in nets}, seconds)
    truth = np.array([face.ypr_deg for face in faces])
    rows = []
    for one, kind in ((one, kind) for one in alone for kind in kinds):
        say(f'{one.name}, {kind}')
        found = errors(one, crops[one.name, kind], truth) if faces else {}
        rows.append(
            Row(
                one.name,
                kind,
                len(faces),
                *(found.get(name, float('nan')) for name in ('yaw', 'pitch', 'roll', 'mae')),
                {threads: turns.timing(one.name) for threads, turns in times.items()},
                {threads: turns.ratio(one.name, alone[0].name) for threads, turns in times.items()},
                float(np.median(times[1].cpu_ms[one.name])),
            )
        )
    return rows


def _in_turn(network: HeadPoseNetwork, crops: Sequence[np.ndarray]) -> Callable[[], object]:
    """A function that runs the next crop on each call, so that in each round all networks get the same face."""
    state = {'next': 0}

    def run_next() -> np.ndarray:
        state['next'] = (state['next'] + 1) % len(crops)
        return network.rotation(crops[state['next']])

    return run_next


def table(rows: Sequence[Row]) -> str:
    """Formats the rows as a Markdown table."""
    columns = (
        'Network',
        'Crop',
        'Faces',
        'Yaw, pitch, roll',
        'MAE, degrees',
        'ms, 1 thread (p99)',
        'ms, 2 threads (p99)',
        'over the first',
        'processor ms',
    )
    lines = [f'| {" | ".join(columns)} |', '|---' * len(columns) + '|']
    for row in rows:
        angles = f'{row.yaw_deg:.2f}, {row.pitch_deg:.2f}, {row.roll_deg:.2f}' if row.faces else ''
        times = ' | '.join(f'{timing.median_ms:.2f} ({timing.p99_ms:.2f})' for timing in row.timing.values())
        lines.append(
            f'| {row.network} | {row.crop} | {row.faces} | {angles} | {f"{row.mae_deg:.2f}" if row.faces else ""} | {times} '
            f'| {row.over_first[1]:.2f} | {row.cpu_ms:.2f} |'
        )
    return '\n'.join(lines) + '\n'


SPREAD = 3.0
"""A plot whose largest error is more than this times its smallest has a logarithmic axis, so that the small ones stay apart."""


def pareto(rows: Sequence[Row], path: Path) -> None:
    """Plots error over milliseconds on one thread; a line joins the Pareto front."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(9, 6), constrained_layout=True)
    width = 1.45 * max(row.cpu_ms for row in rows)  # room for the names
    for kind, marker, colour, rise in zip(dict.fromkeys(row.crop for row in rows), 'os', ('#2f6fde', '#d64545'), (5, -12)):
        points = sorted((row.cpu_ms, row.mae_deg, row.network) for row in rows if row.crop == kind)
        axis.plot([x for x, _, _ in points], [y for _, y, _ in points], marker, color=colour, label=f'crop: {kind}')
        best = [point for i, point in enumerate(points) if all(point[1] < other[1] for other in points[:i])]
        axis.plot([x for x, _, _ in best], [y for _, y, _ in best], '-', color=colour, linewidth=0.8, alpha=0.6)
        for i, (x, y, name) in enumerate(points):
            # the next point is at the name's place
            crowded = i + 1 < len(points) and points[i + 1][0] - x < 0.2 * width and abs(points[i + 1][1] / y - 1) < 0.1
            place = {'xytext': (0, 2 * rise), 'ha': 'center'} if crowded else {'xytext': (6, rise)}
            axis.annotate(name, (x, y), textcoords='offset points', fontsize=8, color=colour, **place)
    axis.set_xlim(0, width)
    errors = [row.mae_deg for row in rows]
    if max(errors) > SPREAD * min(errors):
        axis.set_yscale('log')
        axis.set_ylim(0.8 * min(errors), 1.2 * max(errors))
        axis.set_yticks(ticks := [t for t in (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30) if 0.8 * min(errors) <= t <= 1.2 * max(errors)], ticks)
        axis.minorticks_off()
    else:
        axis.set_ylim(0, 1.1 * max(errors))
    axis.set_xlabel('milliseconds of processor time a crop, one thread (preprocessing and network)')
    axis.set_ylabel('mean absolute error on AFLW2000-3D, degrees')
    axis.grid(alpha=0.3)
    axis.legend(loc='lower right', frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


@exits_with_message(ValueError, OSError)
def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog='python -m training.studies.peers', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('models', nargs='*', metavar='MODEL', help='shipped models or .onnx files; all shipped ones by default')
    parser.add_argument('--peers', type=Path, metavar='FOLDER')
    parser.add_argument('--faces', type=Path, metavar='FOLDER')
    parser.add_argument('--seconds', type=positive_float, default=20.0, help='approximate duration for each number of threads')
    parser.add_argument('--limit', type=positive_int, help='largest number of faces, spread over the set')
    parser.add_argument('--output', type=Path, default=Path('bench_out'), help='folder for peers.json and, with faces, pareto.png')
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    cv2.setNumThreads(1)
    try:
        faces = open_faces('aflw2000', options.faces) if options.faces else []
        faces = spread(faces, options.limit) if options.limit else faces
        rows = measure(options.models or sorted(SHIPPED), options.peers, faces, options.seconds, lambda text: print(text, file=sys.stderr))
    except (ModelError, MissingDataError) as error:
        print(f'peers: {error}', file=sys.stderr)
        return 1
    machine: dict[str, Any] = environment(None, None, 'cpu', max(THREADS))
    machine |= {'usable cores': usable_cores(), 'load before': round(load, 2), 'load after': round(os.getloadavg()[0], 2)}
    options.output.mkdir(parents=True, exist_ok=True)
    command = shlex.join(['python', '-m', 'training.studies.peers', *(sys.argv[1:] if arguments is None else arguments)])
    report = {
        'command': command,
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'machine': machine,
        'rows': [asdict(row) for row in rows],
    }
    (options.output / 'peers.json').write_text(json.dumps(report, indent=1) + '\n')
    if faces:
        pareto(rows, options.output / 'pareto.png')
    print(table(rows), end='')
    return 0


if __name__ == '__main__':
    sys.exit(main())
