"""A change of parameters is in force when all who may refuse it have accepted it."""

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter

from c2f_head_pose.parameters import Parameters
from c2f_head_pose.ros.declaration import DeclaredParameters

pytestmark = pytest.mark.ros


class AsInHumble:
    """A real node seen without what Humble's rclpy lacks."""

    def __init__(self, node):
        self._real, self.configured = node, False

    def __getattr__(self, name):
        if name == 'add_post_set_parameters_callback':
            raise AttributeError(name)
        return getattr(self._real, name)


@pytest.fixture(params=['jazzy', 'humble'])
def declared(request, graph):
    """The table on a node whose owner refuses every change of a parameter `locked`, after ours was asked."""
    node = graph.add(rclpy.create_node('declaring', context=graph.context, parameter_overrides=[Parameter('rescan_period_s', value=2.5)]))
    node.configured = False
    node.declare_parameter('locked', 0)
    node.add_on_set_parameters_callback(  # callbacks are asked newest first
        lambda changes: SetParametersResult(successful=all(change.name != 'locked' for change in changes), reason='locked')
    )
    applied = []
    found = DeclaredParameters(AsInHumble(node) if request.param == 'humble' else node, lambda: applied.append(1), Parameters)
    found.node, found.applied = node, applied
    return found


def test_a_change_that_another_callback_refuses_never_comes_into_force(declared):
    """max_faces 3 is right, but came with `locked`: refused whole. A later change of something else must not bring it."""
    refused = declared.node.set_parameters_atomically([Parameter('max_faces', value=3), Parameter('locked', value=1)])
    assert not refused.successful and declared.parameters.max_faces == 10
    assert declared.node.set_parameters_atomically([Parameter('lazy', value=True)]).successful
    assert (declared.parameters.max_faces, declared.parameters.lazy, len(declared.applied)) == (10, True, 1)
    assert declared.node.get_parameter('max_faces').value == 10


@pytest.mark.parametrize('declared', ['humble'], indirect=True)
def test_a_change_that_comes_while_another_thread_takes_over_the_last_one_is_kept(declared):
    """Humble: between reading a change's names and its values another thread takes it over, and the next change comes."""
    declared.node.set_parameters_atomically([Parameter('max_faces', value=3)])
    read = declared._node._real.get_parameter

    def read_late(name):
        declared._node.get_parameter = read
        declared.node.set_parameters_atomically([Parameter('lazy', value=True)])
        return read(name)

    declared._node.get_parameter = read_late
    assert declared.parameters.max_faces == 3
    assert declared.parameters.lazy


def test_a_refused_change_can_be_made_again_alone_and_holds(declared):
    declared.node.set_parameters_atomically([Parameter('seat_region', value=[0.0, 0.0, 0.5, 1.0]), Parameter('locked', value=1)])
    assert declared.parameters.seat_region == (0.0, 0.0, 1.0, 1.0)
    assert declared.node.set_parameters_atomically([Parameter('seat_region', value=[0.0, 0.0, 0.5, 1.0])]).successful
    assert (declared.parameters.seat_region, len(declared.applied)) == ((0.0, 0.0, 0.5, 1.0), 1)


def test_a_value_given_at_start_is_in_force_and_a_foreign_parameter_applies_nothing(declared):
    assert declared.parameters.rescan_period_s == 2.5
    declared.node.declare_parameter('foreign', 1)
    assert declared.node.set_parameters_atomically([Parameter('foreign', value=2)]).successful
    assert declared.parameters.rescan_period_s == 2.5 and declared.applied == []
