"""The ablations' table: every choice has its row, figures are what they say, and what is trained is not trained again."""

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from c2f_head_pose import geometry
from training.loop.config import read_config
from training.models.factory import build
from training.studies import ablations
from training.synthetic import stand_in
from training.synthetic.people.identities import population

torch.set_num_threads(1)
TINY = ['network.size=32', 'network.widths=[8]', 'network.depths=[1]', 'network.stem=4', 'batch=8', 'precision=fp32']


class Turned(torch.nn.Module):
    """Answers the truth turned by 10 degrees about the head's x axis, with 5 degrees of stated deviation, always L1."""

    def __init__(self, truth):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        turn = geometry.rotation_from_vector(np.radians([10.0, 0, 0]))
        self.answer = torch.from_numpy(truth @ turn)

    def forward(self, crops):
        n = len(crops)
        return self.answer[:n], torch.full((n, 3), float(np.radians(5.0))), torch.tensor([[1.0, 0, 0, 0]]).repeat(n, 1)


def test_figures_of_a_known_error():
    """Poses (yaw, pitch): (20, 10) is L1 and 10 from the nearest border, (3, -10) is L2 and near one, (20, 80) is not in use.

    10 degrees off everywhere; one of the two in use has its category; of d = (10, 0, 0) two components of three are within 5.
    """
    truth = geometry.rotation_from_ypr_deg(np.array([[20.0, 10, 0], [3, -10, 0], [20, 80, 0]]))
    found = ablations.figures(Turned(truth), torch.zeros(3, 1, 8, 8, dtype=torch.uint8), truth)
    assert found == pytest.approx({'all': 10, 'in_use': 10, 'near_border': 10, 'coarse': 0.5, 'within_1': 2 / 3}, abs=1e-3)


def test_the_ablations_read_the_same_crops_and_batches():
    configs = [read_config(name) for name in ablations.names()]
    assert {(c.size, c.batch, c.modality) for c in configs} == {(96, 128, 'rgb')}
    assert ablations.names()[0] == 'edge' and 'edge_hard' in ablations.names() and 'edge_fast' not in ablations.names()


def test_every_ablation_undoes_something_and_each_has_a_row(tmp_path, capsys):
    """Two steps each on stand-in heads; a second call only tests again, and replaces the rows."""
    stand_in.write(tmp_path / 'heads', 60, 64)
    command = ['--data', str(tmp_path / 'heads'), '--out', str(tmp_path / 'runs'), '--results', str(tmp_path / 'a.csv'), '--steps', '2']
    command += ['--only', 'edge', 'edge_no_landmarks', '--set', *TINY]
    ablations.main(command)
    trained = (tmp_path / 'runs' / 'c2f_edge-1' / 'final.pt').stat().st_mtime_ns
    ablations.main(command)
    with open(tmp_path / 'a.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(r['configuration'], r['seed'], r['iterations'], r['samples']) for r in rows] == [
        ('edge', '0', '2', '16'),
        ('edge', '1', '2', '16'),
        ('edge_no_landmarks', '0', '2', '16'),
    ]
    assert (tmp_path / 'runs' / 'c2f_edge-1' / 'final.pt').stat().st_mtime_ns == trained
    assert 'network.size=32' in rows[0]['command'] and len(rows[0]['data_hash']) == 16


def test_a_training_of_other_settings_or_data_is_not_taken_for_this_one(tmp_path):
    for name, seed in (('heads', 0), ('others', 1)):
        stand_in.write(tmp_path / name, 20, 64, seed=seed)
    config = read_config('edge', [*TINY, 'steps=1'])
    ablations.train(config, [str(tmp_path / 'heads')], tmp_path / 'runs', 'cpu', 0)
    ablations.train(config, [str(tmp_path / 'heads')], tmp_path / 'runs', 'cpu', 0)
    with pytest.raises(ValueError, match=r'final\.pt was trained with other steps, ema:'):
        ablations.train(replace(config, steps=2, ema=0.5), [str(tmp_path / 'heads')], tmp_path / 'runs', 'cpu', 0)
    with pytest.raises(ValueError, match=r'final\.pt was trained with other data:'):
        ablations.train(config, [str(tmp_path / 'others')], tmp_path / 'runs', 'cpu', 0)


def test_one_regressor_is_all_that_the_single_ablation_changes():
    """The classifier reports the same eight sub-spaces; 8 regressors of 64 and 9 outputs become one, whose anchor is frontal."""
    edge, single = read_config('edge'), read_config('edge_single')
    assert single == replace(edge, name='c2f_edge_single', network=edge.network | {'gating': 'single'})
    network = build(single.network).eval()
    assert network.classifier.out_features == 8 and network.regressors.weight.shape == (1, 64, 9)
    assert torch.equal(network.anchors[0], torch.from_numpy(geometry.HEAD_AXES).float())
    rotation, std, logits = network(torch.zeros(2, 1, 96, 96, dtype=torch.uint8))
    assert (rotation.shape, std.shape, logits.shape) == ((2, 3, 3), (2, 3), (2, 4))


def test_the_set_that_the_page_names_has_the_crops_that_the_figures_state():
    """24,000 crops, six of a dressed head, show 4,000 of seed 0's 8,000 people once: 211 of them test, 3,574 train."""
    order = np.random.default_rng([0, 0x0DE5, 0]).permutation(8000)  # `CropMaker.identity_of`
    people = population(8000, 0.5, 0)
    crops = Counter(6 * [people[place].split for place in order[: 24_000 // 6]])
    text = (Path(__file__).parents[2] / 'training' / 'RESULTS.md').read_text()
    assert '--preset wide --seed 0 --count 24000 --identities 8000 --per-head 6' in text and f'{crops["train"]:,} to train on' in text
    for name in ('ablations.csv', 'ablations_small.csv'):
        with open(ablations.results.FOLDER / name, newline='') as file:
            assert {int(row['n']) for row in csv.DictReader(file)} == {crops['test']} == {1266}
