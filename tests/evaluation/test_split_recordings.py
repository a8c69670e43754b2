"""Recordings in several files, and several recordings in one folder."""

import shutil

import pytest
from bag_making import START_NS, Recording, image_message, write_bag
from both_readers import Replay, read
from field_recordings import IMAGE_TYPE, PERIOD_NS, edit_metadata, images, picture, write_images

from c2f_head_pose.recordings.bagfile import BagError, BagFile


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
