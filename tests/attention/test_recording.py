"""A rendered drive: pictures, bag and truth from the script, and the offline and ROS ways to judge it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from c2f_head_pose.attention.zones import azimuth_elevation_deg, camera_mount
from c2f_head_pose.estimator import HeadPoseEstimator
from c2f_head_pose.evaluation.attention.drive import Decision
from c2f_head_pose.evaluation.attention.recorded import (
    GRAPH_FILE,
    confusions,
    count_upper_bound,
    decisions_of,
    decisions_of_graph,
    error_by_target,
    load_drive,
    perceive_pictures,
    perceive_truth,
    perception_error,
    timings,
    until,
)
from c2f_head_pose.evaluation.attention.script import Distraction, Glance, Script, head_deg
from c2f_head_pose.geometry import geodesic_deg, rotation_vector

ROOT = Path(__file__).parents[2]
SECONDS = 5.0


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    """Five seconds at 4 Hz: road until the first glance at 4.0 s, 20 pictures."""
    from training.synthetic.recordings.attention import Settings, render

    settings = Settings(minutes=1.0, rate_hz=4.0, zones=str(ROOT / 'config/zones_passenger_car_lhd.yaml'))
    folder = tmp_path_factory.mktemp('attention') / 'drive'
    assert render(folder, settings, SECONDS) == 20
    return folder, settings


@pytest.mark.render
def test_the_truth_is_the_scripts_heads_seen_by_the_mounted_camera(rendered):
    """A living head moves by up to 2.0, 1.6 and 2.0 degrees about the script's direction."""
    drive = load_drive(rendered[0])
    wanted = head_deg(drive.script, np.arange(20) / 4, drive.zones.head_share, (0, 0))
    mount = camera_mount(180, 15)
    truth = np.array([azimuth_elevation_deg(mount @ R[:, 0]) for R in drive.R_cam_head])
    assert np.abs(truth - wanted).max() < 2.01
    assert drive.script.end_s == SECONDS and drive.script.distractions == ()


@pytest.mark.render
def test_the_drawn_face_turns_with_the_truth(rendered):
    """From road to mirror, by the landmarks of brows, nose and eyes; the skin of the neck pulls them by a tenth of a degree."""
    from training.synthetic.recordings.attention import Cabin

    cabin = Cabin(replace(rendered[1], minutes=1.0))
    turned = int(np.argmax(np.abs(cabin.head_deg[:, 0])))
    (R_a, bones_a, _), (R_b, bones_b, _) = cabin._place(0), cabin._place(turned)
    a, b = (cabin._person(k).landmarks_in_camera(bones)[17:48] for k, bones in ((0, bones_a), (turned, bones_b)))
    u, _, v = np.linalg.svd((b - b.mean(0)).T @ (a - a.mean(0)))
    R = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    assert geodesic_deg(R_a, R_b) > 20 and geodesic_deg(R @ R_a, R_b) < 0.5


@pytest.mark.render
def test_a_picture_that_is_missing_is_rendered_again_and_the_same(rendered):
    from training.synthetic.recordings.attention import render

    folder, settings = rendered
    picture = folder / 'frames' / '000007.jpg'
    before = picture.read_bytes()
    picture.unlink()
    assert render(folder, settings, SECONDS) == 20
    assert picture.read_bytes() == before
    with pytest.raises(ValueError, match='other settings'):
        render(folder, replace(settings, script_seed=5), SECONDS)


@pytest.mark.render
def test_the_driver_is_found_in_every_picture_and_judged_on_the_scripts_time(rendered):
    """The shipped network's accuracy is not this test's: only that pictures, calibration, mount and stamps belong together."""
    drive = load_drive(rendered[0])
    perceived = perceive_pictures(drive, HeadPoseEstimator.load('c2f_edge', 'cpu'))
    error = perception_error(drive, perceived)
    assert error.lost == 0 and error.geodesic_mean_deg < 25
    said = decisions_of(drive, perceived)
    assert [s.stamp_s for s in said] == pytest.approx(np.arange(20) / 4)
    assert sum(sum(zones.values()) for zones in confusions(drive.script, said).values()) == pytest.approx(2)
    truth = decisions_of(drive, perceive_truth(drive, 0.1, 0.0, 0.0, 1))
    assert [s.zone for s in truth[:16]] == ['road_ahead'] * 16 and truth[-1].state == 'attentive'


@pytest.mark.ros
@pytest.mark.render
@pytest.mark.slow
def test_the_drive_goes_through_the_real_graph(rendered):
    pytest.importorskip('rclpy')
    import subprocess
    import sys

    folder = rendered[0]
    played = subprocess.run(
        [sys.executable, '-m', 'c2f_head_pose.ros.measure.attention_drive', str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert played.returncode == 0, played.stderr
    drive, record = load_drive(folder), json.loads((folder / GRAPH_FILE).read_text())
    assert record['sent'] == 20 and record['decided'] > 0
    said = decisions_of_graph(drive)
    assert len(said) == 20 and {s.zone for s in said} != {'unknown'}


SCRIPT = Script(
    (Glance(0, 'road_ahead'), Glance(10, 'lap'), Glance(14, 'road_ahead'), Glance(20, 'centre_screen'), Glance(26, 'road_ahead')),
    (Distraction('long', 10, 14, 13.0), Distraction('long', 20, 26, 23.0)),
    30.0,
)


def test_a_scripts_beginning_keeps_the_distractions_that_are_over():
    assert [d.begin_s for d in until(SCRIPT, 25.0).distractions] == [10]
    assert len(until(SCRIPT, 14.1).glances) == 3 and until(SCRIPT, 14.1).distractions == ()
    assert until(SCRIPT, 99.0).end_s == 30.0


def test_the_time_of_each_reported_distraction_is_listed():
    """Due 3.0 s after the middle of the turn of 0.3 s. The first is said at 13.5; the second is missed."""
    said = [Decision(i / 10, 'distracted' if 135 <= i < 150 else 'attentive', 'lap') for i in range(300)]
    first, second = timings(SCRIPT, said)
    assert (first['target'], first['due_s'], first['decided_s'], first['decided_before']) == ('lap', 13.15, 13.5, False)
    assert (second['target'], second['decided_s']) == ('centre_screen', None)
    assert timings(SCRIPT, [replace(s, state='distracted') for s in said])[0]['decided_before']


def test_confusions_between_zones_are_counted_outside_head_turns():
    """The lap from 10.0 to 14.0 at 10 Hz: 40 frames less 3 of the turn; ten of them said to be the cluster."""
    said = [Decision(i / 10, 'attentive', 'instrument_cluster' if 110 <= i < 120 else 'lap') for i in range(300)]
    assert confusions(SCRIPT, said)['lap'] == {'lap': pytest.approx(27 / 37), 'instrument_cluster': pytest.approx(10 / 37)}


@pytest.mark.parametrize('count, bound', [(0, 2.996), (1, 4.744), (5, 10.513)])
def test_few_events_bound_their_rate(count, bound):
    """One-sided 95 % limits of a Poisson mean, as tabulated: half the chi-square quantile with 2 (n + 1) degrees of freedom."""
    assert count_upper_bound(count) == pytest.approx(bound, abs=2e-3)


def test_the_error_of_true_heads_with_noise_is_the_noise(tmp_path):
    """Without pictures: heads that look straight back into a camera, 3 degrees of noise per axis."""
    R = np.tile(np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]), (4000, 1, 1))
    settings = {
        'rate_hz': 10.0,
        'zones': str(ROOT / 'config/zones_passenger_car_lhd.yaml'),
        'camera_elevation_deg': 0.0,
        'right_hand_drive': False,
    }
    (tmp_path / 'drive.json').write_text(
        json.dumps(
            {
                'settings': settings,
                'glances': [{'begin_s': 0.0, 'target': 'road_ahead'}],
                'distractions': [],
                'end_s': 400.0,
                'start_s': 1000,
                'R_cam_head': R.tolist(),
            }
        )
    )
    drive = load_drive(tmp_path)
    error = perception_error(drive, perceive_truth(drive, 3.0, 0.0, 0.25, 1))
    assert (error.azimuth_std_deg, error.elevation_std_deg) == pytest.approx((3, 3), rel=0.05)
    assert abs(error.azimuth_bias_deg) < 0.2 and abs(error.elevation_bias_deg) < 0.2 and error.lost == pytest.approx(0.25, abs=0.03)
    assert error_by_target(drive, perceive_truth(drive, 0.1, 0.0, 0.0, 1))['road_ahead'] == pytest.approx((0, 0), abs=0.02)
    assert rotation_vector(drive.R_cam_head[0] @ R[0].T) == pytest.approx(np.zeros(3), abs=1e-6)


def test_a_folder_without_a_drive_explains_how_to_make_one(tmp_path):
    with pytest.raises(ValueError, match=r'training[.]synthetic[.]recordings[.]attention'):
        load_drive(tmp_path)
