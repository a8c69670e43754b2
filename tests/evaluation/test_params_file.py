"""`evaluate_bag --params-file` evaluates the parameters that the node runs with."""

import json
from pathlib import Path

import pytest
from bag_making import Scene, scene_recording, write_bag

from c2f_head_pose.evaluation.bag import main
from c2f_head_pose.evaluation.command_line import parse
from c2f_head_pose.evaluation.evaluate import Options, load_estimator
from c2f_head_pose.options import EstimatorOptions
from c2f_head_pose.params_files import read_params

CONFIG = Path(__file__).parents[2] / 'config'


def options(*arguments) -> Options:
    return parse(['bag', '--output', 'out', *map(str, arguments)])[1]


@pytest.fixture
def file(tmp_path):
    def write(*lines, node='/**'):
        path = tmp_path / 'mine.yaml'
        path.write_text('\n    '.join([f'{node}:\n  ros__parameters:', *lines]) + '\n')
        return path

    return write


def test_the_estimator_runs_with_the_parameters_of_the_file(file):
    path = file('detection_threshold: 0.4', 'track_timeout_s: 2', 'smoothing: false', 'max_faces: 3', 'model: c2f', 'threads: 2')
    chosen = options('--params-file', path)
    assert (chosen.model, chosen.threads, chosen.device) == ('c2f', 2, 'auto')
    wanted = EstimatorOptions(detection_threshold=0.4, track_timeout_s=2.0, smoothing=False, max_faces=3)
    assert chosen.estimator_options == wanted
    estimator = load_estimator(options('--params-file', path, '--model', 'c2f_edge'))
    assert estimator.options == wanted


def test_an_option_on_the_command_line_comes_before_the_file(file):
    """Also one that is given with its default, as --max-faces 10."""
    path = file('max_faces: 3', 'min_face_px: 40', 'image_rotation: 90', 'model: c2f')
    chosen = options('--max-faces', 10, '--params-file', path, '--model', 'c2f_edge', '--no-smoothing')
    assert chosen.model == 'c2f_edge'
    assert chosen.estimator_options == EstimatorOptions(max_faces=10, min_face_px=40, image_rotation=90, smoothing=False)
    assert options('--params-file', '') == options()


def test_the_shipped_profiles_are_accepted_and_what_has_no_effect_is_known():
    chosen = options('--params-file', CONFIG / 'driver_monitoring.yaml')
    assert chosen.estimator_options == EstimatorOptions(
        max_faces=2, track_timeout_s=2.0, detection_threshold=0.5, seat_region=(0.15, 0.0, 0.85, 1.0)
    )
    assert chosen.unused_parameters == ['primary_face', 'neutral']
    chosen = options('--params-file', CONFIG / 'head_pose.yaml')
    assert chosen.estimator_options == EstimatorOptions() and chosen.unused_parameters == []


@pytest.mark.parametrize(
    ('line', 'node', 'words'),
    [
        ('detection_treshold: 0.5', '/**', 'parameter detection_treshold is not known, did you mean detection_threshold?'),
        ('changed: 1', '/**', 'parameter changed is not known'),
        ('detection_threshold: 1.5', '/**', 'detection_threshold cannot be 1.5: use a number, 0.01 to 0.99'),
        ('max_faces: two', '/**', "max_faces cannot be 'two': use an integer, 1 to 100"),
        ('max_faces: 2', 'attention', 'has no effect: it is for /attention; begin it with /**: or /head_pose:'),
        ('max_faces: [', '/**', 'not YAML'),
    ],
)
def test_a_file_that_does_not_say_what_the_node_runs_with_is_refused(file, capsys, line, node, words):
    with pytest.raises(SystemExit) as refused:
        options('--params-file', file(line, node=node))
    said = capsys.readouterr().err
    assert refused.value.code == 2 and 'argument --params-file: ' in said and words in said


def test_a_file_that_is_missing_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        options('--params-file', tmp_path / 'missing.yaml')
    assert 'missing.yaml' in capsys.readouterr().err


def test_of_several_values_the_last_counts_as_in_ros_and_those_of_every_node_are_left_out(tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text(
        'head_pose: {ros__parameters: {max_faces: 1, lazy: true, use_sim_time: true}}\n'
        '/**: {ros__parameters: {max_faces: 2, qos_overrides: {/tf: {publisher: {depth: 1}}}}}\n'
        '/rear/head_pose: {ros__parameters: {max_faces: 3}}\n'
    )
    assert read_params(path, '/head_pose') == {'max_faces': 2, 'lazy': True}


def test_recorded_poses_have_no_use_for_the_file(tmp_path, file, capsys):
    arguments = [str(tmp_path / 'bag'), '--output', str(tmp_path / 'out'), '--recorded-topic', '/poses']
    assert main([*arguments, '--params-file', str(file('max_faces: 3'))]) == 2
    assert 'leave out --params-file: no estimator runs with --recorded-topic' in capsys.readouterr().err


def test_metrics_json_has_the_parameters_and_the_report_names_those_without_effect(tmp_path):
    bag = write_bag(tmp_path / 'bag', scene_recording(Scene(duration_s=0.2, rate_hz=10.0), truth='none'))
    main([str(bag), '--output', str(tmp_path / 'out'), '--no-video', '--params-file', str(CONFIG / 'driver_monitoring.yaml')])
    record = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    used = record['environment']['parameters']
    assert (used['detection_threshold'], used['track_timeout_s'], used['max_faces'], used['smoothing_beta']) == (0.5, 2.0, 2, 3.0)
    (note,) = [note for note in record['recordings'][0]['notes'] if '--params-file' in note]
    assert note.endswith('have no effect here: primary_face, neutral')
