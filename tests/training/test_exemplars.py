"""The paper's figures of its data, drawn from rendered sets."""

import cv2
import numpy as np
import pytest

from training.data.crops import SyntheticCrops
from training.studies import exemplars
from training.synthetic import stand_in


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch):
    for variable in ('BIWI_DIR', 'BOSTON_DIR', 'POINTING04_DIR'):
        monkeypatch.delenv(variable, raising=False)


def test_the_grid_of_poses_takes_the_nearest_sample_and_prefers_little_roll():
    """Cells count pitch rows of 75, 45, 15, ... and yaw columns of 50, 30, 10, ...: yaw 10 at pitch 15 is row 2, column 2."""
    ypr = np.array([[50.0, 75, 0], [10, 15, 0], [10, 15, 18], [-50, -75, 0]])
    picked = exemplars.nearest_poses(ypr).reshape(6, 6)
    assert (picked[0, 0], picked[2, 2], picked[5, 5]) == (0, 1, 3) and 2 not in picked


def test_figures_are_drawn_and_a_missing_set_is_named_with_its_remedy(tmp_path, capsys):
    stand_in.write(tmp_path / 'paper', 60, 96, limits_deg=(50, 75, 20))
    stand_in.write(tmp_path / 'robust' / 'blur', 24, 96, seed=1)
    stand_in.write(tmp_path / 'robust' / 'occlusion', 24, 96, seed=1, conditions=('60x60', '60x120'))
    out = tmp_path / 'figures'
    done = exemplars.main(['--data', str(tmp_path / 'paper'), '--robustness', str(tmp_path / 'robust'), '--out', str(out), '--size', '32'])
    assert done == 1  # figures 5 and 7 are left out
    said = capsys.readouterr()
    assert 'left out: figure5, figure7' in said.out and 'BOSTON_DIR' in said.err and 'POINTING04_DIR' in said.err
    sides = {path.name: cv2.imread(str(path)).shape[:2] for path in out.glob('*.jpg')}
    assert sides == {'figure4.jpg': (192, 192), 'figure10.jpg': (192, 192), 'figure8.jpg': (64, 320), 'figure9.jpg': (64, 320)}


def test_uniform_angles_have_a_small_chi_square_and_crowded_ones_a_large_one(tmp_path):
    """200 samples in 20 bins: about 19 for uniform angles.

    Yaw within 16 of 50 degrees fills 6.4 bins with 31 samples each: 6.4 x 21^2 / 10 + 13.6 x 10 = 420.
    """
    stand_in.write(tmp_path / 'heads', 200, 32, limits_deg=(16, 75, 20))
    found = exemplars.distributions(SyntheticCrops([tmp_path / 'heads'], None), tmp_path / 'figure6.png')
    assert found['yaw'] > 250 > 60 > found['pitch'] and (tmp_path / 'figure6.png').stat().st_size > 5000
