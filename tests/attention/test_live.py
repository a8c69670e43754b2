"""Between two frames time is only estimated: reports fill the gap, and the frames have the last word."""

import pytest
from attention_scenes import LHD, MOUNT, head

from c2f_head_pose.attention.live import LiveMonitor
from c2f_head_pose.attention.monitor import AttentionMonitor
from c2f_head_pose.attention.settings import Reason, State
from c2f_head_pose.ros.attention.play_time import PlayTime

ROAD = [head(0, 0)]


def attentive_at(stamp_s):
    """A live monitor that saw the road for 2 s, until a stamp."""
    monitor = LiveMonitor(AttentionMonitor(LHD, MOUNT))
    for k in range(21):
        decided = monitor.frame(stamp_s - 2 + k / 10, ROAD)
    assert decided.state is State.ATTENTIVE
    return monitor


def test_reports_of_nobody_add_up_to_absent():
    """Reports every 0.1 s from 100.5 on, each counted 0.25 s earlier: the first nobody is at 100.25, absent 2 s later, at 102.5."""
    monitor = attentive_at(100.0)
    states = {k: monitor.report(100.5 + k / 10, []).state for k in range(25)}
    assert next(k for k, state in states.items() if state is State.ABSENT) == 20


@pytest.mark.parametrize('ahead_s', [0.26, 0.5, 5.0, 60.0])
def test_a_frame_older_than_the_reports_refutes_them(ahead_s):
    """A slow replay: reports were given for times up to some seconds ahead. The next frame, 1/30 s on, is the next frame, no more."""
    monitor, alone = attentive_at(100.0), attentive_at(100.0)
    for k in range(10):
        monitor.report(100.03 + ahead_s + 0.3 + k / 10, None)
    for k in range(1, 40):
        assert monitor.frame(100 + k / 30, ROAD) == alone.frame(100 + k / 30, ROAD), k


def test_a_frame_newer_than_the_reports_confirms_them():
    """Nobody was there from 100.5 to 104: whoever is seen at 104.1 is another driver, unknown until the road was seen for 1 s."""
    monitor = attentive_at(100.0)
    for k in range(36):
        reported = monitor.report(100.5 + k / 10, [])
    assert reported.state is State.ABSENT
    decided = monitor.frame(104.1, ROAD)
    assert (decided.state, decided.reason) == (State.UNKNOWN, Reason.NO_EVIDENCE)
    assert [monitor.frame(104.1 + k / 10, ROAD).state for k in range(1, 11)][-2:] == [State.UNKNOWN, State.ATTENTIVE]


def test_a_frame_that_arrives_a_little_late_is_not_taken_for_a_slow_replay():
    """Live: a report at 102.00 while the frame of 101.80 is still on its way. It is newer than 101.75, so all of it counts."""
    monitor = attentive_at(100.0)
    for k in range(16):
        monitor.report(100.5 + k / 10, [])
    assert monitor.frame(101.8, ROAD).stamp_s == 101.8
    assert monitor.monitor.at(101.8).stamp_s == 101.8


class Clocks:
    """A steady clock, and ROS time that follows /clock where it is not None."""

    def __init__(self, ros_s=None):
        self.ros, self.steady = ros_s, 1000.0
        self.time = PlayTime(lambda: self.ros, lambda: self.steady)

    def run(self, seconds, rate=0.0):
        """Lets real time pass in steps of 0.1 s, /clock at a rate; returns how much play time passed."""
        before = self.time.now_s()
        for _ in range(round(seconds * 10)):
            self.steady += 0.1
            if self.ros is not None:
                self.ros += 0.1 * rate
            now = self.time.now_s()
        return now - before


def test_without_a_recorded_clock_time_passes_as_on_the_steady_clock():
    assert Clocks().run(7.0) == pytest.approx(7.0)


@pytest.mark.parametrize('rate', [0.05, 0.5, 1.0, 20.0])
def test_time_passes_as_fast_as_clock_runs(rate):
    """The first step of 0.1 s only shows that it runs, and counts as real time."""
    clocks = Clocks(ros_s=50.0)
    assert clocks.run(10.0, rate) == pytest.approx(0.1 + 9.9 * rate)


def test_the_first_clock_message_is_no_leap_of_fifty_years():
    """ROS time is 0 until /clock comes; then it is 1.7e9 s."""
    clocks = Clocks(ros_s=0.0)
    clocks.run(3.0)
    clocks.ros = 1.7e9
    assert clocks.run(1.0, 1.0) == pytest.approx(1.0)


def test_once_the_clock_stands_still_for_a_second_the_steady_clock_is_used_again():
    """A paused or ended replay for 5 s: the first second stands still with it, then 4 s pass; it goes on at half speed."""
    clocks = Clocks(ros_s=50.0)
    clocks.run(2.0, 1.0)
    assert clocks.run(5.0, 0.0) == pytest.approx(4.0, abs=0.11)
    assert clocks.run(4.0, 0.5) == pytest.approx(2.0, abs=0.11)


def test_time_does_not_decrease_when_the_clock_goes_back():
    clocks = Clocks(ros_s=50.0)
    clocks.run(2.0, 1.0)
    before = clocks.time.now_s()
    clocks.ros = 10.0
    assert clocks.time.now_s() == before
    assert clocks.run(1.0, 1.0) == pytest.approx(1.0)
