"""The soak: its plan, its arithmetic, and a minute of it on the real graph."""

import dataclasses
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from c2f_head_pose.parameters import Change, ParameterError, Parameters
from c2f_head_pose.ros.measure.process_usage import usage_of
from c2f_head_pose.ros.measure.soak import growth, report, samples
from c2f_head_pose.ros.measure.soak.camera import Account
from c2f_head_pose.ros.measure.soak.driver import Record
from c2f_head_pose.ros.measure.soak.plan import ACTIONS, events
from c2f_head_pose.ros.measure.soak.samples import Sample

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.ros


def sample(at_s: float, run: int = 1, action: str = '', **changed) -> Sample:
    return dataclasses.replace(Sample(at_s, run, action, 300.0, 250.0, 64.0, 16, 26, 0.3, 150, 150, 9.0, 12.0, 20.0, 1.0), **changed)


def test_the_plan_is_fixed_by_its_seed_and_has_every_action_before_one_comes_again():
    count = len(ACTIONS)
    first, again, other = (list(itertools.islice(events(seed), 3 * count)) for seed in (1, 1, 2))
    assert first == again != other
    for deck in (first[:count], first[count : 2 * count], first[2 * count :]):
        assert {event.action for event in deck} == set(ACTIONS)
    assert all(before.at_s + before.hold_s < after.at_s for before, after in itertools.pairwise(first))


def test_a_faster_pace_has_the_same_events_in_less_time():
    for slow, fast in itertools.islice(zip(events(1), events(1, 4.0)), 30):
        assert fast.action == slow.action and fast.at_s == pytest.approx(slow.at_s / 4) and fast.values == slow.values


def test_what_the_plan_changes_is_accepted_by_the_table_and_what_it_offers_wrong_is_not():
    """Over 1000 events: every live parameter is changed at some time, no other ever."""
    changed = set()
    for event in itertools.islice(events(3), 1000):
        if event.action == 'parameters changed':
            Parameters().changed(event.values, configured=True)
            changed |= set(event.values)
        if event.action == 'parameters refused':
            with pytest.raises(ParameterError):
                Parameters().changed(event.values, configured=True)
    assert changed == {row.name for row in dataclasses.fields(Parameters) if row.metadata['change'] is Change.LIVE}


def test_a_slope_is_found_through_peaks():
    """Values 10 + 2 t with every fifth one 100 too high: most pairs still rise by 2 an hour."""
    times = np.linspace(0, 1, 50)
    values = 10 + 2 * times
    values[::5] += 100
    level, slope = growth.fit(times, values)
    assert slope == pytest.approx(2, abs=1e-6) and level == pytest.approx(10, abs=1e-6)


def test_growth_excludes_the_warm_up_events_and_short_runs():
    """An hour of samples each 10 s. Memory is 250 + 6 MB an hour from minute 5 on: over 55 minutes 5.5 of 250.5, 2.196 %.

    Before minute 5 it is 100 lower, during events 500 higher, which must not count; a second run of 10 minutes says nothing.
    """
    rows = [
        sample(
            at_s,
            action='disabled' if at_s % 60 == 0 else '',
            own_mb=250 + 6 * at_s / 3600 - (100 if at_s < 300 else 0) + (500 if at_s % 60 == 0 else 0),
        )
        for at_s in range(0, 3610, 10)
    ]
    rows += [sample(at_s, run=2, own_mb=900.0 + at_s) for at_s in range(3610, 4210, 10)]
    found = {one.what: one for one in growth.growths(rows)}
    assert {one.run for one in found.values()} == {1}
    assert found['own_mb'].slope_per_hour == pytest.approx(6)
    assert found['own_mb'].percent == pytest.approx(100 * 6 * (3590 - 310) / 3600 / (250 + 6 * 310 / 3600))
    assert found['own_mb'].too_much and not found['threads'].too_much and found['threads'].percent == 0


def test_the_verdict_fails_on_growth_on_a_line_of_the_log_on_an_event_and_on_an_early_end(tmp_path):
    clean, bad = tmp_path / 'node-1.log', tmp_path / 'node-2.log'
    clean.write_text('[INFO] [1.0] [head_pose]: model\n[WARN] [2.0] [head_pose]: no image\n')
    bad.write_text('[INFO] [1.0] [head_pose]: model\nTraceback (most recent call last):\n  File "x"\n')
    long = [sample(at_s) for at_s in range(0, 3600, 10)]
    growing = [sample(at_s, handles=26 + at_s // 600) for at_s in range(0, 3600, 10)]
    well, wrong = Record(1.0, 'disabled', 2.0, 0.1), Record(5.0, 'disabled', 2.0, float('nan'), 'waited in vain')
    assert report.judge(long, [well], [clean]).word == 'passed'
    assert report.judge(growing, [well], [clean]).failed
    assert report.judge(long, [well], [clean, bad]).log_lines == ['node-2.log: Traceback (most recent call last):']
    assert report.judge(long, [wrong], [clean]).problems == ['5 s, disabled: waited in vain']
    assert report.judge(long, [well], [clean], ['run 1: the node ended by itself with -11']).failed
    short = report.judge(long[:100], [well], [clean])
    assert not short.failed and 'too short to judge growth' in short.word


def test_samples_are_read_as_written_and_gone_on_with_after_a_broken_line(tmp_path):
    path = tmp_path / 'samples.csv'
    rows = [sample(5.0), sample(10.0, action='disabled', latency_median_ms=float('nan'))]
    for row in rows:
        samples.append(path, row)
    with open(path, 'a') as file:
        file.write('15.0,1,,30')
    samples.append(path, sample(20.0))
    read = samples.read(path, Sample)
    assert [row.at_s for row in read] == [5.0, 10.0, 20.0] and read[0] == rows[0] and np.isnan(read[1].latency_median_ms)


def test_an_account_counts_each_image_once_and_undisturbed_ones_separately():
    account = Account()
    account.undisturbed = True
    account.send(1)
    account.undisturbed = False
    account.send(2)
    account.send(3)
    for stamp in (1, 1, 3, 99):
        account.answer(stamp)
    interval = account.take()
    assert (interval.sent, interval.answered) == (3, 2)
    assert (account.undisturbed_sent, account.undisturbed_answered) == (1, 1)
    assert account.take().sent == 0


def test_usage_is_that_of_the_given_process():
    """A file opened here is one more handle; 64 MiB touched here are 64 MiB more of its own."""
    before = usage_of(os.getpid())
    block = np.ones(64 << 20, np.uint8)
    with open(__file__) as _:
        after = usage_of(os.getpid())
    assert after.handles == before.handles + 1
    assert after.own_mb - before.own_mb == pytest.approx(block.nbytes / 2**20, abs=8)
    with pytest.raises(OSError):
        usage_of(2**22 + 1)  # beyond the largest process id there is


@pytest.mark.slow
def test_a_minute_of_soak_passes_and_can_be_continued(tmp_path):
    """Events at ten times the pace, so that each comes; then a second run of the same folder, for a few seconds more."""
    command = [sys.executable, '-m', 'c2f_head_pose.ros.measure.soak', '--pace', '10', '--period', '0.5', '--output', str(tmp_path)]
    for seconds in (40, 45):
        done = subprocess.run([*command, '--hours', str(seconds / 3600)], cwd=ROOT, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
    records, rows = samples.read(tmp_path / 'events.csv', Record), samples.read(tmp_path / 'samples.csv', Sample)
    assert {record.action for record in records} == set(ACTIONS)
    assert [record for record in records if record.problem] == []
    assert {row.run for row in rows} == {1, 2} and rows[-1].at_s > 40
    assert all(before.at_s < after.at_s for before, after in itertools.pairwise(rows))
    assert sum(row.answered for row in rows) > 100
    assert 'too short to judge growth' in (tmp_path / 'report.md').read_text()
    assert (tmp_path / 'soak.png').stat().st_size > 10_000
    other = subprocess.run([*command, '--seed', '2'], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert other.returncode == 1 and 'was begun with' in other.stderr
