"""Whatever comes in: nothing raises, and nobody is called attentive who was not seen so."""

import math

import numpy as np
import pytest
from attention_scenes import CONFIG, MOUNT, head
from hypothesis import event, given, settings
from hypothesis import strategies as st

from c2f_head_pose.attention.monitor import AttentionMonitor, AttentionSettings, Motion, Reason, State
from c2f_head_pose.attention.vehicle_profile import load_zones
from c2f_head_pose.types import FaceBox, HeadPose

ZONES = load_zones(CONFIG / 'zones_passenger_car_lhd.yaml')
SETTINGS = AttentionSettings()
ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True)
STEPS = st.one_of(
    st.sampled_from([0.0, 0.05, 0.1, 0.1, 0.1, 0.1, 0.3, 0.9, -0.1, -5.0, 1.5, 60.0]),
    st.floats(-2, 4),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e300]),
)
SOUND = st.builds(head, st.floats(-180, 180), st.floats(-80, 80), st.floats(0, 40), track_id=st.sampled_from([None, 1, 2]))
ROAD = st.builds(head, st.floats(-6, 6), st.floats(-3, 6), st.floats(1, 5))
BROKEN = st.builds(
    HeadPose,
    st.lists(ANY_NUMBER, min_size=9, max_size=9).map(lambda v: np.array(v).reshape(3, 3)),
    st.lists(ANY_NUMBER, min_size=3, max_size=3).map(np.array),
    st.just('L1'),
    st.just(np.full(4, 0.25)),
    score=ANY_NUMBER,
    box=st.one_of(st.none(), st.builds(FaceBox, ANY_NUMBER, ANY_NUMBER, ANY_NUMBER, ANY_NUMBER)),
    t_cam_head_m=st.one_of(st.none(), st.lists(ANY_NUMBER, min_size=3, max_size=3).map(np.array)),
)
FRAMES = st.one_of(st.none(), st.lists(st.one_of(SOUND, BROKEN), max_size=3), ROAD.map(lambda h: [h]))
MOTIONS = st.one_of(st.none(), st.builds(Motion, st.one_of(st.none(), ANY_NUMBER), st.one_of(st.none(), ANY_NUMBER)))


PIECES = st.one_of(  # single oddities, and stretches of one thing at a steady rate: only those can make anybody attentive
    st.tuples(STEPS, FRAMES, MOTIONS).map(lambda frame: [frame]),
    st.tuples(st.integers(1, 40), st.floats(0.02, 0.6), st.one_of(ROAD.map(lambda h: [h]), FRAMES), MOTIONS).map(
        lambda piece: [piece[1:]] * piece[0]
    ),
)
SCRIPTS = st.lists(PIECES, max_size=12).map(lambda pieces: [frame for piece in pieces for frame in piece])


def road_masses(zones, heads):
    """Independently of the monitor: the mass on the road of each head of the frame that says anything."""
    masses = []
    for h in heads or []:
        R, std = np.asarray(h.R_cam_head), np.asarray(h.rotation_std_deg)
        if not (np.abs(R).max() < 2 and std.min() >= 0 and std.max() < 180) or np.abs(R @ R.T - np.eye(3)).max() > 1e-2:
            continue
        road = zones.mass(MOUNT @ R, std).road
        if max(road, 1 - road) >= SETTINGS.min_mass and std[1:].max() <= SETTINGS.max_std_deg:
            masses.append(road)
    return masses


@settings(max_examples=80, deadline=None)
@given(SCRIPTS, st.sampled_from(['any', 'left']))
def test_no_input_raises_or_is_called_attentive_without_evidence(script, seat):
    """Attentive at t needs a sound frame within uncertain_s = 2 s before t, one on the road within long_driving_s = 4 s and,
    once before, such frames over return_s = 1 s, none further than max_step_s = 0.5 s from the next.

    The natural position is never learned here (no minute of driving), so masses can be checked without it.
    """
    monitor = AttentionMonitor(ZONES, MOUNT, seat=seat)
    stamp_s, newest_s = 100.0, -math.inf
    road_stamps, run_s, longest_run_s, seen_s = [], 0.0, 0.0, -math.inf
    for step, heads, motion in script:
        stamp_s += step if math.isfinite(step) and abs(step) < 1e6 else 0.0
        given_s = stamp_s if math.isfinite(step) else step
        said = monitor.update(given_s, heads, motion)
        if math.isfinite(given_s):
            if given_s <= newest_s - 1.0:
                road_stamps, newest_s, run_s, longest_run_s = [], -math.inf, 0.0, 0.0
            if given_s > newest_s:
                newest_s = given_s
                masses = road_masses(ZONES, heads)
                seen_s = given_s if masses else seen_s
                if any(road >= SETTINGS.min_mass for road in masses):
                    gap_s = given_s - road_stamps[-1] if road_stamps else math.inf
                    run_s = run_s + gap_s if gap_s <= SETTINGS.max_step_s + 1e-3 else 0.0
                    longest_run_s = max(longest_run_s, run_s)
                    road_stamps.append(given_s)
        assert isinstance(said.state, State) and isinstance(said.reason, Reason)
        assert 0.0 <= said.confidence <= 1.0 and said.off_road_s >= 0.0 and said.short_glances_s <= SETTINGS.short_window_s + 1e-6
        assert said.since_s is None or said.since_s <= said.stamp_s
        if said.state is State.ATTENTIVE:
            assert road_stamps and said.stamp_s - road_stamps[-1] <= SETTINGS.long_driving_s + 1e-3
            assert said.stamp_s - seen_s <= SETTINGS.uncertain_s + 1e-3
            assert longest_run_s >= SETTINGS.return_s - 2e-3
            event('attentive')
            assert said.confidence > 0
        assert monitor.at(newest_s + 1.01 if math.isfinite(newest_s) else 0.0).state is State.UNKNOWN
        assert monitor.at(math.nan).state is not State.ATTENTIVE or said.stamp_s is None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 0.4),
            st.one_of(
                st.none(),
                st.just([]),
                st.lists(BROKEN, max_size=2),
                st.lists(st.builds(head, st.floats(-180, 180), st.floats(-80, 80), st.floats(12.1, 90)), max_size=2),
            ),
        ),
        max_size=80,
    )
)
def test_blind_uncertain_and_broken_input_is_never_attentive_nor_distracted(script):
    monitor, stamp_s = AttentionMonitor(ZONES, MOUNT), 0.0
    for step, heads in script:
        stamp_s += step
        assert monitor.update(stamp_s, heads).state in (State.UNKNOWN, State.ABSENT)


@settings(max_examples=25, deadline=None)
@given(st.lists(SOUND, min_size=1, max_size=1), st.integers(1, 5))
def test_repeating_a_frame_changes_nothing(heads, times):
    """Duplicate stamps: the second of two equal stamps is ignored, whatever it holds."""
    monitor = AttentionMonitor(ZONES, MOUNT)
    first = monitor.update(5.0, heads)
    for _ in range(times):
        assert monitor.update(5.0, [head(0, 0)]) is first


def test_attention_does_not_depend_on_where_the_clock_starts():
    """The same drive at stamps from 0 and from the year 2026: the same states at the same times."""
    rng = np.random.default_rng(3)
    directions = np.repeat(rng.uniform([-60, -40], [60, 10], (60, 2)), rng.integers(1, 40, 60), axis=0)
    said = [[AttentionMonitor(ZONES, MOUNT)] for _ in range(2)]
    for i, (azimuth, elevation) in enumerate(directions):
        states = {said[k][0].update(start + i / 30, [head(azimuth, elevation)]).state for k, start in enumerate((0.0, 1.78e9))}
        assert len(states) == 1


def test_five_thousand_faces_are_one_frame_like_any_other():
    """The driver is found among them by the track; the crowd changes neither the decision nor, by much, its time."""
    rng = np.random.default_rng(1)
    crowd = [head(*rng.uniform([-180, -60], [180, 60]), track_id=100 + i, box=FaceBox(0, 0, 300, 300)) for i in range(5000)]
    monitor = AttentionMonitor(ZONES, MOUNT)
    for i in range(15):
        monitor.update(i / 10, [head(0, 0, track_id=1, box=FaceBox(0, 0, 10, 10))])
    said = monitor.update(1.5, [*crowd, head(0, 0, track_id=1, box=FaceBox(0, 0, 10, 10))])
    assert (said.state, said.face_id) == (State.ATTENTIVE, 'face_1')


@pytest.mark.parametrize('rate_hz', [3, 10, 30, 100])
def test_the_times_do_not_depend_on_the_frame_rate(rate_hz):
    """Road until 12.0, the radio from then on: distracted with the first frame at or after 15.0."""
    monitor = AttentionMonitor(ZONES, MOUNT)
    first = next(
        i / rate_hz
        for i in range(20 * rate_hz)
        if monitor.update(i / rate_hz, [head(0, 0) if i < 12 * rate_hz else head(-27, -14)]).state is State.DISTRACTED
    )
    assert 15.0 <= first <= 15.0 + 1 / rate_hz
