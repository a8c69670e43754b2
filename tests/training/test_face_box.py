"""Where the sellion lies beside the ray through the middle of a face's box."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.geometry import rotation_from_ypr_deg
from training.studies import face_box


def test_the_offset_of_heads_in_all_poses_is_recovered_from_what_is_seen_across_the_rays():
    """The range is unknown: the point on the ray may lie anywhere along it."""
    chance, offset = np.random.default_rng(0), np.array([0.05, 0.01, 0.03])
    R = rotation_from_ypr_deg(chance.uniform(-50, 50, (40, 3)))
    rays = chance.normal(0, 0.3, (40, 3)) + [0, 0, 1]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    t = chance.uniform(0.5, 2, (40, 1)) * rays + R @ offset
    assert face_box.fit(rays, R, t) == pytest.approx(offset)


def test_the_boxes_of_portraits_are_measured_by_the_distance_of_their_eyes(tmp_path, capsys):
    """The middles of the eyes of the picture are at x 103 and 176: 0.063 m are 73 pixels.

    The detector sees them 16 % farther apart, behind glasses.
    """
    shutil.copy(Path(__file__).parents[1] / 'data' / 'face.jpg', tmp_path)
    box = HeadPoseEstimator.load('c2f_edge').estimate(cv2.imread(str(tmp_path / 'face.jpg')))[0].box
    assert not face_box.main(['--pictures', str(tmp_path)])
    extent, aspect = (float(line.split('mean ')[1].split(',')[0]) for line in capsys.readouterr().out.splitlines())
    assert extent == pytest.approx(0.063 * box.height / 73, rel=0.2) and aspect == pytest.approx(box.height / box.width, rel=0.01)


@pytest.mark.render
def test_the_command_prints_how_far_the_sellion_is_off_and_how_large_the_box_is(capsys):
    face_box.main(['--seeds', '21', '--seconds', '0.2'])
    told = capsys.readouterr().out.splitlines()
    off_cm = [float(line.split('off by ')[1].split(' cm')[0]) for line in told[:2]]
    assert off_cm[1] < 0.5 * off_cm[0] and told[2].startswith('fitted here: ')
    extent, aspect = (float(line.split('mean ')[1].split(',')[0]) for line in told[3:])
    assert 0.14 < extent < 0.23 and 1.1 < aspect < 1.6
