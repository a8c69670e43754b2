"""What the state is when heads are uncertain, hidden or missing, and when input stops."""

from dataclasses import replace

import numpy as np
import pytest
from attention_scenes import ABSENT, ATTENTIVE, DISTRACTED, LHD, MOTORWAY, MOUNT, STARTED, UNKNOWN, blind, drive, head, looks, nobody

from c2f_head_pose.attention.monitor import AttentionMonitor, Motion, Reason
from c2f_head_pose.types import HeadPose


def test_sunglasses_that_blur_the_pose_make_the_state_unknown_never_attentive_nor_distracted():
    """From 10.0 the standard deviation is 15 degrees, beyond max_std_deg: nothing is seen after the frame at 9.9. What was seen
    holds for uncertain_s = 2 s, so the frame at 12.0 is the first further than 2 s from it. Clear again at 20.0: attentive
    after 1 s of road."""
    said = drive(looks(10, 'road_ahead'), looks(10, 'road_ahead', std_deg=15), looks(5, 'road_ahead'))
    assert said.changes() == [*STARTED, (12.0, UNKNOWN), (21.0, ATTENTIVE)]
    assert said.at(12.0).reason is Reason.UNCERTAIN
    assert said.at(12.0).zone == 'unknown' and said.at(12.0).confidence == 0.0


def test_light_sunglasses_change_nothing_for_a_head_on_the_road():
    """A deviation of 8 degrees leaves the road more than min_mass = 0.6 (it holds 0.85)."""
    assert drive(looks(60, 'road_ahead', std_deg=8)).changes() == STARTED


def test_a_head_between_road_and_mirror_is_uncertain_not_attentive():
    """Half of the mass on the road: neither for nor against it. Seen last at 9.9, unknown from 12.0 on."""
    edge = next(a for a in np.arange(10, 40, 0.25) if 0.45 < LHD.mass(MOUNT @ head(a, 0, 4).R_cam_head, np.full(3, 4.0)).road < 0.55)
    said = drive(looks(10, 'road_ahead'), looks(30, (edge, 0), std_deg=4))
    assert said.changes() == [*STARTED, (12.0, UNKNOWN)]


def test_a_covered_camera_while_driving_is_blind_not_an_absent_driver():
    """The detector finds nobody from 10.0; the car moves. Seen last at 9.9, so unknown from 12.0 on, whatever follows."""
    said = drive(looks(10, 'road_ahead'), nobody(30), looks(3, 'road_ahead'))
    assert said.changes() == [*STARTED, (12.0, UNKNOWN), (41.0, ATTENTIVE)]
    assert said.at(13.0).reason is Reason.NO_FACE_MOVING


def test_a_covered_camera_in_a_car_of_unknown_speed_gives_absent_and_never_attentive():
    """The limit that docs/attention.md names: nobody found from 10.0, absent_s = 2 s later absent."""
    assert drive(looks(10, 'road_ahead'), nobody(10), motion=None).changes() == [*STARTED, (12.0, ABSENT)]


def test_a_camera_that_reports_itself_blind_makes_the_state_unknown():
    """No image to look at (None) from 10.0: unknown from 12.0 on, standing or not."""
    said = drive(looks(10, 'road_ahead'), blind(10), motion=Motion(0.0, 0.0))
    assert said.changes() == [*STARTED, (12.0, UNKNOWN)]
    assert said.at(13.0).reason is Reason.BLIND


def test_a_head_turned_until_its_face_is_lost_still_ends_in_a_distraction():
    """1.5 s at the passenger, then turned so far back that no face is found: the glance goes on for what is held, 2 s after the
    frame last seen, so it reaches 3.0 s at 13.0; from 13.5 on nothing was seen for more than 2 s: unknown."""
    said = drive(looks(10, 'road_ahead'), looks(1.5, 'passenger'), nobody(5))
    assert said.changes() == [*STARTED, (13.0, DISTRACTED), (13.5, UNKNOWN)]


def test_hiding_from_the_camera_does_not_wash_the_glance_off():
    """Lap from 10.0, distracted at 13.0; hidden from 14.0, unknown from 16.0; lap again at 17.0: distracted at once, since the
    road was never seen between."""
    said = drive(looks(10, 'road_ahead'), looks(4, 'lap'), blind(3), looks(2, 'lap'))
    assert said.changes() == [*STARTED, (13.0, DISTRACTED), (16.0, UNKNOWN), (17.0, DISTRACTED)]


def test_input_that_stops_is_stale_after_one_second():
    """The last frame is at 1009.9; stale_s = 1 s later, and not before, the state is unknown, since 1010.9."""
    said = drive(looks(10, 'road_ahead'))
    assert said.monitor.at(1010.9).state is ATTENTIVE
    stale = said.monitor.at(1011.0)
    assert (stale.state, stale.reason, stale.since_s, stale.confidence) == (UNKNOWN, Reason.STALE, 1010.9, 0.0)


def test_after_a_hole_in_the_input_attention_must_be_shown_again():
    """No frame from 1009.9 to 1013.0: unknown with the first frame after it; attentive after 1 s of road."""
    monitor = AttentionMonitor(LHD, MOUNT)
    for i in range(100):
        monitor.update(1000 + i / 10, [head(0, 0)])
    states = [monitor.update(1013 + i / 10, [head(0, 0)]).state for i in range(12)]
    assert states == [UNKNOWN] * 10 + [ATTENTIVE] * 2


def slow_drive(image_s, lap, seconds=120):
    """The decisions about a driver who looks into the lap at the times for which `lap` is true, one image every `image_s` seconds."""
    monitor = AttentionMonitor(LHD, MOUNT)
    stamps = np.arange(0, seconds, image_s)
    return stamps, [monitor.update(1000 + t, [head(-9, -34) if lap(t) else head(0, 0)], MOTORWAY) for t in stamps]


@pytest.mark.parametrize('image_s', [0.1, 0.55, 1.0, 2.5])
def test_short_glances_never_add_up_however_rare_images_are(image_s):
    """0.8 s in the lap every 20 s, seen in one or two images where they are 0.55 s or more apart: at most 2.5 s, below 3 s. A glance ends
    with the second image in a row on the road."""
    _, said = slow_drive(image_s, lambda t: t > 5 and t % 20 < 0.8)
    assert DISTRACTED not in [a.state for a in said]
    assert said[-1].off_road_s == 0.0


def test_short_glances_never_add_up_where_the_face_is_found_in_every_other_image():
    """0.8 s in the lap every 20 s; found images are 0.2 s apart, below max_step_s = 0.5 s, so the road is continuous: attentive at 1.0."""
    glance = looks(0.8, 'lap') + looks(19.2, 'road_ahead')
    frames = looks(10, 'road_ahead') + glance * 6
    said = drive([heads if i % 2 == 0 else [] for i, heads in enumerate(frames)])
    assert said.changes() == STARTED
    assert said.decisions[-1].off_road_s == 0.0


@pytest.mark.parametrize('image_s', [0.55, 1.0])
def test_a_distraction_ends_on_the_road_however_rare_images_are(image_s):
    """In the lap from 10 to 18: distracted with the first image 3 s after it began, and over return_s = 1 s after the first image on the
    road. Such images are more than max_step_s = 0.5 s apart, so the driver is unknown then, not attentive."""
    stamps, said = slow_drive(image_s, lambda t: 10 <= t < 18, seconds=30)
    distracted = [t for t, a in zip(stamps, said) if a.state is DISTRACTED]
    off, back = stamps[stamps >= 10][0], stamps[stamps >= 18][0]
    assert distracted[0] == stamps[stamps >= off + 2.999][0]
    assert distracted[-1] == stamps[stamps < back + 0.999][-1]
    assert said[-1].state is UNKNOWN and said[-1].reason is Reason.NO_EVIDENCE


def test_a_bag_that_starts_again_starts_the_decision_again_and_late_frames_are_ignored():
    """Back by 100 s: forgotten. Back by 0.2 s, or the same stamp again: nothing changes."""
    said = drive(looks(20, 'road_ahead'))
    before = said.decisions[-1]
    for stamp_s in (1019.9, 1019.7):
        assert said.monitor.update(stamp_s, [head(0, -40)]) is before
    again = said.monitor.update(919.9, [head(0, 0)])
    assert (again.state, again.since_s, again.stamp_s) == (UNKNOWN, 919.9, 919.9)


def test_a_pose_that_is_no_pose_is_no_evidence():
    """NaN, a reflection, a scaled matrix, a negative deviation: seen last at 9.9, unknown from 12.0 on; beside a sound head of
    the same driver they are passed over."""
    sound = head(0, 0)
    broken = [
        HeadPose(R, std, 'L1', np.full(4, 0.25), track_id=7)
        for R, std in (
            (np.full((3, 3), np.nan), np.ones(3)),
            (-sound.R_cam_head, np.ones(3)),
            (3 * sound.R_cam_head, np.ones(3)),
            (sound.R_cam_head, np.full(3, np.nan)),
            (sound.R_cam_head, -np.ones(3)),
            (np.eye(2), np.ones(3)),
        )
    ]
    for bad in broken:
        assert drive(looks(10, 'road_ahead'), [[bad]] * 50).changes() == [*STARTED, (12.0, UNKNOWN)]
    assert drive([[*broken, sound]] * 50).changes() == STARTED


def test_an_uncertain_roll_is_no_uncertain_direction():
    """About the head's x axis 30 degrees, about the others 2."""
    frame = [replace(head(0, 0), rotation_std_deg=np.array([30.0, 2, 2]))]
    assert drive([frame] * 30).changes() == STARTED


def test_nobody_in_a_car_that_crawls_is_unknown_not_absent():
    """1.5 m/s is more than moving_mps, so somebody drives."""
    assert drive(looks(10, 'road_ahead'), nobody(10), motion=Motion(1.5, 0.0)).changes() == [*STARTED, (12.0, UNKNOWN)]
