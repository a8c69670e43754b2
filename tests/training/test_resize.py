"""Weights of one network in another that is deeper, shallower, narrower, or reads larger crops."""

import pytest
import torch

from training.loop.config import read_config
from training.models.factory import build
from training.models.resize import enlarged, fitted

torch.set_num_threads(1)
TINY = {'kind': 'coarse_to_fine', 'size': 32, 'stem': 4, 'widths': [8, 8], 'depths': [2, 3], 'embedding': 16, 'hidden': 4, 'squeeze': 4}


def trained(**changes):
    """A network whose normalisations have other values than at the beginning of training."""
    torch.manual_seed(0)
    network = build(TINY | changes).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network


def begun(network, changes, **more):
    """A network of changed settings with the given one's weights."""
    target = build(TINY | changes | more).eval()
    target.load_state_dict(fitted(network.state_dict(), TINY | changes, target, TINY | changes | more))
    return target


def answers(network):
    crops = torch.randint(0, 255, (4, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return torch.cat([output.flatten(1) for output in network(crops)], 1)


def silence(network, stage_layers, channels):
    """Makes channels of a stage zero everywhere: no layer writes them."""
    for i in stage_layers:
        layer = network.trunk.layers[i]
        norm = layer.norm if hasattr(layer, 'norm') else layer[1]
        with torch.no_grad():
            norm.weight[channels] = 0
            norm.bias[channels] = 0


def test_a_deeper_trunk_computes_the_same_function_at_first():
    shallow = trained(depths=[1, 1])
    assert torch.allclose(answers(begun(shallow, {'depths': [1, 1]}, depths=[2, 3])), answers(shallow), atol=1e-6)


def test_a_shallower_trunk_loses_the_block_that_does_nothing():
    """The second block of the second stage (layers: stem, first stage 1 to 3, second stage 4 to 7) adds zero."""
    deep = trained()
    idle = deep.trunk.layers[6]
    torch.nn.init.zeros_(idle.norm.weight)
    torch.nn.init.zeros_(idle.norm.bias)
    assert torch.allclose(answers(begun(deep, {}, depths=[2, 2])), answers(deep), atol=1e-6)


def test_a_narrower_trunk_loses_the_channels_that_nothing_writes():
    """Two of eight channels of the last stage are zero everywhere; inside of its blocks, one of four."""
    wide = trained()
    silence(wide, [4, 5, 6, 7], [1, 6])
    for i in (5, 6, 7):
        block = wide.trunk.layers[i]
        for part in (block.squeeze, block.mix):
            with torch.no_grad():
                part[1].weight[2] = part[1].bias[2] = 0
    narrow = begun(wide, {}, widths=[8, 6])
    assert narrow.trunk.layers[5].mix[0].weight.shape == (3, 3, 3, 3)
    assert torch.allclose(answers(narrow), answers(wide), atol=1e-5)


def test_a_narrower_first_stage_still_fits_the_second():
    wide = trained()
    silence(wide, [1, 2, 3], [0, 3])
    for i in (2, 3):
        for part in (wide.trunk.layers[i].squeeze, wide.trunk.layers[i].mix):
            with torch.no_grad():
                part[1].weight[1] = part[1].bias[1] = 0
    assert torch.allclose(answers(begun(wide, {}, widths=[6, 8])), answers(wide), atol=1e-5)


def test_depths_and_widths_may_change_at_once():
    other = begun(trained(), {}, depths=[3, 2], widths=[8, 6])
    assert torch.isfinite(answers(other)).all()


@pytest.mark.parametrize(('changes', 'message'), [({'depths': [2]}, 'as many stages'), ({'depths': [0, 3]}, 'each with a block')])
def test_depths_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        fitted(trained().state_dict(), TINY, trained(), TINY | changes)


def test_more_channels_are_refused():
    with pytest.raises(ValueError, match='cannot grow to 16'):
        begun(trained(), {}, widths=[8, 16])


def test_a_larger_map_counts_as_much_as_the_smaller_one():
    """Nine places of weight 1 become sixteen of (3 / 4)^2 = 0.5625, 9 in all: a map that is the same everywhere gives what it gave."""
    state = {'embed.2.weight': torch.ones(2, 3 * 9), 'other': torch.ones(1)}
    found = enlarged(state, 3, 4)
    assert found['embed.2.weight'].shape == (2, 3 * 16) and torch.allclose(found['embed.2.weight'], torch.tensor(0.5625))
    assert found['other'] is state['other']


def test_each_place_of_a_larger_map_gets_the_weights_of_its_neighbours():
    """From sides 1 to 2 every place gets the one weight over four; other channels stay apart."""
    found = enlarged({'embed.2.weight': torch.tensor([[4.0, -8.0]])}, 1, 2)
    assert found['embed.2.weight'].tolist() == [[1, 1, 1, 1, -2, -2, -2, -2]]


def test_the_edge_network_begins_larger_crops_with_its_weights():
    """Everything but the layer that reads the map is taken as it is, and the larger network answers rotations."""
    small, large = read_config('edge').network, read_config('edge_128').network
    theirs, network = build(small), build(large).eval()
    state = fitted(theirs.state_dict(), small, network, large)
    network.load_state_dict(state)
    assert torch.equal(network.trunk.layers[0][0].weight, theirs.trunk.layers[0][0].weight)
    assert torch.equal(network.classifier.weight, theirs.classifier.weight)
    R = network(torch.randint(0, 256, (2, 1, 128, 128), dtype=torch.uint8))[0]
    assert torch.allclose(R @ R.transpose(1, 2), torch.eye(3).expand(2, 3, 3), atol=1e-4)
