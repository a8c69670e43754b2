"""Recorded depth in the images' pixels: registered by the recording's calibrations and TF, as the node does; refused by name otherwise."""

import struct

import numpy as np
import pytest
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, image_message, write_bag
from depth_recordings import (
    DEPTH_FRAME,
    MOUNTING,
    OPTICAL,
    PLAIN_PNG,
    PNG_M,
    PNG_MM,
    RAW,
    ROS1_PNG,
    RVL_M,
    RVL_MM,
    Codec,
    depth_recording,
    inverse,
    plate_before_wall,
    png,
    quantisation,
)
from field_recordings import IMAGE_TYPE

from c2f_head_pose.evaluation.options import Options
from c2f_head_pose.parameters import Parameters
from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.message_types import Decoder
from c2f_head_pose.recordings.reader import Notes, read_frames
from c2f_head_pose.recordings.topics import choose_topics
from c2f_head_pose.types import Camera

SEPARATE = {'frame_id': DEPTH_FRAME, 'depth_camera': CAMERA, 'transforms': MOUNTING}


def read(path, **topics):
    """The choice of topics, the frames, and what was noted."""
    notes = Notes()
    with BagFile(path) as bag:
        choice = choose_topics(bag, **topics)
        return choice, [*read_frames(bag, choice, notes)], notes.counts


@pytest.mark.parametrize(
    ('kind', 'codec', 'tf_topic'),
    [
        ('mcap', RAW, '/tf_static'),  # RealSense
        ('sqlite3', RVL_MM, '/tf_static'),
        ('mcap', PNG_M, '/tf'),  # a driver that repeats its transforms, as openni2_camera's launch files do
        ('rosbag1', ROS1_PNG, '/tf_static'),  # Azure Kinect in ROS 1
    ],
)
def test_depth_of_another_frame_is_registered_by_the_recordings_transforms(tmp_path, kind, codec, tf_topic):
    """The depth camera is 0.2 m to the left, so at 600 px and 0.8 m the plate is 600 * 0.2 / 0.8 = 150 px further to the right in its
    image: registered, it is in the middle. The wall behind moves by 600 * 0.2 / 3 = 40 px."""
    path = write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(150), codec, tf_topic=tf_topic, **SEPARATE), kind)
    choice, frames, notes = read(path)
    assert choice.depth == f'/camera/depth/image_raw{codec.ending}'
    assert f'registered here, from {DEPTH_FRAME} to {FRAME_ID}' in choice.reasons[-1]
    for frame in frames:
        np.testing.assert_allclose(frame.depth_m[195:285, 275:365], 0.8, atol=2e-4)
        assert frame.depth_m[240, 100] == pytest.approx(3.0, abs=2e-3)
    assert not notes


def test_depth_in_the_images_frame_with_a_lens_of_its_own_is_scaled_without_transforms(tmp_path):
    """Orbbec with depth of half the resolution in the colour frame: half the focal length, both middles at the principal points."""
    half = Camera(320, 240, np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]))
    path = write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(0)[::2, ::2], depth_camera=half))
    choice, frames, _ = read(path)
    assert 'registered here, from its own intrinsics' in choice.reasons[-1] and choice.transforms == ()
    np.testing.assert_allclose(frames[0].depth_m[200:280, 280:360], 0.8, rtol=1e-6)


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'transforms': ()}, ['record the transform from camera_depth_optical_frame to camera_optical', 'the recording has no TF']),
        ({'transforms': MOUNTING[:3]}, ['TF does not connect them', 'camera_depth_optical_frame hangs below camera_depth_optical_frame']),
        ({'depth_camera': None}, ['record its calibration on /camera/depth/camera_info']),
        ({'image_camera': None}, ['record camera_info of the images']),
    ],
    ids=['no TF', 'TF in two trees', 'no calibration of depth', 'no calibration of the images'],
)
def test_what_a_recording_lacks_to_register_depth_is_named_and_depth_is_not_used(tmp_path, changed, words):
    path = write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(), **SEPARATE | changed))
    choice, frames, _ = read(path)
    assert choice.depth is None and all(frame.depth_m is None for frame in frames)
    for word in ['/camera/depth/image_raw is in frame camera_depth_optical_frame', 'not used', *words]:
        assert word in choice.reasons[-1]
    with pytest.raises(BagError, match=r'camera_depth_optical_frame.*cannot be registered here'):
        read(path, depth='/camera/depth/image_raw')


def test_aligned_depth_is_used_before_raw_depth_that_could_be_registered(tmp_path):
    """RealSense with align_depth: the aligned image says 2 m everywhere."""
    made = depth_recording(plate_before_wall(), **SEPARATE)
    aligned = depth_recording(np.full((480, 640), 2000, np.uint16), topic='/camera/aligned_depth_to_color/image_raw')
    made.messages += [entry for entry in aligned.messages if 'aligned' in entry[0]]
    choice, frames, _ = read(write_bag(tmp_path / 'bag', made))
    assert choice.depth == '/camera/aligned_depth_to_color/image_raw' and choice.transforms == ()
    assert '/camera/depth/image_raw' in choice.reasons[-1]
    np.testing.assert_allclose(frames[-1].depth_m, 2.0)


def test_of_two_depth_cameras_that_can_be_registered_the_one_with_more_messages_is_used_whatever_their_frames(tmp_path):
    """The other camera's frame is the first by the alphabet, and recorded once instead of three times."""
    side = depth_recording(plate_before_wall(), frame_id='a_side', topic='/a_side/depth/image_raw', depth_camera=CAMERA, count=1)
    mounting = (*MOUNTING, ('camera_link', 'a_side', (0.0, 0.2, 0.0), OPTICAL))
    made = depth_recording(plate_before_wall(), **SEPARATE | {'transforms': mounting})
    made.messages += [entry for entry in side.messages if entry[0].startswith('/a_side')]
    choice, _, _ = read(write_bag(tmp_path / 'bag', made))
    assert choice.depth == '/camera/depth/image_raw' and '(also there: /a_side/depth/image_raw)' in choice.reasons[-1]


@pytest.mark.parametrize('codec', [PNG_MM, PNG_M, RVL_MM, RVL_M, ROS1_PNG, PLAIN_PNG], ids=lambda codec: codec.format)
def test_compressed_depth_is_found_and_read(tmp_path, codec):
    """0.8 m in 32FC1 is stored as 10100 / 0.8 - 1009 = 11616, and 3 m as 2357.67, cut off to 2357: 10100 / 3366 = 3.0006."""
    path = write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(0), codec))
    choice, frames, notes = read(path)
    assert choice.depth == f'/camera/depth/image_raw{codec.ending}' and not notes
    assert frames[0].depth_m[240, 320] == pytest.approx(0.8, abs=1e-6)
    assert frames[0].depth_m[0, 0] == pytest.approx(3.0006 if codec in (PNG_M, RVL_M) else 3.0, abs=1e-4)
    assert read(path, depth='/camera/depth/image_raw')[0].depth == choice.depth, 'named without its ending'


def test_raw_depth_is_read_before_the_same_compressed(tmp_path):
    made = depth_recording(plate_before_wall(0))
    made.messages += [e for e in depth_recording(plate_before_wall(0), PNG_MM).messages if e[0].endswith('compressedDepth')]
    choice, _, _ = read(write_bag(tmp_path / 'bag', made))
    assert choice.depth == '/camera/depth/image_raw' and '/camera/depth/image_raw/compressedDepth' in choice.reasons[-1]


def test_depth_drawn_in_colours_is_refused_by_name(tmp_path):
    """A JPEG has 8 bits: what a viewer drew is no depth."""
    import cv2

    drawn = Codec('/compressed', 'jpeg', lambda depth_mm: cv2.imencode('.jpg', (depth_mm // 16).astype(np.uint8))[1].tobytes())
    choice, frames, _ = read(write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(0), drawn)))
    assert choice.depth is None and frames[0].depth_m is None
    assert "depth /camera/depth/image_raw/compressed cannot be read: depth format 'jpeg' is not read" in choice.reasons[-1]


def test_depth_of_float_millimetres_is_refused_by_name(tmp_path):
    """Quantised up to 10 km: the plate and the wall come out at about 800 and 3000 "metres"."""
    a, b = quantisation(farthest_m=10_000)
    data = struct.pack('<i2f', 0, a, b) + png(inverse(plate_before_wall(0).astype(float), a, b))
    millimetres = Codec('/compressedDepth', '32FC1; compressedDepth png', lambda _: data)
    choice, frames, _ = read(write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(0), millimetres)))
    assert choice.depth is None and frames[0].depth_m is None
    assert 'depth must be in metres' in choice.reasons[-1]


def test_replay_publishes_compressed_depth_as_it_was_measured(tmp_path):
    """Decoded to metres under the plain name, as images are; as recorded where that is asked for."""
    pytest.importorskip('sensor_msgs', reason='needs ROS')
    from c2f_head_pose.ros.replay.recording import Recording as Replay

    path = write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(0), RVL_MM, depth_camera=CAMERA))
    replay = Replay(path, plain_names=True)
    assert set(replay.topics) == {'image', 'camera_info', 'depth/image', 'depth/camera_info'}
    (first, *_) = [entry.message for entry in replay.entries() if entry.topic == 'depth/image']
    assert first.encoding == '32FC1'
    np.testing.assert_allclose(np.frombuffer(first.data, np.float32).reshape(480, 640)[240, 320], 0.8, rtol=1e-6)
    recorded = Replay(path, decode=False)
    assert recorded.topics['/camera/depth/image_raw/compressedDepth'].__name__ == 'CompressedImage'
    assert '/camera/depth/image_raw' in Replay(path).topics


@pytest.mark.parametrize('codec', [RVL_MM, PLAIN_PNG, RAW])
def test_replay_keeps_the_ending_of_depth_that_it_publishes_as_recorded(tmp_path, codec):
    """Under the plain name too, as `image/compressed` is: without its ending a CompressedImage would be on the topic of an Image."""
    pytest.importorskip('sensor_msgs', reason='needs ROS')
    from c2f_head_pose.ros.replay.recording import Recording as Replay

    path = write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(0), codec))
    names = {name for name in Replay(path, decode=False, plain_names=True).topics if name.startswith('depth/')}
    assert names == {f'depth/image{codec.ending}'}


def test_replay_publishes_the_transforms_that_depth_needs(tmp_path):
    pytest.importorskip('sensor_msgs', reason='needs ROS')
    from c2f_head_pose.ros.replay import recording

    path = write_bag(tmp_path / 'bag', depth_recording(plate_before_wall(), **SEPARATE))
    replay = recording.Recording(path)
    assert '/camera/depth/camera_info' in replay.topics
    if recording.TFMessage is None:
        assert any('ros-$ROS_DISTRO-tf2-msgs' in note for note in replay.notes)
    else:
        assert {one.child_frame_id for one in replay.static_transforms.transforms} == {child for _, child, _, _ in MOUNTING}


@pytest.mark.parametrize('kind', ['tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage'])
def test_tf_recorded_in_ros_1_with_a_damaged_definition_is_refused_not_guessed(kind):
    """The field is named transform_s instead of transforms: a message cannot be read by it."""
    from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

    definition = MessageDefinition(MessageDefinitionFormat.MSG, 'uint8[] transform_s')
    with pytest.raises(BagError, match=f'another {kind} than the standard one'):
        Decoder('/tf', kind, 'ros1', definition)


def read_two_streams(tmp_path, image_hz, depth_hz, offset_s=0.0, late_s=0.0, tolerance_s=Parameters.depth_tolerance_s):
    """The frames of a second, and what was noted: depth is stamped after images by an offset, images are recorded late."""
    made, gray, depth_mm = Recording(), np.full((48, 64), 90, np.uint8), np.full((48, 64), 800, np.uint16)

    def add(topic, pixels, encoding, stamp_s, log_s):
        stamp_ns = START_NS + round(1e9 * stamp_s)
        made.add(topic, IMAGE_TYPE, START_NS + round(1e9 * log_s), lambda store: image_message(store, pixels, stamp_ns, encoding))

    for k in range(image_hz):
        add('/color/image_raw', gray, 'mono8', k / image_hz, k / image_hz + late_s)
    for k in range(depth_hz):
        add('/depth/image_raw', depth_mm, '16UC1', k / depth_hz + offset_s, k / depth_hz + offset_s)
    notes = Notes()
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        return [*read_frames(bag, choose_topics(bag), notes, depth_tolerance_s=tolerance_s)], notes.counts


@pytest.mark.parametrize(('tolerance_s', 'share'), [(0.02, 0), (0.025, 1)])
def test_depth_belongs_to_an_image_within_the_nodes_tolerance(tmp_path, tolerance_s, share):
    """Depth is stamped 23 ms after each image; the node's tolerance is 20 ms unless its params file has another."""
    options = Options(params_file=Parameters(depth_tolerance_s=tolerance_s))
    frames, notes = read_two_streams(tmp_path, 15, 15, offset_s=0.023, tolerance_s=options.depth_tolerance_s)
    assert [frame.depth_m is not None for frame in frames] == 15 * [bool(share)]
    assert notes == ({} if share else {'images without depth within 20 ms (depth_tolerance_s)': 15})
    assert Options().depth_tolerance_s == 0.02 and options.unused_parameters == []


@pytest.mark.parametrize(('depth_hz', 'late_s'), [(90, 0.15), (30, 0.3)])
def test_depth_is_kept_for_images_that_were_recorded_late_as_long_as_in_the_node(tmp_path, depth_hz, late_s):
    """Meanwhile 14 and 9 depth images are recorded, more than the eight that are kept at least; the node keeps half a second of them."""
    frames, notes = read_two_streams(tmp_path, 30, depth_hz, late_s=late_s)
    assert len(frames) == 30 and all(frame.depth_m is not None for frame in frames) and notes == {}
