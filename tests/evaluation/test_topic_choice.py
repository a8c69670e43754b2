"""Which topics of a recording are read: colour before infrared, registered depth only, the images' own calibration."""

import numpy as np
import pytest
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, image_message, write_bag
from both_readers import Replay
from depth_recordings import depth_recording
from field_recordings import IMAGE_TYPE, images

from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.reader import Notes, read_frames
from c2f_head_pose.recordings.topics import choose_topics
from c2f_head_pose.types import Camera


def test_infrared_of_16_bits_alone_looks_like_depth_and_is_read_where_it_is_named(tmp_path):
    made = Recording()
    for k in range(3):
        made.add(
            '/ir/image_raw',
            IMAGE_TYPE,
            START_NS + k,
            lambda s, k=k: image_message(s, np.full((48, 64), 40000, np.uint16), START_NS + k, '16UC1'),
        )
    path = write_bag(tmp_path / 'bag', made)
    with BagFile(path) as bag, pytest.raises(BagError, match=r'look like depth: /ir/image_raw \(16UC1\); .*name it with --image'):
        choose_topics(bag)
    if Replay is not None:
        with pytest.raises(BagError, match='name it with the parameter image_topic'):
            Replay(path)
    with BagFile(path) as bag:
        assert len([*read_frames(bag, choose_topics(bag, image='/ir/image_raw'), Notes())]) == 3


def test_colour_is_chosen_before_infrared_however_many_infrared_images_there_are(tmp_path):
    made = images(range(3), '/camera/color/image_raw')
    for topic in ('/camera/infra1/image_rect_raw', '/camera/ir/image_raw'):
        for entry in images(range(9), topic):
            made.messages.append(entry)
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        choice = choose_topics(bag)
    assert choice.image == '/camera/color/image_raw' and '/camera/infra1/image_rect_raw' in choice.reasons[0]


OTHER_LENS = Camera(640, 480, np.array([[380.0, 0, 320], [0, 380, 240], [0, 0, 1]]))


def wall(mm, topic, frame_id=FRAME_ID, camera=None):
    """Gray images with calibration, and depth of one distance everywhere."""
    return depth_recording(np.full((480, 640), mm, np.uint16), frame_id=frame_id, topic=topic, depth_camera=camera)


def chosen(tmp_path, made, **topics):
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        choice = choose_topics(bag, **topics)
        frames = [*read_frames(bag, choice, Notes())]
        return choice, [None if frame.depth_m is None else float(frame.depth_m[0, 0]) for frame in frames]


def test_of_raw_and_aligned_depth_the_one_in_the_images_frame_is_used_which_is_reported(tmp_path):
    """RealSense: aligned depth of 2 m is in the colour frame, raw depth of 1 m in its own."""
    made = wall(1000, '/camera/depth/image_rect_raw', 'camera_depth_optical_frame', OTHER_LENS)
    aligned = wall(2000, '/camera/aligned_depth_to_color/image_raw')
    made.messages += [message for message in aligned if 'depth' in message[0]]
    choice, depths = chosen(tmp_path, made)
    assert choice.depth == '/camera/aligned_depth_to_color/image_raw' and depths == [2.0, 2.0, 2.0]
    assert any('/camera/depth/image_rect_raw is in frame camera_depth_optical_frame' in reason for reason in choice.reasons)


def test_depth_of_another_frame_alone_is_not_used_and_named(tmp_path):
    """Azure Kinect's raw depth: 1 m in the depth camera's frame says nothing of the colour camera's pixels."""
    choice, depths = chosen(tmp_path, wall(1000, '/depth/image_raw', 'depth_camera_link'))
    assert choice.depth is None and depths == [None] * 3
    assert 'not registered' in choice.reasons[-1] and 'depth_camera_link' in choice.reasons[-1]
    with BagFile(tmp_path / 'bag') as bag, pytest.raises(BagError, match='so it is not registered to them'):
        choose_topics(bag, depth='/depth/image_raw')


def test_depth_in_the_images_frame_but_of_another_lens_is_registered_by_its_intrinsics(tmp_path):
    """A driver that writes one frame_id for all of its streams. Depth of 380 px of focal length shows more than the image of 600:
    all of the image is within the wall at 1 m."""
    choice, depths = chosen(tmp_path, wall(1000, '/camera/depth/image_raw', FRAME_ID, OTHER_LENS))
    assert choice.depth is not None and depths == [1.0] * 3 and 'registered here, from its own intrinsics' in choice.reasons[-1]


def test_registered_depth_with_the_same_calibration_of_its_own_is_used(tmp_path):
    """openni's depth_registered: its own camera_info repeats the colour camera's."""
    choice, depths = chosen(tmp_path, wall(1000, '/camera/depth_registered/image_raw', FRAME_ID, CAMERA))
    assert choice.depth == '/camera/depth_registered/image_raw' and depths == [1.0] * 3


def test_replay_publishes_the_depth_that_evaluation_uses(tmp_path):
    pytest.importorskip('sensor_msgs', reason='needs ROS')
    path = write_bag(tmp_path / 'bag', wall(1000, '/camera/depth_registered/image_raw'))
    replay = Replay(path, plain_names=True)
    assert sorted(replay.topics) == ['camera_info', 'depth/image', 'image']
    assert sum(entry.topic == 'depth/image' and entry.message.encoding == '16UC1' for entry in replay.entries()) == 3


def test_a_calibration_of_another_camera_is_not_taken_for_the_images(tmp_path):
    made = images(range(2), '/front/image_raw')
    for entry in wall(1000, '/rear/image_raw', 'rear_optical', CAMERA):
        if entry[0] == '/rear/camera_info':
            made.messages.append(entry)
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        choice = choose_topics(bag)
    assert choice.camera_info is None and 'of frame rear_optical' in choice.reasons[1]
