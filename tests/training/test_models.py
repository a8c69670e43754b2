"""Our network on the paper's trunk: its cost, its answers and what it learns from."""

import torch
from network_size import multiply_adds

from training.data.augment import Batch
from training.loop.config import config_of, merge, read_config
from training.loop.losses import make_loss
from training.models.factory import build
from training.models.rotations import rotation_from_ypr

torch.set_num_threads(1)


def test_googlenet_in_our_network_costs_as_much_as_its_configuration_states():
    """The trunk's 1,963,065,344 multiply-adds, then on 8 x 8 places 1024 to 64 channels (4,194,304), 4096 to an embedding of 384
    (1,572,864), 8 logits (3,072), first layers of 8 regressors of 96 (294,912). The regressors' last ones, an einsum of 8 x 96 x 9 = 6,912
    more, are not counted.
    """
    config = read_config('c2f_googlenet')
    assert config.batch == read_config('c2f').batch and config.augment == read_config('c2f').augment
    network = build(config.network).eval()
    assert multiply_adds(network, torch.zeros(1, 1, 256, 256, dtype=torch.uint8)) == 1_963_065_344 + 4_194_304 + 1_572_864 + 3_072 + 294_912
    assert 7.9e6 < sum(p.numel() for p in network.parameters()) < 8.0e6


def test_googlenet_in_our_network_gives_rotations_and_all_its_weights_get_gradients():
    """At a sixteenth of the width: every weight gets a gradient from two poses in each of the four quadrants and both bands."""
    torch.manual_seed(0)
    changed = merge(read_config('c2f_googlenet').as_dict(), {'network': {'width': 1 / 16, 'size': 64, 'embedding': 16, 'hidden': 4}})
    config = config_of(changed)
    network = build(config.network)
    angles = [[yaw, pitch, 0.0] for yaw in (-65.0, -15.0, 15.0, 65.0) for pitch in (-20.0, -10.0, 10.0, 20.0)]
    R = rotation_from_ypr(torch.deg2rad(torch.tensor(angles)))
    crops = torch.randint(0, 256, (len(R), 1, 64, 64), dtype=torch.uint8)
    rotation, std, logits = network.eval()(crops)
    assert rotation.shape == (16, 3, 3) and std.shape == (16, 3) and logits.shape == (16, 4)
    assert torch.allclose(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(16, 3, 3), atol=1e-5) and (std > 0).all()
    loss, _ = make_loss(config.loss)(network.train(), Batch(crops, R))
    loss.backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert all(p.grad.abs().sum() > 0 for p in network.parameters() if p.ndim > 1)
