"""Averages of two trainings' weights."""

import numpy as np
import pytest
import torch
from tiny_training import ALONE, tiny_config

from training import average
from training.data.crops import SyntheticCrops
from training.loop import checkpoint
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


def test_deviations_that_were_calibrated_differently_have_no_mean(two, tmp_path, capsys):
    calibrated = tmp_path / 'calibrated.pt'
    checkpoint.save(calibrated, **{**checkpoint.load(two[0]), 'calibration': {'std_scale': '1.1 1.4 1.2'}})
    assert average.main([str(two[1]), str(calibrated), '--out', str(tmp_path / 'mean.pt')]) == 2
    assert 'calibrated differently' in capsys.readouterr().err


def test_two_networks_have_no_average(two, heads, tmp_path, capsys):
    config = tiny_config(network=tiny_config().network | {'size': 64}, steps=1)
    Run(config, SyntheticCrops([heads], 'train'), None, tmp_path / 'other', ALONE).go()
    assert average.main([str(two[0]), str(tmp_path / 'other' / 'final.pt'), '--out', str(tmp_path / 'mean.pt')]) == 2
    error = capsys.readouterr().err
    assert 'are two networks' in error and error.count('\n') == 1 and not (tmp_path / 'mean.pt').exists()
