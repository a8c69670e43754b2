"""Rotations on tensors against the package's own, and sub-spaces at their borders."""

import numpy as np
import pytest
import torch

from c2f_head_pose import geometry
from training.models import rotations, subspaces


def random_ypr(count=200):
    return np.random.default_rng(0).uniform([-89, -89, -180], [89, 89, 180], (count, 3))


def test_angles_and_rotations_are_the_packages():
    ypr = random_ypr()
    R = rotations.rotation_from_ypr(torch.from_numpy(np.radians(ypr)))
    assert np.abs(R.numpy() - geometry.rotation_from_ypr_deg(ypr)).max() < 1e-12
    assert np.abs(np.degrees(rotations.ypr_from_rotation(R).numpy()) - ypr).max() < 1e-9


def test_distance_and_rotation_vector_are_the_packages():
    a, b = (geometry.rotation_from_ypr_deg(random_ypr()[i::2]) for i in (0, 1))
    distance = np.degrees(rotations.geodesic_rad(torch.from_numpy(a), torch.from_numpy(b)).numpy())
    assert np.abs(distance - geometry.geodesic_deg(a, b)).max() < 0.6  # clamped near half turns, where the gradient must stay finite
    near = geometry.geodesic_deg(a, b) < 150
    assert np.abs(distance - geometry.geodesic_deg(a, b))[near].max() < 1e-3
    vectors = rotations.rotation_vector(torch.from_numpy(a)).numpy()
    assert np.abs(vectors - [geometry.rotation_vector(R) for R in a]).max() < 1e-5


def test_gradient_of_the_distance_is_finite_where_it_is_zero_and_at_half_a_turn():
    R = torch.from_numpy(geometry.HEAD_AXES).float()[None].repeat(2, 1, 1).requires_grad_()
    target = torch.stack([R[0].detach(), R[1].detach() * torch.tensor([[-1.0], [-1.0], [1.0]])])
    rotations.geodesic_rad(R, target).sum().backward()
    assert torch.isfinite(R.grad).all()


def test_columns_give_the_nearest_rotation_of_their_plane():
    """A column pair that is orthonormal is kept; two columns 30 degrees too close are spread by 15 degrees each, neither preferred."""
    R = torch.from_numpy(geometry.rotation_from_ypr_deg(random_ypr(20)))
    columns = torch.cat([3 * R[..., 0], 3 * R[..., 1]], -1)
    assert torch.allclose(rotations.rotation_from_columns(columns), R, atol=1e-5)
    c, s = np.cos(np.radians(60)), np.sin(np.radians(60))
    tilted = rotations.rotation_from_columns(torch.tensor([1.0, 0, 0, c, s, 0]))
    assert np.allclose(tilted[:, 0], [np.cos(np.radians(15)), -np.sin(np.radians(15)), 0], atol=1e-5)
    assert np.allclose(tilted[:, 1], [np.sin(np.radians(15)), np.cos(np.radians(15)), 0], atol=1e-5)


def test_tilt_is_what_turning_the_picture_takes_away():
    """What is left of a head points up in the picture; a picture that is turned by 50 degrees more has its head tilted by 50 more."""
    ypr = np.array([[30.0, -10, 0], [89, 0, 0], [-60, 30, 0]])
    R = geometry.rotation_from_ypr_deg(ypr)
    upright = rotations.tilt(torch.from_numpy(R)).numpy()
    assert np.abs((np.swapaxes(upright, 1, 2) @ R)[:, 0, 2]).max() < 1e-9
    angle = np.radians(50)
    turned = rotations.about_optical_axis(torch.tensor([[np.cos(angle), np.sin(angle)]] * 3)).numpy()
    found = rotations.tilt(torch.from_numpy(turned @ R)).numpy()
    assert np.abs(found - turned @ upright).max() < 1e-9
    assert np.abs(found[1] - turned[1]).max() < 1e-2  # without pitch and roll nothing but the picture's turn is there


def test_categories_follow_table_1_and_the_package():
    """Yaw and pitch (+, +) is L1, (+, -) L2, (-, -) L3, (-, +) L4: written out here from the angles."""
    ypr = random_ypr()
    R = geometry.rotation_from_ypr_deg(ypr)
    by_signs = {(True, True): 0, (True, False): 1, (False, False): 2, (False, True): 3}
    expected = [by_signs[bool(yaw >= 0), bool(pitch >= 0)] for yaw, pitch, _ in ypr]
    assert rotations.category_of(torch.from_numpy(R)).tolist() == expected
    assert geometry.category_index(R).tolist() == expected


def test_every_direction_lies_in_one_cell_and_membership_falls_over_the_overlap():
    """Yaw 5 degrees right of the border is inside L1's cell and a third of 15 degrees outside L4's."""
    for cells in subspaces.SUBSPACES.values():
        R = torch.from_numpy(geometry.rotation_from_ypr_deg(random_ypr()))
        assert ((subspaces.membership(R, cells, 0).sum(1)) == 1).all()
        assert (torch.tensor([cells[k].category for k in subspaces.subspace_of(R, cells)]) == rotations.category_of(R)).all()
    R = torch.from_numpy(geometry.rotation_from_ypr_deg(np.array([[5.0, 30.0, 0.0]])))
    azimuth = float(torch.rad2deg(rotations.face_direction(R)[0]))
    belongs = subspaces.membership(R, subspaces.SUBSPACES['four'], 15)[0]
    assert belongs[0] == 1
    assert abs(float(belongs[3]) - (1 - azimuth / 15)) < 1e-6
    assert belongs[1] == belongs[2] == 0


def test_sub_spaces_overlap_behind_the_head_too():
    """A face 179 degrees to the left is 1 degree outside of the cells on the right, of 15 in which they still train."""
    R = torch.from_numpy(geometry.rotation_from_ypr_deg(np.array([[179.0, -30.0, 0.0]])))
    azimuth = float(torch.rad2deg(rotations.face_direction(R)[0]))
    for cells, right in (('four', 3), ('eight', 7)):
        belongs = subspaces.membership(R, subspaces.SUBSPACES[cells], 15)[0]
        assert float(belongs[right]) == pytest.approx(1 - (180 - azimuth) / 15, abs=1e-4)
        assert int((belongs > 0.5).sum()) == 2


@pytest.mark.parametrize('ypr, category', [((0, 20, 5), 0), ((0, -20, 5), 1), ((-20, 0, 5), 3), ((0, 0, 0), 0)])
def test_an_angle_of_0_is_positive_also_after_a_turn_of_some_ten_millionths(ypr, category):
    R = geometry.rotation_from_ypr_deg(np.array(ypr, float))
    turns = np.stack([geometry.rotation_from_vector(v) for v in np.random.default_rng(0).normal(0, 1e-7, (50, 3))])
    turned = torch.from_numpy(turns @ R).float()
    assert rotations.category_of(turned).tolist() == [category] * 50
    for cells in subspaces.SUBSPACES.values():
        assert [cells[k].category for k in subspaces.subspace_of(turned, cells)] == [category] * 50
        assert (subspaces.membership(turned, cells, 0).sum(1) == 1).all()
