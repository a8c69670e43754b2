"""Recordings of every kind as typed frames: topics found, calibration and depth put together, damage told and survived."""

import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, compressed_message, image_message, info_message, pose_message, write_bag

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation.results import ResultError, load_result
from c2f_head_pose.evaluation.sources import poses_from_message
from c2f_head_pose.recordings import rosbag1, storage
from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.reader import Notes, UnreadableImage, read_frames
from c2f_head_pose.recordings.sqlite import SqliteFile
from c2f_head_pose.recordings.topics import choose_topics

PICTURES = [cv2.resize(np.random.default_rng(k).integers(0, 256, (6, 8, 3), np.uint8), (640, 480)) for k in range(12)]


def recording(count=12, depth=False, info=True):
    made = Recording()
    for k in range(count):
        ns = START_NS + k * 33_000_000
        made.add('/camera/color/image_raw', 'sensor_msgs/msg/Image', ns, lambda s, k=k, ns=ns: image_message(s, PICTURES[k], ns))
        if info:
            made.add('/camera/color/camera_info', 'sensor_msgs/msg/CameraInfo', ns + 1, lambda s, ns=ns: info_message(s, CAMERA, ns))
        if depth:
            mm = np.full((480, 640), 1000 + k, np.uint16)  # recorded 20 ms after its image, stamped 1 ms after
            made.add(
                '/camera/depth/image_rect',
                'sensor_msgs/msg/Image',
                ns + 20_000_000,
                lambda s, mm=mm, ns=ns: image_message(s, mm, ns + 1_000_000, '16UC1'),
            )
    return made


def frames_of(path, notes=None, **topics):
    with BagFile(path) as bag:
        images = read_frames(bag, choose_topics(bag, **topics), Notes() if notes is None else notes)
        frames = [image for image in images if not isinstance(image, UnreadableImage)]
        return frames, bag.damage


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'rosbag1'])
def test_every_kind_of_bag_gives_the_same_frames(tmp_path, kind):
    frames, damage = frames_of(write_bag(tmp_path / 'bag', recording(depth=True), kind))
    assert damage is None
    assert [f.stamp_ns for f in frames] == [START_NS + k * 33_000_000 for k in range(12)]
    assert all(np.array_equal(f.image, p) for f, p in zip(frames, PICTURES))
    assert all(f.frame_id == FRAME_ID and np.array_equal(f.camera.K, CAMERA.K) for f in frames)
    assert [round(float(f.depth_m[0, 0]), 3) for f in frames] == [round(1 + k / 1000, 3) for k in range(12)]
    assert [f.index for f in frames] == list(range(12))


def test_topics_are_found_by_type_and_content_and_the_choice_is_reported(tmp_path):
    made = recording(depth=True)
    for k in range(12):
        ns = START_NS + k * 33_000_000
        made.add('/head_pose/image_annotated', 'sensor_msgs/msg/Image', ns, lambda s, ns=ns: image_message(s, PICTURES[0], ns))
        made.add(
            '/camera/color/image_raw/compressed',
            'sensor_msgs/msg/CompressedImage',
            ns,
            lambda s, ns=ns: compressed_message(s, PICTURES[1], ns),
        )
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        choice = choose_topics(bag)
        assert (choice.image, choice.camera_info, choice.depth) == (
            '/camera/color/image_raw',
            '/camera/color/camera_info',
            '/camera/depth/image_rect',
        )
        assert '/head_pose/image_annotated' in choice.reasons[0] and '--image' in choice.reasons[0]
        assert choose_topics(bag, depth='none', camera_info='none').depth is None
        compressed = choose_topics(bag, image='/camera/color/image_raw/compressed')
        assert compressed.camera_info == '/camera/color/camera_info'
        assert np.array_equal(next(iter(read_frames(bag, compressed, Notes()))).image, PICTURES[1])


def test_a_missing_or_wrong_topic_is_reported_with_the_existing_ones(tmp_path):
    made = recording()
    made.add('/pose', 'geometry_msgs/msg/PoseStamped', START_NS, lambda s: pose_message(s, np.eye(3), START_NS))
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        with pytest.raises(BagError, match=r'no topic /nothing.*image_raw'):
            choose_topics(bag, image='/nothing')
        with pytest.raises(BagError, match='PoseStamped, not sensor_msgs'):
            choose_topics(bag, image='/pose')
    only_pose = Recording()
    only_pose.add('/pose', 'geometry_msgs/msg/PoseStamped', START_NS, lambda s: pose_message(s, np.eye(3), START_NS))
    with BagFile(write_bag(tmp_path / 'poses', only_pose)) as bag, pytest.raises(BagError, match='no image topic'):
        choose_topics(bag)


def storage_file(path: Path) -> Path:
    return path if path.is_file() else next(p for p in path.iterdir() if p.suffix in ('.mcap', '.db3'))


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'rosbag1'])
def test_a_cut_off_bag_gives_what_comes_before_the_cut(tmp_path, kind):
    """Half of the bytes hold about half of the twelve images of 0.9 MB."""
    path = write_bag(tmp_path / 'bag', recording(), kind)
    file = storage_file(path)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    frames, damage = frames_of(path)
    assert 3 <= len(frames) <= 6
    assert all(np.array_equal(f.image, p) for f, p in zip(frames, PICTURES))
    assert damage is not None and 'bag' in damage


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3'])
def test_a_bag_without_metadata_is_read_all_the_same(tmp_path, kind):
    path = write_bag(tmp_path / 'bag', recording(), kind)
    (path / 'metadata.yaml').unlink()
    assert len(frames_of(path)[0]) == 12
    assert len(frames_of(storage_file(path))[0]) == 12


@pytest.mark.parametrize(
    ('name', 'content', 'reason'),
    [
        ('x.bag', b'', 'nothing in it can be read'),
        ('x.mcap', b'hello', 'nothing in it'),
        ('x.db3', b'hello' * 999, 'nothing in it'),
        ('x.txt', b'', 'no recording'),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError, match=reason):
        BagFile(tmp_path / name)


def test_a_path_that_holds_nothing_is_refused(tmp_path):
    with pytest.raises(BagError, match='does not exist'):
        BagFile(tmp_path / 'nowhere')
    with pytest.raises(BagError, match='holds no recording'):
        BagFile(tmp_path)


def test_without_rosbags_a_recording_is_not_called_damaged_and_the_remedy_is_named(tmp_path, monkeypatch, capsys):
    path = write_bag(tmp_path / 'bag', recording(2))
    monkeypatch.setitem(sys.modules, 'rosbags', None)
    monkeypatch.setitem(sys.modules, 'rosbags.typesys', None)
    with pytest.raises(BagError, match=r'^recordings are read and written by rosbags, .*; pip install rosbags$'):
        BagFile(path)
    (tmp_path / 'pictures').mkdir()
    cv2.imwrite(str(tmp_path / 'pictures' / '0.png'), np.full((120, 160, 3), 90, np.uint8))
    assert evaluate_bag.main([str(path), '--output', str(tmp_path / 'out')]) == 2
    assert evaluate_bag.main([str(tmp_path / 'pictures'), '--output', str(tmp_path / 'out')]) == 2, 'poses.mcap cannot be written'
    assert evaluate_bag.main([str(tmp_path / 'pictures'), '--output', str(tmp_path / 'out'), '--no-poses']) == 0
    said = capsys.readouterr().err
    assert said.count('pip install rosbags') == 2 and 'damaged' not in said


def test_an_empty_bag_has_no_image_topic(tmp_path):
    with BagFile(write_bag(tmp_path / 'bag', Recording())) as bag, pytest.raises(BagError, match='holds nothing'):
        choose_topics(bag)


def test_images_that_cannot_be_read_are_counted_and_left_out(tmp_path):
    made = recording(count=3)
    made.add(
        '/camera/color/image_raw', 'sensor_msgs/msg/Image', START_NS + 7, lambda s: image_message(s, PICTURES[0], START_NS + 7, '32SC4')
    )
    notes = Notes()
    frames, _ = frames_of(write_bag(tmp_path / 'bag', made), notes)
    assert [f.index for f in frames] == [0, 2, 3]
    assert sum(notes.counts.values()) == 1 and '32SC4' in next(iter(notes.counts))


def test_images_of_another_size_than_the_calibration_go_without_it(tmp_path):
    made = recording(count=2)
    made.add(
        '/camera/color/image_raw',
        'sensor_msgs/msg/Image',
        START_NS + 90_000_000,
        lambda s: image_message(s, PICTURES[0][::2, ::2], START_NS + 90_000_000),
    )
    notes = Notes()
    frames, _ = frames_of(write_bag(tmp_path / 'bag', made), notes)
    assert [f.camera is None for f in frames] == [False, False, True]
    assert any('320x240 with a calibration for 640x480' in n for n in notes.counts)


def test_images_without_stamps_take_their_recording_time(tmp_path):
    made = Recording()
    for k in range(3):
        made.add('/image', 'sensor_msgs/msg/Image', START_NS + k, lambda s: image_message(s, PICTURES[0], 0))
    notes = Notes()
    frames, _ = frames_of(write_bag(tmp_path / 'bag', made), notes)
    assert [f.stamp_ns for f in frames] == [START_NS, START_NS + 1, START_NS + 2]
    assert any('recording time' in n for n in notes.counts) and frames[0].camera is None


def test_depth_without_stamps_takes_its_recording_time_too(tmp_path):
    """Depth of 1 m, 2 m and 3 m, each recorded 5 ms after its image."""
    made, depth = Recording(), '/camera/depth/image_raw'
    for k in range(3):
        at_ns, far = START_NS + k * 100_000_000, np.full((480, 640), 1000 * (k + 1), np.uint16)
        made.add('/image', 'sensor_msgs/msg/Image', at_ns, lambda s: image_message(s, PICTURES[0], 0))
        made.add(depth, 'sensor_msgs/msg/Image', at_ns + 5_000_000, lambda s, far=far: image_message(s, far, 0, '16UC1'))
    frames, _ = frames_of(write_bag(tmp_path / 'bag', made))
    assert [float(frame.depth_m[0, 0]) for frame in frames] == pytest.approx([1, 2, 3])


def test_depth_that_is_late_missing_or_unregistered_costs_only_the_depth(tmp_path):
    made = recording(count=4)
    for k, shape, delay_ms in ((0, (480, 640), 0), (1, (240, 320), 0), (2, (480, 640), 50)):
        ns = START_NS + k * 33_000_000 + delay_ms * 1_000_000
        made.add(
            '/camera/depth',
            'sensor_msgs/msg/Image',
            START_NS + 200_000_000 + k,
            lambda s, shape=shape, ns=ns: image_message(s, np.full(shape, 1000, np.uint16), ns, '16UC1'),
        )
    notes = Notes()
    frames, _ = frames_of(write_bag(tmp_path / 'bag', made), notes)
    assert [f.depth_m is None for f in frames] == [False, True, True, False]  # stamps 0 33 66 99, depth 0 33 116
    assert any('not registered' in n for n in notes.counts) and any('without depth' in n for n in notes.counts)


@pytest.mark.parametrize('value', ["'text'", '99999999999', 'NULL'])
def test_a_database_whose_rows_hold_no_message_breaks_off_there(tmp_path, value):
    """bytes(99999999999) would be 100 GB of zeros."""
    database = sqlite3.connect(tmp_path / 'bag.db3')
    database.executescript(
        'CREATE TABLE topics(id, name, type); CREATE TABLE messages(id, topic_id, timestamp, data);'
        "INSERT INTO topics VALUES (1, '/image', 'sensor_msgs/msg/Image');"
        f'INSERT INTO messages VALUES (1, 1, 5, {value})'
    )
    database.close()
    file = SqliteFile(tmp_path / 'bag.db3')
    with pytest.raises(storage.CutOffError, match='other kinds of values'):
        list(file.records(['/image']))
    file.close()


def test_images_recorded_with_a_damaged_definition_are_refused_not_guessed(tmp_path):
    """One letter of the recorded sensor_msgs/Image differs: its pixels would have no name."""
    made = Recording()
    made.add('/image', 'sensor_msgs/msg/Image', START_NS, lambda s: image_message(s, np.zeros((4, 4), np.uint8), START_NS, 'mono8'))
    path = write_bag(tmp_path / 'bag', made, 'rosbag1')
    whole = path.read_bytes()
    assert b'uint8[] data' in whole
    path.write_bytes(whole.replace(b'uint8[] data', b'uint8[] dada'))
    notes = Notes()
    with BagFile(path) as bag:
        assert [type(image) for image in read_frames(bag, choose_topics(bag), notes)] == [UnreadableImage]
    assert 'recorded with another sensor_msgs/msg/Image than the standard one' in str(notes.counts)


def test_a_chunk_that_unpacks_without_end_is_cut_off(monkeypatch):
    """2000 bytes where 1000 are the most, for the half gigabyte that it is."""
    import bz2

    from lz4 import frame

    monkeypatch.setattr(storage, 'LARGEST_RECORD', 1000)
    for compression, compress in (('bz2', bz2.compress), ('lz4', frame.compress)):
        assert rosbag1._decompressed(compress(bytes(900)), compression) == bytes(900)
        for packed in (compress(bytes(2000)), compress(bytes(900))[:-20]):
            with pytest.raises((storage.CutOffError, EOFError, RuntimeError)):
                rosbag1._decompressed(packed, compression)


@pytest.mark.parametrize('quaternion', [(0, 0, 0, 0), (np.nan, 0, 0, 1), (0, 0, 0, np.inf)])
def test_a_recorded_pose_without_a_rotation_is_left_out(quaternion):
    """An unset quaternion is how many a node says that it has nothing to say; it must not end the evaluation."""
    pose = SimpleNamespace(orientation=SimpleNamespace(**dict(zip('xyzw', quaternion))), position=SimpleNamespace(x=0.0, y=0.0, z=1.0))
    assert poses_from_message(SimpleNamespace(pose=pose), 'geometry_msgs/msg/PoseStamped') == []


@pytest.mark.parametrize(
    ('metrics', 'series'),
    [
        ('{"schema": "c2f_head_pose.evaluation/1"}', b''),
        ('{"schema": "c2f_head_pose.evaluation/1", "recordings": [{"name": "a"}]}', b'PK no'),
        ('[' * 5000, b''),
        ('{"schema": "c2f_head_pose.evaluation/1", "recordings": []}', b''),
    ],
)
def test_a_damaged_result_is_refused_with_its_folder(tmp_path, metrics, series):
    (tmp_path / 'metrics.json').write_text(metrics)
    (tmp_path / 'series.npz').write_bytes(series)
    with pytest.raises(ResultError, match=str(tmp_path)):
        load_result(tmp_path)
