"""A recording's attention as spans."""

from attention_scenes import LHD, MOTORWAY, MOUNT, RATE_HZ, blind, looks

from c2f_head_pose.attention.monitor import AttentionMonitor, Reason, State
from c2f_head_pose.evaluation.attention.timeline import AttentionTimeline, Span, attention_timeline


def timeline(*timed_pieces):
    """Pieces with the time each begins."""
    frames = [(begin_s + i / RATE_HZ, heads, MOTORWAY) for begin_s, piece in timed_pieces for i, heads in enumerate(piece)]
    return attention_timeline(AttentionMonitor(LHD, MOUNT), frames)


def test_a_phone_in_the_lap_is_six_spans():
    """Road from 0: attentive at 1.0. The lap from 10.0: a glance, at 13.0 a long distraction. Back at 14.0, which ends the glance
    after gap_s = 0.3 s: returning from 14.3, and attentive from 15.0 to the last frame at 15.9."""
    spans = timeline((0, looks(10, 'road_ahead')), (10, looks(4, 'lap')), (14, looks(2, 'road_ahead')))
    assert spans == [
        Span(0.0, 1.0, State.UNKNOWN, Reason.NO_EVIDENCE, 'road_ahead'),
        Span(1.0, 10.0, State.ATTENTIVE, Reason.ROAD, 'road_ahead'),
        Span(10.0, 13.0, State.ATTENTIVE, Reason.GLANCE, 'lap'),
        Span(13.0, 14.3, State.DISTRACTED, Reason.LONG, 'lap'),
        Span(14.3, 15.0, State.DISTRACTED, Reason.RETURNING, 'road_ahead'),
        Span(15.0, 15.9, State.ATTENTIVE, Reason.ROAD, 'road_ahead'),
    ]


def test_a_hole_in_the_recording_is_a_span_of_its_own():
    """The last frame before it at 4.9; stale_s = 1 s later, 5.9, until the next frame at 20.0."""
    spans = timeline((0, looks(5, 'road_ahead')), (20, looks(3, 'road_ahead')))
    assert [(s.begin_s, s.end_s, s.reason) for s in spans[1:4]] == [
        (1.0, 5.9, Reason.ROAD),
        (5.9, 20.0, Reason.STALE),
        (20.0, 21.0, Reason.NO_EVIDENCE),
    ]


def test_spans_go_on_after_a_stamp_that_jumps():
    """Ten seconds of the road from 100.0; one frame at 400.0, as of a clock that is set and set back; ten seconds more from 110.0. The
    stamp at 110.0 is older by more than BACKWARDS_S, so the monitor forgets the driver and is attentive again at 111.0."""
    spans = timeline((100, looks(10, 'road_ahead')), (400, looks(0.1, 'road_ahead')), (110, looks(10, 'road_ahead')))
    assert [(s.begin_s, s.end_s, s.state, s.reason) for s in spans] == [
        (100.0, 101.0, State.UNKNOWN, Reason.NO_EVIDENCE),
        (101.0, 110.9, State.ATTENTIVE, Reason.ROAD),
        (110.9, 400.0, State.UNKNOWN, Reason.STALE),
        (400.0, 400.0, State.UNKNOWN, Reason.NO_EVIDENCE),
        (110.0, 111.0, State.UNKNOWN, Reason.NO_EVIDENCE),
        (111.0, 119.9, State.ATTENTIVE, Reason.ROAD),
    ]


def test_a_stamp_that_is_a_little_older_is_ignored():
    """0.5 s late, which the monitor ignores too."""
    on_time = timeline((0, looks(5, 'road_ahead')))
    assert timeline((0, looks(5, 'road_ahead')), (4.4, looks(0.1, 'lap'))) == on_time


def test_frames_in_which_nobody_could_look_are_unknown_and_none_at_all_is_no_span():
    """None from 5.0: seen last at 4.9, unknown from 7.0 on."""
    spans = timeline((0, looks(5, 'road_ahead')), (5, blind(4)))
    assert (spans[-1].begin_s, spans[-1].state, spans[-1].zone) == (7.0, State.UNKNOWN, 'unknown')
    assert timeline() == []


def test_spans_taken_frame_by_frame_need_no_memory_of_frames():
    """A minute of looking ahead at 10 Hz are two spans, and what is asked on the way does not change what follows."""
    timeline = AttentionTimeline(AttentionMonitor(LHD, MOUNT))
    heads = looks(1, 'road_ahead')[0]
    for i in range(600):
        timeline.take(i / 10, heads, MOTORWAY)
        if i == 50:
            assert [s.end_s for s in timeline.spans()] == [1.0, 5.0]
    assert [(s.begin_s, s.end_s, s.state) for s in timeline.spans()] == [(0.0, 1.0, State.UNKNOWN), (1.0, 59.9, State.ATTENTIVE)]
