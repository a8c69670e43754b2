"""Intact files whose profile, metadata or layout is unusual, and damage inside a file."""

import struct

import pytest
from bag_making import START_NS, image_message, write_bag
from both_readers import read
from field_recordings import IMAGE_TYPE, STORE, UNINDEXED, UNPACKED, ZSTD, Mcap, edit_metadata, images, picture, write_images


@pytest.mark.parametrize('profile', ['', 'x-my-logger'])
def test_a_file_of_another_profile_is_read_with_a_note(tmp_path, profile):
    found, said, _ = read(write_images(tmp_path / 'x.mcap', range(5), profile=profile))
    assert found == [*range(5)] and len(said) == 1 and f'profile {profile!r}' in said[0]


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'storage_identifier': ''}, "names the storage ''"),
        ({'storage_identifier': 'my_plugin'}, "names the storage 'my_plugin'"),
        ({'version': 12}, 'has version 12, 9 is the newest'),
        ({'topics_with_message_count': 'changed in version 20', 'version': 20}, 'version 20'),
    ],
)
@pytest.mark.parametrize('kind', ['mcap', 'sqlite3'])
def test_metadata_of_another_version_or_storage_is_read_with_a_note(tmp_path, kind, values, words):
    path = edit_metadata(write_bag(tmp_path / 'bag', images(range(5)), kind), **values)
    found, said, _ = read(path)
    assert found == [*range(5)] and len(said) == 1 and words in said[0]


@pytest.mark.parametrize('text', ['', 'rosbag2_bagfile_information: [', '\x00\x00', 'rosbag2_bagfile_information: {version: 5}'])
def test_metadata_that_cannot_be_read_leaves_the_files(tmp_path, text):
    path = write_bag(tmp_path / 'bag', images(range(5)))
    (path / 'metadata.yaml').write_text(text)
    found, said, _ = read(path)
    assert found == [*range(5)] and any('metadata.yaml cannot be read' in note for note in said)


@pytest.mark.parametrize(
    'options',
    [ZSTD, UNPACKED, UNINDEXED, {'use_chunking': False}, {'repeat_channels': False}, {'repeat_schemas': False}, {'chunk_size': 1}],
    ids=str,
)
def test_every_way_to_write_a_file_is_intact(tmp_path, options):
    assert read(write_images(tmp_path / 'x.mcap', range(20), **options)) == ([*range(20)], [], None)


def test_messages_written_out_of_order_come_in_the_order_of_their_recording_time(tmp_path):
    """A chunk a message, written in another order than recorded: chunks overlap in no order at all."""
    with Mcap(tmp_path / 'x.mcap', chunk_size=1) as file:
        camera = file.ros2('/camera/image_raw')
        for k in (3, 0, 5, 1, 4, 2):
            file.image(camera, k)
    assert read(tmp_path / 'x.mcap')[0] == [*range(6)]


def test_a_flipped_bit_inside_a_chunk_is_damage_not_pixels(tmp_path):
    path = write_images(tmp_path / 'x.mcap', range(12), chunk_size=1, **UNPACKED)
    data = bytearray(path.read_bytes())
    data[data.index(bytes([7] * 100))] ^= 1
    path.write_bytes(data)
    found, _, damage = read(path, damaged=True)
    assert found == [*range(7)] and 'checksum' in damage


def test_an_mcap_record_longer_than_the_file_ends_the_recording_there(tmp_path):
    path = write_images(tmp_path / 'x.mcap', range(8), use_chunking=False)
    data = path.read_bytes()
    third = data.index(bytes([2] * 100))
    start = data.rindex(
        b'\x05' + struct.pack('<Q', len(STORE.serialize_cdr(image_message(STORE, picture(2), START_NS, 'mono8'), IMAGE_TYPE)) + 22),
        0,
        third,
    )
    path.write_bytes(data[: start + 1] + struct.pack('<Q', 1 << 60) + data[start + 9 :])
    found, _, damage = read(path, damaged=True)
    assert found == [0, 1] and 'inside a record' in damage
