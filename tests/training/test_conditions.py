"""Figures by group and over time are what they say."""

from types import SimpleNamespace

import numpy as np
import pytest

from c2f_head_pose import geometry
from c2f_head_pose.types import FaceBox
from training.evaluation.clusters import clustered_se
from training.studies import conditions, temporal
from training.synthetic import stand_in
from training.synthetic.layout import COVERINGS, EYEWEAR, LIGHTS, OCCLUDERS


def test_a_planted_bias_shows_in_its_group_alone():
    """Forty frontal faces: women's pitch is 4 degrees too high, men's right; the mean of all is 2 with se 2 / sqrt(40)."""
    turn = geometry.rotation_from_ypr_deg(np.array([[0.0, 4, 0], [0, 0, 0]]))
    truth = np.repeat(geometry.rotation_from_ypr_deg(np.zeros((1, 3))), 40, 0)
    table = {name: np.zeros(40, int) for name in ('eyewear', 'covering', 'light', 'occluder')} | {'identity': np.arange(40)}
    who = {i: (('female', 'male')[i % 2], '16 to 29 years', 'asian') for i in range(40)}
    rows = conditions.by_group(conditions.Answers(truth, turn[np.arange(40) % 2], np.zeros((40, 4)), table), who)
    found = {row['group']: row for row in rows}
    assert found['female']['pitch_offset'] == pytest.approx(4) and found['female']['geodesic'] == pytest.approx(4, abs=1e-3)
    assert found['male']['pitch_offset'] == pytest.approx(0, abs=1e-9)
    assert found['all']['pitch_offset'] == pytest.approx(2) and found['all']['pitch_offset_se'] == pytest.approx(2 / 40**0.5)
    assert {'asian', EYEWEAR[0], COVERINGS[0], LIGHTS[0], OCCLUDERS[0]} <= set(found)


def test_a_standard_error_is_that_of_people_however_many_pictures_each_has():
    """People with 1 and 3, 5 and 7: off the mean of 4 by -3 - 1 = -4 and 1 + 3 = 4 in sum: sqrt(16 + 16) / 4 = 1.41.

    Each picture thrice: sums and n are three times as large. Pictures taken for independent would give 2.24 / sqrt(4) = 1.12 and then 0.65.
    """
    values, person = np.array([1.0, 3, 5, 7]), np.array([8, 8, 2, 2])
    assert clustered_se(values, person) == pytest.approx(2**0.5)
    assert clustered_se(np.tile(values, 3), np.tile(person, 3)) == pytest.approx(2**0.5)
    assert clustered_se(values, np.arange(4)) == pytest.approx(values.std() / 2)


def robust_answers(copies):
    """Six people, one pose each, read 1 to 6 degrees too far to the left, each pose under as many lights."""
    truth = geometry.rotation_from_ypr_deg(np.array([[20.0, 10, 0], [-20, 10, 0], [20, -10, 0], [30, 10, 0], [-30, 10, 0], [30, -10, 0]]))
    R = geometry.rotation_from_ypr_deg(geometry.ypr_deg_from_rotation(truth) + np.outer(np.arange(1, 7), [1, 0, 0]))
    logits = np.eye(4)[geometry.category_index(truth)]
    logits[0] = logits[0, ::-1]  # the first one's category is wrong
    table = {'identity': np.arange(6), 'R_cam_head': truth} | {
        name: np.zeros(6, int) for name in ('eyewear', 'covering', 'light', 'occluder')
    }
    return conditions.Answers(truth, R, logits, table).of(np.repeat(np.arange(6), copies))


def test_a_pose_under_many_lights_makes_no_figure_more_certain():
    """Yaw is 1 to 6 off: 3.5, deviation sqrt(35 / 12), standard error that over sqrt(6) = 0.70; five of six categories are right: 83.3,
    standard error sqrt(5 / 36 / 6) = 15.2 %. Eleven lights of each change the number of pictures alone.
    """
    once, often = (conditions.of_robustness(robust_answers(copies)) for copies in (1, 11))
    assert (once['n'], once['people'], once['poses']) == (6, 6, 6) and (often['n'], often['people'], often['poses']) == (66, 6, 6)
    assert once['yaw'] == pytest.approx(3.5) and once['yaw_se'] == pytest.approx((35 / 12 / 6) ** 0.5)
    assert once['coarse'] == pytest.approx(500 / 6) and once['coarse_se'] == pytest.approx(100 * (5 / 216) ** 0.5)
    assert {name: often[name] for name in once if name != 'n'} == pytest.approx({name: once[name] for name in once if name != 'n'})
    assert set(once) <= set(conditions.FIELDS)


def test_a_group_counts_its_people_and_its_error_is_over_them():
    """Each of six people in four pictures: 24 pictures make the groups no more certain than six."""
    who = dict.fromkeys(range(6), ('female', '16 to 29 years', 'asian'))
    one, more = (conditions.by_group(robust_answers(copies), who)[0] for copies in (4, 8))
    assert (one['n'], one['people'], more['n'], more['people']) == (24, 6, 48, 6)
    assert one['geodesic_se'] == pytest.approx(more['geodesic_se']) and one['pitch_offset_se'] == pytest.approx(more['pitch_offset_se'])
    assert set(one) <= set(conditions.FIELDS)


def test_poses_out_of_use_and_small_groups_are_left_out():
    """Of 40, twenty look 80 degrees up; the rest split 20 and 0: one group remains."""
    truth = geometry.rotation_from_ypr_deg(np.array([[0.0, 0, 0], [0, 80, 0]]))[np.arange(40) % 2]
    table = {name: np.zeros(40, int) for name in ('eyewear', 'covering', 'light', 'occluder')} | {'identity': np.arange(40)}
    who = {i: (('female', 'male')[i % 2], '16 to 29 years', 'asian') for i in range(40)}
    rows = conditions.by_group(conditions.Answers(truth, truth, np.zeros((40, 4)), table), who)
    assert [row['group'] for row in rows if row['by'] == 'sex'] == ['female'] and rows[0]['n'] == 20


def test_a_constant_error_is_no_jitter_and_a_frame_without_a_pose_is_counted():
    """Four frames, one without a face; the others 5 degrees off in the same way."""
    box = FaceBox(10, 10, 50, 50)
    frames = [SimpleNamespace(R_cam_head=geometry.rotation_from_ypr_deg(np.array([float(i), 0, 0])), box=box, i=i) for i in range(4)]
    off = geometry.rotation_from_vector(np.radians([0.0, 0, 5.0]))

    def estimate(frame):
        return [] if frame.i == 2 else [SimpleNamespace(R_cam_head=off @ frame.R_cam_head, box=box)]

    assert temporal.figures(frames, estimate) == pytest.approx({'found': 0.75, 'geodesic': 5, 'jitter': 0}, abs=1e-3)


def test_robustness_on_people_that_were_trained_on_is_refused(tmp_path, capsys):
    """Eight of a stand-in population's ten train; the same seed makes the same ten."""
    stand_in.write(tmp_path / 'heads', 20, 48, seed=1)
    stand_in.write(tmp_path / 'own' / 'blur', 20, 48, seed=2)
    stand_in.write(tmp_path / 'same' / 'blur', 20, 48, seed=1)
    conditions.refuse_people_seen_in_training(tmp_path / 'heads', tmp_path / 'own')
    assert conditions.main(['c2f_edge', '--data', str(tmp_path / 'heads'), '--robustness', str(tmp_path / 'same')]) == 2
    told = capsys.readouterr().err
    assert told.startswith('error: ') and 'blur shows 8 people' in told and '--seed' in told


def test_nothing_to_measure_on_is_refused(capsys):
    with pytest.raises(SystemExit):
        conditions.main(['c2f_edge'])
    assert '--data, --robustness or both' in capsys.readouterr().err


@pytest.mark.parametrize('seconds', ['-1', '0', '0.01', 'nan', 'inf'])
def test_a_recording_of_no_length_is_refused(seconds, monkeypatch, capsys):
    monkeypatch.setattr(temporal, 'render_sequence', lambda *_, **__: pytest.fail('rendered'))
    with pytest.raises(SystemExit):
        temporal.main(['c2f_edge', '--seconds', seconds])
    assert '--seconds' in capsys.readouterr().err


@pytest.mark.parametrize('model, said', [('nosuch', "no model 'nosuch'"), ('c2f_depth', 'c2f_depth reads depth')])
def test_a_model_that_cannot_be_run_is_reported_before_anything_is_rendered(model, said, monkeypatch, capsys):
    monkeypatch.setattr(temporal, 'render_sequence', lambda *_, **__: pytest.fail('rendered'))
    assert temporal.main([model]) == 2
    assert f'error: {said}' in capsys.readouterr().err


def test_portraits_have_no_such_groups(tmp_path):
    (tmp_path / 'identities.csv').write_text('id,name\n0,A000360\n')
    with pytest.raises(ValueError, match='has no age and ethnicity of its people'):
        conditions.people(tmp_path)
