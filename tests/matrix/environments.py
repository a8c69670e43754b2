"""Runs the tests that need no PyTorch under every Python, numpy and OpenCV that go together: `make matrix`.

The package is installed into venvs outside the checkout, not linked, so that a file missing from the installation is missed. Pairs
for which the package index offers nothing are rows too, with pip's reason. Standard library only.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
PAIRS = tuple(product(('numpy==1.26.*', 'numpy>=2'), ('opencv-python-headless<5', 'opencv-python-headless>=5')))
TEST_PACKAGES = ('hypothesis', 'psutil', 'pytest')
TESTS = tuple((Path(__file__).parent / 'tests.txt').read_text().split())
# Nothing that has to be compiled. The ROS wheels need empy, which is published as source only: were it refused as well, pip would try
# every release of every other requirement before it gave up.
WHEELS = ('--only-binary=:all:', '--no-binary=empy')
DEADLINE_S = 1800
_VERSIONS = """
import json, platform
from importlib.metadata import PackageNotFoundError, version
def of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return 'none'
names = dict(numpy='numpy', opencv='opencv-python-headless', onnxruntime='onnxruntime', onnx='onnx', rclpy='ros-jazzy-rclpy')
print(json.dumps(dict(python=platform.python_version()) | {key: of(name) for key, name in names.items()}))
"""


@dataclass(frozen=True)
class Outcome:
    """One row: what was installed and what its tests said.

    Attributes:
        asked: the Python and the requirements.
        refused: why pip found no such environment; empty where there is one.
        versions: of what is installed, by name.
        passed: tests.
        skipped: tests.
        failed: names of tests.
        install_s: seconds until everything was installed.
        test_s: seconds of the tests.
        load: average number of processes that wanted a core in the tests' last five minutes.
        date: of the tests.
    """

    asked: str
    refused: str = ''
    versions: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    install_s: float = 0.0
    test_s: float = 0.0
    load: float = 0.0
    date: str = ''


def find_python(version: str) -> str | None:
    """A working interpreter of this version: on PATH, or the newest of pyenv's."""
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv')) / 'versions'
    candidates = [shutil.which(f'python{version}'), *sorted(map(str, pyenv.glob(f'{version}.*/bin/python')), key=_numbers, reverse=True)]
    return next((c for c in candidates if c and subprocess.run([c, '-c', 'import venv'], capture_output=True).returncode == 0), None)


def copy_checkout(target: Path) -> None:
    """Copies the files that git knows, as they are now: an installation from there leaves nothing in the checkout."""
    for name in subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split('\0'):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def run_python(version: str, folder: Path, pairs: tuple[tuple[str, str], ...] = PAIRS) -> Iterator[Outcome]:
    """Makes a venv in an empty folder, and runs the tests with every numpy and OpenCV in it, one pair after another.

    Each pair is a whole `pip install` of the package. The later ones renew the numpy and the OpenCV and leave what fits of the rest: the
    same resolution in a fifth of the time.
    """
    interpreter = find_python(version)
    if interpreter is None:
        yield Outcome(f'Python {version}', 'no such Python on this machine')
        return
    copy_checkout(folder / 'checkout')
    subprocess.run([interpreter, '-m', 'venv', folder / 'venv'], check=True)
    python = folder / 'venv' / 'bin' / 'python'
    subprocess.run([python, '-m', 'pip', 'install', '--quiet', '--upgrade', 'pip'], check=True)
    for pair in pairs:
        asked = ', '.join((f'Python {version}', *pair))
        start = time.monotonic()
        install = subprocess.run(
            [
                'timeout',
                str(DEADLINE_S),
                python,
                '-m',
                'pip',
                'install',
                '--quiet',
                '--upgrade',
                '--no-compile',
                *WHEELS,
                *pair,
                f'{folder / "checkout"}[ros,demo]',
                *TEST_PACKAGES,
            ],
            capture_output=True,
            text=True,
        )
        if install.returncode == 0:
            yield run_tests(python, folder, folder / 'checkout', asked, time.monotonic() - start)
        elif any(words in install.stderr for words in ('ResolutionImpossible', 'No matching distribution')):
            yield Outcome(asked, refusal(install.stderr))
        else:
            sys.exit(f'pip ended with status {install.returncode} (124: the deadline) on {asked}:\n{install.stderr}')


def refusal(said: str) -> str:
    """pip's reason for finding nothing, without the releases that it lists."""
    reasons = re.findall(r'^ERROR: ((?:Cannot install|Could not find) .*?)(?: \(from versions.*)?$', said, re.MULTILINE)
    return reasons[0] if reasons else said


def run_tests(python: Path, folder: Path, checkout: Path, asked: str, install_s: float) -> Outcome:
    """Runs the tests of a checkout against the package that an interpreter has installed; pytest's output goes into the folder."""
    subprocess.run([python, '-m', 'c2f_head_pose.models.fetch'], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    versions = json.loads(subprocess.run([python, '-c', _VERSIONS], cwd=folder, capture_output=True, text=True, check=True).stdout)
    report = folder / 'pytest.xml'
    report.unlink(missing_ok=True)
    start = time.monotonic()
    with open(folder / 'pytest.log', 'w') as log:
        # Away from the checkout and without its pythonpath, the installed package is the one that is imported.
        ended = subprocess.run(
            [
                'timeout',
                str(DEADLINE_S),
                python,
                '-m',
                'pytest',
                '--override-ini=pythonpath=',
                '-p',
                'no:cacheprovider',
                '-m',
                'not slow',
                '-ra',
                f'--junitxml={report}',
                *(checkout / 'tests' / name for name in TESTS),
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
    test_s = time.monotonic() - start
    passed, skipped, failed = 0, 0, []
    for case in ElementTree.parse(report).iter('testcase') if report.exists() else ():
        if case.find('failure') is not None or case.find('error') is not None:
            failed.append(f'{case.get("classname")}::{case.get("name")}')
        elif case.find('skipped') is not None:
            skipped += 1
        else:
            passed += 1
    if ended.returncode not in (0, 1):
        failed.append(f'pytest ended with status {ended.returncode}')
    return Outcome(
        asked,
        '',
        versions,
        passed,
        skipped,
        tuple(failed),
        round(install_s),
        round(test_s),
        round(os.getloadavg()[1], 1),
        str(datetime.date.today()),
    )


def _environment() -> dict[str, str]:
    """This process's, less what a Python with the ROS wheels has set for itself; bytecode is kept, since pip compiled nothing."""
    own = ('LD_LIBRARY_PATH', '_ROS_WHEELS_BOOTSTRAP_COMPLETE', 'PYTHONDONTWRITEBYTECODE')
    return {name: value for name, value in os.environ.items() if name not in own}


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes in Markdown: environments first, then what cannot be had."""
    outcomes = list(outcomes)
    lines = [
        '| Python | numpy | OpenCV | ONNX Runtime | rclpy | passed | skipped | failed | install s | tests s | load | date |',
        '|---|---|---|---|---|---|---|---|---|---|---|---|',
    ]
    for o in (o for o in outcomes if not o.refused):
        cells = (
            *(o.versions[name] for name in ('python', 'numpy', 'opencv', 'onnxruntime', 'rclpy')),
            o.passed,
            o.skipped,
            ', '.join(o.failed) or 0,
            f'{o.install_s:.0f}',
            f'{o.test_s:.0f}',
            o.load,
            o.date,
        )
        lines.append(f'| {" | ".join(map(str, cells))} |')
    if refused := [o for o in outcomes if o.refused]:
        lines += ['', '| Not to be had | pip says |', '|---|---|', *(f'| {o.asked} | {o.refused} |' for o in refused)]
    return '\n'.join(lines)


def keep(outcome: Outcome, output: Path) -> None:
    """Puts a row into matrix.json and matrix.md of a folder, in place of an earlier one of the same environment."""
    stored = output / 'matrix.json'
    rows = json.loads(stored.read_text()) if stored.exists() else []
    rows = {row['asked']: row for row in [*rows, asdict(outcome)]}
    stored.write_text(json.dumps(list(rows.values()), indent=1))
    machine = f'{platform.platform()}, {os.cpu_count()} cores'
    (output / 'matrix.md').write_text(f'{table(Outcome(**row) for _, row in sorted(rows.items()))}\n\n{machine}\n')


def main() -> int:
    """0 when no test failed in any environment that can be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pythons', nargs='+', default=['3.10', '3.12', '3.13'], metavar='X.Y')
    parser.add_argument('--oldest', action='store_true', help='only the first numpy and OpenCV that are supported')
    parser.add_argument('--here', action='store_true', help='only this interpreter, as it is')
    parser.add_argument(
        '--output',
        type=Path,
        metavar='DIR',
        help="keep the tests' logs, and matrix.json and matrix.md, with the rows of earlier runs that are not run again",
    )
    options = parser.parse_args()
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for outcome in _outcomes(options):
        print(table([outcome]), end='\n\n', flush=True)
        outcomes.append(outcome)
        if options.output:
            keep(outcome, options.output)
    print(f'{platform.platform()}, {os.cpu_count()} cores\n\n{table(outcomes)}')
    return 1 if any(o.failed for o in outcomes) or all(o.refused for o in outcomes) else 0


def _outcomes(options: argparse.Namespace) -> Iterator[Outcome]:
    if options.here:
        with tempfile.TemporaryDirectory() as folder:
            yield run_tests(Path(sys.executable), Path(folder), ROOT, 'this interpreter', 0)
            _keep_log(Path(folder), options.output, 'here')
        return
    for version in options.pythons:
        with tempfile.TemporaryDirectory() as folder:  # one at a time: each is some 600 MB
            for outcome in run_python(version, Path(folder), PAIRS[:1] if options.oldest else PAIRS):
                yield outcome
                _keep_log(Path(folder), options.output, outcome.asked)


def _keep_log(folder: Path, output: Path | None, name: str) -> None:
    if output and (folder / 'pytest.log').exists():
        shutil.move(folder / 'pytest.log', output / f'{name}.log')


def _numbers(path: str) -> list[int]:
    return [int(part) for part in Path(path).parts[-3].split('.') if part.isdigit()]


if __name__ == '__main__':
    sys.exit(main())
