"""Networks side by side: the same crops for all, figures as by hand, and what happens without faces or peers."""

import json

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs torch: make test installs it')

from c2f_head_pose import geometry
from training.datasets.base import Face
from training.studies import peer_networks, peers


class Answering:
    """Says yaw in degrees from the crop's first pixel's blue, and nothing else."""

    name, size, margin = 'answering', 32, 1.4

    def rotation(self, image):
        assert image.shape == (32, 32, 3) and image.dtype == np.uint8
        return geometry.rotation_from_ypr_deg(np.array([float(image[0, 0, 0]), 0.0, 0.0]))


def face(**changed) -> Face:
    points = np.array([[40.0, 30.0], [79.0, 30.0], [40.0, 69.0]])
    picture = np.zeros((100, 120, 3), np.uint8)
    picture[:, :, 0] = np.arange(120)
    given = {'landmarks': np.array([[40.0, 30.0], [80.0, 70.0]]), 'points21': points} | changed
    return Face('face', np.array([10.0, 0.0, 0.0]), lambda: picture, **given)


def test_errors_are_the_mean_of_the_absolute_differences():
    """Yaws 10 and 20 answered 13 and 19: 3 and 1 off, 2 in the mean; pitch and roll right, so the mean of three is 2/3."""
    crops = [np.full((32, 32, 3), value, np.uint8) for value in (13, 19)]
    found = peers.errors(Answering(), crops, np.array([[10.0, 0.0, 0.0], [20.0, 0.0, 0.0]]))
    assert found['yaw'] == pytest.approx(2) and found['pitch'] == pytest.approx(0, abs=1e-6) and found['mae'] == pytest.approx(2 / 3)


def test_each_kind_of_crop_is_cut_as_its_protocol_defines():
    """Columns hold their own number. Landmarks: 40 x 40 about (60, 50), 1.4 times 40 = 56, from column 32 on, 56 / 32 columns a pixel:
    the first averages columns 32 and 33 (32.4). Published: points from 40 to 79, 0.4 * 39 = 15.6 more, from column 24 to 93 (94 left
    out), 70 columns to 32: bilinear at 0.5 * 70 / 32 - 0.5 = 0.59, column 24.6.
    """
    image = face().read()
    assert peers.cut_for(Answering(), face(), image, 'landmarks')[0, 0, 0] in (32, 33)
    assert peers.cut_for(Answering(), face(), image, 'published')[0, 0, 0] in (24, 25)


def test_peers_without_their_files_are_left_out(tmp_path):
    assert [one.name for one in peer_networks.networks(['c2f_edge'], tmp_path, 1)] == ['c2f_edge']


def test_without_faces_only_speed_is_measured(tmp_path, capsys):
    assert peers.main(['c2f_edge', '--peers', str(tmp_path), '--seconds', '0.1', '--output', str(tmp_path)]) == 0
    report = json.loads((tmp_path / 'peers.json').read_text())
    (row,) = report['rows']
    assert row['crop'] == 'rendered' and row['faces'] == 0 and np.isnan(row['mae_deg'])
    assert set(row['timing']) == {'1', '2'} and row['timing']['1']['median_ms'] > 0 and row['over_first']['1'] == 1.0
    assert report['machine']['processor'] and not (tmp_path / 'pareto.png').exists()
    assert '| c2f_edge | rendered | 0 |' in capsys.readouterr().out


def test_a_folder_without_faces_explains_how_to_get_them(tmp_path, capsys):
    assert peers.main(['--faces', str(tmp_path)]) == 1
    assert 'AFLW2000-3D' in capsys.readouterr().err


@pytest.mark.parametrize('option', [['--limit', '0'], ['--limit', '-1'], ['--seconds', '-1'], ['--seconds', '0']])
def test_a_number_that_measures_nothing_is_refused(option, capsys):
    with pytest.raises(SystemExit):
        peers.main(option)
    assert option[0] in capsys.readouterr().err


def test_a_model_that_reads_no_images_is_not_compared(tmp_path, capsys):
    assert peers.main(['c2f_depth', '--output', str(tmp_path)]) == 1
    assert 'c2f_depth: a depth model reads no images' in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_read_is_reported(tmp_path, monkeypatch, capsys):
    def damaged():
        raise ValueError('image00002.jpg is no picture')

    monkeypatch.setattr(peers, 'open_faces', lambda *_: [Face('x', np.zeros(3), damaged)])
    assert peers.main(['c2f_edge', '--faces', str(tmp_path), '--output', str(tmp_path)]) == 2
    assert capsys.readouterr().err == 'error: image00002.jpg is no picture\n'


def test_the_plot_shows_every_network(tmp_path):
    rows = [peers.Row(name, 'published', 9, 1.0, 1.0, 1.0, mae, {}, {}, ms) for name, mae, ms in (('a', 5.0, 1.0), ('b', 4.0, 2.0))]
    peers.pareto(rows, tmp_path / 'plots' / 'pareto.png')
    assert (tmp_path / 'plots' / 'pareto.png').stat().st_size > 5000
