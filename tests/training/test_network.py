"""Our coarse-to-fine network: the hand-over, its uncertainty, its categories and its losses, by hand."""

import numpy as np
import pytest
import torch

from c2f_head_pose import geometry
from training.data.augment import Batch
from training.loop.losses import LossWeights, coarse_to_fine_loss, likelihood_loss
from training.models.coarse_to_fine import Normalise, Raw
from training.models.factory import build
from training.models.rotations import euler_distance_rad, rotation_from_ypr

torch.set_num_threads(1)
TINY = {'kind': 'coarse_to_fine', 'size': 32, 'stem': 4, 'widths': [8], 'depths': [1], 'embedding': 16, 'hidden': 4, 'squeeze': 4}


def network(**changes):
    torch.manual_seed(0)
    return build(TINY | changes).eval()


def turned(degrees):
    """R_cam_head of a frontal face rolled by some degrees."""
    return rotation_from_ypr(torch.deg2rad(torch.tensor([0.0, 0.0, degrees])))


def raw_of(logits, rolls, std_deg=2.0):
    rotations = torch.stack([turned(r) for r in rolls])[None]
    return Raw(torch.tensor([logits]), rotations, torch.full((1, len(rolls), 3), float(np.radians(std_deg))))


def test_soft_hand_over_lies_between_and_owns_up_to_the_disagreement():
    """Two equally likely regressors at +10 and -10 degrees of roll: 0, with sqrt(2^2 + (sin 10 in degrees)^2) about the head's x axis.

    sin(10 degrees) = 0.17365 rad = 9.949 degrees; sqrt(4 + 98.99) = 10.148. About y and z nothing disagrees: 2.
    """
    rotation, std = network(subspaces='four').mix(raw_of([5.0, 5.0, -40.0, -40.0], [10.0, -10.0, 0.0, 0.0]))
    assert geometry.geodesic_deg(rotation[0].numpy(), geometry.HEAD_AXES) < 0.01
    assert np.degrees(std[0].numpy()) == pytest.approx([10.148, 2, 2], abs=0.01)


def test_soft_hand_over_does_not_jump_where_the_hard_one_does():
    """Logits that pass each other by 0.02: a share of 0.505 against 0.495 moves the soft answer by 0.1 degrees, the hard one by 20."""
    answers = {}
    for gating in ('soft', 'hard'):
        one = network(subspaces='four', gating=gating)
        pair = [one.mix(raw_of([a, -a, -40.0, -40.0], [10.0, -10.0, 0.0, 0.0]))[0][0].numpy() for a in (0.005, -0.005)]
        answers[gating] = float(geometry.geodesic_deg(*pair))
    assert answers['soft'] < 0.2
    assert answers['hard'] == pytest.approx(20, abs=0.01)


def test_categories_sum_the_probabilities_of_their_cells():
    logits = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    one = network()
    collapsed = one.category_logits(logits).softmax(1)
    cells = logits.softmax(1)
    expected = torch.stack([sum(cells[:, k] for k, cell in enumerate(one.cells) if cell.category == c) for c in range(4)], 1)
    assert torch.allclose(collapsed, expected, atol=1e-6)


def test_an_untrained_network_estimates_its_anchors():
    """6D identity at the start: each regressor gives its sub-space's anchor, but for small random weights."""
    one = network()
    rotations = one.raw(torch.randint(0, 256, (1, 1, 32, 32), dtype=torch.uint8)).rotations[0].detach().numpy()
    truth = geometry.rotation_from_ypr_deg(np.array([[*cell.anchor_deg, 0.0] for cell in one.cells]))
    assert geometry.geodesic_deg(rotations, truth).max() < 5


def test_euler_regressors_begin_at_the_same_anchors_and_their_distance_is_that_of_the_angles():
    """(10, 20, 30) and (13, 16, 30) degrees are 3, 4 and 0 apart, so 5 together; the gradient stays finite at the pole."""
    crops = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    ours, euler = network(subspaces='four').raw(crops), network(subspaces='four', representation='euler').raw(crops)
    assert geometry.geodesic_deg(euler.rotations.detach().numpy(), ours.rotations.detach().numpy()).max() < 3
    a, b, pole = (rotation_from_ypr(torch.deg2rad(torch.tensor(v))) for v in ([10.0, 20, 30], [13.0, 16, 30], [90.0, 0, 0]))
    assert np.degrees(float(euler_distance_rad(a, b))) == pytest.approx(5, abs=0.02)
    pole.requires_grad_()
    euler_distance_rad(pole, a).backward()
    assert torch.isfinite(pole.grad).all()


def test_gray_crops_count_up_to_gain_and_offset_and_holes_in_depth_are_masked():
    crops = torch.randint(40, 80, (1, 1, 32, 32), dtype=torch.uint8)
    normalise = Normalise('rgb')
    assert torch.allclose(normalise(crops), normalise(2 * crops + 10), atol=0.02)
    depth = Normalise('depth')(torch.tensor([[[[0, 128], [192, 64]]]], dtype=torch.uint8))
    assert depth[0].tolist() == [[[0, 0], [1, -1]], [[0, 1], [1, 1]]]


def test_likelihood_is_least_at_the_true_deviation():
    """Errors of 4 degrees about every axis: stating 4 beats 2 and 8; by hand at 4: 3 (0.5 + ln 0.0698) = -6.486."""
    true = torch.from_numpy(geometry.HEAD_AXES @ geometry.rotation_from_vector(np.radians([4.0, 4.0, 4.0]))).float()[None]
    estimate = torch.from_numpy(geometry.HEAD_AXES).float()[None]
    values = [float(likelihood_loss(estimate, torch.full((1, 3), float(np.radians(s))), true, False)) for s in (2.0, 4.0, 8.0)]
    assert values[1] == min(values) and values[1] == pytest.approx(-6.486, abs=0.01)


def test_the_likelihood_trains_the_rotation_only_if_the_option_is_set():
    R = rotation_from_ypr(torch.rand(8, 3, generator=torch.Generator().manual_seed(1)) - 0.5)
    crops = torch.randint(0, 256, (8, 1, 32, 32), dtype=torch.uint8)
    gradients = []
    for moves in (False, True):
        one = network(subspaces='four')
        weights = LossWeights(answer=0.0, experts=0.0, likelihood=1.0, category=0.0, likelihood_moves_rotation=moves)
        loss, _ = coarse_to_fine_loss(one, Batch(crops, R), weights)
        loss.backward()
        gradients.append(one.regressors.weight.grad[:, :, :6].abs().sum().item())
        assert one.regressors.weight.grad[:, :, 6:].abs().sum() > 0
    assert gradients[0] == 0 and gradients[1] > 0


def test_a_pose_trains_the_regressors_of_its_overlap_only():
    """Yaw 5, pitch 60 degrees: inside L1's cell, in L4's overlap, far from L2's and L3's."""
    one = network(subspaces='four')
    R = rotation_from_ypr(torch.deg2rad(torch.tensor([[5.0, 60.0, 0.0]])))
    loss, _ = coarse_to_fine_loss(
        one, Batch(torch.randint(0, 256, (1, 1, 32, 32), dtype=torch.uint8), R), LossWeights(answer=0, likelihood=0, category=0)
    )
    loss.backward()
    assert [one.regressors.weight.grad[k].abs().sum().item() > 0 for k in range(4)] == [True, False, False, True]
