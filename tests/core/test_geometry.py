"""Rotations, rays and Euler angles, against numbers derived by hand."""

import numpy as np
import pytest

from c2f_head_pose import geometry

RANDOM_YPR_DEG = np.random.default_rng(0).uniform([-89, -179, -179], [89, 179, 179], (500, 3))


def test_a_face_looking_straight_into_the_camera_has_all_angles_zero():
    """Head x (out of the face) points against the camera's z, head y (its left) to the image's right, head z to -y (up)."""
    straight = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    np.testing.assert_allclose(geometry.rotation_from_ypr_deg(np.zeros(3)), straight, atol=1e-15)
    np.testing.assert_allclose(geometry.ypr_deg_from_rotation(straight), 0, atol=1e-12)


@pytest.mark.parametrize(
    ('ypr_deg', 'nose', 'scalp'),
    [
        ((30, 0, 0), (-0.5, 0, -np.sqrt(0.75)), (0, -1, 0)),  # yaw > 0: the nose swings to the image's left (-x)
        ((0, 30, 0), (0, -0.5, -np.sqrt(0.75)), (0, -np.sqrt(0.75), 0.5)),  # pitch > 0: the nose rises (-y), the scalp falls back (+z)
        ((0, 0, 30), (0, 0, -1), (0.5, -np.sqrt(0.75), 0)),  # roll > 0: the scalp tilts clockwise, to the image's right
    ],
)
def test_each_angle_turns_the_head_in_the_direction_of_its_sign(ypr_deg, nose, scalp):
    """sin 30 = 0.5, cos 30 = sqrt 0.75; the nose is head x, the scalp head z."""
    R = geometry.rotation_from_ypr_deg(np.array(ypr_deg))
    np.testing.assert_allclose(R[:, 0], nose, atol=1e-12)
    np.testing.assert_allclose(R[:, 2], scalp, atol=1e-12)


def test_euler_angles_survive_the_round_trip():
    R = geometry.rotation_from_ypr_deg(RANDOM_YPR_DEG)
    np.testing.assert_allclose(geometry.ypr_deg_from_rotation(R), RANDOM_YPR_DEG, atol=1e-9)


def test_gimbal_lock_gives_angles_of_the_same_rotation():
    for yaw in (90.0, -90.0):
        R = geometry.rotation_from_ypr_deg(np.array([yaw, 20.0, 30.0]))
        angles = geometry.ypr_deg_from_rotation(R)
        np.testing.assert_allclose(geometry.rotation_from_ypr_deg(angles), R, atol=1e-6)


def test_quaternions_and_rotation_vectors_survive_the_round_trip_also_at_half_a_turn():
    rotations = [*geometry.rotation_from_ypr_deg(RANDOM_YPR_DEG), np.eye(3), np.diag([1.0, -1, -1]), np.diag([-1.0, -1, 1])]
    for R in rotations:
        np.testing.assert_allclose(geometry.rotation_from_quaternion(geometry.quaternion_from_rotation(R)), R, atol=1e-9)
        np.testing.assert_allclose(geometry.rotation_from_vector(geometry.rotation_vector(R)), R, atol=1e-7)
        assert geometry.quaternion_from_rotation(R)[3] >= 0 and np.linalg.norm(geometry.rotation_vector(R)) <= np.pi + 1e-9


def test_a_quaternion_without_length_or_with_nan_is_refused():
    """1e300 squared is beyond a float64, so that one's length is infinite; divided by it nothing would be left but the identity."""
    for q in ([0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 1], [1e300, 1e300, 0, 0]):
        with pytest.raises(ValueError, match='non-zero length'):
            geometry.rotation_from_quaternion(np.array(q))


def test_geodesic_angle_is_exact_from_tiny_to_half_a_turn():
    """Turning by an angle about one axis is that angle away, whatever the start."""
    start = geometry.rotation_from_ypr_deg(np.array([20.0, -30, 40]))
    for angle_deg in (1e-6, 1e-3, 1, 90, 179.999, 180):
        turned = start @ geometry.rotation_from_vector(np.radians(angle_deg) * np.array([0, 0.6, 0.8]))
        assert geometry.geodesic_deg(start, turned) == pytest.approx(angle_deg, rel=1e-6, abs=1e-9)


def test_ray_rotation_is_the_smallest_that_takes_the_optical_axis_to_the_ray():
    """From z to a unit ray r the smallest turn is acos(r_z); 3-4-5: r = (3, 0, 4) / 5 turns by acos 0.8 = 36.87 degrees about +y."""
    np.testing.assert_allclose(geometry.ray_rotation(np.array([3.0, 0, 4])), [[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]], atol=1e-12)
    for ray in np.random.default_rng(1).normal(size=(200, 3)):
        R = geometry.ray_rotation(ray)
        unit = ray / np.linalg.norm(ray)
        np.testing.assert_allclose(R @ [0, 0, 1], unit, atol=1e-9)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-6)
        assert geometry.geodesic_deg(np.eye(3), R) == pytest.approx(np.degrees(np.arccos(unit[2])), abs=1e-4)


@pytest.mark.parametrize('ray', [(0, 0, 0), (np.nan, 0, 1), (0, 0, -1)])
def test_a_ray_without_direction_is_refused(ray):
    with pytest.raises(ValueError, match='ray'):
        geometry.ray_rotation(np.array(ray, float))


def test_a_head_turned_away_has_unreliable_angles():
    facing = geometry.rotation_from_ypr_deg(np.array([80.0, 0, 0]))
    away = geometry.rotation_from_vector(np.radians([0, 30.0, 0])) @ facing
    assert geometry.faces_camera(facing)
    assert not geometry.faces_camera(away)


def test_nearest_rotation_corrects_rounding_and_never_mirrors():
    R = geometry.rotation_from_ypr_deg(np.array([10.0, 20, 30]))
    np.testing.assert_allclose(geometry.nearest_rotation(1.01 * R), R, atol=1e-12)
    assert np.linalg.det(geometry.nearest_rotation(-np.eye(3))) == pytest.approx(1)


def test_nearest_rotations_of_many_are_those_of_each():
    matrices = 1.01 * geometry.rotation_from_ypr_deg(RANDOM_YPR_DEG[:5])
    matrices[2] *= -1
    each = [geometry.nearest_rotation(matrix) for matrix in matrices]
    np.testing.assert_allclose(geometry.nearest_rotation(matrices), each, atol=1e-12)


def test_a_rotation_too_small_for_a_cosine_is_still_a_rotation():
    """1 - cos(1e-9) is 0 in float64; R = I + [v]x to first order, and what is left out is 1e-18."""
    R = geometry.rotation_from_vector(np.array([0, 0, 1e-9]))
    np.testing.assert_allclose(R, [[1, -1e-9, 0], [1e-9, 1, 0], [0, 0, 1]], atol=1e-17)
    np.testing.assert_allclose(geometry.rotation_vector(R), [0, 0, 1e-9], rtol=1e-6)
