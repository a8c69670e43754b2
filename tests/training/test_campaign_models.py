"""The campaign's models: their order, their time, and what a second call does."""

import json

import pytest

from training import campaign
from training.campaign import JOBS, Campaign
from training.loop import checkpoint
from training.paper import experiments


def finished_training(commands, out, fail=()):
    """Stands for the commands: training leaves a checkpoint, unless its job is to fail."""

    def run(command):
        commands.append(command)
        if 'training.train' in command:
            folder = out / 'runs' / command[command.index('--out') + 1].rsplit('/', 1)[1]
            if folder.name in fail:
                return 3
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint.save(folder / 'final.pt', step=5, samples=640, data_hash='d', commit='c')
        return 0

    return run


def make(out, commands, gpu, fail=()):
    one = Campaign(
        out,
        10.0,
        gpu,
        dict.fromkeys({job.preset for job in JOBS} | {'depth', *experiments.ROBUSTNESS}, 100),
        render=False,
        run=finished_training(commands, out, fail),
    )
    for preset in one.counts:
        (one.data(preset) / 'shard-00000').mkdir(parents=True, exist_ok=True)
    return one


def test_campaign_orders_by_worth_and_its_shares_are_whole():
    tables_last = [f'table{n}' for n in (5, 6, 7, 8, 2, 4, 3)]
    assert [job.name for job in JOBS] == ['c2f_edge', 'c2f', 'c2f_paper', 'c2f_depth', *tables_last, 'ablations']
    assert sum(job.share for job in JOBS) == pytest.approx(1)


def test_campaign_without_gpu_trains_edge_and_depth_and_leaves_the_rest_waiting(tmp_path):
    commands = []
    assert not make(tmp_path, commands, gpu=False).go()
    assert [c[3] for c in commands if 'training.train' in c] == ['edge', 'depth']
    state = json.loads((tmp_path / 'campaign.json').read_text())
    assert state['c2f_edge']['status'] == 'done' and state['c2f_edge']['iterations'] == 5
    assert state['c2f_paper']['status'] == state['table3']['status'] == 'waiting for a GPU'
    # edge has a fifth of ten hours
    edge = next(c for c in commands if 'training.train' in c)
    assert edge[edge.index('--minutes') + 1] == '120'


def test_campaign_goes_on_with_what_is_not_done(tmp_path):
    first, second = [], []
    assert not make(tmp_path, first, gpu=True, fail=('c2f',)).go()
    state = json.loads((tmp_path / 'campaign.json').read_text())
    assert state['c2f']['status'].startswith('failed') and state['table3']['status'] == 'done'
    assert make(tmp_path, second, gpu=True).go()
    assert [c[3] for c in second if 'training.train' in c] == ['c2f']
    assert not any('training.tables' in c for c in second)


def test_campaign_without_any_render_says_what_to_run(tmp_path, capsys):
    one = Campaign(tmp_path, 1.0, False, {'wide': 10, 'depth_structured_light': 10}, render=False, run=lambda command: 0)
    one.go()
    assert 'training.render --preset wide' in campaign.json.dumps(one.state)
