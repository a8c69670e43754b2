"""The commands that are installed under two names: both start, and the old one prints the new one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = dict(re.findall(r"f'(\S+) = (\S+)'", (ROOT / 'setup.py').read_text().replace('{NAME}', 'c2f_head_pose')))
"""Name to module:function, as setup.py writes them."""


def started(name, program):
    """A console script as pip writes it: imports the function and exits with what it returns."""
    if name.endswith('bench'):
        pytest.importorskip('onnx')
    module, function = COMMANDS[name].split(':')
    script = f'import sys; sys.argv[0] = {program!r}; from {module} import {function}; sys.exit({function}())'
    return subprocess.run([sys.executable, '-c', script, '--help'], cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize('name', ['demo', 'bench'])
def test_a_general_name_prints_the_name_with_the_packages_prefix(name):
    old, new = started(name, f'/usr/local/bin/{name}'), started(f'c2f_head_pose_{name}', f'/usr/local/bin/c2f_head_pose_{name}')
    assert old.returncode == new.returncode == 0
    assert old.stderr == f'{name} is called c2f_head_pose_{name} now; the old name will be removed\n'
    assert new.stderr == ''
    assert old.stdout == new.stdout


@pytest.mark.parametrize('name', ['demo', 'bench'])
def test_ros2_run_keeps_the_short_name_without_a_warning(name):
    """ros2 run c2f_head_pose demo starts lib/c2f_head_pose/demo, as setup.cfg installs it."""
    assert started(name, f'/opt/ros/jazzy/lib/c2f_head_pose/{name}').stderr == ''


@pytest.mark.parametrize('module', ['pages', 'paper_plots'])
def test_help_of_a_command_that_writes_files_writes_none(module):
    """Both print a line for each file that they write; with --help there is usage instead."""
    pytest.importorskip('scipy')
    done = subprocess.run(
        [sys.executable, '-m', f'training.evaluation.{module}', '--help'], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and done.stdout.startswith('usage: ')
    assert not re.search(r': (updated|unchanged|drawn|no figures yet)$', done.stdout, re.M)
