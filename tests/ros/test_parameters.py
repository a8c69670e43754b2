from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from c2f_head_pose.estimator import EstimatorOptions
from c2f_head_pose.parameters import DECIMAL_POINTS, ParameterError, Parameters, nearest_name
from c2f_head_pose.ros import parameters


def test_every_option_of_the_estimator_is_a_parameter_with_the_same_default():
    options = EstimatorOptions()
    assert {option.name: getattr(options, option.name) for option in fields(EstimatorOptions)}.items() <= vars(Parameters()).items()
    assert Parameters(max_faces=3).estimator_options() == EstimatorOptions(max_faces=3)


def test_the_committed_yaml_is_the_generated_one_and_holds_the_defaults():
    text = (Path(__file__).parents[2] / 'config' / 'head_pose.yaml').read_text()
    assert text == parameters.yaml_text(), 'run: python -m c2f_head_pose.ros.parameters --yaml > config/head_pose.yaml'
    assert Parameters.from_values(yaml.safe_load(text)['/**']['ros__parameters']) == Parameters()


def test_the_markdown_table_has_a_row_for_every_parameter():
    rows = parameters.markdown_table().splitlines()[2:]
    assert [row.split('`')[1] for row in rows] == [row.name for row in fields(Parameters)]


@pytest.mark.parametrize(
    'name, value, remedy',
    [
        ('detection_threshold', 1.5, '0.01 to 0.99'),
        ('detection_threshold', float('nan'), '0.01 to 0.99'),
        ('detection_threshold', '0.5', 'a number'),
        ('max_faces', 0, '1 to 100'),
        ('max_faces', 2.5, 'an integer'),
        ('max_faces', True, 'an integer'),
        ('max_faces', 10**400, '1 to 100'),
        ('silence_timeout_s', 10**400, '0.1 to 4.5'),
        ('device', 'gpu', 'auto, cpu or cuda'),
        ('smoothing', 1, 'true or false'),
        ('model', ' ', 'a string'),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_the_value_and_what_it_may_be(name, value, remedy):
    with pytest.raises(ParameterError) as error:
        Parameters.from_values({name: value})
    assert name in str(error.value) and repr(value) in str(error.value) and remedy in str(error.value)


@pytest.mark.parametrize(
    'value', [[0, 0, 1], [0, 0, 1, 1.5], ['a', 0, 1, 1], 'all', [0.5, 0, 0.5, 1], [0, 0, float('nan'), 1], [0, 0, 1, 10**400]]
)
def test_a_wrong_region_is_refused_with_what_it_may_be(value):
    with pytest.raises(ParameterError, match=r'seat_region (cannot|must) be'):
        Parameters.from_values({'seat_region': value})
    assert Parameters.from_values({'seat_region': [0, 0, 0.5, 1]}).seat_region == (0.0, 0.0, 0.5, 1.0)


def test_a_list_that_ros2_param_set_hands_over_as_a_text_is_refused_with_the_remedy():
    """As it does with one of whole numbers and others."""
    with pytest.raises(ParameterError, match=rf"mount_position_m cannot be '\[0.5, 0, 1\]': use 3 numbers.*; {DECIMAL_POINTS}$"):
        Parameters.from_values({'mount_position_m': '[0.5, 0, 1]'})


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(ParameterError, match=r'threads.*primary_face'):
        Parameters.from_values({'threads': 0, 'primary_face': 'tallest'})


def test_a_whole_number_is_taken_for_a_number():
    assert Parameters.from_values({'rescan_period_s': 2}).rescan_period_s == 2.0


def test_the_model_is_fixed_once_loaded_and_the_rest_of_the_change_with_it():
    with pytest.raises(ParameterError, match=r"model cannot become 'other'.*cleanup"):
        Parameters().changed({'model': 'other', 'max_faces': 2}, configured=True)
    assert Parameters().changed({'model': 'other'}, configured=False).model == 'other'
    assert Parameters().changed({'max_faces': 2}, configured=True).max_faces == 2


@pytest.mark.parametrize('bound', ['minimum', 'maximum'])
def test_the_estimator_takes_both_ends_of_every_range(bound):
    values = {
        row.name: row.metadata[bound]
        for row in fields(Parameters)
        if row.metadata[bound] is not None and not isinstance(row.default, tuple)
    }
    assert Parameters.from_values({name: type(getattr(Parameters(), name))(value) for name, value in values.items()})


def test_a_misspelt_name_leads_to_the_right_one():
    assert nearest_name('detection_treshold') == 'detection_threshold'
    assert nearest_name('zzz') is None
