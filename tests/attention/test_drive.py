"""The scripted drive and its figures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from c2f_head_pose.attention.vehicle_profile import load_zones
from c2f_head_pose.evaluation.attention.drive import Decision, NoisyHeads, append_rows, judge, score
from c2f_head_pose.evaluation.attention.script import Distraction, Glance, Script, head_deg, scripted_drive
from c2f_head_pose.geometry import rotation_vector

ROOT = Path(__file__).parents[2]
LHD, RHD = (load_zones(ROOT / f'config/zones_passenger_car_{side}hd.yaml') for side in 'lr')


def test_without_noise_a_drive_is_judged_without_an_error():
    """Every steady frame in its zone, every distraction found, nobody called distracted otherwise, either hand of drive.

    The delay is timed from the middle of the head's turn. The face leaves the road's zone before that (a far target) or after (a
    near one), by less than the turn of 0.3 s, and a frame comes every 0.1 s: at most 0.25 s for long distractions. Short ones sum
    seven glances: at most 7 * 0.15 + 0.1 s.
    """
    script = scripted_drive(5, seed=4)
    for zones, right in ((LHD, False), (RHD, True)):
        result = score(script, judge(script, NoisyHeads(0.1, 0.1, 3.0, 10, 0.0, 1), zones, 10, zones.head_share, (0, 0), right))
        assert result.zone_accuracy == 1.0 and result.road_accuracy == 1.0
        assert (result.long_missed, result.short_missed, result.false_alarms_per_hour, result.attentive_share) == (0, 0, 0.0, 1.0)
        assert result.long_distractions >= 2 and abs(result.long_delay_worst_s) < 0.25
        assert result.short_distractions >= 1 and abs(result.short_delay_worst_s) < 1.15


def test_at_four_degrees_of_noise_nothing_is_missed_and_nobody_falsely_alarmed():
    """4 degrees of independent and 2 of drifting error per axis: neighbouring zones blur, the decision does not."""
    script = scripted_drive(6, seed=2)
    result = score(script, judge(script, NoisyHeads(4.0, 2.0, 3.0, 15, 0.01, 1), LHD, 15, LHD.head_share, (0, 0)))
    assert (result.long_missed, result.short_missed, result.false_alarms_per_hour) == (0, 0, 0.0)
    assert result.attentive_share > 0.98 and result.road_accuracy > 0.93 and result.zone_accuracy > 0.85


def test_a_lizard_glance_is_missed_and_counted_as_missed():
    """A driver who turns the head by a quarter of the way only: the limit of judging heads, to be seen rather than hidden."""
    script = scripted_drive(6, seed=2)
    result = score(script, judge(script, NoisyHeads(1.0, 0.5, 3.0, 10, 0.0, 1), LHD, 10, (0.25, 0.2), (0, 0)))
    assert result.long_missed > 0 and result.zone_accuracy_balanced < 0.5


def test_the_score_counts_the_reported_states():
    """40 s at 10 Hz: road, the lap from 10.0 to 14.0, road. Called distracted from 13.5 to 15.0, and falsely from 30.0 to 31.0.

    Due at 13.0 and timed from the middle of the turn, 0.15 s later: a delay of 13.5 - 13.0 - 0.15 = 0.35 s. Attentive driving is
    from 2.0 on without 10.0 to 18.0: 40 - 2 - 8.1 = 29.9 s, with one false alarm: 1 / (29.9 / 3600) per hour. Steady frames: all
    but 3 after each of the 3 beginnings: 391; said to be the road throughout, wrong for the lap's 40 - 3 = 37.
    """
    glances = Glance(0, 'road_ahead'), Glance(10, 'lap'), Glance(14, 'road_ahead')
    script = Script(glances, (Distraction('long', 10, 14, 13.0),), 40.0)
    said = [Decision(i / 10, 'distracted' if 135 <= i < 150 or 300 <= i < 310 else 'attentive', 'road_ahead') for i in range(400)]
    result = score(script, said)
    assert (result.long_distractions, result.long_missed, result.short_distractions) == (1, 0, 0)
    assert result.long_delay_mean_s == result.long_delay_worst_s == pytest.approx(0.35)
    assert result.hours_attentive == pytest.approx(29.9 / 3600)
    assert result.false_alarms_per_hour == pytest.approx(3600 / 29.9)
    assert result.attentive_share == pytest.approx(1 - 10 / 299)
    assert result.zone_accuracy == pytest.approx(1 - 37 / 391)
    assert result.by_target == {'lap': 0.0, 'road_ahead': 1.0}
    assert score(script, [Decision(s.stamp_s, 'attentive', s.zone) for s in said]).long_missed == 1


def test_heads_turn_smoothly_to_their_share_of_the_target():
    """From the road (0, -1) to the lap (-13, -50) with shares 0.8 and 0.7 and a rest of (2, 1): (-8.4, -34); half way after
    half the turn."""
    script = Script((Glance(0, 'road_ahead'), Glance(1, 'lap')), (), 2.0)
    before, middle, after = head_deg(script, np.array([0.5, 1.15, 1.3]), (0.8, 0.7), (2, 1))
    assert before == pytest.approx([2, 0.3])
    assert after == pytest.approx([-8.4, -34])
    assert middle == pytest.approx((before + after) / 2)


def test_the_noise_is_as_stated_and_as_claimed():
    """White 3 and drifting 4 degrees per axis: 5 in all, which the pose claims; a tenth of the faces is lost."""
    heads = NoisyHeads(3.0, 4.0, 0.5, 30, 0.1, 5)
    poses = [heads(0.0, np.eye(3)) for _ in range(6000)]
    errors = np.degrees([rotation_vector(p[0].R_cam_head) for p in poses if p])
    assert errors.std(axis=0) == pytest.approx([5, 5, 5], rel=0.1)
    assert poses[0][0].rotation_std_deg == pytest.approx([5, 5, 5])
    assert np.mean([not p for p in poses]) == pytest.approx(0.1, abs=0.015)


def test_the_command_writes_a_script_and_scores_decisions_made_elsewhere(tmp_path):
    """The seam for renders: heads out, decisions in."""

    def run(*args):
        command = [sys.executable, '-m', 'c2f_head_pose.evaluation.attention.drive', '--minutes', '1.5', '--rate-hz', '10', *args]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    run('--write-script', str(tmp_path / 'drive.json'))
    drive = json.loads((tmp_path / 'drive.json').read_text())
    assert len(drive['heads_deg']) == 900 and drive['glances'] and drive['distractions']
    begins = [g['begin_s'] for g in drive['glances']]
    targets = [drive['glances'][np.searchsorted(begins, i / 10, side='right') - 1]['target'] for i in range(900)]
    (tmp_path / 'said.json').write_text(json.dumps([{'stamp_s': i / 10, 'state': 'attentive', 'zone': t} for i, t in enumerate(targets)]))
    printed = run('--decisions', str(tmp_path / 'said.json'), '--csv', str(tmp_path / 'drive.csv'))
    assert 'zone_accuracy            1.0' in printed
    assert f'long_missed              {sum(d["kind"] == "long" for d in drive["distractions"])}' in printed
    assert (tmp_path / 'drive.csv').read_text().count('\n') == 2


def test_the_command_runs_outside_of_the_checkout_and_names_zones_that_do_not_exist(tmp_path):
    def run(*args):
        command = [sys.executable, '-m', 'c2f_head_pose.evaluation.attention.drive', '--minutes', '1', '--rate-hz', '5', *args]
        return subprocess.run(command, cwd=tmp_path, env=os.environ | {'PYTHONPATH': str(ROOT)}, capture_output=True, text=True)

    assert 'passenger_car_lhd' in run().stdout
    for zones, words in (('truck', 'shipped are passenger_car_lhd'), ('own.yaml', 'No such file')):
        ended = run('--zones', zones)
        assert ended.returncode == 2 and words in ended.stderr.splitlines()[-1] and 'Traceback' not in ended.stderr


def test_rows_are_appended_to_a_file_with_the_same_columns_only(tmp_path):
    path = tmp_path / 'drive.csv'
    append_rows(path, [{'a': 1, 'b': 2}])
    append_rows(path, [{'a': 3, 'b': 4}])
    before = path.read_bytes()
    assert before == b'a,b\r\n1,2\r\n3,4\r\n'
    for other in ({'a': 5}, {'b': 5, 'a': 6}, {'a': 5, 'b': 6, 'c': 7}):
        with pytest.raises(ValueError, match='other columns'):
            append_rows(path, [other])
    assert path.read_bytes() == before
