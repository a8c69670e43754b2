"""Sentences and tables of groups, ablations and recordings say what their figures carry, with the certainty that these have."""

import pytest

from training.evaluation import ablations_table, group_tables, pages, results
from training.evaluation.differences import Difference, Measured, pairs, verdict
from training.evaluation.time_table import over_time


def test_a_difference_has_the_errors_of_both_groups_and_a_chance_by_welch():
    """3 ± 0.3 and 2 ± 0.4, eleven people each: 1 ± 0.5, two standard errors. Degrees of freedom 0.5^4 / ((0.3^4 + 0.4^4) / 10) = 18.5,
    where Student's t exceeds 2 to either side in 6.0 % of cases (2.101 is exceeded in 5 % at 18, 2.093 at 19).
    """
    one = Difference(Measured('a', 'k', 11, 3.0, 0.3), Measured('b', 'k', 11, 2.0, 0.4))
    assert (one.degrees, one.se, one.errors) == (pytest.approx(1), pytest.approx(0.5), pytest.approx(2))
    assert one.chance == pytest.approx(0.060, abs=0.001)
    assert str(one) == 'a 1.00 ± 0.50 degrees above b (2.0 standard errors)'


def test_groups_of_another_kind_and_single_people_are_not_compared():
    groups = [Measured(*of) for of in (('f', 'sex', 9, 1, 0.1), ('m', 'sex', 9, 2, 0.1), ('x', 'age', 9, 3, 0.1), ('y', 'age', 1, 9, 0.1))]
    assert [(found.more.name, found.less.name) for found in pairs(groups)] == [('m', 'f')]


@pytest.mark.parametrize(('further', 'told'), [(0, '**a difference is shown**'), (6, '**no difference is shown**')])
def test_the_more_groups_are_compared_the_larger_a_difference_must_be(further, told):
    """2.7 standard errors of a hundred people: 0.8 % alone, but 28 pairs of eight groups would show one so large in up to 23 %."""
    alike = [Measured(f'group {i}', 'k', 50, 2.0, 0.1) for i in range(further)]
    text = verdict([Measured('dark', 'k', 50, 2.2, 0.1), Measured('bright', 'k', 50, 1.818, 0.1), *alike])
    assert text.startswith(f'the largest of {1 + further * 2 + further * (further - 1) // 2} differences is dark 0.38 ± 0.14 degrees above')
    assert told in text


def test_sentences_about_groups_are_computed_from_the_file_not_from_rounded_cells():
    """Black people's turns are 2.706 ± 0.062 off, white people's 2.544 ± 0.037: 0.162 ± 0.072, 2.24 standard errors. Their cells,
    2.71 ± 0.06 and 2.54 ± 0.04, would give 0.17 and 2.4.
    """
    stated = group_tables.portrait_differences('stated_groups.csv')
    assert 'black 0.16 ± 0.07 degrees above white (2.2 standard errors)' in stated
    by_gray = group_tables.portrait_differences('portrait_groups.csv')
    assert 'brightest third 0.24 ± 0.11 degrees above darkest third (2.3 standard errors)' in by_gray
    assert 'brightest third 0.39 ± 0.13 degrees above darkest third (3.1 standard errors)' in by_gray


def test_every_page_that_speaks_of_groups_takes_its_sentences_from_the_files():
    """A verdict is nowhere but between the marks of a generated block."""
    for page in pages.PAGES:
        text = page.read_text()
        for name in pages.TABLES:
            begin, end = f'<!-- {name}: python -m training.evaluation.pages -->', f'<!-- end of {name} -->'
            while begin in text:
                before, rest = text.split(begin, 1)
                text = before + rest.split(end, 1)[1]
        assert 'standard errors)' not in text and 'difference is shown' not in text, page


def ablated(configuration, in_use, seed=0):
    return {'configuration': configuration, 'seed': str(seed), 'all': '20', 'near_border': '9', 'coarse': '0.8', 'within_1': '0.7'} | {
        'in_use': str(in_use)
    }


def test_an_ablation_is_told_from_its_base_only_beyond_what_two_pairs_of_seeds_differ_by():
    """Bases of 14 and 14.2, and at the other scale of 20 and 20: variances 0.02 and 0, pooled 0.01 with two degrees of freedom. A single
    training less the mean of two: 4.303 x 0.1 x sqrt(1 + 1 / 2) = 0.53; 14.7 is 0.6 above 14.1, 14.5 0.4.
    """
    rows = [ablated('edge', 14.0), ablated('edge', 14.2, 1), ablated('worse', 14.7), ablated('alike', 14.5)]
    other = [ablated('edge', 20.0), ablated('edge', 20.0, 1)]
    shown = {line.split('`')[1]: line.split(' | ')[3] for line in ablations_table.shown(rows, [rows, other]).splitlines() if '`' in line}
    assert shown == {'edge': '14.2', 'worse': '14.7, **+0.6** ± 0.5', 'alike': '14.5, +0.4 ± 0.5'}
    assert '±' not in ablations_table.shown(rows[1:], [rows[1:]])  # one seed: how much seeds differ is not known


def test_the_page_counts_the_changes_that_are_tested_and_those_in_bold():
    tables = ''.join(ablations_table.ablations(name) for name in ablations_table.SCALES)
    told = f'Of {tables.count(" ± ")} changes {("none", "one", "two", "three")[tables.count("**") // 2]} are in bold'
    assert told in pages.PAGES[0].read_text()


def recorded(seed, single, filtered):
    ways = {'single frame': (single, '0.8'), 'filtered': (filtered, '0.4')}
    return [{'seed': seed, 'way': way, 'found': '1', 'geodesic': str(g), 'jitter': jitter} for way, (g, jitter) in ways.items()]


def test_what_the_filter_changes_has_the_spread_of_the_recordings():
    """Changes of +0.1, -0.4 and 0.0: -0.1, deviation 0.265, 95 % interval 4.303 x 0.265 / sqrt(3) = 0.66; jitter falls by 0.4 in each."""
    text = over_time([*recorded('1', 3.0, 3.1), *recorded('2', 6.0, 5.6), *recorded('3', 2.0, 2.0)])
    assert '| seed 2 | 100.0 | 6.00 | 5.60 | 0.80 | 0.40 |' in text and '| mean | 100.0 | 3.67 | 3.57 | 0.80 | 0.40 |' in text
    assert 'error -0.10 ± 0.66 degrees (-0.40 to +0.10, which is within what three such recordings differ by)' in text
    assert text.endswith('jitter -0.40 ± 0.00 degrees (-0.40 to -0.40).')


@pytest.mark.parametrize('network', ['c2f', 'c2f_edge'])
def test_profiles_and_rolled_heads_are_told_by_their_angles_and_as_rotations(network):
    """Both figures are of real_faces.csv: the angles' error grows about threefold, the rotation's not even twofold."""
    found = {
        row['measure']: float(row['value'])
        for row in results.read_rows(results.FOLDER / 'real_faces.csv')
        if (row['set'], row['network']) == ('aflw2000', network)
    }
    text = pages.pose_limits(network)
    assert f'{found["MAE beyond yaw 60"]:.1f} degrees instead of {found["MAE within yaw 60"]:.1f}' in text
    assert (
        found['MAE beyond yaw 60'] > 2.5 * found['MAE within yaw 60']
        and found['geodesic beyond yaw 60'] < 2 * found['geodesic within yaw 60']
    )
    assert (
        found['MAE beyond roll 45'] > 3 * found['MAE within roll 45']
        and found['geodesic beyond roll 45'] < 2 * found['geodesic within roll 45']
    )


def test_what_a_version_lost_on_renders_is_told_as_a_rotation():
    """The mean of the angles hides it: 6.11 to 6.19 degrees, where the rotation errs by 7.75 and 8.89."""
    assert 'as a rotation 7.75 to 8.89 degrees, its 99th percentile 32.2 to 40.4, mean of the angles 6.11 to 6.19.' in pages.edge_since()
