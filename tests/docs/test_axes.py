"""The page on axes: its example runs, and its matrices are those of the package."""

import re
from pathlib import Path

import numpy as np

from c2f_head_pose.evaluation.truth.heads import R_HEAD_GAZE, R_OPTICAL_LINK
from c2f_head_pose.geometry import HEAD_AXES, rotation_from_ypr_deg

PAGE = (Path(__file__).parents[2] / 'docs' / 'axes.md').read_text()
EXAMPLE = re.search(r'```python\n(.*?)```', PAGE, re.S)[1]


def converted(ypr_deg):
    """The names that the example defines, for other angles than its own."""
    code = re.sub(r'rotation_from_ypr_deg\(\[.*?\]\)', f'rotation_from_ypr_deg({list(ypr_deg)})', EXAMPLE)
    names = {}
    exec(code, names)
    return names


def test_a_face_that_looks_into_the_camera_is_the_identity_where_the_page_states_it():
    """By hand: 300W-LP's and OpenGL's rotations are 1; in the body frame the face points to -x, its left is -y, its scalp z."""
    names = converted([0.0, 0.0, 0.0])
    np.testing.assert_allclose(names['R_cv'], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(names['R_gl'], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(names['R_link_head'], np.diag([-1, -1, 1]), atol=1e-12)
    np.testing.assert_allclose(names['R_cam_gaze'], np.diag([-1, 1, -1]), atol=1e-12)
    np.testing.assert_allclose([abs(names['azimuth_deg']), names['elevation_deg']], [180, 0], atol=1e-9)


def test_the_examples_matrices_are_the_packages():
    names = converted([30.0, 10.0, -5.0])
    np.testing.assert_array_equal(names['R_HEAD_GAZE'], np.round(R_HEAD_GAZE))
    np.testing.assert_array_equal(names['R_OPTICAL_LINK'], R_OPTICAL_LINK)
    np.testing.assert_allclose(names['ypr_deg'], [30, 10, -5], atol=1e-9)


def test_the_page_states_the_sign_of_each_angle_that_the_geometry_has():
    """Image x is right and y down: yaw moves the nose to -x, pitch to -y; a clockwise roll moves the scalp, up at first, to +x."""
    nose, scalp = 0, 2
    assert rotation_from_ypr_deg([30, 0, 0])[0, nose] < 0
    assert rotation_from_ypr_deg([0, 30, 0])[1, nose] < 0
    assert rotation_from_ypr_deg([0, 0, 30])[0, scalp] > 0
    for row in ("| yaw | turns to the image's left", '| pitch | looks up', '| roll | tilts clockwise in the image'):
        assert row in PAGE


def test_a_face_at_the_edge_of_a_sixty_degree_camera_that_looks_into_the_lens_has_a_yaw_of_thirty():
    """The direction from the face back to the camera, at azimuth 30 to the right, is (-sin 30, 0, -cos 30); yaw is asin(sin 30)."""
    towards_camera = -np.array([np.sin(np.radians(30)), 0, np.cos(np.radians(30))])
    np.testing.assert_allclose(rotation_from_ypr_deg([30, 0, 0])[:, 0], towards_camera, atol=1e-12)
    np.testing.assert_allclose(HEAD_AXES[:, 0], [0, 0, -1])
