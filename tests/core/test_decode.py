"""What the network's numbers become: each at its place, in the units of the API."""

import numpy as np
import pytest

from c2f_head_pose.decode import decode
from c2f_head_pose.engine.contract import NetworkOutput
from c2f_head_pose.geometry import HEAD_AXES


def test_deviations_keep_their_axes_and_probabilities_are_the_softmax():
    """About the head's x, y and z, roll, pitch and yaw, 1, 2 and 3 degrees; logits log 0.1 to log 0.4 have the softmax 0.1 to 0.4."""
    (pose,) = decode(NetworkOutput(HEAD_AXES[None], np.radians([[1.0, 2, 3]]), np.log([[0.1, 0.2, 0.3, 0.4]])))
    np.testing.assert_allclose(pose.rotation_std_deg, [1, 2, 3])
    np.testing.assert_allclose(pose.category_probabilities, [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(pose.R_cam_head, HEAD_AXES, atol=1e-12)
    assert pose.category == 'L4'


@pytest.mark.parametrize('which', ['rotation', 'rotation_std_rad', 'category_logits'])
def test_numbers_that_are_not_finite_are_refused(which):
    values = {'rotation': HEAD_AXES[None].copy(), 'rotation_std_rad': np.ones((1, 3)), 'category_logits': np.zeros((1, 4))}
    values[which].flat[0] = np.nan
    with pytest.raises(ValueError, match='not finite'):
        decode(NetworkOutput(**values))
