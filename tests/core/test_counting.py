"""Texts of numbers."""

import pytest

from c2f_head_pose.counting import counted, whole_angles


@pytest.mark.parametrize('number, text', [(0, '0 faces'), (1, '1 face'), (2, '2 faces')])
def test_a_noun_agrees_with_its_number(number, text):
    assert counted(number, 'face') == text


def test_angles_are_whole_degrees_and_never_minus_nought():
    assert whole_angles((-0.3, 12.4, -3.6)) == 'yaw +0 pitch +12 roll -4'
