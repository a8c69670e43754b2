"""What `make` says to somebody who has just cloned the repository."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / 'Makefile'
pytestmark = pytest.mark.skipif(shutil.which('make') is None, reason='needs make')


def make(*arguments, cwd=MAKEFILE.parent):
    return subprocess.run(['make', *arguments], cwd=cwd, capture_output=True, text=True)


def test_every_target_has_a_line_of_help():
    targets = set(re.search(r'^\.PHONY: (.*)$', MAKEFILE.read_text(), re.M)[1].split()) - {'help'}
    assert set(re.findall(r'^make ([\w-]+) ', make().stdout, re.M)) == targets


@pytest.mark.parametrize('python', ['python3.no', 'false'])
def test_a_python_that_is_missing_or_too_old_is_named_with_the_remedy(python, tmp_path):
    """`false` answers the question for the version as an old Python does: with status 1."""
    shutil.copy(MAKEFILE, tmp_path)
    made = make(f'PYTHON={python}', 'demo', cwd=tmp_path)
    assert made.returncode == 2
    assert f'{python} is missing or older than Python 3.10; name another one: make PYTHON=' in made.stderr
    assert not (tmp_path / '.venv').exists()
