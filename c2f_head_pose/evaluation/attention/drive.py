"""Evaluates the attention decision on a scripted drive with known glances and a given noise.

    python -m c2f_head_pose.evaluation.attention.drive --minutes 60 --noise-deg 2 4 6 --csv docs/attention_drive.csv

The heads are scripted poses with noise (`NoisyHeads`). For the whole pipeline, write the script (`--write-script drive.json`), render
its `heads_deg` and run them through bag, node and attention; then score the decisions with `--decisions decisions.json`, a list of
{"stamp_s", "state", "zone"}.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...attention.monitor import AttentionMonitor, Motion, State
from ...attention.vehicle_profile import find_zones
from ...attention.zones import ZoneMap, camera_mount
from ...geometry import rotation_from_vector
from ...types import HeadPose
from .script import TURN_S, R_vehicle_face, Script, head_deg, scripted_drive

Perceive = Callable[[float, np.ndarray], 'list[HeadPose] | None']
"""Function from a stamp and the true R_cam_head to the perceived heads; a renderer with the estimator fits here too."""


@dataclass(frozen=True)
class Decision:
    """The decision at one frame.

    Attributes:
        stamp_s: seconds from the start of the drive.
        state: value of attention.State.
        zone: name of the zone, or 'unknown'.
    """

    stamp_s: float
    state: str
    zone: str


@dataclass(frozen=True)
class DriveScore:
    """Figures of the decisions over a drive; times in seconds.

    Attributes:
        hours_attentive: hours of driving outside the scripted distractions.
        zone_accuracy: share of frames, outside head rotations, whose zone is the target's.
        zone_accuracy_balanced: mean over the targets of their zone accuracy.
        road_accuracy: share of the same frames that are correctly on or off the road; 'unknown' counts as wrong.
        long_distractions: number of long distractions in the script.
        long_missed: number of long distractions without a distracted frame.
        long_delay_mean_s: mean delay of the first distracted frame after the due time, over the distractions found.
        long_delay_worst_s: the largest such delay by magnitude.
        short_distractions: number of scripted series of short glances.
        short_missed: see long_missed.
        short_delay_mean_s: see long_delay_mean_s.
        short_delay_worst_s: see long_delay_worst_s.
        false_alarms_per_hour: changes to distracted outside a scripted distraction, per hour of attentive driving.
        attentive_share: share of attentive driving with the state attentive.
        unknown_share: share of attentive driving with the state unknown.
        by_target: zone accuracy of each target.
    """

    hours_attentive: float
    zone_accuracy: float
    zone_accuracy_balanced: float
    road_accuracy: float
    long_distractions: int
    long_missed: int
    long_delay_mean_s: float
    long_delay_worst_s: float
    short_distractions: int
    short_missed: int
    short_delay_mean_s: float
    short_delay_worst_s: float
    false_alarms_per_hour: float
    attentive_share: float
    unknown_share: float
    by_target: dict[str, float]


class NoisyHeads:
    """Adds noise to true poses: an independent error at each frame and a drifting one. The poses state its true standard deviation.

    Args:
        white_deg: standard deviation per axis of the independent error, degrees.
        drift_deg: standard deviation per axis of the drifting error (first-order Gauss-Markov), degrees.
        drift_s: correlation time of the drifting error, seconds.
        rate_hz: rate of the frames.
        lost: share of frames in which no face is found.
        seed: seed of the random numbers.
    """

    def __init__(self, white_deg: float, drift_deg: float, drift_s: float, rate_hz: float, lost: float, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._white_rad, self._drift_rad, self._lost = np.radians(white_deg), np.radians(drift_deg), lost
        self._keep = float(np.exp(-1 / (rate_hz * drift_s)))
        self._drift = self._rng.normal(0, self._drift_rad, 3)
        self._std_deg = np.full(3, float(np.hypot(white_deg, drift_deg)))

    def __call__(self, stamp_s: float, R_cam_head: np.ndarray) -> list[HeadPose] | None:
        """Returns the perceived heads for a true (3, 3) R_cam_head; none in a lost frame."""
        fresh = self._rng.normal(0, 1, 3)
        self._drift = self._keep * self._drift + np.sqrt(1 - self._keep**2) * self._drift_rad * fresh
        error = self._drift + self._rng.normal(0, 1, 3) * self._white_rad
        if self._rng.random() < self._lost:
            return []
        return [HeadPose(R_cam_head @ rotation_from_vector(error), self._std_deg, 'L1', np.full(4, 0.25), track_id=1)]


def judge(
    script: Script,
    perceive: Perceive,
    zones: ZoneMap,
    rate_hz: float,
    share: tuple[float, float],
    rest_deg: tuple[float, float],
    right_hand_drive: bool = False,
    camera_elevation_deg: float = 0.0,
) -> list[Decision]:
    """Runs the monitor on a drive at 100 km/h straight ahead, with a camera that faces back along the car.

    Args:
        script: the drive.
        perceive: returns the perceived heads.
        zones: zones of the vehicle.
        rate_hz: rate of the frames.
        share: see head_deg.
        rest_deg: see head_deg.
        right_hand_drive: mirror the script's directions.
        camera_elevation_deg: elevation of the camera's optical axis, > 0 up.
    """
    mount = camera_mount(180, camera_elevation_deg)
    monitor, motion, decisions = AttentionMonitor(zones, mount), Motion(100 / 3.6, 0.0), []
    stamps = np.arange(int(script.end_s * rate_hz)) / rate_hz
    side = -1 if right_hand_drive else 1
    for stamp_s, (azimuth, elevation) in zip(stamps, head_deg(script, stamps, share, rest_deg)):
        R_vehicle_head = R_vehicle_face(side * azimuth, elevation)
        now = monitor.update(float(stamp_s), perceive(float(stamp_s), mount.T @ R_vehicle_head), motion)
        decisions.append(Decision(float(stamp_s), now.state.value, now.zone))
    return decisions


def score(script: Script, decisions: Sequence[Decision]) -> DriveScore:
    """Compares decisions, one for each frame in order, with the script."""
    stamps = np.array([s.stamp_s for s in decisions])
    begins = np.array([g.begin_s for g in script.glances])
    index = np.searchsorted(begins, stamps, side='right') - 1
    steady = stamps - begins[index] >= TURN_S
    targets = np.array([script.glances[i].target for i in index])
    zones = np.array([s.zone for s in decisions])
    states = np.array([s.state for s in decisions])
    by_target = {t: float(np.mean(zones[steady & (targets == t)] == t)) for t in sorted(set(targets[steady]))}
    known = (zones != 'unknown') & steady
    road_right = known & ((zones == 'road_ahead') == (targets == 'road_ahead'))

    became = states == State.DISTRACTED.value
    became[1:] &= states[:-1] != State.DISTRACTED.value
    attentive = np.ones(len(decisions), bool)
    delays: dict[str, list[float]] = {'long': [], 'short': []}
    for d in script.distractions:
        during = (stamps >= d.begin_s) & (stamps <= d.end_s + TURN_S)
        attentive &= ~((stamps >= d.begin_s) & (stamps <= d.end_s + 4.0))  # and the return to attentive
        first = np.flatnonzero(during & (states == State.DISTRACTED.value))
        if len(first):
            delays[d.kind].append(float(stamps[first[0]] - d.due_s - TURN_S / 2))
    attentive &= stamps >= 2.0
    hours = float(attentive.sum() / max(1, len(decisions)) * script.end_s / 3600)
    return DriveScore(
        hours_attentive=hours,
        zone_accuracy=float(np.mean(zones[steady] == targets[steady])),
        zone_accuracy_balanced=float(np.mean(list(by_target.values()))),
        road_accuracy=float(road_right.sum() / steady.sum()),
        **_timing('long', script, delays),
        **_timing('short', script, delays),
        false_alarms_per_hour=float((became & attentive).sum() / hours) if hours else float('nan'),
        attentive_share=float(np.mean(states[attentive] == State.ATTENTIVE.value)),
        unknown_share=float(np.mean(states[attentive] == State.UNKNOWN.value)),
        by_target=by_target,
    )


def _timing(kind: str, script: Script, delays: dict[str, list[float]]) -> dict[str, Any]:
    scripted, found = sum(d.kind == kind for d in script.distractions), delays[kind]
    return {
        f'{kind}_distractions': scripted,
        f'{kind}_missed': scripted - len(found),
        f'{kind}_delay_mean_s': float(np.mean(found)) if found else float('nan'),
        f'{kind}_delay_worst_s': float(max(found, key=abs)) if found else float('nan'),
    }


def _rows(scores: Iterable[tuple[dict[str, object], DriveScore]]) -> list[dict[str, object]]:
    rows = []
    for settings, result in scores:
        figures = dataclasses.asdict(result)
        by_target = figures.pop('by_target')
        rows.append({**settings, **figures, **{f'accuracy_{name}': value for name, value in by_target.items()}})
    return [{key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()} for row in rows]


def append_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Appends rows to a CSV file, which gets a header if it is new or empty.

    Raises:
        ValueError: for a file with other columns, which the rows would not fit.
    """
    columns = list(rows[0])
    with path.open('a+', newline='') as file:
        file.seek(0)
        header = next(csv.reader(file), None)
        if header not in (None, columns):
            raise ValueError(f'--csv {path} has other columns than these figures, from another version or command; name a new file')
        writer = csv.DictWriter(file, columns)
        if header is None:
            writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Runs a scripted drive, and prints zone accuracy, timing of the states, false alarms and missed distractions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        '--zones', default='passenger_car_lhd', help='name of a shipped vehicle profile, or a path to a .yaml file (default %(default)s)'
    )
    parser.add_argument('--right-hand-drive', action='store_true', help='mirror the script; use matching --zones')
    parser.add_argument('--minutes', type=float, default=10.0)
    parser.add_argument('--rate-hz', type=float, default=30.0)
    parser.add_argument('--noise-deg', type=float, nargs='+', default=[4.0], help='independent error per frame and axis')
    parser.add_argument('--drift-deg', type=float, default=2.0, help='slowly drifting error per axis')
    parser.add_argument('--drift-s', type=float, default=3.0)
    parser.add_argument('--lost', type=float, default=0.01, help='share of frames without a face')
    parser.add_argument(
        '--head-share',
        type=float,
        nargs=2,
        default=None,
        help="fraction of this driver's gaze that the head turns (default: that of the zones)",
    )
    parser.add_argument('--rest-deg', type=float, nargs=2, default=(0.0, 0.0), help='direction of the resting head: azimuth, elevation')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--csv', type=Path)
    parser.add_argument('--write-script', type=Path, help='write the script with its heads as JSON, and exit')
    parser.add_argument('--decisions', type=Path, help='evaluate the decisions in this JSON file')
    parser.add_argument('--said', dest='decisions', type=Path, help=argparse.SUPPRESS)  # the former name
    args = parser.parse_args()

    try:
        zones = find_zones(args.zones)
    except (ValueError, OSError) as error:
        parser.error(f'--zones: {error}')
    script = scripted_drive(args.minutes, args.seed)
    share, rest = tuple(args.head_share or zones.head_share), tuple(args.rest_deg)
    if args.write_script:
        stamps = np.arange(int(script.end_s * args.rate_hz)) / args.rate_hz
        heads = head_deg(script, stamps, share, rest) * [-1 if args.right_hand_drive else 1, 1]
        args.write_script.write_text(
            json.dumps({**dataclasses.asdict(script), 'rate_hz': args.rate_hz, 'heads_deg': heads.round(3).tolist()})
        )
        return
    if args.decisions:
        decisions = [Decision(float(s['stamp_s']), str(s['state']), str(s['zone'])) for s in json.loads(args.decisions.read_text())]
        scores = [({'decisions': args.decisions.name}, score(script, decisions))]
    else:
        scores = []
        for noise in args.noise_deg:
            heads_seen = NoisyHeads(noise, args.drift_deg, args.drift_s, args.rate_hz, args.lost, args.seed)
            decisions = judge(script, heads_seen, zones, args.rate_hz, share, rest, args.right_hand_drive)
            scores.append(
                (
                    {
                        'zones': zones.name,
                        'minutes': args.minutes,
                        'rate_hz': args.rate_hz,
                        'noise_deg': noise,
                        'drift_deg': args.drift_deg,
                        'lost': args.lost,
                        'share_azimuth': share[0],
                        'share_elevation': share[1],
                        'rest_azimuth_deg': rest[0],
                        'rest_elevation_deg': rest[1],
                        'seed': args.seed,
                    },
                    score(script, decisions),
                )
            )
    rows = _rows(scores)
    for row in rows:
        print('\n'.join(f'{key:24} {value}' for key, value in row.items()), end='\n\n')
    if args.csv:
        try:
            append_rows(args.csv, rows)
        except ValueError as error:
            parser.error(str(error))


if __name__ == '__main__':
    main()
