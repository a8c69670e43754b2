"""A training in bfloat16: the layers compute in it, and the rotations that are learnt and taught stay fp32."""

import pytest
import torch
from tiny_training import ALONE, OURS, PAPER, tiny_config

from training.data.crops import SyntheticCrops
from training.loop.run import Run
from training.loop.teacher import Teacher
from training.models.coarse_to_fine import CoarseToFine
from training.models.factory import build
from training.models.precision import layers_in
from training.models.rotations import geodesic_rad

CLASSIFIER = {'kind': 'classifier', 'backbone': 'alexnet', 'size': 64, 'width': 0.125}
LIU = {'kind': 'regressor', 'style': 'liu', 'size': 96, 'width': 0.25, 'hidden': 32}
NETWORKS = {
    'ours': OURS,
    'paper': PAPER,
    'liu': LIU,
    'ensemble': {
        'kind': 'ensemble',
        'size': 64,
        'aligned_margin': 1.5,
        'members': [{'kind': 'symmetric', 'network': OURS | {'landmarks': True}, 'size': 64}, OURS],
    },
}


def noise(size, count=8):
    return torch.randint(0, 256, (count, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def not_orthonormal(R):
    """The largest element of R R^T - I."""
    return float((R @ R.transpose(1, 2) - torch.eye(3)).detach().abs().max())


@pytest.mark.parametrize('kind', NETWORKS)
@torch.no_grad()
def test_outputs_are_rotations_in_fp32_of_layers_in_bfloat16(kind):
    """Outputs differ from those of layers in fp32, so the layers are in bfloat16; outside of `layers_in` none are."""
    torch.manual_seed(0)
    network = build(NETWORKS[kind]).eval()
    crops = noise(network.size)
    before = network(crops)
    with layers_in('bf16'):
        outputs = network(crops)
    assert {output.dtype for output in outputs} == {torch.float32} and not_orthonormal(outputs[0]) < 1e-5
    assert not torch.equal(outputs[0], before[0])
    assert all(map(torch.equal, before, network(crops)))


@torch.no_grad()
def test_a_classifier_computes_in_bfloat16_too():
    torch.manual_seed(0)
    network = build(CLASSIFIER).eval()
    with layers_in('bf16'):
        logits = network.classify(noise(64))
    assert logits.dtype == torch.float32 and not torch.equal(logits, network.classify(noise(64)))


def test_a_step_in_bfloat16_learns_rotations_in_fp32(heads, tmp_path, monkeypatch):
    """What a step mixes, of the student and of its teacher, is within 0.01 degrees of the same geometry in fp32; in bfloat16 it was 0.4
    off. The teacher's means over both mirror images are rotations.
    """
    config = tiny_config(precision='bf16', loss={'kind': 'coarse_to_fine', 'teacher_rotation': 1.0})
    data = SyntheticCrops([heads], 'train')
    Run(config, data, None, tmp_path / 'teacher', ALONE).save()
    run = Run(config, data, None, tmp_path / 'student', ALONE, teacher=tmp_path / 'teacher' / 'last.pt')
    mixed, taught = [], []
    mix, targets = CoarseToFine.mix, Teacher.targets
    monkeypatch.setattr(CoarseToFine, 'mix', lambda self, raw: mixed.append((self, raw, mix(self, raw))) or mixed[-1][2])
    monkeypatch.setattr(Teacher, 'targets', lambda self, *args: taught.append(targets(self, *args)) or taught[-1])
    run.do_step()
    assert len(mixed) == 4 and len(taught) == 2  # two shards
    for network, raw, (rotation, std) in mixed:
        expected = mix(network, raw)[0]
        assert rotation.dtype == std.dtype == torch.float32 and not_orthonormal(rotation) < 1e-5
        assert torch.rad2deg(geodesic_rad(rotation, expected)).max() < 0.01
    for found in taught:
        assert not_orthonormal(found.rotation) < 1e-5
