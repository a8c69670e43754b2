"""What a training learns, logs and measures."""

import numpy as np
import pytest
import torch
from tiny_training import ALONE, NARROW, PAPER, tiny_config, write_config

from c2f_head_pose import geometry
from c2f_head_pose.evaluation import metrics
from training import train
from training.data.augment import Batch
from training.data.crops import SyntheticCrops
from training.loop import optimiser, progress
from training.loop.run import Run
from training.loop.validate import category_accuracies, estimate, held_out, measure_std
from training.models.factory import build

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

SMALL = {'size': 48, 'stem': 8, 'widths': [16, 32], 'depths': [1, 1], 'embedding': 64, 'hidden': 16, 'squeeze': 16}


THREE = ['pitch', 'yaw', 'roll']

# network, loss, steps, learning rate
CASES = {
    'ours': ({'kind': 'coarse_to_fine', **SMALL}, 'coarse_to_fine', 250, 3e-3),
    'ours, depth': ({'kind': 'coarse_to_fine', 'modality': 'depth', **SMALL}, 'coarse_to_fine', 250, 3e-3),
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


@pytest.mark.parametrize('line, expected', [
    ('flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 avx512_vnni', 'bf16'),
    ('Features\t: fp asimd i8mm bf16 dgh', 'bf16'),
    ('flags\t\t: fpu sse2 avx avx2 fma', 'fp32'),
    (None, 'fp32'),
])  # fmt: skip
def test_a_processor_computes_in_bfloat16_if_it_has_instructions_for_it(line, expected, tmp_path, monkeypatch):
    """The lines are of a Zen 4, a Neoverse and a Zen 3; a system without this file says nothing."""
    if line:
        (tmp_path / 'cpuinfo').write_text(f'processor\t: 0\n{line}\nbogomips\t: 4890.84\n')
    monkeypatch.setattr(optimiser, '_CPUINFO', tmp_path / 'cpuinfo')
    optimiser.own_precision.cache_clear()
    device = torch.device('cpu')
    assert optimiser.own_precision(device) == expected
    assert optimiser.precision_on(device, 'auto') == expected
    optimiser.own_precision.cache_clear()


@pytest.mark.parametrize('case', CASES)
def test_each_network_overfits_eight_samples(case, heads, tmp_path):
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
    data = SyntheticCrops([heads], 'train', config.modality == 'depth', config.pose_limits_deg, limit=8)
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
        assert category_accuracies(run.ema.network, batch.crops, truth, [run.ema.network.by]) == [1]
        return
    assert geometry.geodesic_deg(truth, R).mean() < 1
    if config.loss['kind'] != 'angles':
        assert metrics.coarse_accuracy(truth, logits)['beyond_0'] == 1


def test_log_holds_validation_curves_and_pictures_are_written(heads, tmp_path):
    data, val = SyntheticCrops([heads], 'train'), SyntheticCrops([heads], 'val')
    Run(tiny_config(), data, val, tmp_path, ALONE).go()
    rows = progress.read_rows(tmp_path / 'log.csv')
    assert [int(r['step']) for r in rows] == [1, 2, 3, 4, 5, 6]
    assert [bool(r['val_geodesic']) for r in rows] == [False, False, True, False, False, True]
    assert (tmp_path / 'samples.png').stat().st_size > 1000 and (tmp_path / 'curves.png').stat().st_size > 1000


def test_the_held_out_crops_are_drawn_once_for_all_validations(heads, tmp_path, monkeypatch):
    """Two validations, and the deviations at the end: the samples are gathered once."""
    data, val = SyntheticCrops([heads], 'train'), SyntheticCrops([heads], 'val')
    gathered, gather = [], val.gather
    monkeypatch.setattr(val, 'gather', lambda rows: gathered.append(len(rows)) or gather(rows))
    Run(tiny_config(network=PAPER, loss={'kind': 'paper'}), data, val, tmp_path, ALONE).go()
    assert gathered == [len(val)]


def test_a_loss_that_is_no_number_is_reported_in_one_line(heads, tmp_path, capsys):
    command = [write_config(tmp_path, steps=3), '--data', str(heads), '--out', str(tmp_path / 'out'), '--device', 'cpu']
    assert train.main([*command, '--set', 'optimiser.lr=1e30', 'clip=0']) == 2
    assert 'error: the loss is nan at step' in capsys.readouterr().err


def test_networks_without_uncertainty_get_the_one_they_make(heads):
    """Constants equal the root mean square of the errors on held-out crops, so the ratio's root mean square is 1 there."""
    config = tiny_config(network=PAPER, loss={'kind': 'paper'})
    network, data = build(config.network).eval(), SyntheticCrops([heads], 'val')
    crops, truth = held_out(data, config)
    measure_std(network, crops, truth)
    R, std, _ = estimate(network, crops)
    assert metrics.std_calibration(truth, R, std)['rms_ratio'] == pytest.approx(1, abs=1e-3)
    assert np.ptp(std, axis=0).max() == 0


def test_weight_decay_spares_every_bias_that_of_all_regressors_too():
    """`regressors.bias` is one matrix, a row for each regressor, with the logarithms of the standard deviations in it."""
    config = tiny_config()
    network = build(config.network)
    decayed, others = optimiser.make_optimiser(network, config).param_groups
    names = {id(p): name for name, p in network.named_parameters()}
    assert decayed['weight_decay'] > 0 == others['weight_decay']
    assert 'regressors.bias' in {names[id(p)] for p in others['params']}
    assert not any(names[id(p)].endswith('bias') for p in decayed['params']) and len(decayed['params']) > 5
