"""A head pose and a header, for tests of messages."""

import numpy as np
from ros_graph import header

from c2f_head_pose.geometry import rotation_from_ypr_deg
from c2f_head_pose.types import FaceBox, HeadPose

HEADER = header(12.25)


def head(ypr_deg=(0.0, 0.0, 0.0), **fields) -> HeadPose:
    given = {
        'rotation_std_deg': np.array([1.0, 2.0, 3.0]),
        'category': 'L1',
        'category_probabilities': np.array([1.0, 0, 0, 0]),
        'box': FaceBox(10, 20, 50, 60),
    } | fields
    return HeadPose(rotation_from_ypr_deg(np.array(ypr_deg)), **given)
