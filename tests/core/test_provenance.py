"""Commit and processor, against git and the system, and where there are none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from c2f_head_pose import provenance

ROOT = Path(__file__).parents[2]


def git(*arguments, folder=ROOT):
    command = ['git', '-c', 'user.name=a', '-c', 'user.email=a@b', '-C', str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit_of(folder):
    """The commit as a copy of the module there finds it."""
    shutil.copy(provenance.__file__, folder / 'provenance.py')
    return subprocess.run(
        [sys.executable, '-c', 'import provenance; print(provenance.commit())'], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(not (ROOT / '.git').exists(), reason='no checkout')
def test_the_commit_has_twelve_digits_and_a_plus_where_tracked_files_changed():
    changed = git('status', '--porcelain', '--untracked-files=no')
    assert provenance.commit() == git('rev-parse', '--short=12', 'HEAD') + ('+' if changed else '')


def test_a_plus_means_changed_tracked_files_only(tmp_path):
    git('init', '-q', folder=tmp_path)
    assert commit_of(tmp_path) == 'None', 'a checkout without a commit'
    git('add', 'provenance.py', folder=tmp_path)
    git('commit', '-qm', 'x', folder=tmp_path)
    head = git('rev-parse', '--short=12', 'HEAD', folder=tmp_path)
    (tmp_path / 'results.json').write_text('{}')
    assert commit_of(tmp_path) == head, 'a file that git does not track'
    (tmp_path / 'other.py').write_text('')
    git('add', 'other.py', folder=tmp_path)
    assert commit_of(tmp_path) == f'{head}+'


def test_a_copy_inside_of_another_projects_checkout_has_no_commit(tmp_path):
    git('init', '-q', folder=tmp_path)
    git('commit', '-qm', 'x', '--allow-empty', folder=tmp_path)
    assert commit_of(tmp_path) == 'None'


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc/cpuinfo')
def test_the_processor_is_the_one_that_linux_names():
    names = [line.split(':', 1)[1].strip() for line in Path('/proc/cpuinfo').read_text().splitlines() if line.startswith('model name')]
    assert provenance.processor() == (names[0] if names else provenance.platform.processor() or provenance.platform.machine())
