"""What training commands say of themselves before they read anything."""

import argparse

import pytest
import torch

from training import campaign, train
from training.command import add_workers_option
from training.loop.distributed import DistributedContext


def test_shards_that_do_not_divide_are_refused_before_data_are_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, 'init_distributed', lambda device: DistributedContext(0, 2, torch.device('cpu')))
    assert train.main(['edge', '--data', str(tmp_path / 'nowhere'), '--out', str(tmp_path / 'out')]) == 2
    assert '1 shards do not divide among 2 processes' in capsys.readouterr().err and not (tmp_path / 'out').exists()


@pytest.mark.parametrize('content', ['{', None])
def test_a_campaign_reports_a_folder_it_cannot_use_in_one_line(content, tmp_path, capsys):
    """A damaged campaign.json, or a file in the folder's place."""
    out = tmp_path / 'out'
    if content is None:
        out.touch()
    else:
        out.mkdir()
        (out / 'campaign.json').write_text(content)
    assert campaign.main(['--out', str(out), '--device', 'cpu', '--no-render']) == 2
    assert capsys.readouterr().err.startswith('error: ')


def test_the_old_name_of_an_option_is_accepted_with_a_line_that_names_the_new_one(capsys):
    parser = argparse.ArgumentParser()
    add_workers_option(parser)
    assert parser.parse_args([]).workers == 0 and parser.parse_args(['--workers', '3']).workers == 3
    assert not capsys.readouterr().err
    assert parser.parse_args(['--feeders', '2']).workers == 2
    assert capsys.readouterr().err == '--feeders is deprecated: use --workers\n'
