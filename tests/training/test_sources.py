"""What each source of training data is worth: rows are trained once, measured alike, and shown with the spread between seeds."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from stand_in_portraits import BASE, write_portraits
from tiny_training import ALONE

from c2f_head_pose import geometry
from training.data.crops import SyntheticCrops
from training.evaluation import results, sources_table
from training.evaluation.self_consistency import compare
from training.loop import checkpoint
from training.loop.config import read_config
from training.loop.run import Run
from training.studies import sources

TINY = ['network.size=32', 'network.widths=[8]', 'network.depths=[1]', 'network.stem=4', 'batch=8', 'precision=fp32']
TINY += ['optimiser.lr=0.02', 'schedule.warmup=1', 'ema=0.1']


def turned(degrees, axis):
    return geometry.rotation_from_vector(np.radians(degrees) * np.eye(3)[axis])


def test_estimates_that_differ_by_the_turns_agree_whatever_they_are():
    """Person 4 is answered by a constant rotation too many in the head's axes: nothing is apart.

    Person 9, turned by 20 degrees to either side, is answered 4 degrees up on one side and 4 down on the other: the mean is right, both are
    4 apart. Ranges of turns: 0 to 10 has 0 and 0, 10 to 25 has 4 and 4, so they count 0 and 4, and 2 in the mean.
    """
    D = np.stack([np.eye(3), turned(6, 0), turned(20, 1), turned(-20, 1)])
    R = D @ BASE[[4, 4, 9, 9]] @ np.stack([turned(30, 2), turned(30, 2), turned(4, 0), turned(-4, 0)])
    found = compare(R, D, np.array([4, 4, 9, 9]))
    assert found.apart_deg == pytest.approx([0, 0, 4, 4], abs=1e-4)
    assert [(name, count) for name, count, _ in found.by_turn()][:3] == [('0-10', 2), ('10-25', 2), ('25-45', 0)]
    assert found.mean_deg == pytest.approx(2, abs=1e-4)


def figures(row, seed, turns, published=''):
    return {'row': row, 'seed': seed, **dict.fromkeys(sources_table.COLUMNS, '1'), 'turns': turns, 'published': published}


def test_the_interval_is_that_of_the_seeds_of_all_rows():
    """Seeds at 4.0 and 4.2, and at 5 and 5: variances 0.02 and 0, pooled 0.01 with two degrees of freedom, so 4.303 * 0.1 / sqrt(2) = 0.30.

    A row of one seed has 4.303 * 0.1 = 0.43. The weights to begin with are not trained here and have none. A set that is not at hand: '-'.
    """
    rows = [
        figures('start', '', '9'),
        *(
            figures(name, seed, value)
            for name, seed, value in (('a', 0, '4'), ('b', 0, '5'), ('c', 0, '7'), ('a', 1, '4.2'), ('b', 1, '5'))
        ),
    ]
    header, *lines = sources_table.lines(rows)
    assert [line[:3] for line in lines] == [
        ['start', '-', '9.00'],
        ['a', '2', '4.10 ± 0.30'],
        ['b', '2', '5.00 ± 0.30'],
        ['c', '1', '7.00 ± 0.43'],
    ]
    assert lines[0][header.index('AFLW2000 published')] == '-'
    assert sources_table.lines(rows[:4])[2][2] == '4.00'  # one seed each: no spread is known


def test_a_difference_of_rows_is_marked_where_the_interval_excludes_none():
    """Portraits: 3 and 3.2 instead of 4 and 4.2, so -1; scans 3.1 and 3.3, so +0.1. Each row's variance is 0.02, three degrees of freedom:
    3.182 * sqrt(0.02) * sqrt(1 / 2 + 1 / 2) = 0.45.
    """
    half = 'renders, portraits 50 %'
    values = {'renders': ('4', '4.2'), half: ('3', '3.2'), f'{half}, scans': ('3.1', '3.3')}
    rows = [figures(name, seed, turns[seed]) for name, turns in values.items() for seed in (0, 1)]
    first, second, counted = sources_table.differences(rows)
    assert counted == '- Of these 16 differences 1 are in bold; about 1 of 16 would be by chance if no source changed anything.'
    assert first.startswith("- Half of the samples are turned portraits: portraits' turns, all ranges **-1.00** ± 0.45; 0-10 +0.00 ± 0.00")
    assert second.startswith("- A third of the renders have scanned shapes: portraits' turns, all ranges +0.10 ± 0.45;")
    assert "portraits' turns, all ranges -1.00; 0-10" in sources_table.differences(rows[::2])[0]  # one seed each
    assert 'AFLW2000 published' not in first  # not at hand


@pytest.fixture(scope='module')
def materials(tmp_path_factory, heads):
    """Options of the command: renders, portraits, and a network that has seen the renders for two steps."""
    folder = tmp_path_factory.mktemp('sources')
    write_portraits(folder / 'portraits', 60, limits_deg=(70, 30, 8))
    config = read_config('edge', [*TINY, 'steps=2'])
    Run(config, SyntheticCrops([heads], 'train'), None, folder / 'start', ALONE).go()
    return {'--renders': str(heads), '--portraits': str(folder / 'portraits'), '--start': str(folder / 'start' / 'final.pt')}


def run(materials, out, *more, samples=24):
    command = [word for option in materials.items() for word in option]
    command += ['--out', str(out / 'runs'), '--results', str(out / 'sources.csv'), '--samples', str(samples), '--device', 'cpu']
    return sources.main([*command, '--only', 'renders', 'renders, portraits 50 %', *more, '--set', *TINY])


def read(out):
    with open(out / 'sources.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_rows_are_trained_and_measured_once_and_the_first_seed_of_all_comes_first(materials, tmp_path, monkeypatch, capsys):
    """Three steps of 8 samples each. The second call, for another seed, adds that alone; the first call's files stay."""
    for name in ('AFLW2000_DIR', 'POINTING04_DIR'):
        monkeypatch.delenv(name, raising=False)
    assert run(materials, tmp_path, '--seeds', '1') is None
    assert 'AFLW2000' in capsys.readouterr().err
    finals = {path: path.stat().st_mtime_ns for path in (tmp_path / 'runs').glob('*/final.pt')}
    first = read(tmp_path)
    assert run(materials, tmp_path, '--seeds', '2') is None
    rows = read(tmp_path)
    assert rows[:3] == first and [(row['row'], row['seed'], row['samples']) for row in rows] == [
        ('start', '', '0'),
        ('renders', '0', '24'),
        ('renders, portraits 50 %', '0', '24'),
        ('renders', '1', '24'),
        ('renders, portraits 50 %', '1', '24'),
    ]
    assert len(finals) == 2 and all(path.stat().st_mtime_ns == time for path, time in finals.items())
    mixed = checkpoint.load(tmp_path / 'runs' / 'renders+portraits50-0' / 'final.pt')
    assert mixed['data'] == [Path(materials['--renders']).name, 'portraits'] and not mixed['rendered']
    for row in rows:
        assert row['published'] == '' and 0 < float(row['clean']) < 180 and int(row['n_portraits']) == 12
        ranges = [float(row[name]) for name in sources.TURNS if row[name] != 'nan']
        assert float(row['turns']) == pytest.approx(np.mean(ranges), abs=0.02)
    assert len({row['turns'] for row in rows}) == len(rows)  # each is another network
    capsys.readouterr()
    assert run(materials, tmp_path, samples=32) == 2
    assert 'has renders, seed 0, of other samples: give other --results' in capsys.readouterr().err


def test_a_row_on_file_is_known_by_any_hash_of_its_data(tmp_path):
    study = sources.Study(*map(Path, ('r', 'p')), None, None, None, None, tmp_path, tmp_path / 'x.csv', 24)
    known = {'row': 'renders', 'seed': 0, 'samples': 24, 'data_hash': 'new'}
    results.write_rows(study.file, list(known), [known | {'data_hash': 'former'}])
    assert study.has(known, ('new', 'former'))
    with pytest.raises(ValueError, match='has renders, seed 0, of other data_hash'):
        study.has(known, ('new',))


def test_a_row_is_in_the_file_before_the_next_is_trained(materials, tmp_path, capsys):
    """The folder of scans is none, so the second row fails; the first one's figures stay."""
    options = ['--scans', str(tmp_path / 'none'), '--seeds', '1', '--no-faces', '--only', 'renders', 'renders, portraits 50 %, scans']
    assert run(materials, tmp_path, *options) == 2
    assert 'none has no manifest.json' in capsys.readouterr().err
    assert [row['row'] for row in read(tmp_path)] == ['start', 'renders']


def test_weights_that_have_seen_portraits_are_no_common_start(materials, tmp_path, capsys):
    seen = tmp_path / 'seen.pt'
    content = torch.load(materials['--start'], weights_only=True)
    torch.save({**content, 'rendered': False}, seen)
    assert run({**materials, '--start': str(seen)}, tmp_path) == 2
    assert 'seen.pt has seen portraits' in capsys.readouterr().err and not (tmp_path / 'sources.csv').exists()


def test_a_training_with_another_start_or_teacher_is_not_taken_for_this_one(materials, tmp_path, capsys):
    """Both checkpoints have the same settings and data; only what they began with, or were taught by, differs."""
    assert run(materials, tmp_path, '--seeds', '1', '--no-faces') is None
    scratch = {name: value for name, value in materials.items() if name != '--start'}
    (tmp_path / 'sources.csv').unlink()
    capsys.readouterr()
    assert run(scratch, tmp_path, '--seeds', '1', '--no-faces') == 2
    assert 'final.pt was trained with other weights to begin with' in capsys.readouterr().err
    config = sources.Study(
        **dict.fromkeys(('renders', 'portraits', 'scans', 'start', 'face_mesh', 'out', 'file')),
        teacher=None,
        samples=24,
        settings=tuple(TINY),
    )
    data = SyntheticCrops([materials['--renders']], 'train')
    way = sources.Way('cpu', start=Path(materials['--start']), teacher=Path(materials['--start']))
    with pytest.raises(ValueError, match='was trained with other teacher'):
        sources.trained(config.config(0), data, tmp_path / 'runs' / 'renders-0', way)


def test_a_row_takes_its_share_of_portraits_and_scans_by_their_number(tmp_path):
    study = sources.Study(*map(Path, ('r', 'p', 's')), None, None, None, tmp_path, tmp_path / 'x.csv', 100)
    assert [study.data(row) for row in sources.ROWS[:3]] == [['r'], ['r', 'p=0.5'], ['r', 's', 'p=0.5']]
    assert [row.name for row in sources.ROWS[3:]] == [
        'renders, portraits 50 %, scans, teacher',
        'renders, portraits 25 %',
        'renders, portraits 75 %',
        "renders, portraits 50 %, MediaPipe's trunk, pretrained weights",
        "renders, portraits 50 %, MediaPipe's trunk, random weights",
    ]
    assert not study.possible(sources.ROWS[3]) and study.possible(sources.ROWS[2]) and not study.possible(sources.ROWS[-1])
    assert len({row.folder for row in sources.ROWS}) == len(sources.ROWS)


def test_the_rows_of_mediapipes_trunk_begin_with_its_weights_or_with_random_ones(tmp_path):
    """Never with --start, which is another network; both train all weights of one configuration."""
    start, mesh = Path('start.pt'), Path('face_landmark.tflite')
    study = sources.Study(Path('r'), Path('p'), None, None, start, mesh, tmp_path, tmp_path / 'x.csv', 128)
    assert [study.start_of(row) for row in (sources.ROWS[0], *sources.ROWS[-2:])] == [start, mesh, None]
    network = study.config(0, trunk=True).network
    assert (network['kind'], network['frozen'], study.config(0).network['kind']) == ('coarse_to_fine_face_mesh', 0, 'coarse_to_fine')
