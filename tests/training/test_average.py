"""Averages of two trainings' weights."""

import numpy as np
import pytest
import torch
from tiny_training import ALONE, tiny_config

from training import average
from training.data.crops import SyntheticCrops
from training.loop import checkpoint
from training.loop.deviations import scaled
from training.loop.run import Run


@pytest.fixture(scope='module')
def two(heads, tmp_path_factory):
    """A training, and another that began with its weights."""
    folder = tmp_path_factory.mktemp('two')
    data, start = SyntheticCrops([heads], 'train'), None
    for name in ('first', 'second'):
        Run(tiny_config(steps=3, log_every=100), data, None, folder / name, ALONE, start=start).go()
        start = folder / name / 'final.pt'
    return folder / 'first' / 'final.pt', folder / 'second' / 'final.pt'


def test_weights_lie_between_both_and_say_where_they_come_from(two, tmp_path):
    """A quarter of the way: 0.75 a + 0.25 b, and counters as the second has them."""
    out = tmp_path / 'mean.pt'
    assert average.main([*map(str, two), '--share', '0.25', '--out', str(out)]) in (None, 0)
    a, b, mean = (checkpoint.load(path)['average'] for path in (*two, out))
    assert any(not torch.equal(a[name], b[name]) for name in a)
    for name, value in mean.items():
        expected = 0.75 * a[name] + 0.25 * b[name] if value.is_floating_point() else b[name]
        assert torch.allclose(value, expected, atol=1e-6)
    assert 'averaged with final.pt (0.75)' in checkpoint.history(checkpoint.load(out))
    network = checkpoint.network_of(checkpoint.load(out)).eval()
    with torch.no_grad():
        rotation, _, _ = network(torch.zeros(1, 1, network.size, network.size, dtype=torch.uint8))
    assert np.isclose(np.linalg.det(rotation[0].numpy()), 1, atol=1e-4)


def test_a_mean_is_of_renders_alone_where_both_are_and_names_the_data_of_both(two, tmp_path):
    portraits, mean = tmp_path / 'portraits.pt', tmp_path / 'mean.pt'
    content = {**checkpoint.load(two[0])}
    checkpoint.save(portraits, **{**content, 'rendered': False, 'data': ['portraits'], 'data_hash': 'f' * 16})
    for first, second in ((portraits, two[1]), (two[1], portraits)):
        assert average.main([str(first), str(second), '--out', str(mean)]) in (None, 0)
        found = checkpoint.load(mean)
        assert not found['rendered'] and set(found['data']) == {'portraits', *content['data']}
        assert found['data_hash'].count('+') == 1 and 'f' * 16 in found['data_hash']
        assert 'portraits' in checkpoint.history(found)


def calibrated(path, out):
    """A copy of a checkpoint as `training.export --calibrate` writes it."""
    content, scale = dict(checkpoint.load(path)), np.array([1.1, 1.4, 1.2])
    weights = scaled(content['average'], scale)
    checkpoint.save(out, **content | {'average': weights, 'calibration': {'std_scale': '1.100 1.400 1.200', 'std_scale_data': 'faces'}})
    return out


@pytest.mark.parametrize('which', [0, 1])
def test_the_mean_of_deviations_is_of_those_that_training_gave(two, tmp_path, capsys, which):
    """One of both is calibrated, as a shipped network beside its fine-tuned one. The scale is undone, not averaged."""
    paths = list(two)
    plain = average.average(*paths, 0.5)
    paths[which] = calibrated(paths[which], tmp_path / 'calibrated.pt')
    assert average.main([*map(str, paths), '--out', str(tmp_path / 'mean.pt')]) in (None, 0)
    mean = checkpoint.load(tmp_path / 'mean.pt')
    assert 'calibration' not in mean and 'calibrated.pt: the calibration' in capsys.readouterr().out
    assert all(torch.allclose(value, plain['average'][name], atol=1e-6) for name, value in mean['average'].items())


def test_a_run_that_begins_with_calibrated_weights_begins_with_the_deviations_that_training_gave(two, heads, tmp_path):
    start = calibrated(two[0], tmp_path / 'calibrated.pt')
    run = Run(tiny_config(), SyntheticCrops([heads], 'train'), None, tmp_path / 'run', ALONE, start=start)
    before = checkpoint.load(two[0])['average']
    assert all(torch.allclose(value, before[name], atol=1e-6) for name, value in run.network.state_dict().items())


def test_networks_of_two_margins_have_no_average(two, tmp_path, capsys):
    """1.5 is the margin of a configuration that states none."""
    content = dict(checkpoint.load(two[1]))
    for margin in (1.5, 1.9):
        checkpoint.save(tmp_path / 'other.pt', **content | {'config': content['config'] | {'augment': {'margin': margin}}})
        status = average.main([str(two[0]), str(tmp_path / 'other.pt'), '--out', str(tmp_path / 'mean.pt')])
        assert bool(status) == (margin != 1.5)
    assert 'crops of the margins 1.5, 1.9' in capsys.readouterr().err


def test_two_networks_have_no_average(two, heads, tmp_path, capsys):
    config = tiny_config(network=tiny_config().network | {'size': 64}, steps=1)
    Run(config, SyntheticCrops([heads], 'train'), None, tmp_path / 'other', ALONE).go()
    assert average.main([str(two[0]), str(tmp_path / 'other' / 'final.pt'), '--out', str(tmp_path / 'mean.pt')]) == 2
    error = capsys.readouterr().err
    assert 'are two networks' in error and error.count('\n') == 1 and not (tmp_path / 'mean.pt').exists()


def test_a_mean_of_means_names_each_teacher_once():
    def taught_by(*hashes):
        names = {'name': ', '.join(hashes).upper(), 'hash': ', '.join(hashes), 'trained_on': '; '.join(hashes)}
        return {'data_hash': 'd', 'data': ['wide'], 'teacher': names}

    for parts in ((('old', 'new'), ('new',)), (('new',), ('old', 'new')), (('old',), ('old', 'new'), ('new',))):
        assert checkpoint.data_of([taught_by(*part) for part in parts])['teacher']['hash'] == 'old, new'
    assert checkpoint.data_of([taught_by('new'), taught_by('old'), taught_by('new')])['teacher']['name'] == 'NEW, OLD'
