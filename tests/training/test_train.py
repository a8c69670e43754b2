"""The training loop: it learns, resumes exactly, spreads over processes, and refuses what cannot work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_training import tiny_config

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics
from training import campaign, train
from training.data.augment import Batch
from training.data.crops import SyntheticCrops
from training.export import Labels, metadata
from training.loop import checkpoint, progress
from training.loop.config import CONFIGS, config_of, read_config
from training.loop.distributed import DistributedContext, init_distributed
from training.loop.run import Run
from training.loop.validate import category_accuracy, estimate, held_out, measure_std
from training.models.factory import build
from training.studies import ablations
from training.synthetic import stand_in

ROOT = Path(__file__).parents[2]
torch.set_num_threads(1)  # networks this small only wait for a second thread
ALONE = DistributedContext(0, 1, torch.device('cpu'))
CLEAN = {
    'margin': 1.8,
    'zoom': 1.0,
    'shift_sd': 0.0,
    'squeeze_sd': 0.0,
    'stretch_share': 0.0,
    'detector_share': 0.0,
    'roll_of': 'picture',
    'roll_sd_deg': 0.0,
    'roll_wide_share': 0.0,
    'mirror': False,
    'border_share': 0.0,
    'photometric': None,
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('heads')
    stand_in.write(path, 80, 64, seed=7)
    return path


def write_config(folder, **changes):
    """The path of a file with `tiny_config`."""
    (folder / 'tiny.yaml').write_text(yaml.safe_dump(tiny_config(**changes).as_dict()))
    return str(folder / 'tiny.yaml')


def test_settings_under_their_old_names_count_and_are_named_with_the_new_ones(tmp_path, capsys):
    """Of a file and of --set alike; beside the base's settings under the new names, the old name's value counts: 3e-4, not 2e-3."""
    (tmp_path / 'base.yaml').write_text((CONFIGS / 'edge.yaml').read_text())
    (tmp_path / 'mine.yaml').write_text('base: base\noptimiser: {rate: 3.0e-4}\naugment: {picture: {gamma: 1.2}}\n')
    config = read_config(tmp_path / 'mine.yaml', ['optimiser.decay=0.1', 'network.handover=hard'])
    told = capsys.readouterr().err
    assert config.optimiser == {'kind': 'adamw', 'lr': 3e-4, 'weight_decay': 0.1} and config.network['gating'] == 'hard'
    photometric = config.augmentation().photometric
    assert photometric.gamma == 1.2 and photometric.occluder_share == 0.12  # merged with the base's
    for new, old in (('lr', 'optimiser.rate'), ('photometric', 'augment.picture'), ('weight_decay', 'optimiser.decay')):
        assert f'{old} is deprecated: name it {new}' in told
    assert '--set: network.handover is deprecated: name it gating' in told
    (tmp_path / 'both.yaml').write_text('base: base\noptimiser: {rate: 3.0e-4, lr: 1.0e-3}\n')
    with pytest.raises(ValueError, match=r'both optimiser\.rate and optimiser\.lr'):
        read_config(tmp_path / 'both.yaml')


def test_a_run_begun_under_the_old_names_goes_on(folder, tmp_path):
    """Its checkpoint's configuration and its log have the old names; the new ones mean the same run."""
    data = SyntheticCrops([folder], 'train')
    run = Run(tiny_config(augment={'photometric': {'gamma': 1.2}}), data, None, tmp_path, ALONE)
    run.do_step()
    run.save()
    content = dict(checkpoint.load(tmp_path / 'last.pt'))
    old = content['config']
    old['optimiser'] = {'kind': 'adamw', 'rate': old['optimiser']['lr'], 'decay': old['optimiser']['weight_decay']}
    old['augment'] = {'picture': old['augment']['photometric']}
    old['network']['handover'] = 'soft'
    checkpoint.save(tmp_path / 'last.pt', **content)
    (tmp_path / 'log.csv').write_text('step,seconds,samples,rate,loss\n1,0.5,16,0.001,2.5\n')
    values = tiny_config(augment={'photometric': {'gamma': 1.2}}).as_dict()
    resumed = config_of(values | {'network': values['network'] | {'gating': 'soft'}})
    Run(resumed, data, None, tmp_path, ALONE).go()
    assert progress.read_rows(tmp_path / 'log.csv')[0]['lr'] == '0.001'
    assert checkpoint.load(tmp_path / 'final.pt')['step'] == 6


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def test_resumed_run_equals_the_uninterrupted_one(folder, tmp_path):
    """Augmentation, dropout, order, optimiser and average all go on: not a bit differs."""
    data, val = SyntheticCrops([folder], 'train'), SyntheticCrops([folder], 'val')
    Run(tiny_config(), data, val, tmp_path / 'whole', ALONE).go()
    first = Run(tiny_config(), data, val, tmp_path / 'parts', ALONE)
    for _ in range(3):
        first.do_step()
    first.save()
    Run(tiny_config(), SyntheticCrops([folder], 'train'), val, tmp_path / 'parts', ALONE).go()
    whole, parts = (checkpoint.load(tmp_path / name / 'final.pt') for name in ('whole', 'parts'))
    assert whole['step'] == parts['step'] == 6
    assert same(whole['network'], parts['network']) and same(whole['average'], parts['average'])
    assert {k: whole[k] for k in ('seed', 'data_hash', 'config')} == {k: parts[k] for k in ('seed', 'data_hash', 'config')}
    assert len(whole['commit']) >= 7 and whole['data_hash'] == data.data_hash


def test_another_configuration_in_the_same_folder_is_refused(folder, tmp_path):
    data = SyntheticCrops([folder], 'train')
    Run(tiny_config(), data, None, tmp_path, ALONE).save()
    with pytest.raises(ValueError, match='seed'):
        Run(tiny_config(seed=1), data, None, tmp_path, ALONE)


def test_two_processes_take_the_steps_of_one(folder, tmp_path):
    """torchrun with two gloo processes against one process with the same two shards; sums differ in rounding only."""
    common = ['-m', 'training.train', write_config(tmp_path), '--data', str(folder), '--device', 'cpu', '--threads', '1']
    environment = os.environ | {'OMP_NUM_THREADS': '1'}
    two = subprocess.Popen(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--nproc-per-node',
            '2',
            '--master-port',
            '0',
            '--standalone',
            *common,
            '--out',
            str(tmp_path / 'two'),
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    one = subprocess.run(
        [sys.executable, *common, '--out', str(tmp_path / 'one')], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    output, _ = two.communicate(timeout=120)
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, output
    a, b = (checkpoint.load(tmp_path / name / 'final.pt') for name in ('one', 'two'))
    for name, value in a['network'].items():
        if value.is_floating_point() and 'running' not in name:
            assert torch.allclose(value, b['network'][name], atol=2e-5), name
    statistics = [name for name in b['network'] if 'running' in name]
    # of both processes, in the average too
    assert statistics and all(torch.equal(b['network'][name], b['average'][name]) for name in statistics)


SMALL = {'size': 48, 'stem': 8, 'widths': [16, 32], 'depths': [1, 1], 'embedding': 64, 'hidden': 16, 'squeeze': 16}
NARROW = {'width': 0.125, 'dropout': 0.0}
PAPER = {'kind': 'paper', 'size': 64, 'start_std': 0.1, 'channels': 16, 'hidden': 32, **NARROW}
THREE = ['pitch', 'yaw', 'roll']
# network, loss, steps, learning rate
CASES = {
    'ours': ({'kind': 'coarse_to_fine', **SMALL}, 'coarse_to_fine', 150, 3e-3),
    'ours, depth': ({'kind': 'coarse_to_fine', 'modality': 'depth', **SMALL}, 'coarse_to_fine', 150, 3e-3),
    'paper': (PAPER, 'paper', 300, 3e-3),
    'paper, depth': ({**PAPER, 'modality': 'depth'}, 'paper', 300, 3e-3),
    'liu': ({'kind': 'regressor', 'style': 'liu', 'size': 96, 'width': 0.25, 'hidden': 32, 'dropout': 0.0}, 'angles', 80, 3e-3),
    'ahn': ({'kind': 'regressor', 'style': 'ahn', 'size': 32, 'width': 0.5, 'hidden': 32, 'dropout': 0.0}, 'angles', 150, 3e-3),
    'alexnet': ({'kind': 'classifier', 'backbone': 'alexnet', 'size': 64, **NARROW}, 'classifier', 40, 3e-3),
    'vgg': ({'kind': 'classifier', 'backbone': 'vgg', 'size': 32, **NARROW}, 'classifier', 120, 1e-3),
    'resnet50': ({'kind': 'classifier', 'backbone': 'resnet50', 'size': 48, **NARROW}, 'classifier', 90, 3e-3),
    'googlenet, three signs': (
        {'kind': 'classifier', 'backbone': 'googlenet', 'size': 64, 'angles': THREE, **NARROW},
        'classifier',
        90,
        3e-3,
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_eight_samples_are_learnt_by_heart(case, folder, tmp_path):
    """Regressors under 1 degree (mean geodesic), classifiers 100 %: reduced width and input, a test schedule."""
    network, loss, steps, rate = CASES[case]
    config = tiny_config(
        network=network,
        loss={'kind': loss},
        steps=steps,
        modality=network.get('modality', 'rgb'),
        shards=1,
        augment=CLEAN,
        pose_limits_deg=(45, 60, 18),  # what the paper's sigmoid reaches
        ema=0.9,
        optimiser={'kind': 'adamw', 'lr': rate, 'weight_decay': 0.0},
        schedule={'kind': 'cooldown', 'warmup': 10, 'cooldown': 0.5},
        log_every=1000,
    )
    data = SyntheticCrops([folder], 'train', config.modality == 'depth', config.pose_limits_deg, limit=8)
    run = Run(config, data, None, tmp_path, ALONE)
    drawn = run.loader.batch(0, 0)
    # each sample twice: the paper's loss takes the category of one and the pose of the other; twice again there, for batch
    # statistics over 2x2 maps that differ less from the running ones
    copies = 4 if loss == 'paper' else 2
    batch = Batch(drawn.crops[:8].repeat(copies, 1, 1, 1), drawn.rotation[:8].repeat(copies, 1, 1))
    run.loader.batch = lambda step, shard: batch
    run.go()
    R, _, logits = estimate(run.ema.network, batch.crops)
    truth = batch.rotation.numpy()
    if config.loss['kind'] == 'classifier':
        assert category_accuracy(run.ema.network, batch.crops, truth) == 1
        return
    assert geometry.geodesic_deg(truth, R).mean() < 1
    if config.loss['kind'] != 'angles':
        assert metrics.coarse_accuracy(truth, logits)['beyond_0'] == 1


def test_log_holds_validation_curves_and_pictures_are_written(folder, tmp_path):
    data, val = SyntheticCrops([folder], 'train'), SyntheticCrops([folder], 'val')
    Run(tiny_config(), data, val, tmp_path, ALONE).go()
    rows = progress.read_rows(tmp_path / 'log.csv')
    assert [int(r['step']) for r in rows] == [1, 2, 3, 4, 5, 6]
    assert [bool(r['val_geodesic']) for r in rows] == [False, False, True, False, False, True]
    assert (tmp_path / 'samples.png').stat().st_size > 1000 and (tmp_path / 'curves.png').stat().st_size > 1000


def test_time_budget_ends_in_a_cooldown_and_a_larger_one_goes_on_from_before_it(folder, tmp_path, monkeypatch):
    """The rate falls linearly over the last quarter of the steps; a quarter of all is a third of those before."""
    data = SyntheticCrops([folder], 'train')
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
def test_a_time_budget_ends_with_a_final_checkpoint_and_a_rate_of_zero(kind, slower, folder, tmp_path, monkeypatch, capsys):
    """60 s at 1 s a step, and in the fall at 1 or 20 s a step. At an even speed the fall takes the last 15, or 6, of the 60 steps.

    A slower machine bends it: after 1.05 budgets, 63 s, and the step that was being done, there is one more.
    """
    data = SyntheticCrops([folder], 'train')
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


def test_a_bent_fall_is_in_the_checkpoint_and_a_larger_budget_does_not_go_back_behind_one_not_begun(folder, tmp_path, monkeypatch):
    data, config = SyntheticCrops([folder], 'train'), tiny_config(steps=100000)
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


def test_a_budget_larger_than_the_steps_need_cools_down_by_the_steps(folder, tmp_path, monkeypatch):
    """12 steps of 1 s in an hour: the fall begins at step 9."""
    run = Run(tiny_config(steps=12), SyntheticCrops([folder], 'train'), None, tmp_path, ALONE, minutes=60.0)
    monkeypatch.setattr('training.loop.run.time', Clock(run, lambda run: 1))
    run.go()
    assert run.step == 12 and run.schedule.fall == (9, 3, 1.0)


def test_paper_schedule_is_caffes_polynomial():
    """0.01 (1 - 20000 / 40000)^0.5 = 0.00707."""
    schedule = read_config('paper').make_schedule()
    assert schedule.lr(0) == 0.01
    assert schedule.lr(20000) == pytest.approx(0.01 * 0.5**0.5)


@pytest.mark.parametrize(
    'change, message',
    [
        ({'network': {'kind': 'other', 'size': 32}}, "network kind 'other'"),
        ({'loss': {'kind': 'l7'}}, "loss kind 'l7'"),
        ({'precision': 'fp8'}, "precision 'fp8'"),
        ({'batch': 15}, 'batch 15'),
        ({'surprise': 1}, 'unknown surprise'),
        ({'augment': {'zooom': 2}}, 'zooom'),
        ({'modality': 'depth'}, "modality is 'depth', the network reads 'rgb': set network.modality"),
        ({'network': {**tiny_config().network, 'subspaces': 'six'}}, "subspaces 'six' is none of .'eight', 'four'"),
        ({'optimiser': {'kind': 'sgd', 'lr': 0.1, 'weight_decay': 0.0}}, "optimiser 'sgd' takes lr, momentum, weight_decay: momentum"),
        ({'optimiser': {'kind': 'adamw', 'lr': 0.1, 'weight_decay': 0.0, 'momentum': 0.9}}, "'adamw' takes lr, weight_decay: momentum"),
        ({'schedule': {'kind': 'cooldown', 'cooldown': 1.0}}, 'cooldown 1.0'),
        ({'shards': 0}, 'shards 0'),
        ({'seed': -1}, 'seed -1 is not at least 0'),
        ({'validate_every': 0}, 'validate_every 0'),
        ({'log_every': 0}, 'log_every 0'),
        ({'ema': 2}, 'ema 2 is not between 0 and 1'),
        ({'ema': float('nan')}, 'ema nan'),
        ({'batch': 'abc'}, "batch 'abc' is not a whole number"),
        ({'batch': True}, 'batch True'),
        ({'network': 5}, 'network 5 is not a mapping'),
        ({'network': tiny_config().network | {'wide': 1}}, 'unknown network.wide: network has depths, dropout, embedding'),
        ({'network': {'kind': 'coarse_to_fine', 'size': 48}}, 'network lacks depths, stem, widths'),
        ({'network': tiny_config().network | {'widths': 3}}, 'network.widths 3 is not a list'),
        *(({'network': tiny_config().network | {'size': size}}, f'network.size {size} is not at least 8') for size in (7, 0, -48)),
        ({'network': tiny_config().network | {'widths': [8] * 4, 'depths': [1] * 4, 'size': 24}}, 'size 24 is less than the stride'),
        ({'network': {**PAPER, 'size': 20}}, 'network.size 20 is less than the 32'),
        ({'augment': {'zooom': 2}}, 'unknown augment.zooom: augment has border_share'),
        ({'augment': {'margin': 'abc'}}, "augment.margin 'abc' is not a number"),
        ({'augment': {'margin': -1}}, 'augment.margin -1 is not at least'),
        ({'augment': {'mirror': 2}}, 'augment.mirror 2 is not true or false'),
        ({'augment': {'photometric': {'blurr': 2}}}, 'unknown augment.photometric.blurr'),
        ({'optimiser': {'kind': 'adamw', 'lr': 'fast', 'weight_decay': 0.0}}, "optimiser.lr 'fast'"),
        ({'schedule': {'kind': 'poly', 'powr': 1}}, 'unknown schedule.powr'),
        ({'focus': {'flor': 1}}, 'unknown focus.flor'),
        ({'pose_limits_deg': [1, 2]}, 'pose_limits_deg'),
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused_by_name(change, message, folder, tmp_path):
    with pytest.raises(ValueError, match=message):
        Run(tiny_config(**change), SyntheticCrops([folder], 'train'), None, tmp_path, ALONE)


def test_numbers_are_numbers_however_they_are_written(tmp_path):
    (tmp_path / 'my.yaml').write_text('base: nothing\naugment: {margin: 2E0}\n')
    (tmp_path / 'nothing.yaml').write_text((CONFIGS / 'edge.yaml').read_text())
    config = read_config(tmp_path / 'my.yaml', ['optimiser.lr=1e-3', 'optimiser.weight_decay=.5e+1', 'clip=-0', 'name=e1e-3'])
    assert (config.optimiser['lr'], config.optimiser['weight_decay'], config.augment['margin'], config.name) == (1e-3, 5, 2, 'e1e-3')


def test_settings_that_are_no_yaml_are_refused_in_a_line(tmp_path):
    with pytest.raises(ValueError, match=r"^augment.margin=\[1 is no yaml: expected ',' or '\]'"):
        read_config('edge', ['augment.margin=[1'])
    for text in ('', 'edge', 'network: [1'):
        (tmp_path / 'my.yaml').write_text(text)
        with pytest.raises(ValueError, match=r'my[.]yaml is no'):
            read_config(tmp_path / 'my.yaml')


def test_a_mistake_on_the_command_line_is_told_in_a_line(folder, tmp_path, capsys):
    command = ['--data', str(folder), '--out', str(tmp_path), '--device', 'cpu', '--set']
    for change, words in (
        ('modality=depth', 'set network.modality'),
        ('network.subspaces=six', "subspaces 'six'"),
        ('optimiser.kind=sgd', "optimiser 'sgd' takes lr, momentum, weight_decay"),
        ('nonsense', 'KEY=VALUE'),
    ):
        assert train.main(['edge', *command, change]) == 2
        told = capsys.readouterr().err.splitlines()
        assert told[-1].startswith('error: ') and words in told[-1]
    assert ablations.main(['--data', str(tmp_path / 'nowhere'), '--out', str(tmp_path)]) == 2
    assert 'nowhere has no manifest.json' in capsys.readouterr().err


def test_another_device_or_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setenv('LOCAL_RANK', '1')
    with pytest.raises(ValueError, match='sees 1 GPUs, process 1 has none'):
        init_distributed('cuda')
    with pytest.raises(ValueError, match="device 'tpu' is none of 'auto', 'cpu', 'cuda'"):
        init_distributed('tpu')


@pytest.mark.parametrize(
    'command, wrong',
    [
        (train.main, ['--steps', '0']),
        (train.main, ['--threads', '0']),
        (train.main, ['--workers', '-1']),
        (train.main, ['--limit', '0']),
        (train.main, ['--minutes', '-1']),
        (train.main, ['--minutes', 'nan']),
        (train.main, ['--pause-minutes', '-1']),
        (ablations.main, ['--steps', '0']),
        (ablations.main, ['--limit', '-3']),
        (campaign.main, ['--count', '0']),
        (campaign.main, ['--hours', '0']),
        (campaign.main, ['--hours', '-1']),
    ],
)
def test_numbers_that_no_command_can_use_are_refused(command, wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match='2'):
        command([*{train.main: ['edge', '--data', 'x'], ablations.main: ['--data', 'x']}.get(command, []), '--out', 'y', *wrong])
    assert f'argument {wrong[0]}: {wrong[1]} is not a' in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_mistyped_command_leaves_no_folder(folder, tmp_path, capsys):
    out = tmp_path / 'out'
    for wrong in (['--set', 'modality=depth'], ['--start', str(tmp_path / 'nowhere.pt')], ['--device', 'tpu']):
        assert train.main(['edge', '--data', str(folder), '--out', str(out), '--device', 'cpu', *wrong]) == 2
    assert not out.exists() and capsys.readouterr().err.count('error: ') == 3


def test_a_second_training_in_the_same_folder_is_refused_until_the_first_has_ended(folder, tmp_path):
    """Also one that was killed lets go of the folder."""
    code = 'import pathlib, sys; from training.loop.run import sole_writer\nwith sole_writer(pathlib.Path(sys.argv[1])): input(print())'
    command = [sys.executable, '-c', code.replace('print()', 'print(flush=True)'), str(tmp_path)]
    first = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert first.stdout.readline()
        run = Run(tiny_config(steps=1), SyntheticCrops([folder], 'train'), None, tmp_path, ALONE)
        with pytest.raises(ValueError, match=f'another training writes to {tmp_path}'):
            run.go()
    finally:
        first.kill()
        first.communicate()
    run.go()
    assert (tmp_path / 'final.pt').exists()


def test_a_loss_that_is_no_number_is_told_in_a_line(folder, tmp_path, capsys):
    command = [write_config(tmp_path, steps=3), '--data', str(folder), '--out', str(tmp_path / 'out'), '--device', 'cpu']
    assert train.main([*command, '--set', 'optimiser.lr=1e30', 'clip=0']) == 2
    assert 'error: the loss is nan at step' in capsys.readouterr().err


def test_what_a_run_began_with_counts_in_what_it_is_made_of(folder, tmp_path, capsys):
    """Two steps of 16 samples, then three that begin with them, then one more: 32, 80, 96 in all."""
    data, last = SyntheticCrops([folder], 'train'), None
    for name, steps, samples in (('first', 2, 32), ('second', 3, 80), ('third', 1, 96)):
        Run(tiny_config(), data, None, tmp_path / name, ALONE, start=last).save()
        resumed = Run(tiny_config(), data, None, tmp_path / name, ALONE, start=last)
        resumed.step = steps
        resumed.save('final.pt')
        last = tmp_path / name / 'final.pt'
        content = checkpoint.load(last)
        assert content['samples'] == 16 * steps
        assert metadata(config_of(content['config']), content, Labels('x', '1'), 'fp32')['samples'] == str(samples)
    assert 'resuming' in (told := capsys.readouterr().out) and told.count('--start is not used') == 2


def test_weights_of_another_network_are_not_begun_with(folder, tmp_path):
    data = SyntheticCrops([folder], 'train')
    Run(tiny_config(), data, None, tmp_path, ALONE).save('other.pt')
    larger = tiny_config(network=tiny_config().network | {'widths': [8, 24], 'depths': [1, 2]})
    with pytest.raises(ValueError, match=r'other.pt is a network of widths \[8, 16\], depths \[1, 1\]; this is one of widths \[8, 24\]'):
        Run(larger, data, None, tmp_path, ALONE, start=tmp_path / 'other.pt')


def test_every_configuration_file_builds():
    from training.loop.losses import make_loss

    names = sorted(p.stem for p in CONFIGS.glob('*.yaml'))
    assert {'edge', 'c2f', 'paper', 'depth'} <= set(names)
    for name in names:
        config = read_config(name)
        make_loss(config.loss)
        assert build(config.network).size == config.size


def test_edge_costs_at_most_a_third_of_a_gflop():
    """Two operations a multiply-add."""
    from network_size import multiply_adds

    network = build(read_config('edge').network).eval()
    assert network.size <= 128
    assert 2 * multiply_adds(network, torch.zeros(1, 1, network.size, network.size, dtype=torch.uint8)) <= 0.3e9


@pytest.mark.parametrize(
    'name, told',
    [('c2f', '915 M multiply-adds, 9.60 M'), ('edge', '37 M multiply-adds, 1.69 M'), ('edge_128', '66 M multiply-adds, 1.80 M')],
)
def test_the_size_that_a_configuration_tells_of_its_network_is_right(name, told):
    """In the file's first line, of the network as it trains."""
    from network_size import multiply_adds, parameters

    network = build(read_config(name).network).eval()
    work = multiply_adds(network, torch.zeros(1, 1, network.size, network.size, dtype=torch.uint8))
    assert told == f'{work / 1e6:.0f} M multiply-adds, {parameters(network) / 1e6:.2f} M'
    assert f'{told} parameters' in (CONFIGS / f'{name}.yaml').read_text().splitlines()[0]


def test_networks_without_uncertainty_get_the_one_they_make(folder):
    """Constants equal the root mean square of the errors on held-out crops, so the ratio's root mean square is 1 there."""
    config = tiny_config(network=PAPER, loss={'kind': 'paper'})
    network, data = build(config.network).eval(), SyntheticCrops([folder], 'val')
    measure_std(network, data, config)
    crops, truth = held_out(data, config)
    R, std, _ = estimate(network, crops)
    assert metrics.std_calibration(truth, R, std)['rms_ratio'] == pytest.approx(1, abs=1e-3)
    assert np.ptp(std, axis=0).max() == 0
