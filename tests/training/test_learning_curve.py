"""A run keeps checkpoints, and the curve over them is measured on people it has not seen."""

import csv

import pytest
import torch

from training import tables
from training.loop import checkpoint
from training.paper import experiments
from training.studies import learning_curve
from training.synthetic import stand_in

torch.set_num_threads(1)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A row trained for four steps of eight samples, kept after the first and the second."""
    from dataclasses import replace

    folder = tmp_path_factory.mktemp('curve')
    tiny = replace(experiments.SCALES['tiny'], changes=experiments.SCALES['tiny'].changes | {'steps': 4}, keep_at=(1, 2))
    stand_in.write(folder / 'heads', 60, 96, limits_deg=(30, 30, 15))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(experiments.SCALES, 'full', replace(tiny, name='full', size=64))
        tables.main(['4', '--run', '--rows', 'Ahn et al.', '--data', str(folder / 'heads'), '--out', str(folder / 'runs'),
                     '--results', str(folder / 'results'), '--device', 'cpu'])  # fmt: skip
    return next((folder / 'runs').rglob('final.pt')).parent, folder


def test_a_run_keeps_the_checkpoints_it_is_asked_for(run):
    """Steps 1 and 2 of 8 samples each, then the last after 4 steps: 8, 16 and 32 samples."""
    kept = learning_curve.kept_checkpoints(run[0])
    assert [path.name for path in kept] == ['step_1.pt', 'step_2.pt', 'final.pt']
    assert [checkpoint.load(path)['samples'] for path in kept] == [8, 16, 32]


def test_the_curve_has_a_point_for_each_checkpoint_in_csv_and_plot(run, tmp_path):
    folder, data = run
    learning_curve.main(
        [str(folder), '--data', str(data / 'heads'), '--results', str(tmp_path / 'c.csv'), '--plot', str(tmp_path / 'c.png')]
    )
    with open(tmp_path / 'c.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['samples'] for row in rows] == ['8', '16', '32']
    assert all(0 <= float(row['coarse']) <= 1 and float(row['yaw']) > 0 and int(row['n']) > 0 for row in rows)
    assert rows[0]['command'].startswith('python -m training.studies.learning_curve FOLDER/')
    assert (tmp_path / 'c.png').stat().st_size > 5000


def test_a_run_without_kept_checkpoints_is_refused_with_the_option_that_keeps_them(tmp_path):
    with pytest.raises(ValueError, match=r'has 0 checkpoints.*--keep-at'):
        learning_curve.kept_checkpoints(tmp_path)
