"""MediaPipe's face-landmark network as a trunk: its shape, frozen blocks, export, and its weights where the file is at hand."""

import hashlib

import numpy as np
import pytest
import torch
from tiny_training import ALONE
from torch.nn import functional

from c2f_head_pose.engine import open_engine
from training.data.crops import SyntheticCrops
from training.export import Labels, export, metadata, write_onnx
from training.loop import checkpoint
from training.loop.config import read_config
from training.loop.optimiser import make_optimiser
from training.loop.run import Run
from training.models import face_mesh
from training.models.face_mesh import STAGES, FaceMeshTrunk, FacePoints, PReLU
from training.models.factory import build
from training.models.tflite import read_interpreter
from training.portraits.fetch import sources
from training.portraits.mediapipe import FACE_MESH, SEGMENTER
from training.train import main

AT_HAND = pytest.mark.skipif(
    not (sources().models / FACE_MESH).exists(), reason='needs face_landmark.tflite: python -m training.portraits fetch'
)


def points_of(path, picture):
    """(468, 3) that LiteRT finds in a gray picture, (192, 192) from 0 to 1."""
    interpreter = read_interpreter(path.read_bytes())
    interpreter.set_tensor(interpreter.get_input_details()[0]['index'], np.repeat(picture[None, :, :, None], 3, 3))
    interpreter.invoke()
    return max((interpreter.get_tensor(output['index']) for output in interpreter.get_output_details()), key=np.size).reshape(468, 3)


def test_the_side_is_halved_six_times():
    """192 pixels to 3; the last stage has 128 channels."""
    trunk = FaceMeshTrunk().eval()
    assert (trunk.stride, trunk.channels, len(trunk.blocks)) == (64, 128, sum(count for _, count in STAGES) + 5)
    with torch.no_grad():
        assert trunk(torch.zeros(2, 1, 192, 192)).shape == (2, 128, 3, 3)


def test_frozen_blocks_keep_their_weights_and_the_others_learn():
    config = read_config('face_mesh', ['network.frozen=3'])
    network = build(config.network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = make_optimiser(network, config)
    rotation, _, _ = network.train()(torch.randint(0, 256, (2, 1, 192, 192), dtype=torch.uint8))
    rotation.sum().backward()
    optimiser.step()
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    first = ('trunk.stem.', 'trunk.activate.', *(f'trunk.blocks.{i}.' for i in range(3)))
    assert not [name for name in moved if name.startswith(first)]
    assert {f'trunk.blocks.{i}.pointwise.weight' for i in range(3, 17)} <= moved


def test_more_frozen_blocks_than_there_are_name_the_largest_number():
    with pytest.raises(ValueError, match=r'network\.frozen 18 is not between 0 and 17'):
        FaceMeshTrunk(18)


def test_an_exported_network_has_no_prelu_or_pad_and_gives_the_same_rotations(tmp_path):
    """PReLU of slope 0.25 is relu(x) * 0.75 + x * 0.25: -2 becomes -0.5, 2 stays 2."""
    assert torch.equal(PReLU(1)(torch.tensor([[[[-2.0, 2.0]]]])), torch.tensor([[[[-0.5, 2.0]]]]))
    onnx = pytest.importorskip('onnx')
    config = read_config('face_mesh', [])
    network, path = build(config.network).eval(), tmp_path / 'model.onnx'
    network.fuse()
    made_by = {'seed': 0, 'commit': '', 'samples': 0, 'data_hash': ''}
    write_onnx(network, 192, path, metadata(config, made_by, Labels('face_mesh', '0.1.0'), 'fp32'))
    assert not {'PRelu', 'Pad'} & {node.op_type for node in onnx.load(str(path)).graph.node}
    crops = np.random.default_rng(1).integers(0, 256, (3, 1, 192, 192), np.uint8)
    with torch.no_grad():
        mine = network(torch.from_numpy(crops))[0].numpy()
    assert np.abs(open_engine(str(path), 'cpu').infer(crops).rotation - mine).max() < 1e-4


@AT_HAND
def test_the_trunk_and_the_files_last_layers_give_the_points_of_mediapipe():
    """The layers that the trunk leaves out are computed here from the file: 1x1 to 32 channels, one block, 3x3 to 468 points."""
    path = sources().models / FACE_MESH
    trunk = FaceMeshTrunk().eval()
    face_mesh.read_weights(trunk, path)
    picture = np.random.default_rng(2).random((192, 192), np.float32)
    rest = list(face_mesh._constants(path))[-10:]
    with torch.no_grad():
        x = trunk(4 * (torch.from_numpy(picture)[None, None] - 0.5))
        x = functional.prelu(functional.conv2d(x, rest[0].permute(0, 3, 1, 2), rest[1]), rest[2].flatten())
        y = functional.conv2d(x, rest[3].permute(3, 0, 1, 2), rest[4], padding=1, groups=32)
        x = functional.prelu(x + functional.conv2d(y, rest[5].permute(0, 3, 1, 2), rest[6]), rest[7].flatten())
        mine = functional.conv2d(x, rest[8].permute(0, 3, 1, 2), rest[9]).flatten().numpy()
    assert np.abs(mine - points_of(path, picture).ravel()).max() < 0.01, 'pixels of a crop of 192'


def test_heads_on_points_are_not_trained_without_the_network_that_finds_them(tmp_path, heads, capsys):
    assert main(['face_points', '--data', str(heads), '--out', str(tmp_path / 'run'), '--device', 'cpu']) == 2
    assert 'give --start face_landmark.tflite' in capsys.readouterr().err


def test_half_precision_leaves_the_points_single(tmp_path):
    onnx = pytest.importorskip('onnx')
    config, path = read_config('face_points'), tmp_path / 'points.pt'
    network = build(config.network)
    checkpoint.save(
        path, average=network.state_dict(), config=config.as_dict(), step=0, samples=0, seed=0, commit='', data_hash='', data=[]
    )
    found = export(path, tmp_path / 'files', Labels('points', '0.1.0'), ['fp32', 'fp16'])
    kinds = {tensor.data_type for tensor in onnx.load(str(found['fp16'])).graph.initializer if len(tensor.dims) == 4}
    assert kinds == {onnx.TensorProto.FLOAT}


def test_points_are_found_in_crops_of_192_pixels_only():
    with pytest.raises(ValueError, match=r'network\.size 128 is not 192'):
        build({**read_config('face_points').network, 'size': 128})


def test_points_are_features_that_neither_place_nor_size_changes_and_that_no_training_moves():
    """The points of a crop: their mean is 0, the root mean square of x and y is 1; the heads learn, the network stays."""
    config = read_config('face_points')
    network = build(config.network).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    crops = torch.randint(0, 256, (3, 1, 192, 192), dtype=torch.uint8)
    points = network.trunk(network.normalise(crops)).reshape(3, 468, 3)
    assert points.mean(1).abs().max() < 1e-4 and (points[..., :2].square().mean((1, 2)) - 1).abs().max() < 1e-3
    optimiser = make_optimiser(network, config)
    network(crops)[0].sum().backward()
    optimiser.step()
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert 'squeeze.0.weight' in moved and not [name for name in moved if name.startswith('trunk.')]


@AT_HAND
def test_the_points_are_those_of_mediapipe():
    """As features, to a thousandth of the face's size, with bfloat16 around them: pixels of a crop of 192 would be off by half of one."""
    path = sources().models / FACE_MESH
    trunk = FacePoints().eval()
    face_mesh.read_weights(trunk, path)
    picture = np.random.default_rng(2).random((192, 192), np.float32)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        mine = trunk(4 * (torch.from_numpy(picture)[None, None] - 0.5)).reshape(468, 3).numpy()
    points = points_of(path, picture)
    points = points - points.mean(0)
    assert np.abs(points / np.sqrt((points[:, :2] ** 2).mean()) - mine).max() < 1e-3


@AT_HAND
def test_another_network_of_mediapipe_is_refused():
    with pytest.raises(ValueError, match=r'is not face_landmark\.tflite'):
        face_mesh.read_weights(FaceMeshTrunk(), sources().models / SEGMENTER)


def test_what_begins_with_mediapipes_weights_names_their_file_and_is_not_of_renders_alone(tmp_path, heads, monkeypatch):
    """The weights themselves are left out: reading them needs LiteRT."""
    file = tmp_path / FACE_MESH
    file.write_bytes(b'no network')
    monkeypatch.setattr(face_mesh, 'read_weights', lambda trunk, path: None)
    config = read_config('face_mesh', ['batch=4', 'shards=1'])
    Run(config, SyntheticCrops([heads]), None, tmp_path, ALONE, start=file).save()
    content = checkpoint.load(tmp_path / 'last.pt')
    assert content['started_from'] == f'{FACE_MESH} of MediaPipe, sha256 {hashlib.sha256(b"no network").hexdigest()[:16]}'
    assert not content['rendered']
    with pytest.raises(ValueError, match=r'of MediaPipe.*--training-data'):
        export(tmp_path / 'last.pt', tmp_path, Labels('x', '1'), ['fp32'])


def test_only_the_trunk_of_mediapipe_begins_with_its_file(tmp_path, heads, capsys):
    (tmp_path / FACE_MESH).write_bytes(b'no network')
    assert (
        main(['edge', '--data', str(heads), '--out', str(tmp_path / 'run'), '--start', str(tmp_path / FACE_MESH), '--device', 'cpu']) == 2
    )
    assert 'initialises networks of the configurations face_mesh and face_points' in capsys.readouterr().err
