"""What the render command refuses, and that it then leaves nothing behind: all without drawing anything."""

import importlib.metadata
import queue
import shutil
from types import SimpleNamespace

import pytest

from training import render
from training.synthetic import layout, presets, produce

MANIFEST = layout.Manifest(preset='wide', seed=1, count=4, shard_size=500, crop_size=96)


def begin(output, manifest=MANIFEST, part=(0, 1)):
    produce.produce(presets.PRESETS['wide'], output, manifest, 1, 'cpu', part, None)


@pytest.mark.parametrize(
    'option, value',
    [
        *((f'--{name}', '0') for name in ('count', 'shard-size', 'workers', 'crop-size', 'identities', 'per-head')),
        ('--count', '-5'),
        ('--seed', '-1'),
        ('--yaw', '-10'),
        ('--pitch', 'nan'),
        ('--roll', '181'),
        *(('--shard', value) for value in ('abc', '1', '2/2', '0/0', '-1/2')),
    ],
)
def test_values_that_nothing_can_be_rendered_with_are_refused(option, value, tmp_path, capsys):
    with pytest.raises(SystemExit, match='2'):
        render.main(['--output', str(tmp_path / 'x'), f'{option}={value}'])
    assert f'argument {option}: {value} is not ' in capsys.readouterr().err and not (tmp_path / 'x').exists()


def test_a_refused_command_does_not_change_the_folder(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='file is a file: give a folder'):
        begin(tmp_path / 'file')
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(RuntimeError, match='new lacks'):
        begin(tmp_path / 'new')
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_rendering_needs_nothing_that_only_builds_the_assets(tmp_path, monkeypatch):
    """As on a machine with the built assets, as in a kit, and without anny."""
    installed = {'numpy': '2.2.6', 'moderngl': '5.12.0'}

    def version(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, 'version', version)
    (tmp_path / 'assets.npz').touch()
    manifest = produce.manifest_of(presets.PRESETS['wide'], 4, 1, 500, tmp_path, 'python -m training.render')
    assert manifest.versions.pop('python') and manifest.versions == installed


def test_mistakes_are_reported_in_one_line_with_status_2(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(render, 'ensure_assets', lambda: tmp_path)
    monkeypatch.setattr(produce, 'manifest_of', lambda *args: MANIFEST)
    (tmp_path / 'file').touch()
    for command in (['--output', str(tmp_path / 'file')], ['--output', 'x', '--backgrounds', str(tmp_path)], ['--output', '/proc/x']):
        assert render.main(command) == 2
    assert capsys.readouterr().err.count('error: ') == 3


def test_a_job_without_a_shard_of_its_own_has_nothing_to_do(tmp_path, capsys, monkeypatch):
    """Four samples are one shard: the second of two jobs gets none."""
    monkeypatch.setattr(render, 'ensure_assets', lambda: tmp_path)
    monkeypatch.setattr(produce, 'manifest_of', lambda *args: MANIFEST)
    assert render.main(['--count', '4', '--output', str(tmp_path / 'x'), '--shard', '1/2']) is None
    assert '0 samples in 0 of 1 shards' in capsys.readouterr().out and layout.read_manifest(tmp_path / 'x') == MANIFEST


def test_the_sheets_are_listed_without_anything_else(capsys):
    assert render.main(['--sheet', 'help']) is None
    assert 'crops, poses, people' in capsys.readouterr().out


def test_the_last_sample_is_printed_once_and_small_sizes_in_megabytes(tmp_path, capsys, monkeypatch):
    """4 samples of 96 x 96 pixels of 4 bytes and 2 % are 0.15 MB."""
    told = queue.Queue()
    for message in (('device', 'llvmpipe'), *(('sample', 1),) * 4, ('end', 0), ('end', 0)):
        told.put(message)
    begun = []
    produce._watch([SimpleNamespace(join=lambda: None)] * 2, told, 4, lambda: begun.append(1))
    assert begun == [1] and capsys.readouterr().out.count('4/4') == 1
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(RuntimeError, match=r'lacks 0\.1 MB'):
        begin(tmp_path / 'new')
    assert '0.2 MB of disk' in capsys.readouterr().out
