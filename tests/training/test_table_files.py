"""The csv files of the tables: what replaces what, means over seeds, and the table as text."""

from training.evaluation import results
from training.evaluation.results import NOT_RUN, Figure
from training.evaluation.table_text import show
from training.studies import table_rows


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


def test_a_training_that_was_cut_short_replaces_no_figure_of_more_samples(tmp_path, capsys):
    whole, two = 'small: x, 800 iterations, 51200 samples, paper', {'seeds': 2, 'spread': '1'}
    results.write([figure(scale=whole, **two), figure(cell='real', scale=whole)], tmp_path)
    results.write([figure(value='60', scale='small: x, 165 iterations, 10560 samples, paper')], tmp_path)
    assert capsys.readouterr().err == 'table 2, pitch: 10560 samples of training do not replace the figures on file, of 102400\n'
    results.write([figure(value='70', scale=whole), figure(cell='real', value='90', scale=whole)], tmp_path)
    assert {f.cell: f.value for f in results.read(2, tmp_path)} == {'synthetic': '98', 'real': '90'}
    results.write([figure(value='97', scale=whole, **two)], tmp_path)
    assert results.read(2, tmp_path)[0].value == '97'


def test_figures_of_two_scales_stand_beside_each_other_the_larger_first(tmp_path):
    """A small figure fills a gap and never replaces a full one; a later one of the same scale does."""
    results.write([figure(), figure(cell='real', value=NOT_RUN)], tmp_path)
    results.write([figure(value='60', scale='small: x'), figure(cell='real', value='50', scale='small: x')], tmp_path)
    results.write([figure(value='61', scale='small: y'), figure(cell='real', value=NOT_RUN, scale='small: y')], tmp_path)
    kept = {(f.cell, f.scale_name): f.value for f in results.read(2, tmp_path)}
    assert kept == {('synthetic', 'full'): '98', ('synthetic', 'small'): '61', ('real', 'small'): '50'}
    text = show(2, results.read(2, tmp_path), tiny=False)
    assert '  pitch              synthetic 98.11 / 98   real 92.03 / -\n  pitch, small       synthetic 98.11 / 61   real 92.03 / 50' in text


def test_a_mean_over_seeds_has_its_standard_deviation():
    """5 and 6: mean 5.5, standard deviation 0.707 with n - 1; a cell that was not run stays so."""
    one, other = [figure(value='5'), figure(cell='real', value=NOT_RUN)], [figure(value='6'), figure(cell='real', value=NOT_RUN)]
    mean, missing = results.mean_of([one, other])
    assert (mean.value, mean.spread, mean.seeds) == ('5.5', '0.71', 2) and missing.value == NOT_RUN and not missing.spread
    assert '5.5 ± 0.71' in show(2, [mean], tiny=False)


def test_a_table_states_the_scale_and_the_test_set_of_its_rows():
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


def test_cells_that_wait_are_on_file_with_their_command_and_never_replace_a_figure(tmp_path):
    """Table 6: three rows of eight cells, one of which has a figure already."""
    results.write([figure(table=6, row='angles', cell='coarse', value='93')], tmp_path)
    results.write(table_rows.waiting(6), tmp_path)
    kept = results.read(6, tmp_path)
    assert len(kept) == 24 and [f.value for f in kept if f.value != NOT_RUN] == ['93']
    command = 'python -m training.tables 6 --run --data DATA --robustness FOLDER --rows'
    assert {f.command for f in kept if f.value == NOT_RUN} == {f'{command} {row}' for row in ('angles', 'intensities', 'colours')}
