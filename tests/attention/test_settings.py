"""Settings of the decision: contradictions, the mount, right-hand drive, gaze in place of heads."""

import numpy as np
import pytest
from attention_scenes import ATTENTIVE, DISTRACTED, LHD, MOUNT, RHD, STARTED, drive, looks

from c2f_head_pose.attention.monitor import AttentionMonitor, AttentionSettings
from c2f_head_pose.attention.zones import ZoneMap, camera_mount, direction


def test_right_hand_drive_swaps_the_sides():
    """Looking 24 degrees left and 11 up: the interior mirror with the wheel on the right, 4 s; with the wheel on the left no
    mirror but the windscreen's edge, also needed for driving. 60 degrees right is the driver's own window, `away`: 3 s."""
    for zones, zone in ((RHD, 'interior_mirror'), (LHD, 'windscreen_driver_side')):
        said = drive(looks(10, 'road_ahead'), looks(4.5, (24, 11)), zones=zones)
        assert said.at(12.0).zone == zone
        assert said.changes() == [*STARTED, (14.0, DISTRACTED)]
    said = drive(looks(10, 'road_ahead'), looks(4, (-60, 0)), zones=RHD)
    assert (said.at(12.0).zone, said.changes()) == ('driver_window', [*STARTED, (13.0, DISTRACTED)])


def test_a_tilted_mount_changes_nothing_once_it_is_set_and_everything_if_not():
    """A camera on the column, 15 degrees up, 20 aside and turned by 7: told, the drive is as before. Untold, the road-watching
    head seems 20 degrees aside and 15 low: not on the road."""
    tilted = camera_mount(160, 15, 7)
    script = (looks(10, 'road_ahead', mount=tilted), looks(4, 'lap', mount=tilted), looks(3, 'road_ahead', mount=tilted))
    assert drive(*script, mount=tilted).changes() == [*STARTED, (13.0, DISTRACTED), (15.0, ATTENTIVE)]
    assert all(a.state is not ATTENTIVE for a in drive(*script, mount=MOUNT).decisions)


def test_settings_that_contradict_each_other_are_refused_by_name():
    for name, value in (('long_away_s', 0.0), ('min_mass', 0.4), ('uncertain_s', 3.0), ('gap_s', float('nan'))):
        with pytest.raises(ValueError, match=name):
            AttentionSettings(**{name: value})
    for name in ('long_away_s', 'long_driving_s', 'addw_fast_s', 'addw_slow_s', 'unresponsive_s'):
        with pytest.raises(ValueError, match=rf'uncertain_s \(2\) must be shorter than {name} \(1.5\)'):
            AttentionSettings(**{name: 1.5})
    with pytest.raises(ValueError, match=r'short_total_s \(10\) must be no longer than short_window_s \(5\)'):
        AttentionSettings(short_window_s=5.0)
    with pytest.raises(ValueError, match='R_vehicle_cam'):
        AttentionMonitor(LHD, np.ones((3, 3)))
    with pytest.raises(ValueError, match='seat'):
        AttentionMonitor(LHD, MOUNT, seat='front')


def test_the_shipped_road_outweighs_the_greatest_uncertainty_that_is_still_judged():
    """max_std_deg was chosen so: a head straight at the road, at that deviation, still speaks for the road."""
    settings = AttentionSettings()
    for zones in (LHD, RHD):
        mass = zones.mass(np.eye(3), np.full(3, settings.max_std_deg))
        assert mass.road >= settings.min_mass


def test_eyes_instead_of_heads_need_only_a_share_of_one():
    """A gaze 25 degrees down and 4 right is the cluster for eyes; a face pointing there is already in the lap's zone."""
    eyes = ZoneMap('eyes', LHD.zones)
    assert (eyes.zone_of(direction(-4, -25)), LHD.zone_of(direction(-4, -25))) == ('instrument_cluster', 'lap')
