"""The dataset on disk: written once, read back, resumed, split by identity."""

import dataclasses
import os
import resource

import numpy as np
import pytest

from training.data.crops import SyntheticCrops
from training.synthetic import dataset, layout
from training.synthetic.writer import ShardWriter


def _row(identity):
    row = {name: np.zeros(shape, dtype) for name, (dtype, shape) in layout.COLUMNS.items()}
    return {**row, 'identity': identity, 'R_cam_head': np.eye(3) * identity}


def _write(folder, shards=(0, 1)):
    manifest = layout.Manifest(preset='wide', seed=1, count=5, shard_size=3, crop_size=8)
    layout.write_manifest(folder, manifest)
    (folder / 'identities.csv').write_text('id,split\n0,train\n1,val\n2,train\n3,train\n4,test\n')
    for shard in shards:
        writer = ShardWriter(folder, manifest, shard)
        for i in range(manifest.shard_count(shard)):
            who = shard * 3 + i
            writer.put(i, np.full((8, 8), who), np.full((8, 8), 255), np.full((8, 8), 1000 + who), _row(who))
        writer.finish()
    return manifest


def test_what_is_written_is_read_back_by_split(tmp_path):
    _write(tmp_path)
    train = dataset.SyntheticDataset(tmp_path, 'train')
    assert len(train) == 3
    assert train.column('identity').tolist() == [0, 2, 3]
    sample = train.sample(2)
    assert (sample.identity, sample.image[0, 0], sample.depth_mm[0, 0]) == (3, 3, 1003)
    np.testing.assert_array_equal(sample.R_cam_head, 3 * np.eye(3))
    assert isinstance(train.arrays(0)['image'], np.memmap)
    assert len(dataset.SyntheticDataset(tmp_path, None)) == 5


def test_only_finished_shards_are_seen_and_an_unfinished_one_reports_it(tmp_path):
    manifest = _write(tmp_path, shards=(0,))
    writer = ShardWriter(tmp_path, manifest, 1)
    assert dataset.SyntheticDataset(tmp_path, None).shards == [0]
    with pytest.raises(ValueError, match='lacks 2 samples'):
        writer.finish()


def test_a_folder_of_another_dataset_is_refused(tmp_path):
    manifest = _write(tmp_path)
    layout.write_manifest(tmp_path, dataclasses.replace(manifest, command='another way to say it'))
    with pytest.raises(ValueError, match='seed 1 there, 2 now'):
        layout.write_manifest(tmp_path, dataclasses.replace(manifest, seed=2))


def test_a_background_shows_where_nothing_covers_it():
    """Premultiplied 60 at half coverage (128/255) over 200: 60 + 127/255 * 200 = 159.6."""
    out = dataset.composite(np.array([[60, 0]], np.uint8), np.array([[128, 255]], np.uint8), np.array([[200, 200]], np.uint8))
    assert out.tolist() == [[160, 0]]


@pytest.mark.parametrize(
    'name, delete',
    [
        ('manifest.json', 'manifest.json'),
        ('identities.csv', 'identities.csv'),
        ('shard-00001/samples.npz', 'shard-00001'),
        ('shard-00001/image.npy', 'shard-00001'),
        ('shard-00001/alpha.npy', 'shard-00001'),
        ('shard-00001/depth_mm.npy', 'shard-00001'),
    ],
)
@pytest.mark.parametrize('left', [0, 0.6])
def test_a_damaged_file_is_named_with_what_to_delete(name, delete, left, tmp_path):
    _write(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(left * len(content))])
    with pytest.raises(ValueError, match=f'^{tmp_path / name} is damaged: delete {tmp_path / delete} and render'):
        dataset.SyntheticDataset(tmp_path, None)


def test_a_folder_that_is_no_dataset_is_refused_with_how_to_make_one(tmp_path):
    _write(tmp_path / 'begun', shards=())
    (tmp_path / 'begun' / 'identities.csv').unlink()
    with pytest.raises(ValueError, match='begun has no finished shard yet'):
        dataset.SyntheticDataset(tmp_path / 'begun')
    (tmp_path / 'own.csv').touch()
    with pytest.raises(ValueError, match=r'write csv:\S+/own.csv for'):
        dataset.SyntheticDataset(tmp_path / 'own.csv')
    _write(tmp_path / 'old')
    path = tmp_path / 'old' / 'manifest.json'
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 0'))
    with pytest.raises(ValueError, match='has layout 0, this version reads layout 1'):
        dataset.SyntheticDataset(tmp_path / 'old')


def test_crops_of_a_split_without_people_or_of_one_folder_twice_are_refused(tmp_path):
    """The first shard shows 0 and 2 of 'train' and 1 of 'val'."""
    _write(tmp_path, shards=(0,))
    with pytest.raises(ValueError, match=r"no people of the split 'test' in 3 samples: render about 2,000, or evaluate with --split all"):
        SyntheticCrops([tmp_path], 'test')
    with pytest.raises(ValueError, match='the same folder is given twice'):
        SyntheticCrops([tmp_path, tmp_path / '..' / tmp_path.name])


def test_more_files_are_mapped_than_a_shell_allows(tmp_path):
    """300,000 samples are 600 shards of three arrays; most shells allow 1024 files unless asked for more."""
    _write(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = max(map(int, os.listdir('/proc/self/fd'))) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 3, before[1]))
    try:
        read = dataset.SyntheticDataset(tmp_path, None)
        assert sum(len(read.arrays(shard)) for shard in read.shards) == 6
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
