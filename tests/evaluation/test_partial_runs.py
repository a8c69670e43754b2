"""A recording that fails does not cost the others their results."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from bag_making import Scene, scene_recording, write_bag

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation import jobs

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
