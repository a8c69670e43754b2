"""The table of `make matrix`; its rows are the tests themselves, under each Python, numpy and OpenCV."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from matrix.environments import Outcome, keep, refusal

ROOT = Path(__file__).parents[2]
VERSIONS = {'python': '3.12.1', 'numpy': '1.26.4', 'opencv': '4.11.0.86', 'onnxruntime': '1.20.0', 'onnx': '1.17.0', 'rclpy': '7.1.6'}


def test_a_row_that_is_run_again_takes_the_place_of_the_earlier_one_and_others_stay(tmp_path):
    """Three outcomes of two environments: the failure is gone, and what cannot be had comes last with pip's reason."""
    keep(Outcome('Python 3.13, numpy==1.26.*', 'No matching distribution found'), tmp_path)
    keep(Outcome('Python 3.12, numpy==1.26.*', '', VERSIONS, 9, 1, ('test_ros::test_camera',), 60, 300, 8.5, '2026-11-23'), tmp_path)
    keep(Outcome('Python 3.12, numpy==1.26.*', '', VERSIONS, 10, 1, (), 61, 200, 1.5, '2026-11-24'), tmp_path)
    lines = (tmp_path / 'matrix.md').read_text().splitlines()
    assert lines[2:7] == [
        '| 3.12.1 | 1.26.4 | 4.11.0.86 | 1.20.0 | 7.1.6 | 10 | 1 | 0 | 61 | 200 | 1.5 | 2026-11-24 |',
        '',
        '| Not to be had | pip says |',
        '|---|---|',
        '| Python 3.13, numpy==1.26.* | No matching distribution found |',
    ]
    assert len(json.loads((tmp_path / 'matrix.json').read_text())) == 2


def test_pips_reason_is_distinguished_from_its_other_errors():
    """What pip 26.3 says to Python 3.13, shortened: the first of its errors is none."""
    said = (
        'ERROR: Ignored the following yanked versions: 2.4.0\n'
        'ERROR: Could not find a version that satisfies the requirement numpy==1.26.* (from versions: 1.3.0, 2.5.5)\n'
        'ERROR: No matching distribution found for numpy==1.26.*\n'
    )
    assert refusal(said) == 'Could not find a version that satisfies the requirement numpy==1.26.*'


def test_pytest_6_of_humble_knows_every_option_of_the_ini_file():
    """Ubuntu 22.04 has pytest 6.2.5, which ignores an option that it does not know; `colcon test` calls it."""
    options = (ROOT / 'pyproject.toml').read_text().split('[tool.pytest.ini_options]\n')[1].split('\n[')[0]
    assert set(re.findall(r'^(\w+) = ', options, re.M)) == {'testpaths', 'addopts', 'markers'}


def collect(tmp_path: Path, without: str, **environment: str) -> subprocess.CompletedProcess:
    """Collects a test module on a machine that lacks a Python module."""
    (tmp_path / f'{without}.py').write_text(f'raise ModuleNotFoundError("No module named {without!r}")')
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    environment = {key: value for key, value in os.environ.items() if key != 'CI'} | {'PYTHONPATH': path} | environment
    command = [sys.executable, '-m', 'pytest', '--collect-only', 'tests/evaluation/test_unusual_files.py']
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_tests_that_need_more_than_rosdep_installs_are_skipped_with_the_reason_except_in_ci(tmp_path):
    skipped = collect(tmp_path, 'mcap')
    assert skipped.returncode in (0, 5) and "needs mcap: pip install '.[test,demo,training]'" in skipped.stdout
    failed = collect(tmp_path, 'mcap', CI='1')
    assert failed.returncode == 2 and 'needs mcap' not in failed.stdout


def newcomers_commands(repository: Path) -> subprocess.CompletedProcess:
    return subprocess.run(['bash', ROOT / 'tests' / 'matrix' / 'newcomer.sh', repository, '--list'], capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path):
    """Commits a README of the text that it is called with."""

    def commit(readme: str) -> Path:
        (tmp_path / 'README.md').write_text(readme)
        git = ['git', '-C', tmp_path, '-c', 'user.name=a', '-c', 'user.email=a@example.org']
        for step in (['init', '-q'], ['add', 'README.md'], ['commit', '-q', '-m', 'a']):
            subprocess.run([*git, *step], check=True)
        return tmp_path

    return commit


def test_the_clean_machine_types_what_the_readme_says_first(repository):
    """The clone, `make demo`, and the demo on the reader's pictures and webcam."""
    path = repository((ROOT / 'README.md').read_text())
    clone, demo, *own = newcomers_commands(path).stdout.splitlines()
    assert clone == f'git clone {path} && cd c2f_head_pose'
    assert demo.split('#')[0].strip() == 'make demo'
    assert len(own) == 2 and all(line.startswith('.venv/bin/python -m c2f_head_pose.demo ') for line in own)


def test_a_readme_without_commands_fails_on_the_clean_machine(repository):
    listed = newcomers_commands(repository('# a\n```text\nmake demo\n```\n'))
    assert listed.returncode == 1 and 'has no block of sh' in listed.stderr


def test_the_pictures_that_the_clean_machine_copies_exist():
    script = (ROOT / 'tests' / 'matrix' / 'newcomer.sh').read_text()
    copied = re.findall(r'\bcp ((?:docs|tests|sample)/\S+)', script)
    assert copied and all((ROOT / path).is_file() for path in copied)
