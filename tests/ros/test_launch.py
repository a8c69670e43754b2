import ast
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from c2f_head_pose.parameters import Parameters

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / 'launch').glob('*.launch.py'))


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_a_launch_file_has_at_most_six_arguments_each_explained(file):
    tree = ast.parse(file.read_text())
    arguments = next(node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == 'ARGUMENTS')
    assert 1 <= len(arguments.keys) <= 6
    assert all(isinstance(value.elts[1], ast.Constant) and value.elts[1].value for value in arguments.values)


@pytest.mark.ros
@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_a_launch_file_describes_what_it_starts(file, monkeypatch, tmp_path):
    """In a made-up installation whose share folder is this checkout; needs the launch packages, which pip does not have."""
    monkeypatch.setattr(sys, 'path', [path for path in sys.path if Path(path or '.').resolve() != ROOT])  # our launch/ is no package
    pytest.importorskip('launch.actions', reason='needs launch: source a ROS installation')
    pytest.importorskip('launch_ros.actions', reason='needs launch_ros')
    (tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages').mkdir(parents=True)
    (tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages' / 'c2f_head_pose').touch()
    (tmp_path / 'share' / 'c2f_head_pose').symlink_to(ROOT)
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}:{os.environ.get("AMENT_PREFIX_PATH", "")}')
    entities = [type(entity).__name__ for entity in runpy.run_path(str(file))['generate_launch_description']().entities]
    starts = {'Node', 'IncludeLaunchDescription', 'OpaqueFunction'}
    assert starts & set(entities) or entities == ['LogInfo', 'Shutdown'], 'a webcam without a driver says so and ends'


class Entity:
    """Stands for any class of launch: keeps what it was made from; as a substitution it performs to the names of two cameras."""

    def __init__(self, *args, **options):
        self.args, self.options = args, options

    def perform(self, _):
        return 'front rear'


def stand_in(name):
    """A module that has every class."""
    module = ModuleType(name)
    module.__getattr__ = lambda name: type(name, (Entity,), {})
    return module


def in_order(file):
    """The entities of a launch file in the order in which launch executes them, those of included files in their place."""
    for entity in runpy.run_path(str(file))['generate_launch_description']().args[0]:
        for one in entity.options['function'](None) if type(entity).__name__ == 'OpaqueFunction' else [entity]:
            if type(one).__name__ == 'IncludeLaunchDescription':
                yield from in_order(one.args[0].args[0])
            else:
                yield one


@pytest.fixture
def launch_stand_ins(monkeypatch):
    """Stand-ins for the packages of launch, which pip does not have, and a webcam's driver that is installed."""
    for name in ('launch.actions', 'launch.event_handlers', 'launch.launch_description_sources', 'launch.substitutions', 'launch'):
        monkeypatch.setitem(sys.modules, name, stand_in(name))
    for name in ('launch_ros.actions', 'launch_ros.parameter_descriptions', 'launch_ros'):
        monkeypatch.setitem(sys.modules, name, stand_in(name))
    packages = ModuleType('ament_index_python.packages')
    packages.PackageNotFoundError = LookupError
    packages.get_package_prefix = packages.get_package_share_directory = lambda package: str(ROOT)
    monkeypatch.setitem(sys.modules, 'ament_index_python.packages', packages)


def test_the_nodes_of_several_cameras_publish_no_tf_by_default(launch_stand_ins):
    """Each numbers its faces from 1, so their frames would be the same."""
    cameras = runpy.run_path(str(ROOT / 'launch' / 'cameras.launch.py'))
    default = Path(cameras['ARGUMENTS']['params_file'][0])
    assert not Parameters.from_values(yaml.safe_load(default.read_text())['/**']['ros__parameters']).publish_tf
    given = [dict(included.options['launch_arguments'])['params_file'] for included in cameras['nodes'](None)]
    assert [substitution.args for substitution in given] == [('params_file',)] * 2


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_every_process_of_a_launch_file_has_the_shared_memory_profile_and_no_other_process_gets_it(file, monkeypatch, launch_stand_ins):
    """Our nodes set it for themselves; SetEnvironmentVariable would hold for all that a bring-up starts after including ours."""
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: SimpleNamespace(free=10**9))
    monkeypatch.delenv('ROS_LOCALHOST_ONLY', raising=False)
    entities = list(in_order(file))
    assert not [entity for entity in entities if type(entity).__name__ == 'SetEnvironmentVariable']
    started = [entity.options for entity in entities if type(entity).__name__ == 'Node']
    assert started
    for node in started:
        given = {'FASTRTPS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds.xml')}
        assert node.get('additional_env', {}) == ({} if node['package'] == 'c2f_head_pose' else given)


@pytest.mark.parametrize('module', ['node', 'replay_node'])
def test_without_rclpy_a_node_names_the_remedy_in_one_line(module):
    """In a Python to which rclpy is hidden."""
    hidden = (
        'import importlib.util as u, runpy, sys; find = u.find_spec;'
        "u.find_spec = lambda name, *rest: None if name == 'rclpy' else find(name, *rest);"
        f"sys.argv = ['{module}.py']; runpy.run_module('c2f_head_pose.ros.{module}', run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, '-c', hidden], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith('error: rclpy is not installed') and 'setup.bash' in ended.stderr and 'pip install' in ended.stderr
    assert 'Traceback' not in ended.stderr
