"""A params file whose node name is another's is reported; ROS itself ignores it silently."""

import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from c2f_head_pose.parameters import DECIMAL_POINTS
from c2f_head_pose.params_files import files_without

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    'text, names',
    [
        ('head_pose: {ros__parameters: {max_faces: 1}}', ['/head_pose']),
        ('/rear/head_pose: {ros__parameters: {max_faces: 1}}', ['/rear/head_pose']),
        ('rear:\n  head_pose:\n    ros__parameters: {max_faces: 1}', ['/rear/head_pose']),
        ('/*: {ros__parameters: {max_faces: 1}}', ['/*']),
        ('/**/attention: {ros__parameters: {seat: []}}', ['/**/attention']),
    ],
    ids=['without namespace', 'another namespace', 'nested', 'one part only', 'another node'],
)
def test_a_file_for_other_nodes_is_found_with_their_names(tmp_path, text, names):
    """`*` is one part of a name, so `/*` fits /head_pose and not /front/head_pose."""
    path = tmp_path / 'mine.yaml'
    path.write_text(text)
    assert files_without('/front/head_pose', ['node', '--ros-args', '--params-file', str(path)]) == [(str(path), names)]


@pytest.mark.parametrize(
    'text',
    [
        '/**: {ros__parameters: {max_faces: 1}}',
        '/front/head_pose: {ros__parameters: {max_faces: 1}}',
        'front: {head_pose: {ros__parameters: {max_faces: 1}}}',
        '/*/head_pose: {ros__parameters: {max_faces: 1}}',
        '/**/head_pose: {ros__parameters: {max_faces: 1}}',
        'head_pose: {ros__parameters: {lazy: true}}\n/front/head_pose: {ros__parameters: {max_faces: 1}}',
        'a: [',
        '',
    ],
    ids=['all', 'its own', 'nested', 'any namespace', 'any depth', 'one of two', 'no yaml', 'empty'],
)
def test_a_file_for_the_node_or_one_that_is_none_is_not_reported(tmp_path, text):
    path = tmp_path / 'mine.yaml'
    path.write_text(text)
    assert files_without('/front/head_pose', ['--params-file', str(path)]) == []
    assert files_without('/front/head_pose', ['--params-file', str(tmp_path / 'missing.yaml')]) == []


def test_the_node_warns_of_such_a_file_and_rcl_ignores_it_indeed(tmp_path):
    """The value for /head_pose does not reach /front/head_pose: max_faces stays 10."""
    path = tmp_path / 'mine.yaml'
    path.write_text('head_pose:\n  ros__parameters:\n    max_faces: 1\n    autostart: false\n')
    code = (
        'import rclpy; from c2f_head_pose.ros.node import HeadPoseNode\n'
        'rclpy.init(); node = HeadPoseNode(); print("max_faces", node.get_parameter("max_faces").value)'
    )
    command = [sys.executable, '-c', code, '--ros-args', '-r', '__ns:=/front', '--params-file', str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert 'max_faces 10' in done.stdout, done.stderr
    assert f'params file {path} has no effect: it is for /head_pose, and this node is /front/head_pose' in done.stdout + done.stderr


@pytest.mark.parametrize('module', ['node', 'attention_node'])
@pytest.mark.parametrize('given', [['--params-file', '{}/mine.yaml'], ['-p', 'mount_position_m:=[0.5, 0, 1]']])
def test_a_list_of_whole_numbers_and_others_is_refused_in_one_line_with_the_remedy(tmp_path, module, given):
    """rcl refuses it before there is a node."""
    (tmp_path / 'mine.yaml').write_text('/**: {ros__parameters: {seat_region: [0.15, 0, 0.85, 1]}}\n')
    option, value = (text.format(tmp_path) for text in given)
    command = [sys.executable, '-m', f'c2f_head_pose.ros.{module}', '--ros-args', option, value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = [line for line in done.stderr.splitlines() if '[rcl]' not in line]
    assert done.returncode == 1 and len(said) == 1, done.stderr
    assert said[0].startswith('error: ROS does not start: ') and said[0].endswith(DECIMAL_POINTS) and value in said[0]
    assert '.c:' not in said[0]
