"""A ROS domain of the tests' own on this machine only, messages that check their fields, and one question for the rendered heads."""

import contextlib
import fcntl
import functools
import os
import random
import re
import signal
import sys
import tempfile
from pathlib import Path


def _claimed_domain() -> tuple[int, object]:
    """A ROS domain that no other session of these tests on this machine has, and the open file whose lock holds it until the process ends.

    101 is the highest domain whose ports are free on every system.
    """
    for domain in random.SystemRandom().sample(range(1, 102), 101):
        with contextlib.suppress(OSError):  # another session's, or another user's
            file = open(Path(tempfile.gettempdir()) / f'c2f_head_pose_tests_domain_{domain}', 'w')  # noqa: SIM115
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return domain, file
    raise RuntimeError('101 sessions of these tests run on this machine')


# Before anything imports rclpy.
_domain, _domain_lock = _claimed_domain()
os.environ['ROS_DOMAIN_ID'] = str(_domain)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.pop('ROS_LOCALHOST_ONLY', None)
if os.environ.get('ROS_DISTRO') == 'humble':  # knows no discovery range
    os.environ['ROS_LOCALHOST_ONLY'] = '1'
os.environ['ROS_PYTHON_CHECK_FIELDS'] = '1'
os.environ['FASTRTPS_DEFAULT_PROFILES_FILE'] = str(
    Path(__file__).parents[1] / 'config' / ('fastdds_localhost.xml' if 'ROS_LOCALHOST_ONLY' in os.environ else 'fastdds.xml')
)

import pytest  # noqa: E402

# Modules of tests/ and of the checkout; not by the option pythonpath, which pytest 6 of Humble's Ubuntu does not know.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

# torch's optimisers import it, which crashes the process if a test has drawn by EGL before: both have an LLVM of their own.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

# A shell lets what it starts in the background ignore Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_EXTRAS = frozenset(('hypothesis', 'matplotlib', 'mcap', 'moderngl', 'onnx', 'PIL', 'psutil', 'rosbags', 'scipy', 'torch'))


def _skip_without(module, report, path, line):
    """Makes a failure for want of a module that rosdep does not install a skip, so that `colcon test` passes without; not in CI."""
    if module in _EXTRAS and not os.environ.get('CI'):
        report.outcome, report.longrepr = 'skipped', (str(path), line, f"needs {module}: pip install '.[test,demo,training]'")


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    report = (yield).get_result()
    if report.failed and (missing := re.search(r"ModuleNotFoundError: No module named '(\w+)", str(report.longrepr))):
        _skip_without(missing[1], report, collector.fspath, 0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed and call.excinfo and isinstance(call.excinfo.value, ModuleNotFoundError):
        _skip_without(call.excinfo.value.name, report, item.fspath, item.location[1])


@functools.cache
def missing_heads() -> str | None:
    """Why the heads to render cannot be had on this machine, or None; they are fetched and built here if they can be.

    Cached for the session: where npm has no connection it takes a minute to find out, and each test would wait for the same answer.
    """
    from training.synthetic.assets.fetch import ensure_assets

    try:
        ensure_assets()
    except (RuntimeError, OSError) as error:
        return f'no heads to render: {error}'
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Skips a test marked `render` where there are no heads to render; in CI, where they must be there, it fails."""
    if item.get_closest_marker('render') and (reason := missing_heads()):
        (pytest.fail if os.environ.get('CI') else pytest.skip)(reason)


@pytest.fixture
def graph():
    """A ROS graph of this process: makes and spins nodes, and ends them after the test."""
    pytest.importorskip('rclpy', reason="needs rclpy: source a ROS installation, or pip install '.[ros]'")
    from ros_graph import Graph

    with Graph() as made:
        yield made
