"""Time budgets and the schedules of the learning rate."""

import re

import pytest
from tiny_training import ALONE, tiny_config

from training.data.crops import SyntheticCrops
from training.loop import checkpoint, progress
from training.loop.config import read_config
from training.loop.run import Run


def test_time_budget_ends_in_a_cooldown_and_a_larger_one_goes_on_from_before_it(heads, tmp_path, monkeypatch):
    """The rate falls linearly over the last quarter of the steps; a quarter of all is a third of those before."""
    data = SyntheticCrops([heads], 'train')
    run = Run(tiny_config(steps=100000), data, None, tmp_path, ALONE, minutes=0.2)
    monkeypatch.setattr('training.loop.run.time', Clock(run, lambda run: 1))
    run.go()
    assert (tmp_path / 'steady.pt').exists() and (tmp_path / 'final.pt').exists()
    schedule = run.schedule
    assert 0 < schedule.decay_from < run.step < 100000
    assert schedule.lr(schedule.decay_from - 1) == 1e-3
    assert schedule.decay_steps == max(1, round(schedule.decay_from / 3))
    assert schedule.lr(schedule.decay_from + schedule.decay_steps // 2) < 0.75e-3
    again = Run(tiny_config(steps=100000), data, None, tmp_path, ALONE, minutes=0.2)
    assert again.step == run.step and again.step >= again.schedule.last_step
    longer = Run(tiny_config(steps=100000), data, None, tmp_path, ALONE, minutes=1.0)
    assert longer.step == schedule.decay_from and longer.schedule.decay_from == -1


class Clock:
    """Stands for the `time` that training reads: a step takes what `step_s` says of the run."""

    def __init__(self, run, step_s):
        self.now = 0.0
        done = run.do_step

        def do_step():
            self.now += step_s(run)
            return done()

        run.do_step = do_step

    def monotonic(self):
        return self.now


@pytest.mark.parametrize('kind', ['cooldown', 'poly', 'constant'])
@pytest.mark.parametrize('slower', [1, 20])
def test_a_time_budget_ends_with_a_final_checkpoint_and_a_rate_of_zero(kind, slower, heads, tmp_path, monkeypatch, capsys):
    """60 s at 1 s a step, and in the fall at 1 or 20 s a step. At an even speed the fall takes the last 15, or 6, of the 60 steps.

    A slower machine bends it: after 1.05 budgets, 63 s, and the step that was being done, there is one more.
    """
    data = SyntheticCrops([heads], 'train')
    config = tiny_config(steps=100000, schedule={'kind': kind})
    run = Run(config, data, None, tmp_path, ALONE, minutes=1.0)
    clock = Clock(run, lambda run: slower if run.schedule.falls(run.step) else 1)
    monkeypatch.setattr('training.loop.run.time', clock)
    run.go()
    final, printed = checkpoint.load(tmp_path / 'final.pt'), capsys.readouterr().out
    assert final['step'] == run.step and final['elapsed_s'] == clock.now
    assert 'final.pt' in printed and ('became slower' in printed) == (slower > 1)
    assert (run.step, clock.now) == (60, 60) if slower == 1 else 60 < clock.now < 63 + 20 + 20
    rates = [float(row['lr']) for row in progress.read_rows(tmp_path / 'log.csv')]
    assert rates == sorted(rates, reverse=True) and run.schedule.lr(run.step) == 0
    if slower == 1:  # as many steps as it falls for, the last of them at so small a part
        assert re.search(rf'decays from \S+ to {rates[-1]:.2g} by step 60\n', printed)
    again = Run(config, data, None, tmp_path, ALONE, minutes=1.0)
    again.go()
    assert again.step == run.step and 'done before' in capsys.readouterr().out


def test_a_bent_fall_is_in_the_checkpoint_and_a_larger_budget_does_not_go_back_behind_one_not_begun(heads, tmp_path, monkeypatch):
    data, config = SyntheticCrops([heads], 'train'), tiny_config(steps=100000)
    run = Run(config, data, None, tmp_path, ALONE, minutes=1.0)
    monkeypatch.setattr('training.loop.run.time', Clock(run, lambda run: 4 if run.schedule.falls(run.step) else 1))
    run.go(pause_s=58)
    resumed = Run(config, data, None, tmp_path, ALONE, minutes=1.0)
    assert resumed.schedule == run.schedule and 0 < resumed.schedule.decay_level < 1
    longer = Run(config, data, None, tmp_path, ALONE, minutes=3.0)
    assert longer.step == 45
    monkeypatch.setattr('training.loop.run.time', Clock(longer, lambda run: 1))
    longer.go(pause_s=20)
    assert Run(config, data, None, tmp_path, ALONE, minutes=4.0).step == 65


def test_a_budget_larger_than_the_steps_need_cools_down_by_the_steps(heads, tmp_path, monkeypatch):
    """12 steps of 1 s in an hour: the fall begins at step 9."""
    run = Run(tiny_config(steps=12), SyntheticCrops([heads], 'train'), None, tmp_path, ALONE, minutes=60.0)
    monkeypatch.setattr('training.loop.run.time', Clock(run, lambda run: 1))
    run.go()
    assert run.step == 12 and run.schedule.fall == (9, 3, 1.0)


def test_paper_schedule_is_caffes_polynomial():
    """0.01 (1 - 20000 / 40000)^0.5 = 0.00707."""
    schedule = read_config('paper').make_schedule()
    assert schedule.lr(0) == 0.01
    assert schedule.lr(20000) == pytest.approx(0.01 * 0.5**0.5)
