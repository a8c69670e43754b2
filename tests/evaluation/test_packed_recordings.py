"""Compressed recordings: whole files, and messages one by one."""

import numpy as np
import pytest
from bag_making import START_NS, Recording, image_message, write_bag
from both_readers import read
from field_recordings import IMAGE_TYPE, PERIOD_NS, STORE, Mcap, edit_metadata, images, picture

from c2f_head_pose.recordings.bagfile import BagError, BagFile


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


def test_a_packed_file_that_is_cut_off_is_read_up_to_the_cut(tmp_path):
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
