"""Topics of other kinds beside the images, and images in another encoding or of ROS 1."""

import sqlite3

import pytest
from bag_making import START_NS, write_bag
from both_readers import read
from field_recordings import IMAGE_TYPE, PERIOD_NS, STORE1, UNINDEXED, Mcap, edit_metadata, images, ros1_image

from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.topics import choose_topics

FOREIGN = {
    'json': ('/note', 'json', ('Note', 'jsonschema', b'{}'), b'{"a": 1}'),
    'protobuf': ('/lidar', 'protobuf', ('foxglove.PointCloud', 'protobuf', b'\x0a\x05hello'), b'\x08\x01'),
    'schemaless': ('/raw', 'cbor', None, b'\xa0'),
    'flatbuffer': ('/flat', 'flatbuffer', ('X', 'flatbuffer', b'\x00\xff\xfe'), b'\x00'),
    'service': ('/reset/_service_event', 'cdr', ('my_srvs/srv/Reset_Event', 'ros2msg', b'my_srvs/Nothing known'), b'\x00\x01\x00\x00'),
    'action': ('/dock/_action/feedback', 'cdr', ('my_msgs/action/Dock_FeedbackMessage', 'ros2idl', b'no idl {'), b'\x00\x01\x00\x00'),
    'unknown definition': ('/speed', 'cdr', ('oem/msg/Speed', 'ros2msg', b'oem/Unit unit\nfloat32 value'), b'\x00\x01\x00\x00'),
    'empty definition': ('/odd', 'cdr', ('oem/msg/Odd', '', b''), b'\x00\x01\x00\x00'),
}


@pytest.mark.parametrize('options', [{}, UNINDEXED, {'use_chunking': False}], ids=['indexed', 'unindexed', 'unchunked'])
@pytest.mark.parametrize('kind', FOREIGN)
def test_a_topic_of_another_kind_does_not_affect_the_images(tmp_path, kind, options):
    topic, encoding, schema, data = FOREIGN[kind]
    with Mcap(tmp_path / 'x.mcap', **options) as file:
        foreign, camera = file.channel(topic, encoding, schema), file.ros2('/camera/image_raw')
        for k in range(6):
            file.write(foreign, START_NS + k * PERIOD_NS - 1, data)
            file.image(camera, k)
    assert read(tmp_path / 'x.mcap') == ([*range(6)], [], None)


def test_a_database_with_another_serialisation_or_definition_beside_the_images_is_read(tmp_path):
    path = write_bag(tmp_path / 'bag', images(range(4)), 'sqlite3')
    with sqlite3.connect(path / 'bag.db3') as database:
        database.execute("INSERT INTO topics VALUES (7, '/note', 'Note', 'json', '', ''), (8, '/x', 'oem/msg/X', 'cdr', 'no yaml: [', '')")
        database.execute("INSERT INTO message_definitions VALUES (9, 'oem/msg/X', 'unknown', '', '')")
        database.execute('INSERT INTO messages VALUES (100, 7, ?, ?), (101, 8, ?, ?)', (START_NS, b'{}', START_NS, b'\x00'))
    database.close()
    edit_metadata(path, message_count=6)
    assert read(path)[0] == [0, 1, 2, 3]


def test_images_in_another_encoding_are_named_with_it(tmp_path):
    with Mcap(tmp_path / 'x.mcap') as file:
        file.write(file.channel('/cam', 'protobuf', ('foxglove.CompressedImage', 'protobuf', b'')), START_NS, b'\x08')
    with BagFile(tmp_path / 'x.mcap') as bag:
        with pytest.raises(BagError, match=r'images only as /cam \(foxglove\.CompressedImage, protobuf\); record or convert'):
            choose_topics(bag)
        with pytest.raises(BagError, match='not sensor_msgs/msg/Image or'):
            choose_topics(bag, image='/cam')


@pytest.mark.parametrize(('profile', 'kind'), [('ros1', 'sensor_msgs/Image'), ('', 'sensor_msgs/msg/Image')])
def test_ros_1_messages_in_mcap_are_read(tmp_path, profile, kind):
    definition = STORE1.generate_msgdef(IMAGE_TYPE)[0].encode()
    with Mcap(tmp_path / 'x.mcap', profile) as file:
        camera = file.channel('/camera/image_raw', 'ros1', (kind, 'ros1msg', definition))
        for k in range(5):
            file.write(camera, START_NS + k * PERIOD_NS, ros1_image(k))
    assert read(tmp_path / 'x.mcap')[0] == [*range(5)]
