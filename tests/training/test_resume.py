"""Runs that are interrupted, begun from weights, or shared by several processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_training import ALONE, tiny_config, write_config

from training.data.crops import SyntheticCrops
from training.export import Labels, metadata
from training.loop import checkpoint, progress
from training.loop.config import config_of
from training.loop.run import Run
from training.loop.trained import Way, trained
from training.synthetic import stand_in

ROOT = Path(__file__).parents[2]


def test_a_run_begun_under_the_old_names_goes_on(heads, tmp_path):
    """Its checkpoint's configuration and its log have the old names; the new ones mean the same run."""
    data = SyntheticCrops([heads], 'train')
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


def test_resumed_run_equals_the_uninterrupted_one(heads, tmp_path):
    """Augmentation, dropout, order, optimiser and average all go on: not a bit differs."""
    data, val = SyntheticCrops([heads], 'train'), SyntheticCrops([heads], 'val')
    Run(tiny_config(), data, val, tmp_path / 'whole', ALONE).go()
    first = Run(tiny_config(), data, val, tmp_path / 'parts', ALONE)
    for _ in range(3):
        first.do_step()
    first.save()
    Run(tiny_config(), SyntheticCrops([heads], 'train'), val, tmp_path / 'parts', ALONE).go()
    whole, parts = (checkpoint.load(tmp_path / name / 'final.pt') for name in ('whole', 'parts'))
    assert whole['step'] == parts['step'] == 6
    assert same(whole['network'], parts['network']) and same(whole['average'], parts['average'])
    assert {k: whole[k] for k in ('seed', 'data_hash', 'config')} == {k: parts[k] for k in ('seed', 'data_hash', 'config')}
    assert len(whole['commit']) >= 7 and whole['data_hash'] == data.data_hash


def test_a_run_goes_on_in_another_precision(heads, tmp_path):
    """As on a machine of another kind."""
    data = SyntheticCrops([heads], 'train')
    run = Run(tiny_config(precision='bf16'), data, None, tmp_path, ALONE)
    run.do_step()
    run.save()
    Run(tiny_config(precision='auto'), data, None, tmp_path, ALONE).go()
    assert checkpoint.load(tmp_path / 'final.pt')['step'] == 6


def test_a_run_that_goes_on_with_other_data_names_what_it_was_trained_on_before(heads, tmp_path, capsys):
    """Two steps of 16 on pictures of faces, which are no renders, then renders: told once, and known from then on."""
    other = tmp_path / 'faces'
    stand_in.write(other, 40, 64, seed=3)
    manifest = json.loads((other / 'manifest.json').read_text())
    (other / 'manifest.json').write_text(json.dumps(manifest | {'preset': 'portraits'}))
    faces, renders = SyntheticCrops([other], 'train'), SyntheticCrops([heads], 'train')
    commit = checkpoint.commit()
    for data, told, hashes, names, before in (
        (faces, False, [faces], [other], ''),
        (renders, True, [renders, faces], [heads, other], f'{commit}, 32 samples of faces'),
        (renders, False, [renders, faces], [heads, other], f'{commit}, 32 samples of faces'),
        (faces, True, [faces, renders], [other, heads], f'{commit}, 96 samples of {heads.name}, faces; {commit}, 32 samples of faces'),
    ):
        run = Run(tiny_config(steps=20), data, None, tmp_path / 'run', ALONE)
        run.do_step()
        run.do_step()
        run.save()
        content = checkpoint.load(tmp_path / 'run' / 'last.pt')
        assert ('the training data changed since' in capsys.readouterr().err) == told
        assert content['data_hash'] == '+'.join(part.data_hash for part in hashes)
        assert content['data'] == [path.name for path in names] and not content['rendered'] and content['started_from'] == before
    row = trained(tiny_config(steps=20), renders, tmp_path / 'run', Way('cpu'))
    assert row['data_hash'].split('+') == [renders.data_hash, faces.data_hash], "a study's too, as of data made again on another machine"
    assert trained(tiny_config(steps=20), renders, tmp_path / 'run', Way('cpu'))['step'] == 20
    with pytest.raises(ValueError, match='other data'):
        trained(tiny_config(steps=20), faces, tmp_path / 'run', Way('cpu'))


def test_a_run_whose_hash_is_of_the_manifests_file_goes_on_as_one_of_the_same_data(heads, tmp_path, capsys):
    """As checkpoints of before 0.22.0: nothing is said to have changed, the hash stays, and a study takes the training for its own."""
    data = SyntheticCrops([heads], 'train')
    run = Run(tiny_config(), data, None, tmp_path, ALONE)
    run.do_step()
    run.data_hash = data.hashes[1]
    run.save()
    row = trained(tiny_config(), data, tmp_path, Way('cpu'))
    assert (row['step'], row['data_hash'], row['started_from']) == (6, data.hashes[1], '') and data.hashes[1] != data.data_hash
    assert trained(tiny_config(), data, tmp_path, Way('cpu'))['step'] == 6
    assert 'changed' not in capsys.readouterr().err


def test_a_run_stopped_by_sigterm_writes_its_checkpoint_and_goes_on_with_the_same_result(heads, tmp_path):
    """The signal comes in the third of six steps: that step is finished, and no further one is begun."""
    data = SyntheticCrops([heads], 'train')
    Run(tiny_config(), data, None, tmp_path / 'whole', ALONE).go()
    first = Run(tiny_config(), data, None, tmp_path / 'parts', ALONE)
    step = first.do_step

    def step_and_signal():
        if first.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return step()

    first.do_step = step_and_signal
    before = signal.getsignal(signal.SIGTERM)
    first.go()
    assert signal.getsignal(signal.SIGTERM) == before and not (tmp_path / 'parts' / 'final.pt').exists()
    assert checkpoint.load(tmp_path / 'parts' / 'last.pt')['step'] == 3
    Run(tiny_config(), data, None, tmp_path / 'parts', ALONE).go()
    whole, parts = (checkpoint.load(tmp_path / name / 'final.pt') for name in ('whole', 'parts'))
    assert same(whole['network'], parts['network']) and parts['step'] == 6


@pytest.mark.parametrize('half', [False, True])
def test_a_light_checkpoint_resumes_at_its_step_with_the_average_as_weights(heads, tmp_path, half):
    """Half precision takes half of the bytes; the optimiser's state and the last step's weights are not there."""
    data = SyntheticCrops([heads], 'train')
    run = Run(tiny_config(), data, None, tmp_path, ALONE)
    for _ in range(3):
        run.do_step()
    run.save()
    whole = checkpoint.load(tmp_path / 'last.pt')
    light = checkpoint.light(whole, half)
    assert not {'optimiser', 'network'} & set(light)
    checkpoint.save(tmp_path / 'last.pt', **light)
    resumed = Run(tiny_config(), data, None, tmp_path, ALONE)
    assert resumed.step == 3 and resumed.schedule.fall == run.schedule.fall
    for name, weights in resumed.network.state_dict().items():
        expected = whole['average'][name]
        assert torch.equal(weights, expected.half().to(expected.dtype) if half and expected.is_floating_point() else expected), name
    size = sum(tensor.nbytes for tensor in light['average'].values() if tensor.is_floating_point())
    assert size * (2 if half else 1) == sum(tensor.nbytes for tensor in whole['average'].values() if tensor.is_floating_point())
    resumed.go()
    assert checkpoint.load(tmp_path / 'final.pt')['step'] == 6 and 'light' not in checkpoint.load(tmp_path / 'final.pt')


def test_another_configuration_in_the_same_folder_is_refused(heads, tmp_path):
    data = SyntheticCrops([heads], 'train')
    Run(tiny_config(), data, None, tmp_path, ALONE).save()
    with pytest.raises(ValueError, match='seed'):
        Run(tiny_config(seed=1), data, None, tmp_path, ALONE)


def test_two_processes_take_the_steps_of_one(heads, tmp_path):
    """torchrun with two gloo processes against one process with the same two shards; sums differ in rounding only."""
    common = ['-m', 'training.train', write_config(tmp_path), '--data', str(heads), '--device', 'cpu', '--threads', '1']
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


def test_a_second_training_in_the_same_folder_is_refused_until_the_first_has_ended(heads, tmp_path):
    """A run that was killed does not keep the folder either."""
    code = 'import pathlib, sys; from training.loop.run import sole_writer\nwith sole_writer(pathlib.Path(sys.argv[1])): input(print())'
    command = [sys.executable, '-c', code.replace('print()', 'print(flush=True)'), str(tmp_path)]
    first = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert first.stdout.readline()
        run = Run(tiny_config(steps=1), SyntheticCrops([heads], 'train'), None, tmp_path, ALONE)
        with pytest.raises(ValueError, match=f'another training writes to {tmp_path}'):
            run.go()
    finally:
        first.kill()
        first.communicate()
    run.go()
    assert (tmp_path / 'final.pt').exists()


def test_the_data_of_the_weights_that_a_run_began_with_is_part_of_its_own_data(heads, tmp_path, capsys):
    """Two steps of 16 samples, then three that begin with them, then one more: 32, 80, 96 in all."""
    data, last = SyntheticCrops([heads], 'train'), None
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


def test_weights_of_another_network_are_not_begun_with(heads, tmp_path):
    data = SyntheticCrops([heads], 'train')
    Run(tiny_config(), data, None, tmp_path, ALONE).save('other.pt')
    larger = tiny_config(network=tiny_config().network | {'widths': [8, 24], 'depths': [1, 2]})
    with pytest.raises(ValueError, match=r'other.pt is a network of widths \[8, 16\], depths \[1, 1\]; this is one of widths \[8, 24\]'):
        Run(larger, data, None, tmp_path, ALONE, start=tmp_path / 'other.pt')
