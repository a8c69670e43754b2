"""The rendered evaluation recording: what evaluate_bag says of it is what its own script knows."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip('moderngl', reason="needs the training extra: pip install '.[training]'")

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation.truth.read import read_truth
from c2f_head_pose.geometry import geodesic_deg, rotation_from_quaternion
from c2f_head_pose.recordings.bagfile import BagFile
from training.synthetic.recordings import evaluation as evaluation_recording

pytestmark = [pytest.mark.render, pytest.mark.slow]

FPS = 8.0
START_S, SECONDS = 28.0, 5.0


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """Five seconds from where the second person comes in."""
    path = tmp_path_factory.mktemp('rendered') / 'bag'
    stage = evaluation_recording.write_recording(path, SECONDS, FPS, start_s=START_S)
    return path, stage


def evaluate(recording, folder, *arguments):
    command = [str(recording[0]), '--output', str(folder), '--no-video', '--no-poses', '--max-gap-s', '0.2', *arguments]
    assert evaluate_bag.main(command) == 0
    with (folder / 'frames.csv').open(newline='') as file:
        return json.loads((folder / 'metrics.json').read_text()), list(csv.DictReader(file))


def test_errors_of_both_heads_follow_from_frames_csv_and_the_script(recording, tmp_path):
    record, rows = evaluate(recording, tmp_path, '--truth', '/truth/heads')
    rows = [r for r in rows if r['event'] == 'matched']
    errors = []
    for row in rows:
        t = START_S + int(row['frame']) / FPS
        R_true = {name: R for name, R, _ in recording[1].truth(t)}[row['head']]
        R = rotation_from_quaternion(np.array([float(row[c]) for c in ('qx', 'qy', 'qz', 'qw')]))
        errors.append(np.degrees(np.arccos(np.clip((np.trace(R_true.T @ R) - 1) / 2, -1, 1))))
    assert record['overall']['geodesic_deg']['mean'] == pytest.approx(np.mean(errors), abs=0.01)
    assert record['overall']['geodesic_deg']['p95'] == pytest.approx(np.percentile(errors, 95), abs=0.02)
    assert {r['head'] for r in rows} == {'first', 'second'}
    true_heads = sum(len(recording[1].truth(START_S + k / FPS)) for k in range(round(SECONDS * FPS)))
    assert record['overall']['detection']['true_heads'] == true_heads
    assert len(rows) == true_heads - record['overall']['detection']['missed']
    assert all(r['z_m'] for r in rows)
    assert 'depth /camera/depth/image_raw' in record['recordings'][0]['topics']


def test_the_planted_truth_is_late_and_turned_as_planted(recording):
    """The planted truth at t + 80 ms, turned by 5 degrees, is the truth at t."""
    with BagFile(recording[0]) as bag:
        straight, planted = (read_truth(bag, [topic], 'camera_optical').heads[0] for topic in ('/truth/heads', '/truth/planted'))
    at_s = straight.stamps_s[5:100]
    R = np.array([rotation_from_quaternion(q) for q in straight.at(at_s, 0.2)[0]])
    R_planted = np.array([rotation_from_quaternion(q) for q in planted.at(at_s + 0.08, 0.2)[0]])
    assert geodesic_deg(R_planted @ evaluation_recording.PLANTED_MOUNT, R).max() < 0.05
    assert geodesic_deg(R_planted, R) == pytest.approx(5.0, abs=0.05)
