"""Exported files keep the contract and answer as PyTorch does; evaluation reads checkpoints and files alike."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_training import ALONE, OURS

from c2f_head_pose import geometry
from c2f_head_pose.engine import open_engine
from c2f_head_pose.engine.onnxruntime_engine import open_session
from c2f_head_pose.models.registry import model_path
from training import export
from training.data.crops import SyntheticCrops
from training.evaluate import main as evaluate
from training.evaluation.model_file import open_model
from training.export import ExportError, Labels
from training.loop import checkpoint
from training.loop.config import config_of, read_config
from training.loop.run import Run
from training.synthetic import stand_in

NETWORKS = {
    'ours': ({**OURS, 'landmarks': True}, 'coarse_to_fine'),
    'paper': ({'kind': 'paper', 'size': 64, 'width': 0.0625, 'channels': 4, 'hidden': 8}, 'paper'),
}


@pytest.fixture(scope='module')
def heads(tmp_path_factory):
    folder = tmp_path_factory.mktemp('heads')
    stand_in.write(folder, 40, 64, limits_deg=(40, 40, 15))
    return folder


@pytest.fixture(scope='module')
def trained(heads, tmp_path_factory):
    """Checkpoints of each network after a few steps, by name and modality."""

    def make(name, modality='rgb'):
        network, loss = NETWORKS[name]
        network = {**network, 'modality': modality}
        config = config_of(
            {
                'name': f'tiny_{name}',
                'network': network,
                'loss': {'kind': loss},
                'modality': modality,
                'batch': 8,
                'steps': 3,
                'precision': 'fp32',
                'log_every': 100,
            }
        )
        out = tmp_path_factory.mktemp(f'{name}_{modality}')
        Run(config, SyntheticCrops([heads], 'train', modality == 'depth'), None, out, ALONE).go()
        return out / 'final.pt'

    made = {}
    return lambda *key: made.setdefault(key, None) or made.update({key: make(*key)}) or made[key]


def test_a_symmetric_file_gives_the_mirrored_pose_for_a_mirrored_crop(trained, heads, tmp_path):
    files = export.export(trained('ours'), tmp_path, Labels('c2f_tiny', '0.0.1', 'stand-in heads'), ['fp32'], [str(heads)], symmetric=True)
    engine = open_engine(str(files['fp32']), 'cpu')
    crops = np.random.default_rng(0).integers(0, 256, (5, 1, 48, 48), np.uint8)
    R, mirrored = engine.infer(crops).rotation, engine.infer(np.ascontiguousarray(crops[..., ::-1])).rotation
    assert np.abs(np.diag([-1.0, 1, 1]) @ R @ np.diag([1.0, -1, 1]) - mirrored).max() < 1e-4


@pytest.mark.parametrize('name, modality', [('ours', 'rgb'), ('ours', 'depth'), ('paper', 'rgb')])
def test_every_precision_keeps_the_contract_and_agrees_with_pytorch(name, modality, trained, heads, tmp_path):
    files = export.export(
        trained(name, modality), tmp_path, Labels('c2f_tiny', '0.0.1', 'stand-in heads'), ['fp16', 'int8'], [str(heads)], calibrate_on=16
    )
    network = checkpoint.network_of(checkpoint.load(trained(name, modality)))
    crops = np.random.default_rng(0).integers(0, 256, (5, 1, network.size, network.size), np.uint8)
    for precision, limit in (('fp32', 0.01), ('fp16', 1.0), ('int8', 15.0)):
        engine = open_engine(str(files[precision]), 'cpu')  # checks the contract
        assert engine.contract.name == 'c2f_tiny' and engine.contract.modality == modality
        assert engine.contract.depth_range_m == (0.5 if modality == 'depth' else 0)
        assert engine.contract.crop_margin == 1.5 and engine.contract.detector_margin == pytest.approx(1.5 / 1.3, abs=1e-3)
        assert export.differences_deg(network, files[precision], crops).max() < limit
        assert not any('landmarks' in weight.name for weight in onnx.load(str(files[precision])).graph.initializer)  # of training alone
    rotation = engine.infer(crops).rotation
    assert np.abs(rotation @ np.swapaxes(rotation, 1, 2) - np.eye(3)).max() < 1e-3


def test_fused_regressors_are_the_separate_ones(trained):
    network = checkpoint.network_of(checkpoint.load(trained('ours')))
    crops = torch.randint(0, 256, (3, 1, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        before = network(crops)
        network.fuse()
        after = network(crops)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(before, after, strict=True))


def test_a_file_that_differs_from_pytorch_is_refused_and_not_written(trained, tmp_path, monkeypatch, capsys):
    """Exports another network than the one that is compared: a quarter degree is too much. The file of a former export stays."""
    real = export.write_onnx

    def other(network, size, path, properties):
        with torch.no_grad():
            network.regressors.fused.bias[1::9] += 0.0044 * network.regressors.fused.bias[0::9]  # first column turned by 0.25 degrees
        real(network, size, path, properties)
        with torch.no_grad():
            network.regressors.fused.bias[1::9] -= 0.0044 * network.regressors.fused.bias[0::9]

    monkeypatch.setattr(export, 'write_onnx', other)
    with pytest.raises(ExportError, match=r'more than 0[.]1'):
        export.export(trained('ours'), tmp_path / 'new', Labels('c2f_tiny', '0.0.1', 'stand-in heads'), [])
    assert not (tmp_path / 'new').exists()
    (tmp_path / 'c2f_tiny.onnx').write_text('before')
    assert export.main([str(trained('ours')), '--name', 'c2f_tiny', '--out', str(tmp_path)]) == 2
    assert 'error: c2f_tiny.onnx differs' in capsys.readouterr().err and (tmp_path / 'c2f_tiny.onnx').read_text() == 'before'


@pytest.mark.parametrize('options', [['--data', 'csv:own.csv', '--precision', 'int8'], ['--calibrate', 'csv:own.csv']])
def test_labelled_pictures_in_place_of_a_dataset_are_answered_with_what_is_right(options, trained, tmp_path, capsys):
    assert export.main([str(trained('ours')), '--name', 'x', '--out', str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert 'csv:own.csv: labelled pictures are for training' in error and 'training.render' in error and error.count('\n') == 1


@pytest.mark.parametrize('name', ['', ' ', '.', '..', 'my/model', '/model', 'my\\model', 'my\nmodel'])
def test_a_name_that_no_file_can_have_is_refused_before_anything_is_written(name, trained, tmp_path, capsys):
    assert export.main([str(trained('ours')), '--name', name, '--out', str(tmp_path / 'models')]) == 2
    assert 'is no name of a file' in capsys.readouterr().err and not (tmp_path / 'models').exists()


def test_a_name_of_words_or_other_letters_is_a_name(tmp_path):
    assert [Labels(name, '1').name for name in ('my model', 'ünï', 'c2f_edge-2.0')] == ['my model', 'ünï', 'c2f_edge-2.0']


def test_int8_without_renders_is_refused(trained, tmp_path):
    with pytest.raises(ValueError, match='--data'):
        export.export(trained('ours'), tmp_path, Labels('x', '0', ''), ['int8'])


def test_samples_beyond_the_angles_given_are_left_out(trained, heads, tmp_path):
    from training.data.crops import SyntheticCrops
    from training.models.rotations import ypr_from_rotation

    yaw, pitch, _ = np.degrees(ypr_from_rotation(SyntheticCrops([heads], None).R_crop_head).numpy()).T
    limit = float(np.median(np.abs(yaw)))
    files = export.export(trained('ours'), tmp_path, Labels('c2f_tiny', '0.0.1', 'stand-in heads'), [])
    within = ['--split', 'all', '--within', str(limit), '90']
    assert evaluate([str(files['fp32']), f'synthetic:{heads}', *within, '--out', str(tmp_path), '--device', 'cpu']) == 0
    with open(tmp_path / 'summary.csv', newline='') as file:
        (row,) = csv.DictReader(file)
    assert 0 < int(row['n']) == ((np.abs(yaw) <= limit) & (np.abs(pitch) <= 90)).sum() < len(yaw)


def test_a_checkpoint_and_its_file_get_the_same_figures(trained, heads, tmp_path):
    """One interface: the rows differ in name and time only."""
    files = export.export(trained('ours'), tmp_path, Labels('c2f_tiny', '0.0.1', 'stand-in heads'), [])
    for i, source in enumerate((trained('ours'), files['fp32'])):
        assert evaluate([str(source), f'synthetic:{heads}', f'disturbed:{heads}', '--out', str(tmp_path / str(i)), '--device', 'cpu']) == 0
    rows = [list(csv.DictReader(open(tmp_path / str(i) / 'summary.csv', newline=''))) for i in (0, 1)]  # noqa: SIM115
    for a, b in zip(*rows, strict=True):
        assert a['set'] == b['set'] and float(a['mae']) == pytest.approx(float(b['mae']), abs=0.01)
        assert float(a['within_1']) == pytest.approx(float(b['within_1']), abs=0.01) and a['commit'] == b['commit']
    written = {p.name for p in (tmp_path / '0').iterdir()}
    assert {'summary.csv', *(f'{row["files"]}_{kind}.png' for row in rows[0] for kind in ('worst', 'bins'))} <= written


def test_missing_real_data_is_reported_and_fails_the_command(trained, monkeypatch, capsys):
    monkeypatch.delenv('AFLW2000_DIR', raising=False)
    assert evaluate([str(trained('ours')), 'aflw2000', '--device', 'cpu']) == 1
    assert 'AFLW2000_DIR' in capsys.readouterr().err


def test_checkpoints_load_without_executing_anything(trained, tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return print, ('executed',)

    (tmp_path / 'evil.pt').write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r'evil.pt is damaged or no checkpoint$'):
        checkpoint.load(tmp_path / 'evil.pt')
    torch.save({'format': 99}, tmp_path / 'old.pt')
    with pytest.raises(ValueError, match='format 1'):
        open_model(tmp_path / 'old.pt')


@pytest.mark.parametrize(
    'damage, words',
    [
        (lambda b, content: b[: len(b) // 2], 'is damaged or no checkpoint$'),
        (lambda b, content: b'', 'is damaged or no checkpoint$'),
        (lambda b, content: bytes(range(256)) * 20, 'is damaged or no checkpoint$'),
        (lambda b, content: b[: len(b) // 2] + bytes(500) + b[len(b) // 2 + 500 :], 'is damaged or no checkpoint$'),
        (lambda b, content: written(torch.nn.Linear(1, 1)), 'is damaged or no checkpoint$'),
        (lambda b, content: written([1]), 'is no checkpoint of this project'),
        (lambda b, content: written({'format': 1, 'weights': {}}), 'it has no entry config'),
        (lambda b, content: written(content | {'average': {}}), 'its weights are not those of the network that it names'),
        (lambda b, content: written(content | {'average': {k: v * np.nan for k, v in content['average'].items()}}), 'are not numbers'),
    ],
    ids=['truncated', 'empty', 'noise', 'zeroed', 'module', 'list', 'keys', 'weights', 'nan'],
)
def test_a_damaged_checkpoint_is_refused_by_name_and_leaves_no_folder(damage, words, trained, tmp_path, capsys):
    source = tmp_path / 'damaged.pt'
    source.write_bytes(damage(trained('ours').read_bytes(), dict(checkpoint.load(trained('ours')))))
    assert export.main([str(source), '--name', 'x', '--out', str(tmp_path / 'out')]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith(f'error: {source}') and re.search(words, told) and 'weights_only' not in told
    assert not (tmp_path / 'out').exists()


def written(content):
    """The bytes that torch writes for a content."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def test_each_precision_is_reported_beside_fp32(trained, heads, tmp_path, capsys):
    """A set that is not at hand is said and left out; the first file's loss against itself is nothing."""
    files = export.export(trained('ours'), tmp_path, Labels('c2f_tiny', '0.0.1', 'stand-in heads'), ['fp32', 'int8'], [str(heads)])
    export.report_sets(files, [f'disturbed:{heads}', 'boston'], tmp_path)
    told = capsys.readouterr()
    assert '+0.000 MAE against fp32' in told.out and 'boston: not run.' in told.err
    with open(tmp_path / 'precisions.csv', newline='') as file:
        assert [row['model'] for row in csv.DictReader(file)] == ['c2f_tiny 0.0.1', 'c2f_tiny_int8 0.0.1']


@pytest.mark.parametrize('name, configuration', [('c2f_edge', 'edge_fast'), ('c2f', 'edge_128')])
def test_the_shipped_weights_are_the_shipped_models_and_their_configuration_begins_with_them(name, configuration):
    """Trained on renders and turned portraits, as the checkpoint and the file both state; the configuration's network takes them. The
    estimates of c2f_edge are the file's; c2f's file has its network beside another one, so the heads' weights are looked for."""
    content = checkpoint.load(Path(__file__).parents[2] / 'training' / 'checkpoints' / f'{name}.pt')
    network = checkpoint.network_of(content)
    assert content['config']['network'] == read_config(configuration).network
    assert content['rendered'] is False and any('portraits' in name for name in content['data'])
    stated = open_session(model_path(name), 1).get_modelmeta().custom_metadata_map['training_data']
    assert 'portraits' in stated and 'nothing real' not in stated
    if name == 'c2f':
        heads = content['average']['regressors.first.weight'].numpy()
        weights = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(model_path(name)).graph.initializer]
        assert any(np.array_equal(found, like) for found in weights for like in (heads, heads.T) if found.shape == like.shape)
        return
    crops = torch.randint(0, 256, (16, 1, network.size, network.size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        rotation = network(crops)[0].numpy()
    assert geometry.geodesic_deg(open_engine(name, 'cpu').infer(crops.numpy()).rotation, rotation).max() < 0.1
