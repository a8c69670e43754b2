"""Evaluates the attention decision on a rendered drive, to measure the effect of the estimator's errors. Needs no ROS.

    python -m c2f_head_pose.evaluation.attention.recorded DRIVE --noise-deg 2 4 6 --csv docs/attention_recorded.csv

DRIVE is a folder that training.synthetic.recordings.attention wrote. The decisions of four sources of heads are evaluated: the true
poses, the true poses with a given noise, the estimator's poses in the pictures, and the nodes, if
c2f_head_pose.ros.measure.attention_drive has played the drive.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...attention.vehicle_profile import load_zones
from ...attention.zones import ZoneMap, azimuth_elevation_deg, camera_mount
from ...engine import add_device_argument
from ...estimator import HeadPoseEstimator
from ...geometry import geodesic_deg
from ...models.registry import ModelError
from ...recordings.bagfile import BagError, BagFile
from ...recordings.reader import Notes, UnreadableImage
from ...recordings.topics import choose_topics
from ...types import HeadPose
from ..sources import estimate_frames
from .drive import Decision, DriveScore, NoisyHeads, append_rows, judge, score
from .script import TURN_S, Distraction, Glance, Script

GRAPH_FILE = 'said_graph.json'
_NO_NOISE_DEG = 0.1


@dataclass(frozen=True, eq=False)
class Drive:
    """A rendered drive.

    Attributes:
        folder: folder of the drive's files.
        script: the script, up to the last rendered picture.
        zones: zones of the vehicle.
        rate_hz: rate of the pictures.
        camera_elevation_deg: elevation of the camera, which faces straight back.
        right_hand_drive: the script's directions are mirrored.
        start_s: stamp of the first picture, at which the script starts.
        R_cam_head: (n, 3, 3) true rotation in each picture.
    """

    folder: Path
    script: Script
    zones: ZoneMap
    rate_hz: float
    camera_elevation_deg: float
    right_hand_drive: bool
    start_s: float
    R_cam_head: np.ndarray

    @property
    def bag(self) -> Path:
        """The recording."""
        return self.folder / 'bag'

    def index(self, stamp_s: float) -> int:
        """Returns the number of the picture at a time of the script."""
        return round(stamp_s * self.rate_hz)


@dataclass(frozen=True)
class PerceptionError:
    """Errors of perceived heads against the truth, degrees.

    Attributes:
        geodesic_mean_deg: angle between the rotations.
        azimuth_bias_deg: mean error (perceived less true) of the face's azimuth in the vehicle, > 0 to the left.
        azimuth_std_deg: standard deviation of that error.
        elevation_bias_deg: mean error of the face's elevation, > 0 up.
        elevation_std_deg: standard deviation of that error.
        stated_std_deg: mean of the stated standard deviations about the head's vertical and lateral axes.
        lost: share of pictures without a face.
    """

    geodesic_mean_deg: float
    azimuth_bias_deg: float
    azimuth_std_deg: float
    elevation_bias_deg: float
    elevation_std_deg: float
    stated_std_deg: float
    lost: float


def load_drive(folder: Path) -> Drive:
    """Reads a drive that training.synthetic.recordings.attention wrote.

    Raises:
        ValueError: for a folder without a drive, with the remedy.
    """
    try:
        written = json.loads((folder / 'drive.json').read_text())
        settings = written['settings']
        script = Script(
            tuple(Glance(**g) for g in written['glances']), tuple(Distraction(**d) for d in written['distractions']), written['end_s']
        )
        R_cam_head = np.array(written['R_cam_head'], float)
        return Drive(
            folder,
            until(script, len(R_cam_head) / settings['rate_hz']),
            load_zones(settings['zones']),
            settings['rate_hz'],
            settings['camera_elevation_deg'],
            settings['right_hand_drive'],
            float(written['start_s']),
            R_cam_head,
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f'{folder} does not hold a rendered drive ({type(error).__name__}: {error}); '
            'make one with python -m training.synthetic.recordings.attention, from the same folder'
        ) from error


def until(script: Script, end_s: float) -> Script:
    """Returns the beginning of a script, with the distractions that end before `end_s`."""
    end_s = min(end_s, script.end_s)
    return Script(
        tuple(g for g in script.glances if g.begin_s < end_s), tuple(d for d in script.distractions if d.end_s + TURN_S <= end_s), end_s
    )


def perceive_pictures(drive: Drive, estimator: HeadPoseEstimator, notes: Notes | None = None) -> list[list[HeadPose] | None]:
    """Returns the estimator's heads in each picture; None for a picture that could not be read."""
    found: list[list[HeadPose] | None] = [None] * len(drive.R_cam_head)
    notes = notes or Notes()
    with BagFile(drive.bag) as bag:
        for answer in estimate_frames(bag, choose_topics(bag), notes, estimator):
            if not isinstance(answer, UnreadableImage):
                found[drive.index(answer.frame.stamp_s - drive.start_s)] = answer.poses
    return found


def decisions_of(drive: Drive, perceived: Sequence[list[HeadPose] | None]) -> list[Decision]:
    """Runs the monitor on the perceived heads of each picture."""
    return judge(
        drive.script,
        lambda stamp_s, _: perceived[drive.index(stamp_s)],
        drive.zones,
        drive.rate_hz,
        drive.zones.head_share,
        (0.0, 0.0),
        drive.right_hand_drive,
        drive.camera_elevation_deg,
    )


def perceive_truth(drive: Drive, white_deg: float, drift_deg: float, lost: float, seed: int) -> list[list[HeadPose] | None]:
    """Returns the true poses with noise; see NoisyHeads for the arguments."""
    noisy = NoisyHeads(white_deg, drift_deg, 3.0, drive.rate_hz, lost, seed)
    return [noisy(k / drive.rate_hz, R) for k, R in enumerate(drive.R_cam_head)]


def perception_error(drive: Drive, perceived: Sequence[list[HeadPose] | None]) -> PerceptionError:
    """Computes the errors of the first head in each picture."""
    R_vehicle_cam = camera_mount(180, drive.camera_elevation_deg)
    seen = [(R, heads[0]) for R, heads in zip(drive.R_cam_head, perceived) if heads]
    apart = np.array(
        [
            np.subtract(azimuth_elevation_deg(R_vehicle_cam @ head.R_cam_head[:, 0]), azimuth_elevation_deg(R_vehicle_cam @ R[:, 0]))
            for R, head in seen
        ]
    ).reshape(-1, 2)
    (azimuth, elevation), (azimuth_std, elevation_std) = apart.mean(axis=0), apart.std(axis=0)
    return PerceptionError(
        float(np.mean([geodesic_deg(R, head.R_cam_head) for R, head in seen])),
        float(azimuth),
        float(azimuth_std),
        float(elevation),
        float(elevation_std),
        float(np.mean([head.rotation_std_deg[1:] for _, head in seen])),
        1 - len(seen) / len(drive.R_cam_head),
    )


def error_by_target(drive: Drive, perceived: Sequence[list[HeadPose] | None]) -> dict[str, tuple[float, float]]:
    """Computes the systematic error at each target: the mean errors of azimuth and elevation while the head rests, degrees."""
    R_vehicle_cam = camera_mount(180, drive.camera_elevation_deg)
    begins = np.array([g.begin_s for g in drive.script.glances])
    apart: dict[str, list[np.ndarray]] = {}
    for k, (R, heads) in enumerate(zip(drive.R_cam_head, perceived)):
        glance = drive.script.glances[int(np.searchsorted(begins, k / drive.rate_hz, side='right')) - 1]
        if heads and k / drive.rate_hz - glance.begin_s >= TURN_S:
            seen, true = (azimuth_elevation_deg(R_vehicle_cam @ rotation[:, 0]) for rotation in (heads[0].R_cam_head, R))
            apart.setdefault(glance.target, []).append(np.subtract(seen, true))
    return {target: tuple(np.mean(values, axis=0).tolist()) for target, values in sorted(apart.items())}


def decisions_of_graph(drive: Drive) -> list[Decision] | None:
    """Reads the nodes' decisions, with the script's times; None for a drive that the nodes have not played."""
    path = drive.folder / GRAPH_FILE
    if not path.exists():
        return None
    return [Decision(float(s['stamp_s']) - drive.start_s, str(s['state']), str(s['zone'])) for s in json.loads(path.read_text())['said']]


def count_upper_bound(count: int) -> float:
    """Computes the 95 % upper bound of a Poisson mean: the mean with which so few events have a probability of 5 %; 3.0 for none."""
    low, high = float(count), count + 10.0 + 5 * count**0.5
    for _ in range(60):
        mean = (low + high) / 2
        terms = np.cumprod([1.0, *(mean / i for i in range(1, count + 1))])
        low, high = (mean, high) if float(np.exp(-mean) * terms.sum()) > 0.05 else (low, mean)
    return high


def confusions(script: Script, decisions: Sequence[Decision]) -> dict[str, dict[str, float]]:
    """Computes the shares of the decided zones for each target, outside head rotations, the most frequent first."""
    begins = np.array([g.begin_s for g in script.glances])
    counts: dict[str, Counter[str]] = {}
    for s in decisions:
        glance = script.glances[int(np.searchsorted(begins, s.stamp_s, side='right')) - 1]
        if s.stamp_s - glance.begin_s >= TURN_S:
            counts.setdefault(glance.target, Counter())[s.zone] += 1
    return {target: {zone: n / c.total() for zone, n in c.most_common()} for target, c in sorted(counts.items())}


def timings(script: Script, decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """Lists the due time of each distraction and the time of the first distracted frame (None if there is none), in the script's time."""
    rows = []
    for d in script.distractions:
        during = [s for s in decisions if d.begin_s <= s.stamp_s <= d.end_s + TURN_S]
        first = next((s.stamp_s for s in during if s.state == 'distracted'), None)
        target = next(g.target for g in script.glances if g.begin_s == d.begin_s)
        rows.append(
            {
                'kind': d.kind,
                'target': target,
                'begin_s': round(d.begin_s, 2),
                'due_s': round(d.due_s + TURN_S / 2, 2),
                'end_s': round(d.end_s, 2),
                'decided_s': first if first is None else round(first, 2),
                'decided_before': bool(during) and during[0].state == 'distracted',
            }
        )
    return rows


def figures(result: DriveScore) -> dict[str, Any]:
    """Makes a row of the table: the score, the number of false alarms with its upper bound, and a column for each target."""
    row = dataclasses.asdict(result)
    by_target = row.pop('by_target')
    alarms = round(result.false_alarms_per_hour * result.hours_attentive)
    row |= {'false_alarms': alarms, 'false_alarms_per_hour_95': count_upper_bound(alarms) / result.hours_attentive}
    row |= {f'accuracy_{name}': value for name, value in by_target.items()}
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command, which prints the figures of a drive; returns its exit status."""
    parser = argparse.ArgumentParser(prog='attention_recorded', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('drive', type=Path, help='folder of training.synthetic.recordings.attention')
    parser.add_argument('--model', default='c2f_edge')
    add_device_argument(parser)
    parser.add_argument('--noise-deg', type=float, nargs='*', default=[4.0], help='independent error added to the true poses')
    parser.add_argument('--drift-deg', type=float, default=2.0, help='drifting error added to the true poses')
    parser.add_argument('--lost', type=float, default=0.01, help='share of frames without a face in the poses with noise')
    parser.add_argument('--seed', type=int, default=1, help='seed of the noise')
    parser.add_argument('--csv', type=Path, help='append the figures to this file')
    chosen = parser.parse_args(arguments)
    try:
        drive = load_drive(chosen.drive)
        estimator = HeadPoseEstimator.load(chosen.model, chosen.device)
        seen = {'truth': perceive_truth(drive, _NO_NOISE_DEG, 0.0, 0.0, chosen.seed)}
        for noise in chosen.noise_deg:
            seen[f'truth + {noise:g} deg'] = perceive_truth(drive, noise, chosen.drift_deg, chosen.lost, chosen.seed)
        seen[f'pictures, {estimator.model_name}'] = perceive_pictures(drive, estimator)
    except (ModelError, BagError, ValueError) as error:
        print(f'attention_recorded: {error}', file=sys.stderr)
        return 1
    rows = []
    for name, perceived in seen.items():
        apart = {key: round(value, 3) for key, value in dataclasses.asdict(perception_error(drive, perceived)).items()}
        rows.append(_report(drive, name, decisions_of(drive, perceived), apart))
        for target, (azimuth, elevation) in error_by_target(drive, perceived).items():
            print(f'    {target:20} error of azimuth {azimuth:+.1f}, elevation {elevation:+.1f} deg')
    graph = decisions_of_graph(drive)
    if graph is not None:
        rows.append(_report(drive, 'ROS graph', graph, dict.fromkeys((f.name for f in dataclasses.fields(PerceptionError)), '')))
    if chosen.csv:
        try:
            append_rows(chosen.csv, rows)
        except ValueError as error:
            print(f'attention_recorded: {error}', file=sys.stderr)
            return 1
    return 0


def _report(drive: Drive, name: str, decisions: Sequence[Decision], error: dict[str, Any]) -> dict[str, Any]:
    """Prints the figures of one source of heads, and returns its row."""
    row = {'drive': drive.folder.name, 'way': name, **figures(score(drive.script, decisions)), **error}
    print(f'== {name}')
    print('\n'.join(f'{key:28} {value}' for key, value in row.items() if value != ''))
    for timing in timings(drive.script, decisions):
        print('   ', ' '.join(f'{key} {value}' for key, value in timing.items()))
    for target, zones in confusions(drive.script, decisions).items():
        print(f'    {target:20} decided', ', '.join(f'{zone} {100 * share:.0f} %' for zone, share in list(zones.items())[:4]))
    return row


if __name__ == '__main__':
    sys.exit(main())
