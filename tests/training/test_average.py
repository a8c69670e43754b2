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


def test_two_networks_have_no_average(two, heads, tmp_path, capsys):
    config = tiny_config(network=tiny_config().network | {'size': 64}, steps=1)
    Run(config, SyntheticCrops([heads], 'train'), None, tmp_path / 'other', ALONE).go()
    assert average.main([str(two[0]), str(tmp_path / 'other' / 'final.pt'), '--out', str(tmp_path / 'mean.pt')]) == 2
    error = capsys.readouterr().err
    assert 'are two networks' in error and error.count('\n') == 1 and not (tmp_path / 'mean.pt').exists()
