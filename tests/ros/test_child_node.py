"""The graph of the demo and the measurements, apart from others."""

import os

import pytest

from c2f_head_pose.ros.child_node import isolate_graph

RANGE, ONLY = 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY'


@pytest.fixture
def distribution(request, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', request.param)
    for variable in ('ROS_DOMAIN_ID', RANGE, ONLY):
        monkeypatch.setenv(variable, '')  # so that it is restored
        monkeypatch.delenv(variable)


@pytest.mark.parametrize(
    ('distribution', 'variable', 'value'),
    [('humble', ONLY, '1'), ('jazzy', RANGE, 'LOCALHOST'), ('', RANGE, 'LOCALHOST')],
    indirect=['distribution'],
)
def test_the_graph_stays_on_this_machine_in_each_ros_distribution(distribution, variable, value):
    """ROS_AUTOMATIC_DISCOVERY_RANGE came with Iron, which deprecates ROS_LOCALHOST_ONLY."""
    isolate_graph()
    assert {name: os.environ[name] for name in (RANGE, ONLY) if name in os.environ} == {variable: value}
    assert 1 <= int(os.environ['ROS_DOMAIN_ID']) <= 99


@pytest.mark.parametrize('distribution', ['humble'], indirect=True)
def test_a_range_that_the_user_has_set_is_kept_for_a_measurement(distribution, monkeypatch):
    monkeypatch.setenv(ONLY, '0')
    isolate_graph(keep_domain=True)
    assert os.environ[ONLY] == '0'
