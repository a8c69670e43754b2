"""Looking at the robot, or not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2f_head_pose import geometry
from c2f_head_pose.attention.looking_at import LookingAt, LookingAtSettings

SHARP = np.full(3, 2.0)
AT_CAMERA = np.array([0.0, 0.0, -1.0])
"""From a head on the optical axis to the camera, camera axes."""


def yaw(deg):
    return geometry.rotation_from_ypr_deg(np.array([deg, 0.0, 0.0]))


def watch(yaws, std=SHARP, to_target=AT_CAMERA, rate_hz=10):
    person = LookingAt()
    return [person.update(i / rate_hz, None if y is None else yaw(y), std, to_target) for i, y in enumerate(yaws)]


def test_a_person_who_faces_the_camera_looks_at_it_after_the_dwell():
    """dwell_s = 0.3 s from the frame at 0.0: the frame at 0.3 says so."""
    assert watch([0] * 5) == [None, None, None, True, True]


def test_a_person_who_looks_aside_does_not():
    """40 degrees aside, far outside the cone of 15."""
    assert watch([40] * 5) == [None, None, None, False, False]


def test_the_edge_of_the_cone_does_not_flicker():
    """At 15 degrees half of the mass is in the cone, between leave_mass and enter_mass: the answer stays what it was."""
    assert watch([0] * 5 + [15.0, 14.9, 15.1] * 10)[4:] == [True] * 31
    assert watch([40] * 5 + [15.0, 14.9, 15.1] * 10)[4:] == [False] * 31


def test_a_glance_aside_shorter_than_the_dwell_changes_nothing():
    assert watch([0] * 5 + [60, 60] + [0] * 5)[4:] == [True] * 8


def test_a_target_beside_the_camera_is_looked_at_with_the_head_turned():
    """The target lies 45 degrees to the image's right of the camera, seen from the head: yaw -45 (yaw > 0 is left)."""
    beside = np.array([math.sin(math.radians(45)), 0, -math.cos(math.radians(45))])
    assert watch([-45] * 5, to_target=beside)[-1] is True
    assert watch([0] * 5, to_target=beside)[-1] is False
    assert watch([45] * 5, to_target=beside)[-1] is False


def test_a_person_who_vanishes_is_unknown_after_a_second_not_still_looking():
    """Last seen at 0.4; forget_s = 1 s later, at 1.5, nothing is known."""
    said = watch([0] * 5 + [None] * 15)
    assert said[4:15] == [True] * 11 and said[15:] == [None] * 5


@pytest.mark.parametrize('period_s', [0.5, 0.99, 1.01, 1.9])
def test_a_person_in_every_image_is_followed_where_images_are_rare(period_s):
    """Images further apart than dwell_s = 0.3 s: the second one decides, and looks aside from the sixth on are seen in the seventh."""
    said = watch([0] * 5 + [60] * 5, rate_hz=1 / period_s)
    assert said == [None] + [True] * 5 + [False] * 4


def test_images_more_than_two_seconds_apart_say_nothing():
    assert watch([0] * 5, rate_hz=0.45) == [None] * 5


def test_a_person_who_is_in_every_other_of_rare_images_only_is_unknown():
    """Seen every 1.6 s, above forget_s = 1 s."""
    assert watch([0, None] * 5, rate_hz=1 / 0.8) == [None] * 10


def test_between_rare_images_the_answer_is_the_last_ones_for_two_seconds_and_asking_changes_nothing():
    """Images 1.5 s apart, the second of which decides. A time is asked for that the next image refutes, as in a slow replay."""
    person = LookingAt()
    assert [person.update(stamp, yaw(0), SHARP, AT_CAMERA) for stamp in (0.0, 1.5)] == [None, True]
    assert [person.at(now) for now in (1.6, 3.4, 3.6, 9.0)] == [True, True, None, None]
    assert person.update(3.0, yaw(60), SHARP, AT_CAMERA) is True
    assert person.update(4.5, yaw(60), SHARP, AT_CAMERA) is False
    person.update(4.6, None, None, None)
    assert [person.at(now) for now in (5.4, 5.6)] == [False, None]
    assert LookingAt().at(1.0) is None


def test_an_uncertain_pose_is_no_evidence():
    assert watch([0] * 20, std=np.full(3, 30.0)) == [None] * 20


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(), st.lists(st.floats(), min_size=15, max_size=15)), max_size=20))
def test_no_input_raises_or_is_called_looking_without_evidence(script):
    person = LookingAt()
    for stamp_s, numbers in script:
        v = np.array(numbers)
        said = person.update(stamp_s, v[:9].reshape(3, 3), v[9:12], v[12:])
        assert said is not True


def test_settings_without_hysteresis_are_refused():
    with pytest.raises(ValueError, match='leave_mass'):
        LookingAtSettings(enter_mass=0.4, leave_mass=0.4)
