"""A recording that fails does not cost the others their results, and results that cannot be written are no verdict."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bag_making import Scene, scene_recording, write_bag

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation import jobs, verdict

evaluate = jobs._evaluate_in_worker


def killed_at(path, name, folder, options, prefix):
    """Evaluates a recording in its process, which is killed at 'bad' once 'slow' has begun. 'slow' does not end the first time."""
    slow, deadline = folder.with_name('slow'), time.monotonic() + 60
    if name == 'bad':
        while not slow.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    if name == 'slow' and not slow.exists():
        slow.mkdir(parents=True)
        time.sleep(60)
    return evaluate(path, name, folder, options, prefix)


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp('recording') / 'good', scene_recording(Scene(duration_s=0.4, rate_hz=10.0)))


def run(folder, *paths, **options):
    more = [text for name, value in options.items() for text in (f'--{name}', str(value))]
    status = evaluate_bag.main([*map(str, paths), '--output', str(folder / 'out'), '--no-video', '--no-poses', *more])
    return status, json.loads((folder / 'out' / 'metrics.json').read_text())


def test_a_process_that_is_killed_costs_its_own_recording_alone(recording, tmp_path, monkeypatch, capsys):
    """Four recordings, two at a time: the system kills the process of one each time, which ends that of the slow one the first time. An
    exit code of 1 would say that a gate's condition holds."""
    monkeypatch.setattr(jobs, '_evaluate_in_worker', killed_at)
    names = ['slow', 'bad', 'good', 'last']
    status, record = run(tmp_path, *(shutil.copytree(recording, tmp_path / name) for name in names), jobs=2)
    assert status == 3 and [(r['name'], r['complete']) for r in record['recordings']] == [(name, name != 'bad') for name in names]
    assert [r.get('figures', {}).get('images', {}).get('n') for r in record['recordings']] == [4, None, 4, 4]
    assert 'killed the process' in record['recordings'][1]['errors'][0]
    assert 'evaluate_bag: bad: the system killed' in capsys.readouterr().err
    assert all((tmp_path / 'out' / name / 'metrics.json').is_file() for name in names if name != 'bad')


def test_a_damaged_earlier_result_costs_no_other_recording_its_own(recording, tmp_path, capsys):
    old = tmp_path / 'old'
    assert run(tmp_path / 'first', recording)[0] == 0
    shutil.copytree(tmp_path / 'first' / 'out', old)
    series = old / 'series.npz'
    series.write_bytes(series.read_bytes()[:500])
    status, record = run(tmp_path, recording, old)
    assert status == 3 and [r['complete'] for r in record['recordings']] == [True, False] and record['overall']['images']['n'] == 4
    assert 'damaged result' in record['recordings'][1]['errors'][0] and 'damaged result' in capsys.readouterr().err
    status, record = run(tmp_path / 'alone', old)
    assert status == 2 and 'damaged result' in record['recordings'][0]['errors'][0] and Path(record['recordings'][0]['path']) == old


def test_a_disk_that_is_full_when_the_report_is_written_leaves_no_figures_that_look_complete(recording, tmp_path):
    """Files of at most 60 kB stand for it: metrics.json would fit (26 kB), report.html does not (86 kB). 1 is a gate's."""
    out = tmp_path / 'out'
    done = subprocess.run(
        [sys.executable, '-m', 'c2f_head_pose.evaluation.bag', recording, '--output', out, '--no-video', '--no-poses'],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        env=os.environ | {'GIT_DIR': os.devnull},  # git, which the limit would kill, leaves its lock in the checkout
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 2 and done.stderr.splitlines()[-1] == f'evaluate_bag: {out}/report.html cannot be written (File too large)'
    assert 'Traceback' not in done.stderr and {path.name for path in out.iterdir()} == {'frames.csv', 'series.npz', 'worst.json'}


def test_an_interruption_while_the_report_is_written_ends_the_command_in_order(recording, tmp_path, monkeypatch):
    def write(*_):
        signal.raise_signal(signal.SIGINT)
        time.sleep(60)

    monkeypatch.setattr(verdict, 'write_report', write)
    try:
        assert evaluate_bag.main([str(recording), '--output', str(tmp_path / 'out'), '--no-video', '--no-poses']) == 130
    except KeyboardInterrupt:
        pytest.fail('the command ended with a traceback')
    assert not (tmp_path / 'out' / 'metrics.json').exists()


def test_results_that_cannot_be_stored_are_an_error_of_their_recording(recording, tmp_path, capsys):
    """A folder has the name of the part file of the first recording's thumbnails."""
    (tmp_path / 'out' / 'bad' / 'worst.json.part').mkdir(parents=True)
    status, record = run(tmp_path, *(shutil.copytree(recording, tmp_path / name) for name in ('bad', 'good')))
    assert status == 3 and [(r['name'], r['complete']) for r in record['recordings']] == [('bad', False), ('good', True)]
    (error,) = record['recordings'][0]['errors']
    assert f'the results cannot be stored in {tmp_path}/out/bad (' in error and f'evaluate_bag: bad: {error}' in capsys.readouterr().err
    assert record['overall']['images']['n'] == 8


def test_a_video_that_cannot_be_written_is_an_error_of_its_recording(recording, tmp_path):
    """A folder has the name of the part file; its images are evaluated all the same."""
    (tmp_path / 'out' / 'annotated.part.mp4').mkdir(parents=True)
    assert evaluate_bag.main([str(recording), '--output', str(tmp_path / 'out'), '--no-poses']) == 3
    record = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    (error,) = record['recordings'][0]['errors']
    assert f'{tmp_path}/out/annotated.mp4 cannot be written' in error and record['overall']['images']['n'] == 4
    assert not (tmp_path / 'out' / 'annotated.mp4').exists()
