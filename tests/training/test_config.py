"""Configurations of trainings: names, numbers, refusals, and the networks that the shipped ones build."""

import pytest
import torch
from tiny_training import ALONE, PAPER, tiny_config

from training.data.crops import SyntheticCrops
from training.loop import checkpoint
from training.loop.config import CONFIGS, read_config
from training.loop.run import Run
from training.models.factory import build


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


@pytest.mark.parametrize(
    'change, message',
    [
        ({'network': {'kind': 'other', 'size': 32}}, "network kind 'other'"),
        ({'loss': {'kind': 'l7'}}, "loss kind 'l7'"),
        ({'precision': 'fp8'}, "precision 'fp8'"),
        ({'batch': 15}, 'batch 15'),
        ({'surprise': 1}, 'unknown surprise'),
        ({'augment': {'zooom': 2}}, 'zooom'),
        (
            {'modality': 'depth', 'network': tiny_config().network | {'modality': 'depth'}, 'augment': {'aligned_margin': 1.4}},
            'augment.aligned_margin is for crops of pictures',
        ),
        ({'augment': {'aligned_margin': 0}}, 'augment.aligned_margin 0 is not at least 0.1'),
        ({'modality': 'depth'}, "modality is 'depth', the network reads 'rgb': set network.modality"),
        ({'network': {**tiny_config().network, 'subspaces': 'six'}}, "subspaces 'six' is none of .'eight', 'four'"),
        ({'optimiser': {'kind': 'sgd', 'lr': 0.1, 'weight_decay': 0.0}}, "optimiser 'sgd' takes lr, momentum, weight_decay: momentum"),
        ({'optimiser': {'kind': 'adamw', 'lr': 0.1, 'weight_decay': 0.0, 'momentum': 0.9}}, "'adamw' takes lr, weight_decay: momentum"),
        ({'schedule': {'kind': 'cooldown', 'cooldown': 1.0}}, 'cooldown 1.0'),
        ({'schedule': {'kind': 'cooldown', 'steps': 7}}, 'schedule.steps is no setting'),
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
        ({'network': {**PAPER, 'size': 20}, 'loss': {'kind': 'paper'}}, 'network.size 20 is less than the 32'),
        ({'network': PAPER}, "loss 'coarse_to_fine' does not train a network of kind 'paper'"),
        ({'loss': {'kind': 'angles'}}, "loss 'angles' does not train a network of kind 'coarse_to_fine'"),
        ({'augment': {'zooom': 2}}, 'unknown augment.zooom: augment has aligned_margin, border_share'),
        ({'augment': {'margin': 'abc'}}, "augment.margin 'abc' is not a number"),
        ({'augment': {'margin': -1}}, 'augment.margin -1 is not at least'),
        ({'augment': {'mirror': 2}}, 'augment.mirror 2 is not true or false'),
        ({'augment': {'photometric': {'blurr': 2}}}, 'unknown augment.photometric.blurr'),
        ({'optimiser': {'kind': 'adamw', 'lr': 'fast', 'weight_decay': 0.0}}, "optimiser.lr 'fast'"),
        ({'loss': {'kind': 'coarse_to_fine', 'answr': 1}}, 'unknown loss.answr'),
        ({'loss': {'kind': 'coarse_to_fine', 'answer': 'high'}}, "loss.answer 'high' is not a number"),
        ({'loss': {'kind': 'coarse_to_fine', 'answer': -1}}, 'loss.answer -1 is not at least 0'),
        ({'loss': {'kind': 'coarse_to_fine', 'likelihood_moves_rotation': 'perhaps'}}, "'perhaps' is not true or false"),
        ({'loss': {'kind': 'coarse_to_fine', 'distance': 'far'}}, "loss.distance 'far' is neither 'geodesic' nor 'euler'"),
        ({'loss': {'kind': 'paper', 'category_share': 1.5}}, 'loss.category_share 1.5 is not between 0 and 1'),
        ({'augment': {'photometric': {'blur_share': 3}}}, 'augment.photometric.blur_share 3 is not between 0 and 1'),
        ({'augment': {'photometric': {'gamma': 0}}}, 'augment.photometric.gamma 0 is not at least 1'),
        ({'schedule': {'kind': 'cooldown', 'warmup': -5}}, 'schedule.warmup -5 is not at least 0'),
        ({'focus': {'floor': -2}}, 'focus.floor -2 is not between 0 and 1'),
        ({'focus': {'elevation_sd_deg': 0}}, 'focus.elevation_sd_deg 0 is not at least'),
        ({'schedule': {'kind': 'poly', 'powr': 1}}, 'unknown schedule.powr'),
        ({'focus': {'flor': 1}}, 'unknown focus.flor'),
        ({'pose_limits_deg': [1, 2]}, 'pose_limits_deg'),
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused_by_name(change, message, heads, tmp_path):
    with pytest.raises(ValueError, match=message):
        Run(tiny_config(**change), SyntheticCrops([heads], 'train'), None, tmp_path, ALONE)


def test_numbers_are_numbers_however_they_are_written(tmp_path):
    (tmp_path / 'my.yaml').write_text('base: nothing\naugment: {margin: 2E0}\n')
    (tmp_path / 'nothing.yaml').write_text((CONFIGS / 'edge.yaml').read_text())
    config = read_config(tmp_path / 'my.yaml', ['optimiser.lr=1e-3', 'optimiser.weight_decay=.5e+1', 'clip=-0', 'name=e1e-3'])
    assert (config.optimiser['lr'], config.optimiser['weight_decay'], config.augment['margin'], config.name) == (1e-3, 5, 2, 'e1e-3')


def test_settings_that_are_no_yaml_are_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^augment.margin=\[1 is no yaml: expected ',' or '\]'"):
        read_config('edge', ['augment.margin=[1'])
    for text in ('', 'edge', 'network: [1'):
        (tmp_path / 'my.yaml').write_text(text)
        with pytest.raises(ValueError, match=r'my[.]yaml is no'):
            read_config(tmp_path / 'my.yaml')


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
    [
        ('c2f', '915 M multiply-adds, 9.60 M'),
        ('edge', '37 M multiply-adds, 1.69 M'),
        ('edge_128', '66 M multiply-adds, 1.80 M'),
        ('edge_fast', '32 M multiply-adds, 1.28 M'),
    ],
)
def test_the_size_that_a_configuration_states_of_its_network_is_right(name, told):
    """In the file's first line, of the network as it trains."""
    from network_size import multiply_adds, parameters

    network = build(read_config(name).network).eval()
    work = multiply_adds(network, torch.zeros(1, 1, network.size, network.size, dtype=torch.uint8))
    assert told == f'{work / 1e6:.0f} M multiply-adds, {parameters(network) / 1e6:.2f} M'
    assert f'{told} parameters' in (CONFIGS / f'{name}.yaml').read_text().splitlines()[0]


@pytest.mark.parametrize(('file', 'configuration'), [('c2f', 'edge_128'), ('c2f_edge', 'edge_fast'), ('c2f_depth', 'depth')])
def test_a_checkpoint_in_the_repository_is_a_beginning_for_its_configuration(file, configuration):
    content = checkpoint.load(CONFIGS.parent / 'checkpoints' / f'{file}.pt')
    assert content['config']['network'] == read_config(configuration).network
    build(read_config(configuration).network).load_state_dict(content['average'])
