"""Recordings as they come from the field, each read by evaluation and by replay: intact ones whole and without a fault, others named."""

import shutil
import sqlite3
import struct
from contextlib import suppress

import cv2
import numpy as np
import pytest
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, header, image_message, write_bag
from field_recordings import (
    IMAGE_TYPE,
    PERIOD_NS,
    STORE,
    STORE1,
    UNINDEXED,
    UNPACKED,
    ZSTD,
    Mcap,
    add_depth,
    depth_and_colour,
    edit_metadata,
    images,
    jpeg,
    jpegs,
    killed_recorder,
    picture,
    ros1_image,
    write_images,
)

from c2f_head_pose.evaluation.evaluate import Options, evaluate_recording
from c2f_head_pose.evaluation.gate import evaluate as gate
from c2f_head_pose.evaluation.results import recording_record
from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.recordings.reader import Notes, UnreadableImage, read_frames
from c2f_head_pose.recordings.topics import choose_topics
from c2f_head_pose.types import Camera

Replay = None
with suppress(ImportError):  # without ROS evaluation alone is tested
    from c2f_head_pose.ros.replay.recording import Recording as Replay


def read(path, damaged=False, **topics):
    """The first pixel of each image, by evaluation and by replay, which must agree; then the notes and the damage.

    Args:
        path: of the recording.
        damaged: whether it is; otherwise damage is a failure.
        **topics: for choose_topics.
    """
    notes = Notes()
    with BagFile(path) as bag:
        frames = [*read_frames(bag, choose_topics(bag, **topics), notes)]
        found = [int(frame.image.flat[0]) for frame in frames if not isinstance(frame, UnreadableImage)]
        said, damage = [*bag.notes, *notes.counts], bag.damage
    assert (damage is not None) == damaged, damage
    if Replay is not None:
        replay = Replay(path, topics.get('image', ''))
        played = [int(e.message.data[0]) for e in replay.entries() if e.topic == replay.output]
        assert (played, replay.damage) == (found, damage)
        replay.close()
    return found, said, damage


# A write-ahead log or journal beside a .db3


def test_images_in_a_write_ahead_log_are_read_with_the_database_and_nothing_is_left_beside_it(tmp_path):
    """4 images are in the database, 8 only in its log: 12 in all."""
    path = killed_recorder(tmp_path, 4, 8)
    (path.parent / 'writer.db3-shm').unlink(missing_ok=True)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    found, said, _ = read(path)
    assert found == [*range(12)]
    assert any('writer.db3-wal is read with it' in note for note in said)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_write_ahead_log_in_a_folder_that_cannot_be_written_to_is_read_from_a_copy(tmp_path):
    """SQLite needs a file of shared memory beside the log; a folder of that name keeps it from making one, whoever runs this."""
    path = killed_recorder(tmp_path, 3, 5)
    (path.parent / 'writer.db3-shm').unlink(missing_ok=True)
    (path.parent / 'writer.db3-shm').mkdir()
    assert read(path)[0] == [*range(8)]


def test_a_log_that_was_partly_written_back_is_read_on_top_of_the_database(tmp_path):
    """After a checkpoint the log begins anew, with frames of the earlier round behind the new ones: they are stale, not damaged."""

    def checkpoint(database):
        database.execute('PRAGMA wal_checkpoint(RESTART)').fetchall()
        database.execute(
            'INSERT INTO messages (topic_id, timestamp, data) SELECT 1, ?, data FROM messages WHERE id = 1', (START_NS + 99 * PERIOD_NS,)
        )
        database.commit()

    assert read(killed_recorder(tmp_path, 2, 6, checkpoint))[0] == [*range(8), 0]


@pytest.mark.parametrize('damage', ['cut', 'flipped', 'header', 'short'])
def test_a_damaged_write_ahead_log_is_named_and_what_comes_before_is_read(tmp_path, damage):
    path = killed_recorder(tmp_path, 4, 8)
    log = path.with_name('writer.db3-wal')
    data = bytearray(log.read_bytes())
    if damage == 'cut':
        data = data[: len(data) * 2 // 3 - 100]
    elif damage == 'flipped':
        data[len(data) * 2 // 3] ^= 0xFF
    elif damage == 'header':
        data[20] ^= 1
    else:
        data = data[:20]
    log.write_bytes(data)
    found, _, said = read(path, damaged=True)
    assert found == [*range(len(found))] and (4 < len(found) < 12 if damage in ('cut', 'flipped') else len(found) == 4)
    assert 'writer.db3-wal is damaged' in said


def test_a_database_copied_without_its_write_ahead_log_is_missed_by_its_metadata(tmp_path):
    """The database alone holds 4 messages and is intact; metadata.yaml counts 12."""
    path = write_bag(tmp_path / 'writer', images(range(4)), 'sqlite3')
    edit_metadata(path, message_count=12)
    found, _, damage = read(path, damaged=True)
    assert found == [0, 1, 2, 3] and 'holds 4 messages, its metadata.yaml counts 12' in damage


def test_a_transaction_in_a_rollback_journal_is_undone_as_sqlite_does(tmp_path):
    """The journal holds the pages as they were with 5 images; the sixth was half written when the recorder was killed."""
    source = write_bag(tmp_path / 'writer', images(range(5)), 'sqlite3') / 'writer.db3'
    database = sqlite3.connect(source, isolation_level=None)
    database.execute('PRAGMA journal_mode = DELETE')
    database.execute('PRAGMA cache_size = 1')
    database.execute('BEGIN')
    for k in range(5, 40):  # more than the cache holds, so that pages are written before the commit
        raw = bytes(STORE.serialize_cdr(image_message(STORE, picture(k), START_NS + k, 'mono8'), IMAGE_TYPE))
        database.execute('INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)', (START_NS + k, raw))
    killed = tmp_path / 'killed'
    killed.mkdir()
    for file in source.parent.glob('writer.db3*'):
        shutil.copy(file, killed / file.name)
    database.execute('ROLLBACK')
    database.close()
    assert (killed / 'writer.db3-journal').stat().st_size > 0
    found, said, _ = read(killed / 'writer.db3')
    assert found == [0, 1, 2, 3, 4] and any('journal' in note for note in said)


def test_a_database_whose_path_has_characters_of_a_uri_is_opened(tmp_path):
    folder = shutil.copytree(write_bag(tmp_path / 'bag', images(range(3)), 'sqlite3'), tmp_path / 'drive 50% #3?')
    assert read(folder / 'bag.db3')[0] == [0, 1, 2]


# Topics of other kinds beside the images


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
def test_a_topic_of_another_kind_beside_the_images_does_no_harm(tmp_path, kind, options):
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


# Images that cannot be read


@pytest.mark.parametrize(
    'broken',
    [lambda data: data[: len(data) // 2], lambda data: b'', lambda data: b'\xff\xd8' + bytes(500), lambda data: b'GIF89a' + data],
    ids=['half', 'empty', 'zeros', 'other format'],
)
def test_one_broken_jpeg_costs_itself_alone(tmp_path, broken):
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


# Intact recordings that say less, or more, than usual


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


# Several files


def split(folder, counts, name='bag', kind='mcap', pause_ns=0):
    """Files NAME_0, NAME_1 and so on in one folder, each with a number of images; all images are numbered through."""
    folder.mkdir()
    first, suffix = 0, {'mcap': '.mcap', 'sqlite3': '.db3', 'rosbag1': '.bag'}[kind]
    for part, count in enumerate(counts):
        made = Recording()
        for k in range(first, first + count):
            ns = START_NS + k * PERIOD_NS + part * pause_ns
            made.add('/camera/image_raw', IMAGE_TYPE, ns, lambda s, k=k, ns=ns: image_message(s, picture(k), ns, 'mono8'))
        whole = write_bag(folder.parent / f'writer_{part}', made, kind)
        file = whole if whole.is_file() else next(whole.glob(f'*{suffix}'))
        shutil.move(file, folder / f'{name}_{part}{suffix}')
        first += count
    return folder


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'rosbag1'])
def test_the_parts_of_a_split_recording_are_read_in_order_without_metadata(tmp_path, kind):
    """Twelve parts: the part 10 follows 9, not 1."""
    assert read(split(tmp_path / 'bag', [2] * 12, kind=kind))[0] == [*range(24)]


def test_the_parts_of_a_ros_1_recording_are_known_by_their_names_without_the_date(tmp_path):
    folder = split(tmp_path / 'bag', [3, 3], kind='rosbag1')
    (folder / 'bag_0.bag').rename(folder / 'cam_2024-05-01-10-00-00_0.bag')
    (folder / 'bag_1.bag').rename(folder / 'cam_2024-05-01-10-01-00_1.bag')
    assert read(folder)[0] == [*range(6)]


def test_a_missing_part_is_damage_and_the_others_are_read(tmp_path):
    folder = split(tmp_path / 'bag', [3, 3, 3])
    (folder / 'bag_1.mcap').unlink()
    found, _, damage = read(folder, damaged=True)
    assert found == [0, 1, 2, 6, 7, 8] and 'parts 1' in damage


def test_files_that_metadata_names_but_are_gone_are_damage(tmp_path):
    folder = write_bag(tmp_path / 'bag', images(range(4)))
    edit_metadata(folder, relative_file_paths=['bag.mcap', 'bag_1.mcap'])
    found, _, damage = read(folder, damaged=True)
    assert found == [0, 1, 2, 3] and 'bag_1.mcap: named in metadata.yaml, but not there' in damage


def test_files_beside_those_that_metadata_names_are_noted_not_read(tmp_path):
    folder = write_bag(tmp_path / 'bag', images(range(4)))
    write_images(folder / 'other.mcap', range(9))
    found, said, _ = read(folder)
    assert found == [0, 1, 2, 3] and any('other.mcap: not in metadata.yaml' in note for note in said)


@pytest.mark.parametrize(
    'names',
    [
        ('a.mcap', 'b.mcap', 'c.mcap'),
        ('drive_1.mcap', 'drive_2.mcap', 'drive_3.mcap'),
        ('2024-05-01-10-00-00.mcap', '2024-05-01-10-00-30.mcap'),
        ('rec_0.mcap', 'rec_0.bag'),
        ('rosbag2_2024_05_01-10_00_00_0.mcap', 'rosbag2_2024_05_02-10_00_00_0.mcap'),
    ],
    ids=str,
)
def test_unrelated_recordings_in_a_folder_are_refused_by_name(tmp_path, names):
    """Recorded hours apart; names alone tell it for most, the times for the numbered ones."""
    folder = tmp_path / 'drives'
    folder.mkdir()
    for number, name in enumerate(names):
        made = Recording()
        at_ns = START_NS + number * 3600 * 10**9
        made.add('/camera/image_raw', IMAGE_TYPE, at_ns, lambda s, ns=at_ns: image_message(s, picture(1), ns, 'mono8'))
        whole = write_bag(tmp_path / f'w{number}', made, 'rosbag1' if name.endswith('.bag') else 'mcap')
        shutil.copy(whole if whole.is_file() else next(whole.glob('*.mcap')), folder / name)
    for reader in filter(None, (BagFile, Replay)):
        with pytest.raises(BagError, match='holds several recordings') as refusal:
            reader(folder)
        assert all(name in str(refusal.value) for name in names)


def test_numbered_recordings_of_the_same_time_are_refused(tmp_path):
    """Two cameras recorded side by side as cam_0 and cam_1: one does not follow the other."""
    folder = tmp_path / 'cams'
    folder.mkdir()
    for name in ('cam_0.mcap', 'cam_1.mcap'):
        write_images(folder / name, range(60))
    with pytest.raises(BagError, match=r'overlap in time.*cam_0\.mcap, cam_1\.mcap'):
        BagFile(folder)


def test_folders_of_recordings_are_named_where_a_folder_above_them_is_given(tmp_path):
    for name in ('monday', 'tuesday'):
        write_bag(tmp_path / name, images(range(2)))
    with pytest.raises(BagError, match='there are recordings in monday, tuesday'):
        BagFile(tmp_path)


def test_hidden_files_of_an_archive_are_no_recordings(tmp_path):
    folder = tmp_path / 'bag'
    folder.mkdir()
    write_images(folder / 'x.mcap', range(4))
    (folder / '._x.mcap').write_bytes(b'\x00\x05\x16\x07' + bytes(200))
    assert read(folder)[0] == [0, 1, 2, 3]


# Packed files


def zstd(path, level=3):
    """The file packed by zstandard; the plain one is removed."""
    import zstandard

    packed = path.with_name(path.name + '.zstd')
    packed.write_bytes(zstandard.ZstdCompressor(level).compress(path.read_bytes()))
    path.unlink()
    return packed


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3'])
def test_a_packed_file_is_read_with_and_without_metadata(tmp_path, kind):
    folder = write_bag(tmp_path / 'bag', images(range(6)), kind)
    file = zstd(next(p for p in folder.iterdir() if p.suffix in ('.mcap', '.db3')))
    edit_metadata(folder, relative_file_paths=[file.name], compression_format='zstd', compression_mode='FILE')
    assert read(folder)[0] == [*range(6)]
    (folder / 'metadata.yaml').unlink()
    assert read(folder)[0] == read(file)[0] == [*range(6)]
    renamed = file.rename(file.with_suffix('.zst'))
    assert read(renamed)[0] == [*range(6)]


def test_a_packed_file_that_was_unpacked_since_is_read_once(tmp_path):
    folder = write_bag(tmp_path / 'bag', images(range(6)))
    plain = (folder / 'bag.mcap').read_bytes()
    edit_metadata(folder, relative_file_paths=[zstd(folder / 'bag.mcap').name], compression_format='zstd', compression_mode='FILE')
    (folder / 'bag.mcap').write_bytes(plain)
    assert read(folder)[0] == [*range(6)]
    (folder / 'bag.mcap.zstd').unlink()
    assert read(folder)[0] == [*range(6)]


def test_messages_that_were_packed_one_by_one_are_unpacked(tmp_path):
    """rosbag2's compression mode MESSAGE, without the metadata that tells it."""
    import zstandard

    with Mcap(tmp_path / 'x.mcap') as file:
        camera = file.ros2('/camera/image_raw')
        for k in range(4):
            raw = STORE.serialize_cdr(image_message(STORE, picture(k), START_NS + k, 'mono8'), IMAGE_TYPE)
            file.write(camera, START_NS + k, zstandard.ZstdCompressor().compress(bytes(raw)))
    assert read(tmp_path / 'x.mcap')[0] == [0, 1, 2, 3]


def test_a_packed_file_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path):
    rng = np.random.default_rng(1)
    made = Recording()
    for k in range(40):
        noise = rng.integers(0, 256, (48, 64), np.uint8)
        noise[0, 0] = k
        made.add(
            '/camera/image_raw',
            IMAGE_TYPE,
            START_NS + k * PERIOD_NS,
            lambda s, k=k, noise=noise: image_message(s, noise, START_NS + k * PERIOD_NS, 'mono8'),
        )
    folder = write_bag(tmp_path / 'bag', made, 'sqlite3')
    packed = zstd(folder / 'bag.db3')
    packed.write_bytes(packed.read_bytes()[:-30000])
    found, _, _ = read(packed, damaged=True)
    assert 10 < len(found) < 40 and found == [*range(len(found))]


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('x.mcap.gz', 'unpack it first'),
        ('x.tar', 'unpack it first'),
        ('x.zip', 'unpack it first'),
        ('x.mcap.zstd', 'not Zstandard data'),
        ('metadata.yaml', 'name its folder'),
    ],
)
def test_a_file_that_is_packed_otherwise_is_refused_with_the_remedy(tmp_path, name, words):
    (tmp_path / name).write_bytes(b'no such thing' * 9)
    with pytest.raises(BagError, match=words):
        BagFile(tmp_path / name)


# ROS 1 messages in MCAP


@pytest.mark.parametrize(('profile', 'kind'), [('ros1', 'sensor_msgs/Image'), ('', 'sensor_msgs/msg/Image')])
def test_ros_1_messages_in_mcap_are_read(tmp_path, profile, kind):
    definition = STORE1.generate_msgdef(IMAGE_TYPE)[0].encode()
    with Mcap(tmp_path / 'x.mcap', profile) as file:
        camera = file.channel('/camera/image_raw', 'ros1', (kind, 'ros1msg', definition))
        for k in range(5):
            file.write(camera, START_NS + k * PERIOD_NS, ros1_image(k))
    assert read(tmp_path / 'x.mcap')[0] == [*range(5)]


# Which topics are read


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


def chosen(tmp_path, made, **topics):
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        choice = choose_topics(bag, **topics)
        frames = [*read_frames(bag, choice, Notes())]
        return choice, [None if frame.depth_m is None else float(frame.depth_m[0, 0]) for frame in frames]


def test_of_raw_and_aligned_depth_the_one_in_the_images_frame_is_used_and_it_is_said(tmp_path):
    """RealSense: aligned depth of 2 m is in the colour frame, raw depth of 1 m in its own."""
    made = depth_and_colour(
        '/camera/depth/image_rect_raw',
        'camera_depth_optical_frame',
        OTHER_LENS,
        lambda made, ns: add_depth(made, '/camera/aligned_depth_to_color/image_raw', FRAME_ID, ns, 2000),
    )
    choice, depths = chosen(tmp_path, made)
    assert choice.depth == '/camera/aligned_depth_to_color/image_raw' and depths == [2.0, 2.0, 2.0]
    assert any('/camera/depth/image_rect_raw is in frame camera_depth_optical_frame' in reason for reason in choice.reasons)


def test_depth_of_another_frame_alone_is_not_used_and_named(tmp_path):
    """Azure Kinect's raw depth: 1 m in the depth camera's frame says nothing of the colour camera's pixels."""
    choice, depths = chosen(tmp_path, depth_and_colour('/depth/image_raw', 'depth_camera_link'))
    assert choice.depth is None and depths == [None] * 3
    assert 'not registered' in choice.reasons[-1] and 'depth_camera_link' in choice.reasons[-1]
    with BagFile(tmp_path / 'bag') as bag, pytest.raises(BagError, match='so it is not registered to them'):
        choose_topics(bag, depth='/depth/image_raw')


def test_depth_in_the_images_frame_but_of_another_lens_is_registered_by_its_intrinsics(tmp_path):
    """A driver that writes one frame_id for all of its streams. Depth of 380 px of focal length shows more than the image of 600:
    all of the image is within the wall at 1 m."""
    choice, depths = chosen(tmp_path, depth_and_colour('/camera/depth/image_raw', FRAME_ID, OTHER_LENS))
    assert choice.depth is not None and depths == [1.0] * 3 and 'registered here, from its own intrinsics' in choice.reasons[-1]


def test_registered_depth_with_the_same_calibration_of_its_own_is_used(tmp_path):
    """openni's depth_registered: its own camera_info repeats the colour camera's."""
    choice, depths = chosen(tmp_path, depth_and_colour('/camera/depth_registered/image_raw', FRAME_ID, CAMERA))
    assert choice.depth == '/camera/depth_registered/image_raw' and depths == [1.0] * 3


def test_replay_publishes_the_depth_that_evaluation_uses(tmp_path):
    pytest.importorskip('sensor_msgs', reason='needs ROS')
    path = write_bag(tmp_path / 'bag', depth_and_colour('/camera/depth_registered/image_raw', FRAME_ID))
    replay = Replay(path, plain_names=True)
    assert [*replay.topics] == ['image', 'camera_info', 'depth/image']
    assert sum(entry.topic == 'depth/image' and entry.message.encoding == '16UC1' for entry in replay.entries()) == 3


def test_a_calibration_of_another_camera_is_not_taken_for_the_images(tmp_path):
    made = images(range(2), '/front/image_raw')
    for entry in depth_and_colour('/rear/image_raw', 'rear_optical', CAMERA):
        if entry[0] == '/rear/camera_info':
            made.messages.append(entry)
    with BagFile(write_bag(tmp_path / 'bag', made)) as bag:
        choice = choose_topics(bag)
    assert choice.camera_info is None and 'of frame rear_optical' in choice.reasons[1]


# Folders of pictures


def test_a_folder_of_pictures_is_read_by_both_without_hidden_and_broken_ones(tmp_path):
    """A superscript 2 is no number; a macOS archive's `._` files are no pictures; a broken one is left out and counted."""
    for name, value in (('1.png', 10), ('2.png', 20), ('10.png', 100), ('\u00b23.jpg', 200)):
        cv2.imwrite(str(tmp_path / name), np.full((4, 6, 3), value, np.uint8))
    (tmp_path / '._1.png').write_bytes(b'\x00\x05\x16\x07')
    (tmp_path / '7.png').write_bytes(b'\x89PNG cut off')
    found, said, _ = read(tmp_path)
    assert [round(value, -1) for value in found] == [10, 20, 100, 200]
    assert len(said) == 1 and '7.png cannot be read' in said[0]


def test_pictures_are_evaluated_at_the_rate_that_is_given(tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((4, 6, 3), number, np.uint8))
    with BagFile(tmp_path, picture_rate_hz=4.0) as bag:
        assert [frame.stamp_s for frame in read_frames(bag, choose_topics(bag), Notes())] == [1.0, 1.25, 1.5]


def test_an_mcap_record_that_claims_more_than_there_is_ends_the_file_there(tmp_path):
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
