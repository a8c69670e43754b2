"""Which head is the driver's when others are in view, or when the driver is lost."""

import numpy as np
import pytest
from attention_scenes import ABSENT, ATTENTIVE, DISTRACTED, MOUNT, STARTED, UNKNOWN, blind, drive, head, looks, nobody

from c2f_head_pose.attention.monitor import Motion
from c2f_head_pose.types import FaceBox, HeadPose

DRIVERS, PASSENGERS = ({'t_cam_head_m': np.array([x, 0, 0.8])} for x in (0.35, -0.35))
BOTH = [[head(0, 0, track_id=1, **DRIVERS), head(0, 0, track_id=2, **PASSENGERS)]] * 100
"""Driver and passenger look at the road for 10 s, from places 0.7 m apart."""


def test_a_driver_who_leaves_the_standing_car_is_absent_and_another_one_starts_afresh():
    """Nobody from 10.0, the car stands: absent_s = 2 s later absent. Somebody sits down at 20.0: unknown until seen on the road
    for 1 s."""
    said = drive(looks(10, 'road_ahead'), nobody(10), looks(5, 'road_ahead', track_id=8), motion=Motion(0.0, 0.0))
    assert said.changes() == [*STARTED, (12.0, ABSENT), (20.0, UNKNOWN), (21.0, ATTENTIVE)]
    assert said.at(15.0).confidence == 1.0
    assert said.at(22.0).face_id == 'face_8'


def test_the_passenger_is_not_mistaken_for_the_driver():
    """Left-hand drive, camera between the seats: the driver's head has y > 0 in the car, the image's right: x > 0. The passenger
    looks into the lap, nearer and larger; only the driver's seat counts."""
    box = FaceBox(0, 0, 100, 100)
    driver = head(0, 0, t_cam_head_m=np.array([0.35, 0, 0.8]), track_id=1, box=FaceBox(0, 0, 50, 50))
    passenger = head(0, -40, t_cam_head_m=np.array([-0.35, 0, 0.6]), track_id=2, box=box)
    both = [[passenger, driver]] * 100
    assert drive(both, seat='left').changes() == STARTED
    assert ATTENTIVE not in [state for _, state in drive(both, seat='right').changes()]
    left_alone = drive([[driver, passenger]] * 100, [[passenger]] * 100, seat='left', motion=Motion(0.0, 0.0))
    assert left_alone.changes() == [*STARTED, (12.0, ABSENT)]


def test_the_followed_driver_stays_the_driver_when_a_larger_face_appears():
    driver, child = head(0, 0, track_id=1, box=FaceBox(0, 0, 50, 50)), head(60, 0, track_id=2, box=FaceBox(0, 0, 90, 90))
    assert drive([[driver]] * 50, [[child, driver]] * 100).changes() == STARTED


def test_a_passenger_is_never_taken_for_a_driver_who_is_lost():
    """The driver's face is lost, or its pose broken, from 10.0; the passenger, 0.7 m away, watches the road all the time. The
    driver was seen last at 9.9: unknown from 12.0 on, for the rest of the drive."""
    driver = head(0, 0, track_id=1, t_cam_head_m=np.array([0.35, 0, 0.8]))
    passenger = head(0, 0, track_id=2, t_cam_head_m=np.array([-0.35, 0, 0.8]))
    broken = HeadPose(np.full((3, 3), np.nan), np.ones(3), 'L1', np.full(4, 0.25), track_id=1, t_cam_head_m=driver.t_cam_head_m)
    for rest in ([passenger], [passenger, broken]):
        said = drive([[driver, passenger]] * 100, [rest] * 100)
        assert said.changes() == [*STARTED, (12.0, UNKNOWN)]
        assert said.decisions[-1].face_id == 'face_1'
    alone = drive([[driver, passenger]] * 100, [[passenger]] * 100, seat='left')
    assert alone.changes() == [*STARTED, (12.0, UNKNOWN)], 'with the seat given, not at all'


def test_without_positions_one_lost_image_does_not_make_the_passenger_the_driver():
    """The camera is not calibrated. The driver's face is lost in the image at 10.0 alone, and looks into the lap from 10.1 on. The
    passenger, in view all the time, watches the road. The glance is 3.0 s long at 13.1."""
    passenger = head(0, 0, track_id=2)
    said = drive([[head(0, 0, track_id=1), passenger]] * 100, [[passenger]], [[head(-9, -34, track_id=1), passenger]] * 50)
    assert said.changes() == [*STARTED, (13.1, DISTRACTED)]
    assert said.at(10.0).face_id == said.at(14.0).face_id == 'face_1'


@pytest.mark.parametrize('driver_id', [1, 5])
def test_a_driver_who_comes_back_after_a_long_loss_is_the_driver_again(driver_id):
    """The driver is lost from 10.0 to 13.0, unknown from 12.0 on, and looks into the lap from 13.0 on, under the same id or a new one:
    distracted at 16.0. The passenger, whose face is found in every other image until 10.0, watches the road all the time."""
    passenger = head(0, 0, track_id=2)
    together = [[head(0, 0, track_id=1), passenger], [head(0, 0, track_id=1)]] * 50
    said = drive(together, [[passenger]] * 30, [[passenger, head(-9, -34, track_id=driver_id)]] * 50)
    assert said.changes() == [*STARTED, (12.0, UNKNOWN), (16.0, DISTRACTED)]
    assert said.decisions[-1].face_id == f'face_{driver_id}'


def test_whoever_takes_over_the_seat_from_an_absent_driver_is_the_driver():
    """The car stands and its driver leaves at 10.0: absent at 12.0. The passenger was in view beside the driver, and is the driver from
    12.1 on: attentive after 1 s of road."""
    passenger = head(0, 0, track_id=2)
    said = drive([[head(0, 0, track_id=1), passenger]] * 100, [[passenger]] * 50, motion=Motion(0.0, 0.0))
    assert said.changes() == [*STARTED, (12.0, ABSENT), (12.1, UNKNOWN), (13.1, ATTENTIVE)]


def test_without_positions_a_driver_found_again_under_a_new_number_goes_on():
    """Only the driver's id is new after 0.8 s; the passenger has the same as before."""
    passenger = head(0, -40, track_id=2)
    said = drive([[head(0, 0, track_id=1), passenger]] * 100, [[passenger]] * 8, [[passenger, head(0, 0, track_id=5)]] * 50)
    assert said.changes() == STARTED
    assert said.at(14.0).face_id == 'face_5'


def test_a_driver_found_again_under_a_new_number_goes_on():
    """The tracker lost the face for 0.8 s and gave it a new id, 10 cm from where it was: the same driver."""
    before = head(0, 0, track_id=1, t_cam_head_m=np.array([0.35, 0, 0.8]))
    after = head(0, 0, track_id=5, t_cam_head_m=np.array([0.25, 0, 0.8]))
    assert drive([[before]] * 100, nobody(0.8), [[after]] * 50).changes() == STARTED


@pytest.mark.parametrize('gap_s', [0, 5, 60])
@pytest.mark.parametrize('seat', ['any', 'left'])
def test_ids_that_a_restarted_head_pose_gives_anew_do_not_exchange_driver_and_passenger(gap_s, seat):
    """The ids are exchanged after the gap. The driver, who is where the driver was, looks into the lap from its end on: distracted
    after 3 s. Frames stop at 9.9, so the state is unknown from 12.0 on."""
    exchanged = [head(0, 0, track_id=1, **PASSENGERS), head(-9, -34, track_id=2, **DRIVERS)]
    said = drive(BOTH, blind(gap_s), [exchanged] * 50, seat=seat)
    assert said.changes() == [*STARTED, *([(12.0, UNKNOWN)] if gap_s else []), (13.0 + gap_s, DISTRACTED)]
    assert said.decisions[-1].face_id == 'face_2'


@pytest.mark.parametrize('gap', [nobody(1), blind(5)])
def test_a_driver_who_has_the_passengers_id_after_a_restart_is_found_again_in_a_moving_car(gap):
    said = drive(BOTH, gap, [[head(0, 0, track_id=2, **DRIVERS)]] * 50)
    assert (said.decisions[-1].state, said.decisions[-1].face_id) == (ATTENTIVE, 'face_2')


def test_without_positions_ids_from_before_a_gap_exclude_nobody():
    """The only head in view has the passenger's id after 5 s without images: the driver's, as far as anybody can tell."""
    said = drive([[head(0, 0, track_id=1), head(0, 0, track_id=2)]] * 100, blind(5), [[head(0, 0, track_id=2)]] * 50)
    assert said.changes() == [*STARTED, (12.0, UNKNOWN), (16.0, ATTENTIVE)]


def test_a_passenger_found_first_after_a_gap_is_not_the_driver():
    """Ids are new after the gap from 10.0 to 15.0. The driver is found 1 s later than the passenger, and looks into the lap."""
    passenger = head(0, 0, track_id=1, **PASSENGERS)
    said = drive(BOTH, blind(5), [[passenger]] * 10, [[passenger, head(-9, -34, track_id=2, **DRIVERS)]] * 50)
    assert said.changes() == [*STARTED, (12.0, UNKNOWN), (19.0, DISTRACTED)]


def test_a_passenger_who_leans_over_to_a_lost_driver_is_not_the_driver():
    """From -0.35 m to 0.25 m, 0.1 m from the driver's place, within a second; the driver is lost from 10.0 on."""
    leaning = [[head(0, 0, track_id=2, t_cam_head_m=np.array([x, 0, 0.8]))] for x in np.linspace(-0.35, 0.25, 10)]
    said = drive(BOTH, leaning, leaning[-1:] * 50)
    assert said.changes() == [*STARTED, (12.0, UNKNOWN)]


def test_of_strangers_the_one_at_the_drivers_place_is_the_driver():
    """Both faces have new ids after a loss of 3 s; the passenger's is larger. The driver looks into the lap from 13.0 on."""
    passenger = head(0, 0, track_id=3, box=FaceBox(0, 0, 90, 90), **PASSENGERS)
    driver = head(-9, -34, track_id=4, box=FaceBox(0, 0, 50, 50), **DRIVERS)
    assert drive(BOTH, nobody(3), [[passenger, driver]] * 50).changes() == [*STARTED, (12.0, UNKNOWN), (16.0, DISTRACTED)]


def test_of_two_strangers_the_nearer_one_is_the_driver_whatever_their_scores():
    """Heads from messages have no box. In the camera's axes the driver is 0.87 m away, the passenger 1.06 m; in vehicle axes, which do
    not tell where the camera is, the driver is 0.2 m further ahead."""
    camera = np.array([0.35, 0, 0.8]), np.array([-0.35, 0, 1.0])
    for places, mount in ((camera, MOUNT), ((np.array([0.6, 0.4, 1.2]), np.array([0.4, -0.2, 1.2])), np.eye(3))):
        driver, passenger = (
            head(azimuth, elevation, mount=mount, track_id=track_id, score=score, t_cam_head_m=place)
            for (azimuth, elevation), track_id, score, place in zip(((-9, -34), (0, 0)), (1, 2), (0.7, 0.9), places)
        )
        assert drive([[passenger, driver]] * 50, mount=mount).decisions[-1].face_id == 'face_1'


@pytest.mark.parametrize('track_id', [1, None])
def test_a_driver_who_sways_across_the_cameras_plane_stays_the_driver(track_id):
    """The camera is behind the wheel of a left-hand drive car, and the driver's head before it: it sways by 3 cm within 8 s."""
    sway = [[head(0, 0, track_id=track_id, t_cam_head_m=np.array([0.03 * np.sin(2 * np.pi * i / 80), 0, 0.7]))] for i in range(1, 400)]
    assert drive(sway, seat='left', motion=Motion(0.0, 0.0)).changes() == STARTED


def test_a_head_clearly_on_the_other_side_is_not_the_drivers():
    """0.25 m on the passenger's side: ignored though it has the driver's id, so the driver, who moved there at 10.0, is absent at 12.0."""
    before, after = (head(0, 0, track_id=1, t_cam_head_m=np.array([x, 0, 0.7])) for x in (0.05, -0.25))
    assert drive([[before]] * 100, [[after]] * 50, seat='left', motion=Motion(0.0, 0.0)).changes() == [*STARTED, (12.0, ABSENT)]
