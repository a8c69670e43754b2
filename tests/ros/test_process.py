"""The nodes as processes: what their command lines print without starting them."""

from __future__ import annotations

import pytest
import rclpy

from c2f_head_pose.ros import evaluation_node, node
from c2f_head_pose.ros.attention import node as attention_node
from c2f_head_pose.ros.replay import node as replay_node


@pytest.mark.parametrize(
    ('main', 'name', 'told'),
    [
        (node.main, 'head_pose_node', 'docs/parameters.md'),
        (attention_node.main, 'attention_node', 'config/attention.yaml'),
        (evaluation_node.main, 'evaluation_node', '--fail-if'),
        (replay_node.main, 'replay_node', 'stamps'),
    ],
)
@pytest.mark.parametrize('option', ['-h', '--help'])
def test_help_is_printed_and_no_node_starts(main, name, told, option, capsys, monkeypatch):
    monkeypatch.setattr(rclpy, 'init', lambda **_: pytest.fail('a node starts'))
    try:
        assert main([name, option, '--ros-args', '-p', 'threads:=2']) == 0
    except SystemExit as end:  # argparse's
        assert end.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f'usage: {name}') and told in printed
