"""A user's own labelled pictures as training data, alone and beside rendered crops."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
import yaml
from tiny_training import PAPER, tiny_config

from c2f_head_pose import geometry
from training import train
from training.data.crops import SyntheticCrops
from training.export import Labels, export
from training.loop import checkpoint
from training.loop.config import config_of
from training.loop.loader import BatchLoader
from training.loop.losses import make_loss
from training.loop.sources import open_training_data
from training.loop.validate import estimate, held_out
from training.models.factory import build
from training.synthetic import stand_in

torch.set_num_threads(1)
CAMERA = np.array([[300.0, 0, 79.5], [0, 300, 79.5], [0, 0, 1]])


def write_pictures(folder, labels, name='faces.csv'):
    """Painted heads a metre away in 160x160 pictures, with their boxes, and the csv file that labels them."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['image', 'x1', 'y1', 'x2', 'y2', 'yaw_deg', 'pitch_deg', 'roll_deg'])
        for i, ypr in enumerate(labels):
            R, t = geometry.rotation_from_ypr_deg(np.array([float(a or 0) for a in ypr])), np.array([0.02, -0.03, 1.0])
            image, _, _ = stand_in.draw(R, t, CAMERA, 160, np.array([0.0, -0.5, -0.86]), 0.8)
            cv2.imwrite(str(folder / f'{i}.png'), image)
            seen = (stand_in.landmarks_m() @ R.T + t) @ CAMERA.T
            points = seen[:, :2] / seen[:, 2:]
            writer.writerow([f'{i}.png', *points.min(0), *points.max(0), *ypr])
    return f'csv:{folder / name}'


@pytest.fixture(scope='module')
def heads(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'heads'
    stand_in.write(folder, 20, 64)
    return folder


@pytest.fixture(scope='module')
def own(tmp_path_factory):
    """Five faces that can be used, one of them without roll, and one without yaw."""
    labels = [(10, 5, 0), (-20, 10, 5), (30, -10, 0), (0, 0, -5), (15, 15, ''), ('', 3, 2)]
    return write_pictures(tmp_path_factory.mktemp('own'), labels)


def config_file(path, **changes):
    config = tiny_config(**changes)
    path.write_text(yaml.safe_dump(config.as_dict() | {'pose_limits_deg': None, 'name': 'tiny'}))
    return str(path)


LANDMARKS = tiny_config().network | {'landmarks': True}


@pytest.mark.parametrize('joined', [False, True])
def test_own_pictures_train_alone_or_beside_renders(joined, heads, own, tmp_path, capsys):
    """What is trained on is said, labels are drawn, and batches drawn ahead train the same network to the bit.

    Alone: five crops. Joined: 16 rendered ones of the split 'train', and the pictures.
    """
    config = config_file(tmp_path / 'tiny.yaml', network=LANDMARKS, steps=2)
    data = ['--data', *([str(heads)] if joined else []), own]
    for out, workers in (('here', '0'), ('ahead', '1')):
        command = [config, *data, '--out', str(tmp_path / out), '--device', 'cpu', '--workers', workers]
        assert train.main(command) is None
    told = capsys.readouterr()
    words = '21 training crops (heads; 5 of csv:faces.csv), 2 held out' if joined else '5 training crops (5 of csv:faces.csv), 0 held out'
    assert words in told.out
    assert '1 of 6 faces left out' in told.out and '1 faces without roll' in told.out and 'axes.png' in told.out
    assert ('no validation' in told.err) != joined
    assert (tmp_path / 'here' / 'axes.png').stat().st_size > 1000
    here, ahead = (checkpoint.load(tmp_path / out / 'final.pt') for out in ('here', 'ahead'))
    assert here['data'] == [*(['heads'] if joined else []), '5 of csv:faces.csv'] and not here['rendered']
    for name, value in here['network'].items():
        assert torch.equal(value, ahead['network'][name]) and value.isfinite().all(), name


def test_pictures_teach_poses_but_no_landmarks_they_do_not_have(own, heads):
    """With the landmarks' loss alone pictures leave the network as it is, and in a joined batch rendered crops do not."""
    config = tiny_config(network=LANDMARKS, shards=1)
    loss = make_loss({'kind': 'coarse_to_fine', 'answer': 0, 'experts': 0, 'likelihood': 0, 'category': 0})
    learnt = []
    for sources in ([own], [str(heads), own]):
        torch.manual_seed(0)
        network = build(config.network)
        batch = BatchLoader(open_training_data(sources, config), config).batch(0, 0)
        loss(network, batch)[0].backward()
        gradient = network.landmarks.weight.grad
        assert gradient.isfinite().all()
        learnt.append(float(gradient.abs().sum()))
    assert learnt[0] == 0 < learnt[1]


def test_a_pictures_label_is_its_crops(own):
    """Yaw 10, pitch 5, roll 0; an undisturbed crop shows what was labelled."""
    data = open_training_data([own], tiny_config())
    assert np.allclose(geometry.ypr_deg_from_rotation(data.R_crop_head[:1].numpy()), [[10, 5, 0]], atol=1e-3)
    assert len(open_training_data([own], tiny_config(), limit=2)) == 2
    assert len(open_training_data([own], tiny_config(pose_limits_deg=(12, 90, 90)))) == 2


def test_a_configuration_that_cannot_train_is_refused_in_one_line(own, tmp_path, capsys):
    depth = config_file(tmp_path / 'depth.yaml', modality='depth', network=tiny_config().network | {'modality': 'depth'})
    for config, source, words in (
        (depth, own, 'pictures have no depth'),
        (config_file(tmp_path / 'tiny.yaml'), 'csv:nowhere.csv', 'nowhere.csv does not exist'),
        (config_file(tmp_path / 'tiny.yaml'), 'csv:at=noon.csv', 'at=noon.csv does not exist'),
        (config_file(tmp_path / 'tiny.yaml'), f'{own}=0.5', 'shares are for rendered folders alone'),
        (config_file(tmp_path / 'tiny.yaml'), write_pictures(tmp_path, [('', '', '')], 'bare.csv'), 'no faces'),
    ):
        assert train.main([config, '--data', source, '--out', str(tmp_path / 'out'), '--device', 'cpu']) == 2
        assert words in capsys.readouterr().err


def test_constant_deviations_are_measured_on_training_crops_where_nobody_is_held_out(own, tmp_path, capsys):
    """The paper's network states constants, 6 degrees until they are measured at the end of training; before, it is not exported."""
    config = config_file(tmp_path / 'tiny.yaml', network=PAPER, loss={'kind': 'paper'}, batch=4, shards=1, steps=1)
    command = [config, '--data', own, '--out', str(tmp_path), '--device', 'cpu']
    assert train.main([*command, '--pause-minutes', '0']) is None
    with pytest.raises(ValueError, match=r'measured when training ends.*export final[.]pt'):
        export(tmp_path / 'last.pt', tmp_path, Labels('x', '1', 'our drivers', 'ours'), ['fp32'])
    capsys.readouterr()
    assert train.main(command) is None
    assert 'nobody is held out: the standard deviations are measured on 5 training crops' in capsys.readouterr().out
    content = checkpoint.load(tmp_path / 'final.pt')
    config = config_of(content['config'])
    crops, truth = held_out(open_training_data([own], config), config)
    apart = np.swapaxes(estimate(checkpoint.network_of(content), crops)[0], 1, 2) @ truth
    d = np.array([geometry.rotation_vector(R) for R in apart])
    assert np.allclose(content['average']['std_rad'], np.sqrt((d**2).mean(0)), rtol=1e-4)
    assert export(tmp_path / 'final.pt', tmp_path, Labels('x', '1', 'our drivers', 'ours'), ['fp32'])['fp32'].exists()


def test_a_model_of_own_pictures_does_not_say_that_nothing_real_is_in_it(own, tmp_path):
    config = config_file(tmp_path / 'tiny.yaml', steps=1)
    train.main([config, '--data', own, '--out', str(tmp_path), '--device', 'cpu'])
    with pytest.raises(ValueError, match='--training-data'):
        export(tmp_path / 'final.pt', tmp_path, Labels('x', '1'), ['fp32'])
    assert export(tmp_path / 'final.pt', tmp_path, Labels('x', '1', 'our drivers', 'ours'), ['fp32'])['fp32'].exists()


def test_weights_are_begun_with_and_where_they_come_from_is_not_forgotten(own, heads, tmp_path):
    """An export leaves NAME.pt; what begins with it on renders alone still stems from pictures, and says so."""
    config = config_file(tmp_path / 'tiny.yaml', steps=1)
    train.main([config, '--data', own, '--out', str(tmp_path / 'first'), '--device', 'cpu'])
    export(tmp_path / 'first' / 'final.pt', tmp_path, Labels('own', '1', 'our drivers', 'ours'), ['fp32'])
    assert set(checkpoint.load(tmp_path / 'own.pt')) == {'format', *checkpoint.WEIGHTS} - {'calibration'}  # nothing was calibrated
    command = [config, '--data', str(heads), '--out', str(tmp_path / 'second'), '--device', 'cpu']
    train.main([*command, '--start', str(tmp_path / 'own.pt'), '--pause-minutes', '0'])
    train.main(command)
    content = checkpoint.load(tmp_path / 'second' / 'final.pt')
    assert not content['rendered'] and content['started_from'].endswith('16 samples of 5 of csv:faces.csv')
    with pytest.raises(ValueError, match=r'5 of csv:faces[.]csv'):
        export(tmp_path / 'second' / 'final.pt', tmp_path, Labels('x', '1'), ['fp32'])


def test_turned_portraits_are_no_renders(heads, tmp_path):
    """A dataset whose manifest names the preset 'portraits': its model does not say of itself that nothing real is in it."""
    folder = tmp_path / 'portraits'
    shutil.copytree(heads, folder)
    manifest = json.loads((folder / 'manifest.json').read_text())
    (folder / 'manifest.json').write_text(json.dumps(manifest | {'preset': 'portraits'}))
    assert SyntheticCrops([heads]).rendered and not SyntheticCrops([heads, folder]).rendered
    config = config_file(tmp_path / 'tiny.yaml', steps=1)
    train.main([config, '--data', str(folder), '--out', str(tmp_path), '--device', 'cpu'])
    with pytest.raises(ValueError, match='--training-data'):
        export(tmp_path / 'final.pt', tmp_path, Labels('x', '1'), ['fp32'])
    assert export(tmp_path / 'final.pt', tmp_path, Labels('x', '1', 'turned portraits'), ['fp32'])['fp32'].exists()
