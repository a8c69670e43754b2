"""Batches drawn ahead in other processes are the ones that training would draw itself."""

import json

import numpy as np
import pytest
import torch

from c2f_head_pose.geometry import rotation_from_ypr_deg
from training.data import crops as batches
from training.data.crops import Focus, SyntheticCrops
from training.loop.config import config_of, read_config
from training.loop.distributed import DistributedContext
from training.loop.loader import AHEAD, BatchLoader, WorkerLoader
from training.loop.losses import make_loss
from training.loop.run import Run
from training.loop.sources import open_training_data, rendered_folders
from training.models.factory import build
from training.synthetic import stand_in

torch.set_num_threads(1)
NETWORK = {'kind': 'coarse_to_fine', 'size': 32, 'stem': 4, 'widths': [8], 'depths': [1], 'embedding': 16, 'hidden': 4, 'squeeze': 4}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('heads')
    stand_in.write(folder, 40, 64, seed=5)
    return SyntheticCrops([folder], None)


def tiny_config(**network):
    return config_of({'name': 'tiny', 'network': NETWORK | network, 'loss': {'kind': 'coarse_to_fine'}, 'batch': 8, 'shards': 2})


def test_batches_drawn_ahead_equal_those_drawn_here(data):
    """More steps than there are places, from step 3 on, by two processes; then one process is killed and that is said."""
    config, steps = tiny_config(), range(3, 3 + 2 * AHEAD)
    here, ahead = BatchLoader(data, config), WorkerLoader(data, config, 3, (0, 1), 2)
    try:
        for step in steps:
            for shard in (0, 1):
                mine, theirs = here.batch(step, shard), ahead.batch(step, shard)
                assert all(torch.equal(a, b) for a, b in zip(vars(mine).values(), vars(theirs).values(), strict=True))
        with pytest.raises(ValueError, match='in order'):
            ahead.batch(steps.stop + 2, 0)
        ahead.workers[1].process.kill()
        drawn_before = [(step, shard) for step in range(steps.stop + 1, 100, 2) for shard in (0, 1)]
        with pytest.raises(RuntimeError, match='died'):
            for step, shard in drawn_before:
                ahead.batch(step, shard)
    finally:
        ahead.close()


@pytest.mark.parametrize('depth', [False, True])
def test_held_samples_are_those_on_the_disk(depth, data, monkeypatch):
    """40 samples in parts of 16; 64x64 pixels of 2 bytes, or 6 with depth, decide whether they fit."""
    monkeypatch.setattr(batches, 'AT_ONCE', 16)
    free, held = SyntheticCrops([data.sets[0].path], None, depth), SyntheticCrops([data.sets[0].path], None, depth)
    needed, rows = 40 * 64 * 64 * (6 if depth else 2), np.array([39, 0, 16, 15, 16])
    assert not held.hold('cpu', needed - 1) and held.hold('cpu', needed) and held.hold('cpu', 0)  # it lies there already
    for name, value in vars(held.gather(rows)).items():
        other = getattr(free.gather(rows), name)
        assert (value is None and other is None) or (value.dtype == other.dtype and torch.equal(value, other)), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU that PyTorch sees')
def test_a_run_on_a_gpu_holds_its_crops_there(data, tmp_path):
    crops = SyntheticCrops([data.sets[0].path], None)
    Run(tiny_config(), crops, None, tmp_path, DistributedContext(0, 1, torch.device('cuda')))
    assert crops.gather(np.arange(3)).image.is_cuda


def test_landmarks_train_the_embedding_and_do_not_change_the_output(data):
    """With the other terms at zero only the landmarks' gradient reaches the trunk; the answer has the contract's three outputs."""
    config = tiny_config(landmarks=True)
    network, batch = build(config.network), BatchLoader(data, config).batch(0, 0)
    loss, _ = make_loss({'kind': 'coarse_to_fine', 'answer': 0, 'experts': 0, 'likelihood': 0, 'category': 0})(network, batch)
    loss.backward()
    assert next(network.trunk.parameters()).grad.abs().sum() > 0 and network.classifier.weight.grad.abs().sum() == 0
    with torch.no_grad():
        network.landmarks.weight.zero_()
        network.landmarks.bias.copy_(torch.tensor([1.0, -1.0]).repeat(68))
        batch.landmarks[:] = torch.tensor([1.0, -1.0]) + torch.tensor([0.3, 0.4])
        loss, _ = make_loss({'kind': 'coarse_to_fine', 'answer': 0, 'experts': 0, 'likelihood': 0, 'category': 0})(network, batch)
        assert float(loss) == pytest.approx(0.5, abs=1e-5)  # 3, 4, 5
        assert [tuple(t.shape) for t in network.eval()(batch.crops)] == [(4, 3, 3), (4, 3), (4, 4)]


@pytest.fixture(scope='module')
def two_folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp('mixture')
    stand_in.write(folder / 'many', 90, 64, seed=3)
    stand_in.write(folder / 'few', 30, 64, seed=4)
    return [folder / 'many', folder / 'few']


def test_a_folder_with_a_share_is_drawn_that_often_whatever_its_size_and_poses(two_folders):
    """Weights of a folder's samples sum to its share: 0.4 for the small one, the rest, 0.6, for the other; poses weigh within each."""
    data = SyntheticCrops(two_folders, None, shares=(None, 0.4))
    for focus in (None, Focus(elevation_sd_deg=20)):
        weights = data.draw_weights(focus)
        assert np.allclose(np.bincount(data.where[:, 0], weights), [0.6, 0.4])
    few = data.where[:, 0] == 1
    poses = Focus(elevation_sd_deg=20).weights(data.R_crop_head)
    assert np.allclose(weights[few] / weights[few][0], poses[few] / poses[few][0])
    assert SyntheticCrops(two_folders, None).draw_weights(None) is None


def test_a_head_is_drawn_by_the_pose_that_it_has_once_its_picture_is_turned_upright():
    """Yaw 60, roll 40 is yaw 53, pitch -34 upright: the face looks asin(cos 53 sin 34) = 19.6 degrees down. As rendered it looks level."""
    R = torch.from_numpy(rotation_from_ypr_deg(np.array([[60.0, 0, 40], [0.0, 0, 40]]))).float()
    leaning, level = Focus(elevation_sd_deg=25, floor=0.0).weights(R)
    assert leaning == pytest.approx(np.exp(-0.5 * (19.6 / 25) ** 2), rel=0.02) and level == pytest.approx(1)
    as_rendered = read_config('edge_plain_poses', ['focus.elevation_sd_deg=25']).make_focus()
    np.testing.assert_allclose(as_rendered.weights(R), 1, atol=1e-6)


def test_shares_change_the_datas_hash_and_are_read_from_the_command_line(two_folders):
    many, few = two_folders
    config = read_config('edge', [])
    data = open_training_data([str(many), f'{few}=0.25'], config)
    assert data.shares == (None, 0.25) and rendered_folders([str(many), f'{few}=0.25']) == [str(many), str(few)]
    assert data.data_hash != open_training_data([str(many), str(few)], config).data_hash


def rewrite_manifest(folder, **changes):
    path = folder / 'manifest.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_same_data_rendered_elsewhere_have_the_same_hash(tmp_path):
    """By another command, with other versions, into another folder; other people, another depth camera or other labels are other data."""
    for name, seed in (('here', 3), ('elsewhere', 3), ('others', 4), ('camera', 3), ('labels', 3)):
        stand_in.write(tmp_path / name, 30, 32, seed=seed)
    origin = {'command': 'python -m training.render --output elsewhere', 'versions': {'numpy': '9'}, 'licences': {'body': 'CC0'}}
    rewrite_manifest(tmp_path / 'elsewhere', **origin)
    rewrite_manifest(tmp_path / 'camera', depth_model='structured_light')
    table = tmp_path / 'labels' / 'shard-00000' / 'samples.npz'
    with np.load(table) as columns:
        np.savez(table, **{**columns, 'R_cam_head': -columns['R_cam_head']})
    here, elsewhere, *other = (SyntheticCrops([tmp_path / name]) for name in ('here', 'elsewhere', 'others', 'camera', 'labels'))
    assert here.data_hash == elsewhere.data_hash and len({here.data_hash, *(one.data_hash for one in other)}) == 4
    assert here.hashes[0] == here.data_hash and here.hashes[1] != elsewhere.hashes[1]  # of the file, as before 0.22.0


@pytest.mark.parametrize(
    ('shares', 'told'),
    [
        ((None, 1.0), 'leave nothing'),
        ((0.5, 0.6), 'do not add up to 1'),
        ((None, -0.1), 'above 0'),
        ((None, 1.5), 'above 0'),
        ((None, float('nan')), 'above 0'),
    ],
)
def test_shares_that_cannot_be_are_refused(two_folders, shares, told):
    with pytest.raises(ValueError, match=told):
        SyntheticCrops(two_folders, None, shares=shares)


def hold_out_all(folder):
    """Gives all people of a dataset to the split 'test'."""
    header, *people = (folder / 'identities.csv').read_text().split()
    rows = [dict(zip(header.split(','), person.split(','))) | {'split': 'test'} for person in people]
    (folder / 'identities.csv').write_text('\n'.join([header, *(','.join(row.values()) for row in rows)]) + '\n')


@pytest.mark.parametrize('share', ['', '=0.5'])
def test_a_folder_that_nothing_is_trained_on_from_is_refused_and_one_that_holds_nobody_out_is_not(tmp_path, share):
    """The people of `held` are all of 'test', so in 'val' it has none: validation is on the other folder alone."""
    for name, seed in (('many', 3), ('held', 4)):
        stand_in.write(tmp_path / name, 60, 32, seed=seed)
    hold_out_all(tmp_path / 'held')
    folders = [str(tmp_path / 'many'), str(tmp_path / 'held')]
    with pytest.raises(ValueError, match='held: no sample to train on: its people are held out'):
        open_training_data([folders[0], folders[1] + share], read_config('edge'))
    assert {0} == set(SyntheticCrops(folders, 'val').where[:, 0]) and {0, 1} == set(SyntheticCrops(folders, 'test').where[:, 0])


def test_a_limit_that_leaves_nothing_of_a_folder_with_a_share_is_refused(two_folders):
    """A single sample is the first folder's; without a share that is what was asked for."""
    assert len(SyntheticCrops(two_folders, 'train', limit=1)) == 1
    with pytest.raises(ValueError, match='few: a share, but no sample among the 1 to train on: raise the limit'):
        SyntheticCrops(two_folders, 'train', limit=1, shares=(None, 0.4))


def test_a_person_held_out_in_one_folder_is_trained_on_from_no_other(tmp_path):
    """The same ten people in both folders: one holds out 8 and 9, the other 0 and 9; its ids are in another order, 9 for 0 and so on.

    Each alone trains on 8 people. Together: 1 to 7 from both, so 0 and 8 from neither.
    """
    for name, kept_out in (('one', (8, 9)), ('other', (0, 9))):
        stand_in.write(tmp_path / name, 40, 32, seed=2)
        path = tmp_path / name / 'identities.csv'
        header, *people = path.read_text().split()
        lines = [
            f'{9 - i if name == "other" else i},{"test" if i in kept_out else "train"},{p.split(",", 2)[2]}' for i, p in enumerate(people)
        ]
        path.write_text('\n'.join([header, *lines]) + '\n')
    folders = [tmp_path / 'one', tmp_path / 'other']
    alone = [SyntheticCrops([folder], 'train').table['identity'] for folder in folders]
    assert [sorted(set(people.tolist())) for people in alone] == [[0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8]]  # 9 - 8 ... 9 - 1
    both = SyntheticCrops(folders, 'train')
    found = [both.table['identity'][both.where[:, 0] == number] for number in (0, 1)]
    assert [sorted(set(people.tolist())) for people in found] == [[1, 2, 3, 4, 5, 6, 7], [2, 3, 4, 5, 6, 7, 8]]  # 9 - 7 ... 9 - 1
    assert len(SyntheticCrops(folders, 'test')) == 16  # what a folder holds out itself: two people of four pictures in each


def test_a_share_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match='neither a folder nor FOLDER=SHARE'):
        rendered_folders(['heads=half'])
