"""What training commands say of themselves before they read anything."""

import pytest
import torch

from training import campaign, train
from training.loop.distributed import Place


def test_shards_that_do_not_divide_are_refused_before_data_are_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, 'join', lambda device: Place(0, 2, torch.device('cpu')))
    assert train.main(['edge', '--data', str(tmp_path / 'nowhere'), '--out', str(tmp_path / 'out')]) == 2
    assert '1 shards do not divide among 2 processes' in capsys.readouterr().err and not (tmp_path / 'out').exists()


@pytest.mark.parametrize('content', ['{', None])
def test_a_campaign_tells_of_a_folder_it_cannot_use_in_a_line(content, tmp_path, capsys):
    """A damaged campaign.json, or a file in the folder's place."""
    out = tmp_path / 'out'
    if content is None:
        out.touch()
    else:
        out.mkdir()
        (out / 'campaign.json').write_text(content)
    assert campaign.main(['--out', str(out), '--device', 'cpu', '--no-render']) == 2
    assert capsys.readouterr().err.startswith('error: ')
