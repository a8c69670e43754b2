"""Recorded poses are paired with their images by stamp, whatever the clock of the stamps does."""

import numpy as np
import pytest
from bag_making import START_NS, Recording, image_message, pose_message, write_bag

from c2f_head_pose.evaluation.evaluate import Options, evaluate_recording
from c2f_head_pose.evaluation.series import Series
from c2f_head_pose.evaluation.sources import RecordedPoses, answered_frames
from c2f_head_pose.evaluation.summary import Scored, summarise
from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.reader import Notes
from c2f_head_pose.recordings.topics import choose_topics

S = 10**9
TOPIC = '/head_pose/head_pose'
IMAGE, POSE = np.zeros((8, 8, 3), np.uint8), 'geometry_msgs/msg/PoseStamped'


def recording(path, stamps_ns, period_ns=S // 5, latency_ns=20_000_000):
    """Black images with these stamps, each recorded a period after the one before, and an answer to each, whose x counts them."""
    made = Recording()
    for k, ns in enumerate(stamps_ns):
        log_ns = START_NS + k * period_ns
        made.add('/image', 'sensor_msgs/msg/Image', log_ns, lambda s, n=ns: image_message(s, IMAGE, n))
        at_m = np.array([0.01 * k, 0.0, 1.0])
        made.add(TOPIC, POSE, log_ns + latency_ns, lambda s, n=ns, t=at_m: pose_message(s, np.eye(3), n, POSE, position_m=t))
    return write_bag(path, made)


def answers_of(path):
    """(number of the answer, publish_ms) of each image; None for one without an answer."""
    with BagFile(path) as bag, BagFile(path) as poses:
        answers = answered_frames(bag, choose_topics(bag), Notes(), RecordedPoses(poses, TOPIC))
        return [(round(100 * a.poses[0].t_cam_head_m[0]), a.publish_ms) if a.poses else None for a in answers]


@pytest.mark.parametrize('images', [5, 20])
def test_stamps_that_come_again_keep_their_own_answers(tmp_path, images):
    """A replay of one or four seconds at 5 Hz that started over while it was recorded: in both passes each image has its own answer.

    The answers are read 3 s ahead: the second pass's come into memory beside the first's, with the same stamps.
    """
    stamps_ns = [START_NS + k * S // 5 for k in range(images)]
    assert [answer and answer[0] for answer in answers_of(recording(tmp_path / 'bag', 2 * stamps_ns))] == [*range(2 * images)]


@pytest.mark.parametrize(('clock_s', 'publish_ms'), [(0, 20.0), (30, 30_020.0), (-70, None), (70, None), (START_NS // S - 100, None)])
def test_the_time_from_a_stamp_of_another_clock_to_its_answer_is_unknown(tmp_path, clock_s, publish_ms):
    """Answers come 20 ms after their images. The last camera counts from its own start: 1.7e12 ms."""
    stamps_ns = [START_NS - clock_s * S + k * S // 5 for k in range(3)]
    found = [answer and answer[1] for answer in answers_of(recording(tmp_path / 'bag', stamps_ns))]
    assert found == pytest.approx([np.nan if publish_ms is None else publish_ms] * 3, nan_ok=True)


def test_answers_without_stamps_are_refused_because_no_image_has_one(tmp_path):
    """A camera that never sets its stamp: the node's answers have none either."""
    with pytest.raises(BagError, match=r'poses on /head_pose/head_pose have no stamps.*set header\.stamp in the camera driver'):
        answers_of(recording(tmp_path / 'bag', [0] * 5))


def test_an_answer_without_a_stamp_among_others_costs_its_image_alone(tmp_path):
    """A camera that sets its stamp from the second image on."""
    stamps_ns = [0, *(START_NS + k * S // 5 for k in range(1, 5))]
    assert [answer and answer[0] for answer in answers_of(recording(tmp_path / 'bag', stamps_ns))] == [None, 1, 2, 3, 4]


@pytest.mark.parametrize(('jump_s', 'duration_s', 'noted'), [(1.7e9, 1.8, 1), (61, 1.8, 1), (59, 60.8, 0), (-3600, 1.8, 0)])
def test_a_clock_that_is_set_while_it_is_recorded_is_noted_and_lengthens_nothing(tmp_path, jump_s, duration_s, noted):
    """Ten images at 5 Hz take 1.8 s; between the fifth and the sixth the camera's clock is set. Less than a minute can be a pause."""
    at_s = [100_000 + 0.2 * k + (jump_s if k >= 5 else 0) for k in range(10)]
    bag, seconds = recording(tmp_path / 'bag', [round(t * S) for t in at_s]), []
    options = Options(recorded_topic=TOPIC, video=False)
    done = evaluate_recording(bag, 'bag', tmp_path / 'out', options, None, lambda done, total, recorded_s: seconds.append(recorded_s))
    assert sum('jump forward' in note for note in done.notes) == noted
    done.scored.series.save(tmp_path / 'series.npz')
    for series in (done.scored.series, Series.load(tmp_path / 'series.npz')):
        images = summarise([Scored('bag', series, None, 2.0)])['images']
        assert images['duration_s'] == pytest.approx(duration_s, abs=1e-5)
        assert images['times_real_time'] == pytest.approx(duration_s / 2, abs=1e-5)
    assert seconds == pytest.approx([0.2 * k for k in range(10)])


@pytest.mark.parametrize(('rate_hz', 'noted'), [(3, 1), (4, 0)])
def test_images_too_rare_for_jitter_are_noted(tmp_path, rate_hz, noted):
    bag = recording(tmp_path / 'bag', [START_NS + k * S // rate_hz for k in range(4)], S // rate_hz)
    done = evaluate_recording(bag, 'bag', tmp_path / 'out', Options(recorded_topic=TOPIC, video=False), None)
    assert sum('fewer than 4 images a second: jitter' in note for note in done.notes) == noted
