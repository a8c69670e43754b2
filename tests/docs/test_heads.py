"""What the suite does on a machine that cannot get the heads to render: npm has no registry to ask."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(find_spec('anny') is None, reason="needs the training extra: pip install '.[training]'")
ROOT = Path(__file__).parents[2]
TWO_FILES = ['tests/core/test_depth_heads.py', 'tests/attention/test_recording.py', '-m', 'render']


def run(folder, **environment):
    """Runs some tests that need heads, in an empty cache, with a registry that refuses the connection."""
    kept = {name: value for name, value in os.environ.items() if name != 'CI'}
    kept |= {
        'XDG_CACHE_HOME': str(folder),
        'npm_config_cache': str(folder / 'npm'),
        'npm_config_registry': 'http://127.0.0.1:9',
        'npm_config_fetch_retries': '0',
    }
    command = [sys.executable, '-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', *TWO_FILES]
    return subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, timeout=300)


def asked(folder):
    """How often npm ran: it leaves a log of every run."""
    return len(list((folder / 'npm' / '_logs').glob('*.log')))


def test_tests_that_need_heads_are_skipped_with_the_reason_after_one_question(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert 'no heads to render: npm' in done.stdout and ' passed' not in done.stdout
    assert asked(tmp_path) <= 1


def test_in_ci_they_fail_with_the_reason_after_one_question(tmp_path):
    done = run(tmp_path, CI='true')
    assert done.returncode == 1
    assert 'no heads to render: npm' in done.stdout and 'skipped' not in done.stdout
    assert asked(tmp_path) <= 1
