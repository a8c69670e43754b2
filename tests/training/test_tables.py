"""The tables end to end at tiny scale, the paper's figures, and the campaign's order and resumption."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from real_sets import write_biwi, write_boston
from tiny_training import all_knowing

from c2f_head_pose import geometry
from c2f_head_pose.bench import scenes
from training import campaign, tables
from training.campaign import JOBS, Campaign
from training.datasets.base import MissingDataError
from training.evaluation import results
from training.evaluation.results import NOT_RUN, Figure
from training.evaluation.table_text import show
from training.loop import checkpoint
from training.models.baselines import Classifier
from training.paper import experiments
from training.paper.published import TABLES
from training.studies import table_rows
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
    shown = show(2, results.read(2, tmp_path), tiny=False)
    assert 'synthetic 98.11 / 99' in shown and 'real 92.03 / 91' in shown


def test_figures_of_two_scales_stand_beside_each_other_the_larger_first(tmp_path):
    """A small figure fills a gap and never replaces a full one; a later one of the same scale does."""
    results.write([figure(), figure(cell='real', value=NOT_RUN)], tmp_path)
    results.write([figure(value='60', scale='small: x'), figure(cell='real', value='50', scale='small: x')], tmp_path)
    results.write([figure(value='61', scale='small: y'), figure(cell='real', value=NOT_RUN, scale='small: y')], tmp_path)
    kept = {(f.cell, f.scale_name): f.value for f in results.read(2, tmp_path)}
    assert kept == {('synthetic', 'full'): '98', ('synthetic', 'small'): '61', ('real', 'small'): '50'}
    text = show(2, results.read(2, tmp_path), tiny=False)
    assert '  pitch              synthetic 98.11 / 98   real 92.03 / -\n  pitch, small       synthetic 98.11 / 61   real 92.03 / 50' in text


def test_a_small_run_trains_narrower_networks_and_says_so(tmp_path, monkeypatch):
    """Two steps instead of 800; single regressors keep their published width, which is small already."""
    monkeypatch.setattr(results, 'FOLDER', tmp_path / 'results')
    small = experiments.SCALES['small']
    monkeypatch.setitem(experiments.SCALES, 'small', replace(small, changes=small.changes | {'steps': 2, 'batch': 4, 'validate_on': 8}))
    stand_in.write(tmp_path / 'heads', 40, 96, limits_deg=(30, 30, 15))
    monkeypatch.chdir(tmp_path)
    tables.main(['4', '--run', '--small', '--data', str(tmp_path / 'heads'), '--out', str(tmp_path / 'runs')])
    rows = [f for f in results.read(4, tmp_path / 'results') if f.cell == 'synthetic yaw']
    assert {f.row for f in rows} == {'Liu et al.', 'Ahn et al.', 'Single GoogLeNet regressor', 'Our method'}
    assert all(f.scale.startswith('small: a quarter') and '8 samples' in f.scale for f in rows)
    command = 'python -m training.tables 4 --run --small --data heads --out runs --rows'
    assert {f.command for f in rows} >= {f"{command} 'Ahn et al.'", f"{command} 'Our method'"}
    assert {f.trained_by for f in rows} == {checkpoint.load(tmp_path / 'runs' / 'small' / 'paper-synthetic' / 'final.pt')['commit']}
    kept = checkpoint.load(tmp_path / 'runs' / 'small' / 'paper-synthetic' / 'final.pt')['config']
    assert kept['network']['width'] == 0.25 and kept['network']['size'] == 96 and kept['optimiser']['kind'] == 'adamw'


def test_the_medium_scale_trains_half_a_million_samples_a_row_and_more_for_table_2():
    """4,000 steps of 128 are 512,000 samples, 8,000 are 1,024,000."""
    medium = experiments.SCALES['medium']
    for number in sorted(TABLES):
        for row in experiments.of_table(number, medium):
            config = row.run_config(medium)
            assert config.steps * config.batch == (1_024_000 if number == 2 else 512_000) and config.precision == 'bf16'
            assert config.optimiser['kind'] == ('sgd' if 'SGD' in row.row else 'adamw')
    ours = experiments.of_table(3, medium)[0].run_config(medium)
    assert (ours.network['width'], ours.network['size']) == (0.5, 96)
    assert 'Our method, SGD' not in {row.row for row in experiments.of_table(3)}


def test_a_medium_run_repeats_decisive_rows_writes_each_as_it_ends_and_does_not_train_it_again(tmp_path, monkeypatch):
    """Two steps of four samples, of two seeds where a conclusion depends on the row; the value is the mean of both.

    The regressors of Liu and Ahn are trained once and have no spread.
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
    assert written == [*[{'Our method'}] * 2, {'Ahn et al.'}, *[{'Single GoogLeNet regressor'}] * 2, {'Liu et al.'}]
    assert {name: row.seeds for name, row in rows.items()} == {
        'Liu et al.': 1, 'Ahn et al.': 1, 'Our method': 2, 'Single GoogLeNet regressor': 2}  # fmt: skip
    assert [bool(rows[name].spread) for name in ('Liu et al.', 'Our method')] == [False, True]
    assert all(row.scale.startswith('medium: half of the channels, 96x96') for row in rows.values())
    finals = sorted((tmp_path / 'runs').rglob('final.pt'))
    times = [path.stat().st_mtime_ns for path in finals]
    assert len(finals) == 6  # Liu, Ahn, and two seeds of each of the others
    assert tables.main(command) is None
    assert [path.stat().st_mtime_ns for path in finals] == times


def test_a_mean_over_seeds_has_its_standard_deviation():
    """5 and 6: mean 5.5, standard deviation 0.707 with n - 1; a cell that was not run stays so."""
    one, other = [figure(value='5'), figure(cell='real', value=NOT_RUN)], [figure(value='6'), figure(cell='real', value=NOT_RUN)]
    mean, missing = results.mean_of([one, other])
    assert (mean.value, mean.spread, mean.seeds) == ('5.5', '0.71', 2) and missing.value == NOT_RUN and not missing.spread
    assert '5.5 ± 0.71' in show(2, [mean], tiny=False)


def test_a_larger_scale_replaces_a_smaller_one_and_never_the_other_way_round(tmp_path):
    steps = ('small: x', 'small'), ('medium: x', 'medium'), ('small: x', 'medium'), ('4000 iterations', '4000'), ('medium: x', '4000')
    for scale, kept in steps:
        results.write([figure(scale=scale)], tmp_path)
        assert results.read(2, tmp_path)[0].scale.startswith(kept)


def test_the_old_option_for_the_small_scale_is_accepted(capsys):
    with pytest.raises(SystemExit):
        tables.main(['4', '--small'])  # without --run: refused as --scale is
    told = capsys.readouterr().err
    assert '--small is deprecated: use --scale small' in told and '--scale: only with --run' in told


def test_a_part_of_a_set_is_not_reported_under_its_name(tmp_path, monkeypatch):
    write_biwi(tmp_path / '01')
    monkeypatch.setenv('BIWI_DIR', str(tmp_path))
    with pytest.raises(MissingDataError, match='has 1 faces'):
        table_rows.TableRunner([], None, tmp_path).real_faces('biwi', experiments.of_table(4)[0])


def test_a_table_says_which_rows_have_which_scale_and_what_they_were_tested_on():
    figures = [
        figure(scale='4000 iterations', protocol='Biwi, box'),
        figure(cell='real', scale='small: x', protocol='Biwi, box'),
        figure(row='yaw', scale='small: x', protocol=''),
    ]
    assert show(2, figures, tiny=False).splitlines()[-3:] == [
        '  scale of pitch (synthetic): 4000 iterations',
        '  scale of pitch (real); yaw: small: x',
        '  tested on: Biwi, box',
    ]
    assert '  scale: 4000 iterations' in show(2, figures[:1], tiny=False)


def bench(folder, monkeypatch):
    """At full scale, taking sets as small as a test writes."""
    monkeypatch.setattr(table_rows, 'FEWEST_FRAMES', {'biwi': 1, 'boston': 1, 'pointing04': 1})
    return table_rows.TableRunner([], None, folder, device='cpu')


def off_axis_biwi(folder, monkeypatch, count=5):
    """Frames of heads 0.3 m beside the axis at 1 m, turned by 2 degrees; the tested fifth's R_cam_head and R_crop_head."""
    R = geometry.rotation_from_ypr_deg(np.array([2.0, 5.0, 3.0]))
    for number in range(count):
        write_biwi(folder / f'{number + 1:02d}', R @ geometry.HEAD_AXES.T, centre_mm=(300, 0, 1000))
    monkeypatch.setenv('BIWI_DIR', str(folder))
    return R, geometry.ray_rotation(np.array([0.3, 0.0, 1.0])).T @ R


def test_biwis_cells_are_right_for_a_network_that_is(tmp_path, monkeypatch):
    """Off axis: compared in the camera's frame, the category in the crop's. Rounding of the crop's centre leaves 0.1 degrees."""
    R_cam, seen = off_axis_biwi(tmp_path, monkeypatch)
    assert geometry.category_index(seen) != geometry.category_index(R_cam)
    cells, n, protocol = bench(tmp_path, monkeypatch).test(all_knowing(seen[None]), 'biwi', experiments.of_table(4)[2])
    assert n == 1 and protocol == 'Biwi, 20 % by frame, 1 of 5 faces, box'
    assert max(cells[axis] for axis in ('yaw', 'pitch', 'roll')) < 0.2 and cells['coarse'] == 100 and cells['ms'] > 0


def test_a_classifier_is_asked_where_it_lies_and_judged_by_what_the_crop_shows(tmp_path, monkeypatch):
    """The whole row: trained, opened on the device told, its category compared by `validate.category_accuracy` with the crop's sign.

    A stand-in network answers as the crop shows the head: yaw 2 degrees in the camera's frame, about -15 in the crop's.
    """
    _, seen = off_axis_biwi(tmp_path, monkeypatch)
    network = Classifier('alexnet', 64, ('yaw',), 0.0625)
    yaw = geometry.ypr_deg_from_rotation(seen)[0]
    monkeypatch.setattr(Classifier, 'classify', lambda self, crops: torch.tensor([[float(yaw < 0), float(yaw >= 0)]]).repeat(len(crops), 1))
    model = all_knowing(seen[None])
    model.engine.network = network
    asked = {}

    def opened(path, device):
        asked[path.name] = device
        return model

    monkeypatch.setattr(table_rows, 'open_model', opened)
    monkeypatch.setattr(checkpoint, 'load', lambda path: table_rows.UNTRAINED)
    one = bench(tmp_path, monkeypatch)
    monkeypatch.setattr(one, 'train', lambda experiment: tmp_path / 'final.pt')
    row = replace(next(e for e in experiments.of_table(2) if e.row == 'yaw'), tests=('biwi',))
    figures = {f.cell: f for f in one.run(row)}
    assert asked == {'final.pt': 'cpu'} and abs(yaw) > 10
    assert figures['biwi'].value == figures['real'].value == '100'


def write_pointing04(folder, people, pans=(-60, -30, 0, 30)):
    """Painted heads under Pointing'04's names and boxes, a picture a pan for each person."""
    K = np.array([[300.0, 0, 150], [0, 300, 150], [0, 0, 1]])
    for person in people:
        (folder / f'Person{person:02d}').mkdir(parents=True)
        for i, pan in enumerate(pans):
            R, t = geometry.rotation_from_ypr_deg(np.array([pan, 0.0, 0.0])), np.array([0, 0, 1.0])
            image = stand_in.draw(R, t, K, 300, np.array([0, 0, -1.0]), 0.7)[0]
            path = folder / f'Person{person:02d}' / f'person{person:02d}1{i:02d}+0{pan:+d}.jpg'
            cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
            path.with_suffix('.txt').write_text(f'{path.name}\n\nFace\n150\n150\n60\n70\n')


def test_table_2_pools_over_the_real_sets_that_label_the_angles(tmp_path, monkeypatch):
    """Pointing'04 labels no roll: a strategy that needs it is tested on Boston alone; Biwi is not at hand.

    Boston's faces come from the detector: of three frames the empty one is counted, not scored.
    """
    write_pointing04(tmp_path / 'pointing', (1, 6))
    face, empty = scenes.picture(1), np.full((480, 640, 3), 100, np.uint8)
    write_boston(tmp_path / 'boston', 'jam1', [face, empty, face], [(5, 5, 5)] * 3)
    monkeypatch.setenv('POINTING04_DIR', str(tmp_path / 'pointing'))
    monkeypatch.setenv('BOSTON_DIR', str(tmp_path / 'boston'))
    stand_in.write(tmp_path / 'heads', 40, 96, limits_deg=(30, 30, 15))
    one = table_rows.TableRunner([str(tmp_path / 'heads')], None, tmp_path / 'runs', experiments.SCALES['tiny'], device='cpu')
    rows = {e.row: {f.cell: f for f in one.run(e)} for e in experiments.of_table(2) if e.row in ('pitch, yaw', 'roll')}
    boston = 'Boston, 2 of 3 faces found, detector'
    pointing = "Pointing'04, pan to 60 and tilt to 30 degrees, 8 faces of 2 people, box"
    assert rows['pitch, yaw']['real'].protocol == f'real: {pointing} + {boston}' and rows['pitch, yaw']['real'].n == 10
    parts = [(float(rows['pitch, yaw'][name].value), n) for name, n in (('pointing04', 8), ('boston', 2))]
    assert float(rows['pitch, yaw']['real'].value) == pytest.approx(sum(value * n for value, n in parts) / 10, abs=0.1)
    assert set(rows['roll']) == {'synthetic', 'boston', 'real'}
    assert (rows['roll']['real'].protocol, rows['roll']['real'].n) == (f'real: {boston}', 2)


def test_a_training_of_other_data_or_people_seen_in_training_is_refused(tmp_path):
    """The same row on other heads is not the one on file, and robustness shown on heads that were trained on is none."""
    for name, seed in (('heads', 0), ('others', 3), ('robust/blur', 0)):
        stand_in.write(tmp_path / name, 40, 96, seed=seed, limits_deg=(30, 30, 15))
    row = next(e for e in experiments.of_table(7) if e.row == 'blurred')
    one, other = (
        table_rows.TableRunner([str(tmp_path / name)], tmp_path / 'robust', tmp_path / 'runs', experiments.SCALES['tiny'], device='cpu')
        for name in ('heads', 'others')
    )
    with pytest.raises(ValueError, match=r'blur shows .* people that .*heads trains on'):
        one.run(row)
    with pytest.raises(ValueError, match='was trained with other data'):
        other.run(row)


def test_table_5_trains_on_real_faces_and_on_both(tmp_path, monkeypatch, capsys):
    """Two people of four pans each, one of them beyond the paper's 50 degrees, and four frames of Biwi's five; the rest is tested on."""
    write_pointing04(tmp_path / 'pointing', (1, 2, 6, 7))
    off_axis_biwi(tmp_path / 'biwi', monkeypatch)
    monkeypatch.setenv('POINTING04_DIR', str(tmp_path / 'pointing'))
    stand_in.write(tmp_path / 'heads', 40, 96, limits_deg=(30, 30, 15))
    one = table_rows.TableRunner([str(tmp_path / 'heads')], None, tmp_path / 'runs', experiments.SCALES['tiny'], device='cpu')
    said = "10 of Biwi, 80 % by frame and Pointing'04 without people 06 and 07 (2 beyond the pose limits)"
    for row, data in (('real only', [said]), ('both', ['heads', said])):
        experiment = next(e for e in experiments.of_table(5) if e.row == row)
        figures = {f.cell: f for f in one.run(experiment)}
        assert figures['biwi yaw'].n == 1 and figures['biwi yaw'].value != NOT_RUN
        assert figures['pointing04 yaw'].protocol == "Pointing'04, pan to 60 and tilt to 30 degrees, 8 faces of 2 people, box"
        assert checkpoint.load(tmp_path / 'runs' / experiment.name / 'final.pt')['data'] == data
    assert f'real training data: {said}' in capsys.readouterr().err
    figure = table_rows.TableRunner([], None, tmp_path)._figure(experiment, table_rows.UNTRAINED | {'data': data}, 'biwi yaw', 5.0, 1, '')
    assert figure.scale == f'0 iterations, 0 samples, both training data (heads; {said})'


def test_table_5_trains_on_what_real_set_there_is(tmp_path, monkeypatch, capsys):
    """Pointing'04 alone, with the steps to get Biwi; without both the row is not trained."""
    row = next(e for e in experiments.of_table(5) if e.row == 'real only')
    one = table_rows.TableRunner([], None, tmp_path / 'runs', experiments.SCALES['tiny'], device='cpu')
    assert {f.value for f in one.run(row)} == {NOT_RUN}
    said = capsys.readouterr().err
    assert 'not trained' in said and 'BIWI_DIR' in said and 'POINTING04_DIR' in said
    write_pointing04(tmp_path / 'pointing', (1, 6))
    monkeypatch.setenv('POINTING04_DIR', str(tmp_path / 'pointing'))
    assert {f.cell for f in one.run(row) if f.value != NOT_RUN} >= {'pointing04 yaw', 'pointing04 coarse'}
    said = capsys.readouterr().err
    assert "real training data: 3 of Pointing'04 without people 06 and 07" in said and 'BIWI_DIR' in said


def test_campaign_orders_by_worth_and_its_shares_are_whole():
    tables_last = [f'table{n}' for n in (5, 6, 7, 8, 2, 4, 3)]
    assert [job.name for job in JOBS] == ['c2f_edge', 'c2f', 'c2f_paper', 'c2f_depth', *tables_last, 'ablations']
    assert sum(job.share for job in JOBS) == pytest.approx(1)


def finished_training(commands, out, fail=()):
    """Stands for the commands: training leaves a checkpoint, unless its job is to fail."""
    from training.loop import checkpoint

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
    results.write(table_rows.waiting(6), tmp_path)
    kept = results.read(6, tmp_path)
    assert len(kept) == 24 and [f.value for f in kept if f.value != NOT_RUN] == ['93']
    command = 'python -m training.tables 6 --run --data DATA --robustness FOLDER --rows'
    assert {f.command for f in kept if f.value == NOT_RUN} == {f'{command} {row}' for row in ('angles', 'intensities', 'colours')}
