"""Images of a recording that cannot be read: left out, counted, and known to figures and gates."""

import numpy as np
import pytest
from bag_making import START_NS, Recording, header, write_bag
from both_readers import Replay, read
from field_recordings import PERIOD_NS, Mcap, jpeg, jpegs

from c2f_head_pose.evaluation.evaluate import Options, evaluate_recording
from c2f_head_pose.evaluation.gate import evaluate as gate
from c2f_head_pose.evaluation.results import recording_record
from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.recordings.reader import Notes, UnreadableImage, read_frames
from c2f_head_pose.recordings.topics import choose_topics


@pytest.mark.parametrize(
    'broken',
    [lambda data: data[: len(data) // 2], lambda data: b'', lambda data: b'\xff\xd8' + bytes(500), lambda data: b'GIF89a' + data],
    ids=['half', 'empty', 'zeros', 'other format'],
)
def test_one_broken_jpeg_does_not_affect_the_other_images(tmp_path, broken):
    """Eight JPEGs, the fifth broken: seven are read, index 4 is the one left out, noted once."""
    path = write_bag(tmp_path / 'bag', jpegs(8, lambda k: broken(jpeg(k)) if k == 4 else None))
    notes = Notes()
    with BagFile(path) as bag:
        read_images = [*read_frames(bag, choose_topics(bag), notes)]
    assert [image.index for image in read_images if isinstance(image, UnreadableImage)] == [4]
    assert read_images[4].stamp_ns == START_NS + 4 * PERIOD_NS
    assert [*notes.counts.values()] == [1] and 'cannot be read are left out' in next(iter(notes.counts))
    if Replay is not None:
        skipped, replay = Notes(), Replay(path)
        assert len([*replay.entries(skipped=skipped)]) == 7 and [*skipped.counts.values()] == [1]
        replay.close()


def test_half_of_all_images_unreadable_is_a_figure_that_a_gate_refuses(tmp_path):
    """Ten JPEGs, every second cut by another number of bytes: 5 are read, a share of 0.5; the estimator finds nobody, coverage 0 of 10."""
    path = write_bag(tmp_path / 'bag', jpegs(10, lambda k: jpeg(k)[: -200 - k] if k % 2 else None))

    class Nobody:
        """Answers every image that it is given: nobody."""

        def of(self, frame):
            return [], float('nan')

    done = evaluate_recording(path, 'bag', tmp_path / 'out', Options(video=False), None, answers=Nobody())
    record = recording_record(done)
    figures = record['figures']['images']
    assert (figures['n'], figures['unreadable'], figures['readable'], figures['coverage']) == (5, 5, 0.5, 0.0)
    assert gate('images.readable < 0.99', record['figures']) and not gate('images.readable < 0.5', record['figures'])
    assert [count for sentence, count in record['notes'].items() if 'cannot be read' in sentence] == [5]
    lines = (tmp_path / 'out' / 'frames.csv').read_text().splitlines()[1:]
    assert [line.split(',')[2] for line in lines] == ['nobody', 'unreadable'] * 5


def test_images_with_garbage_for_a_message_are_counted_like_broken_pictures(tmp_path):
    with Mcap(tmp_path / 'x.mcap') as file:
        camera = file.ros2('/camera/image_raw')
        for k in range(6):
            if k == 2:
                file.write(camera, START_NS + 2 * PERIOD_NS, b'\x00\x01\x00\x00\xff\xff')
            else:
                file.image(camera, k)
    found, said, _ = read(tmp_path / 'x.mcap')
    assert found == [0, 1, 3, 4, 5] and len(said) == 1


def test_a_recording_without_one_readable_image_is_an_error(tmp_path):
    path = write_bag(tmp_path / 'bag', jpegs(3, lambda k: b'\xff\xd8\xff'))
    done = evaluate_recording(path, 'bag', tmp_path / 'out', Options(video=False), None, answers=object())
    assert done.errors == ['no image could be read'] and done.scored is None


def test_a_header_of_another_time_is_no_stamp_of_the_image(tmp_path):
    """An unreadable image without a stamp of its own takes its recording time."""
    made = Recording()
    made.add(
        '/c/compressed',
        'sensor_msgs/msg/CompressedImage',
        START_NS + 5,
        lambda s: s.types['sensor_msgs/msg/CompressedImage'](header=header(s, 0), format='jpeg', data=np.zeros(9, np.uint8)),
    )
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        (image,) = read_frames(bag, choose_topics(bag), Notes())
    assert isinstance(image, UnreadableImage) and image.stamp_ns == START_NS + 5
