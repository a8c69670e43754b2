"""The tables end to end at tiny scale, the paper's figures, and the campaign's order and resumption."""

import json
from dataclasses import replace

import pytest
import torch

from training import campaign, checkpoint, experiments, results, stand_in, tables
from training.campaign import JOBS, Campaign
from training.paper_tables import TABLES
from training.results import NOT_RUN, Figure


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


def test_every_cell_of_the_paper_has_its_column():
    for table in TABLES.values():
        assert all(len(row) == len(table.columns) for row in table.rows.values())
    assert TABLES[2].rows['pitch, yaw'] == (99.92, 92.35)
    assert TABLES[4].rows['Our method'] == (5.48, 3.23, 4.76, 4.33, 4.29, 3.30, 0.56)
    assert {e.row for e in experiments.of_table(3)} == set(TABLES[3].rows)


def figure(**changes):
    values = {
        'table': 2,
        'row': 'pitch',
        'cell': 'synthetic',
        'value': '98',
        'n': 10,
        'scale': 's',
        'protocol': 'p',
        'command': 'c',
        'commit': 'x',
        'seed': 0,
        'data_hash': 'd',
    }
    return Figure(**(values | changes))


def test_results_replace_their_own_cell_and_not_run_replaces_no_figure(tmp_path):
    results.write([figure(), figure(cell='real', value=NOT_RUN)], tmp_path)
    results.write([figure(value='99'), figure(cell='real', value='91')], tmp_path)
    results.write([figure(cell='real', value=NOT_RUN)], tmp_path)
    assert {f.cell: f.value for f in results.read(2, tmp_path)} == {'synthetic': '99', 'real': '91'}
    shown = tables.show(2, results.read(2, tmp_path), tiny=False)
    assert 'synthetic 98.11 / 99' in shown and 'real 92.03 / 91' in shown


def test_a_small_figure_fills_a_gap_and_never_replaces_a_full_one(tmp_path):
    results.write([figure(), figure(cell='real', value=NOT_RUN)], tmp_path)
    results.write([figure(value='60', scale='small: x'), figure(cell='real', value='50', scale='small: x')], tmp_path)
    assert {f.cell: f.value for f in results.read(2, tmp_path)} == {'synthetic': '98', 'real': '50'}
    results.write([figure(cell='real', value='91')], tmp_path)
    assert {f.cell: f.value for f in results.read(2, tmp_path)} == {'synthetic': '98', 'real': '91'}


def test_a_small_run_trains_narrower_networks_and_says_so(tmp_path, monkeypatch):
    """Two steps instead of 800; single regressors keep their published width, which is small already."""
    monkeypatch.setattr(results, 'FOLDER', tmp_path / 'results')
    small = experiments.SCALES['small']
    monkeypatch.setitem(experiments.SCALES, 'small', replace(small, changes=small.changes | {'steps': 2, 'batch': 4, 'validate_on': 8}))
    stand_in.write(tmp_path / 'heads', 40, 96, limits_deg=(30, 30, 15))
    tables.main(['4', '--run', '--small', '--data', str(tmp_path / 'heads'), '--out', str(tmp_path / 'runs')])
    rows = [f for f in results.read(4, tmp_path / 'results') if f.cell == 'synthetic yaw']
    assert {f.row for f in rows} == {'Liu et al.', 'Ahn et al.', 'Our method'}
    assert all(f.scale.startswith('small: a quarter') and '8 samples' in f.scale and f.command.endswith('4 --run --small') for f in rows)
    kept = checkpoint.load(tmp_path / 'runs' / 'small' / 'paper-synthetic' / 'final.pt')['config']
    assert kept['network']['width'] == 0.25 and kept['network']['size'] == 96 and kept['optimiser']['kind'] == 'adamw'


def test_a_part_of_a_set_is_not_reported_under_its_name(tmp_path, monkeypatch):
    from test_training_datasets import write_biwi

    from training.datasets import MissingDataError

    write_biwi(tmp_path / '01')
    monkeypatch.setenv('BIWI_DIR', str(tmp_path))
    with pytest.raises(MissingDataError, match='has 1 faces'):
        tables.Bench([], None, tmp_path)._test_real(None, 'biwi', experiments.of_table(4)[0])


def test_campaign_orders_by_worth_and_its_shares_are_whole():
    tables_last = [f'table{n}' for n in (5, 6, 7, 8, 2, 4, 3)]
    assert [job.name for job in JOBS] == ['c2f_edge', 'c2f', 'c2f_paper', 'c2f_depth', *tables_last, 'ablations']
    assert sum(job.share for job in JOBS) == pytest.approx(1)


def finished_training(commands, out, fail=()):
    """Stands for the commands: training leaves a checkpoint, unless its job is to fail."""
    from training import checkpoint

    def run(command):
        commands.append(command)
        if 'training.train' in command:
            folder = out / 'runs' / command[command.index('--out') + 1].rsplit('/', 1)[1]
            if folder.name in fail:
                return 3
            folder.mkdir(parents=True, exist_ok=True)
            checkpoint.save(folder / 'final.pt', step=5, samples=640, data_hash='d', commit='c')
        return 0

    return run


def make(out, commands, gpu, fail=()):
    one = Campaign(
        out,
        10.0,
        gpu,
        dict.fromkeys({job.preset for job in JOBS} | {'depth', *experiments.ROBUSTNESS}, 100),
        render=False,
        run=finished_training(commands, out, fail),
    )
    for preset in one.counts:
        (one.data(preset) / 'shard-00000').mkdir(parents=True, exist_ok=True)
    return one


def test_campaign_without_gpu_trains_edge_and_depth_and_leaves_the_rest_waiting(tmp_path):
    commands = []
    assert not make(tmp_path, commands, gpu=False).go()
    assert [c[3] for c in commands if 'training.train' in c] == ['edge', 'depth']
    state = json.loads((tmp_path / 'campaign.json').read_text())
    assert state['c2f_edge']['status'] == 'done' and state['c2f_edge']['iterations'] == 5
    assert state['c2f_paper']['status'] == state['table3']['status'] == 'waiting for a GPU'
    # edge has a fifth of ten hours
    edge = next(c for c in commands if 'training.train' in c)
    assert edge[edge.index('--minutes') + 1] == '120'


def test_campaign_goes_on_with_what_is_not_done(tmp_path):
    first, second = [], []
    assert not make(tmp_path, first, gpu=True, fail=('c2f',)).go()
    state = json.loads((tmp_path / 'campaign.json').read_text())
    assert state['c2f']['status'].startswith('failed') and state['table3']['status'] == 'done'
    assert make(tmp_path, second, gpu=True).go()
    assert [c[3] for c in second if 'training.train' in c] == ['c2f']
    assert not any('training.tables' in c for c in second)


def test_campaign_without_any_render_says_what_to_run(tmp_path, capsys):
    one = Campaign(tmp_path, 1.0, False, {'wide': 10, 'depth_structured_light': 10}, render=False, run=lambda command: 0)
    one.go()
    assert 'training.render --preset wide' in campaign.json.dumps(one.state)


def test_cells_that_wait_are_on_file_with_their_command_and_never_replace_a_figure(tmp_path):
    """Table 6: three rows of eight cells, one of which has a figure already."""
    results.write([figure(table=6, row='angles', cell='coarse', value='93')], tmp_path)
    results.write(tables.waiting(6), tmp_path)
    kept = results.read(6, tmp_path)
    assert len(kept) == 24 and [f.value for f in kept if f.value != NOT_RUN] == ['93']
    assert {f.command for f in kept if f.value == NOT_RUN} == {'python -m training.tables 6 --run'}
