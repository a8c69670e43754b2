"""The tables' command, end to end at tiny scale, and the scales' trainings."""

from dataclasses import replace

import pytest
import torch

from training import tables
from training.evaluation import results
from training.evaluation.results import NOT_RUN
from training.loop import checkpoint
from training.paper import experiments
from training.paper.published import TABLES
from training.synthetic import stand_in


@pytest.fixture(autouse=True)
def one_thread_and_no_real_data(monkeypatch):
    torch.set_num_threads(1)
    for variable in ('BIWI_DIR', 'BOSTON_DIR', 'POINTING04_DIR'):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize('number', sorted(TABLES))
def test_table_runs_end_to_end_at_tiny_scale(number, tmp_path, capsys, monkeypatch):
    """Every row is there; synthetic cells hold figures, cells of absent sets say so; nothing is written beside the project's results."""
    monkeypatch.setattr(results, 'FOLDER', tmp_path)
    tables.main([str(number), '--tiny'])
    printed = capsys.readouterr().out
    assert 'TINY' in printed and 'scale: tiny' in printed
    assert all(row in printed for row in TABLES[number].rows)
    assert not list(tmp_path.glob('*.csv'))
    table = printed[printed.index('Table') :]
    if number in (2, 3, 4, 5, 8):
        assert NOT_RUN in table
    if number in (6, 7):
        assert NOT_RUN not in table


@pytest.mark.parametrize('options, said', [
    (['--small'], '--scale: only with --run'),
    (['--data', 'x', '--minutes', '3'], '--data, --minutes: only with --run'),
    (['--tiny', '--scale', 'small'], '--scale: only with --run'),
    (['--tiny', '--run'], 'not allowed with argument'),
    (['--tiny', '--waiting'], '--tiny writes nothing'),
    (['--run', '--data', 'x', '--minutes', '0'], '--minutes'),
])  # fmt: skip
def test_options_that_would_not_count_are_refused(options, said, capsys):
    with pytest.raises(SystemExit):
        tables.main(['5', *options])
    assert said in capsys.readouterr().err


def test_every_cell_of_the_paper_has_its_column():
    for table in TABLES.values():
        assert all(len(row) == len(table.columns) for row in table.rows.values())
    assert TABLES[2].rows['pitch, yaw'] == (99.92, 92.35)
    assert TABLES[4].rows['Our method'] == (5.48, 3.23, 4.76, 4.33, 4.29, 3.30, 0.56)
    assert {e.row for e in experiments.of_table(3)} == set(TABLES[3].rows)


def test_a_small_run_trains_narrower_networks_and_states_it(tmp_path, monkeypatch):
    """Two steps instead of 800; single regressors keep their published width, which is small already."""
    monkeypatch.setattr(results, 'FOLDER', tmp_path / 'results')
    small = experiments.SCALES['small']
    monkeypatch.setitem(experiments.SCALES, 'small', replace(small, changes=small.changes | {'steps': 2, 'batch': 4, 'validate_on': 8}))
    stand_in.write(tmp_path / 'heads', 40, 96, limits_deg=(30, 30, 15))
    monkeypatch.chdir(tmp_path)
    tables.main(['4', '--run', '--small', '--data', str(tmp_path / 'heads'), '--out', str(tmp_path / 'runs')])
    rows = [f for f in results.read(4, tmp_path / 'results') if f.cell == 'synthetic yaw']
    assert {f.row for f in rows} == {'Liu et al.', 'Ahn et al.', 'Single GoogLeNet regressor', 'Our method'}
    assert all('8 samples' in f.scale for f in rows)
    shapes = {f.row: f.scale.split(',')[0] for f in rows}
    assert shapes['Our method'] == shapes['Single GoogLeNet regressor'] == 'small: a quarter of the channels'
    assert shapes['Ahn et al.'] == shapes['Liu et al.'] == 'small: channels and pixels as published'
    command = 'python -m training.tables 4 --run --small --data heads --out runs --rows'
    assert {f.command for f in rows} >= {f"{command} 'Ahn et al.'", f"{command} 'Our method'"}
    assert {f.trained_by for f in rows} == {checkpoint.load(tmp_path / 'runs' / 'small' / 'paper-synthetic' / 'final.pt')['commit']}
    kept = checkpoint.load(tmp_path / 'runs' / 'small' / 'paper-synthetic' / 'final.pt')['config']
    assert kept['network']['width'] == 0.25 and kept['network']['size'] == 96 and kept['optimiser']['kind'] == 'adamw'


def test_the_medium_scale_trains_half_a_million_samples_a_row():
    """4,000 steps of 128 are 512,000 samples."""
    medium = experiments.SCALES['medium']
    for number in sorted(TABLES):
        for row in experiments.of_table(number, medium):
            config = row.run_config(medium)
            assert config.steps * config.batch == 512_000 and config.precision == 'auto'
            assert config.optimiser['kind'] == ('sgd' if 'SGD' in row.row else 'adamw')
    ours = experiments.of_table(3, medium)[0].run_config(medium)
    assert (ours.network['width'], ours.network['size']) == (0.5, 96)
    assert 'Our method, SGD' not in {row.row for row in experiments.of_table(3)}


def test_a_medium_run_repeats_decisive_rows_writes_each_as_it_ends_and_does_not_train_it_again(tmp_path, monkeypatch):
    """Two steps of four samples, of two seeds where a conclusion depends on the row; the value is the mean of both.

    The regressor of Ahn is trained once and has no spread.
    """
    medium = experiments.SCALES['medium']
    quick = {'steps': 2, 'batch': 4, 'validate_on': 8}
    tiny = replace(medium, width=0.0625, size=64, channels=4, hidden=8, changes=medium.changes | quick)
    monkeypatch.setitem(experiments.SCALES, 'medium', tiny)
    stand_in.write(tmp_path / 'heads', 40, 96, limits_deg=(30, 30, 15))
    monkeypatch.chdir(tmp_path)
    command = ['4', '--run', '--scale', 'medium', '--data', 'heads', '--out', 'runs', '--results', 'results']
    written = []
    write = results.write
    monkeypatch.setattr(results, 'write', lambda figures, folder: written.append({f.row for f in figures}) or write(figures, folder))
    assert tables.main(command) is None
    rows = {f.row: f for f in results.read(4, tmp_path / 'results') if f.cell == 'synthetic yaw'}
    assert written == [*[{'Our method'}] * 2, {'Ahn et al.'}, *[{'Single GoogLeNet regressor'}] * 2, *[{'Liu et al.'}] * 2]
    assert {name: row.seeds for name, row in rows.items()} == {
        'Liu et al.': 2, 'Ahn et al.': 1, 'Our method': 2, 'Single GoogLeNet regressor': 2}  # fmt: skip
    assert [bool(rows[name].spread) for name in ('Ahn et al.', 'Our method')] == [False, True]
    as_published = 'medium: channels and pixels as published'
    assert all(
        row.scale.startswith('medium: half of the channels, 96x96')
        for name, row in rows.items()
        if name not in ('Liu et al.', 'Ahn et al.')
    )
    assert rows['Liu et al.'].scale.startswith(as_published) and rows['Ahn et al.'].scale.startswith(as_published)
    finals = sorted((tmp_path / 'runs').rglob('final.pt'))
    times = [path.stat().st_mtime_ns for path in finals]
    assert len(finals) == 7  # Ahn, and two seeds of each of the others
    assert tables.main(command) is None
    assert [path.stat().st_mtime_ns for path in finals] == times


def test_the_old_option_for_the_small_scale_is_accepted(capsys):
    with pytest.raises(SystemExit):
        tables.main(['4', '--small'])  # without --run: refused as --scale is
    told = capsys.readouterr().err
    assert '--small is deprecated: use --scale small' in told and '--scale: only with --run' in told
