"""The symmetric network answers a mirrored crop with the mirrored pose, and states what its two answers disagree by."""

import numpy as np
import pytest
import torch

from c2f_head_pose import geometry
from training.models.factory import build
from training.models.symmetric import Symmetric

torch.set_num_threads(1)
TINY = {'kind': 'coarse_to_fine', 'size': 32, 'stem': 4, 'widths': [8], 'depths': [1], 'embedding': 16, 'hidden': 4, 'squeeze': 4}
CAMERA, HEAD = np.diag([-1.0, 1, 1]), np.diag([1.0, -1, 1])


class Says(torch.nn.Module):
    """Answers the left half of a batch with one pose and the right half with another."""

    size, modality = 8, 'rgb'

    def __init__(self, *answers):
        super().__init__()
        self.answers = answers

    def forward(self, crops):
        n = len(crops) // 2
        R = torch.from_numpy(geometry.rotation_from_ypr_deg(np.array(self.answers, float))).float().repeat_interleave(n, 0)
        return R, torch.full((2 * n, 3), 0.03), torch.tensor([[3.0, 0, 0, 0], [0, 0, 0, 3.0]]).repeat_interleave(n, 0)


def test_a_mirrored_crop_gets_the_mirrored_pose():
    torch.manual_seed(0)
    network = build(TINY).eval()
    torch.nn.init.normal_(network.regressors.weight, std=0.5)
    symmetric = Symmetric(network)
    crops = torch.randint(0, 256, (5, 1, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        R, std, logits = symmetric(crops)
        R_mirrored, std_mirrored, logits_mirrored = symmetric(crops.flip(3))
    assert np.abs(CAMERA @ R.numpy() @ HEAD - R_mirrored.numpy()).max() < 1e-5
    assert torch.allclose(std, std_mirrored, atol=1e-3) and torch.allclose(logits, logits_mirrored.flip(1), atol=1e-3)


def test_the_answer_lies_between_and_its_deviation_has_the_disagreement():
    """Yaw 10 here and -14 in the mirror, which is 14: 12 is between, each 2 degrees off about the head's z.

    Stated 0.03 rad each; about z sqrt(0.03^2 + (2 degrees = 0.0349)^2) = 0.0460. Both say L1: the mirror's L4 is L1.
    """
    R, std, logits = Symmetric(Says((10, 0, 0), (-14, 0, 0)))(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    assert geometry.ypr_deg_from_rotation(R.numpy())[0] == pytest.approx([12, 0, 0], abs=0.01)
    assert std[0].numpy() == pytest.approx([0.03, 0.03, 0.0460], abs=1e-3)
    assert torch.allclose(logits.softmax(1), torch.tensor([[3.0, 0, 0, 0]]).softmax(1), atol=1e-5)
