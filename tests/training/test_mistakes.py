"""Mistakes on the command lines of training: one line names each, and nothing is left behind."""

import pytest
import torch

from training import campaign, train
from training.loop.distributed import init_distributed
from training.studies import ablations


def test_a_mistake_on_the_command_line_is_reported_in_one_line(heads, tmp_path, capsys):
    command = ['--data', str(heads), '--out', str(tmp_path), '--device', 'cpu', '--set']
    for change, words in (
        ('modality=depth', 'set network.modality'),
        ('network.subspaces=six', "subspaces 'six'"),
        ('optimiser.kind=sgd', "optimiser 'sgd' takes lr, momentum, weight_decay"),
        ('nonsense', 'KEY=VALUE'),
    ):
        assert train.main(['edge', *command, change]) == 2
        told = capsys.readouterr().err.splitlines()
        assert told[-1].startswith('error: ') and words in told[-1]
    assert ablations.main(['--data', str(tmp_path / 'nowhere'), '--out', str(tmp_path)]) == 2
    assert 'nowhere has no manifest.json' in capsys.readouterr().err


def test_another_device_or_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setenv('LOCAL_RANK', '1')
    with pytest.raises(ValueError, match='sees 1 GPUs, process 1 has none'):
        init_distributed('cuda')
    with pytest.raises(ValueError, match="device 'tpu' is none of 'auto', 'cpu', 'cuda'"):
        init_distributed('tpu')


@pytest.mark.parametrize(
    'command, wrong',
    [
        (train.main, ['--steps', '0']),
        (train.main, ['--threads', '0']),
        (train.main, ['--workers', '-1']),
        (train.main, ['--limit', '0']),
        (train.main, ['--minutes', '-1']),
        (train.main, ['--minutes', 'nan']),
        (train.main, ['--pause-minutes', '-1']),
        (ablations.main, ['--steps', '0']),
        (ablations.main, ['--limit', '-3']),
        (campaign.main, ['--count', '0']),
        (campaign.main, ['--hours', '0']),
        (campaign.main, ['--hours', '-1']),
    ],
)
def test_numbers_that_no_command_can_use_are_refused(command, wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match='2'):
        command([*{train.main: ['edge', '--data', 'x'], ablations.main: ['--data', 'x']}.get(command, []), '--out', 'y', *wrong])
    assert f'argument {wrong[0]}: {wrong[1]} is not a' in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_mistyped_command_leaves_no_folder(heads, tmp_path, capsys):
    out = tmp_path / 'out'
    for wrong in (['--set', 'modality=depth'], ['--start', str(tmp_path / 'nowhere.pt')], ['--device', 'tpu']):
        assert train.main(['edge', '--data', str(heads), '--out', str(out), '--device', 'cpu', *wrong]) == 2
    assert not out.exists() and capsys.readouterr().err.count('error: ') == 3
