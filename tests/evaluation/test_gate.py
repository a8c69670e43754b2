"""Conditions over figures, and comparison with an earlier evaluation."""

import pytest

from c2f_head_pose.evaluation.gate import GateError, UnknownFigureError, compare, count_changes, evaluate, judge

METRICS = {'geodesic_deg': {'mean': 5.0, 'p95': 12.0}, 'detection': {'rate': 0.9, 'false_faces': None}, 'mae_deg': 4.0, 'by_yaw': []}


@pytest.mark.parametrize(
    ('expression', 'expected'),
    [
        ('geodesic_deg.mean > 6', False),
        ('geodesic_deg.mean>=5', True),
        ('mae_deg == 4', True),
        ('mae_deg != 4.0', False),
        ('geodesic_deg.mean > 6 or detection.rate < 0.95', True),
        ('not (geodesic_deg.mean > 6) and mae_deg < 4.5', True),
        ('geodesic_deg.p95 > 2 * geodesic_deg.mean + 1', True),  # 12 > 11
        ('geodesic_deg.p95 - 2 * 3 == 6', True),
        ('-mae_deg < 0', True),
        ('12 / 3 / 2 == 2', True),
        ('mae_deg > 1e1', False),
        ('mae_deg > 5 and mae_deg > 3 or mae_deg == 4', True),  # and binds closer than or
    ],
)
def test_an_expression_is_decided_as_read_aloud(expression, expected):
    assert evaluate(expression, METRICS) is expected


@pytest.mark.parametrize(
    'expression',
    [
        '',
        'mae_deg',
        'mae_deg >',
        '> 3',
        'mae_deg > 3 4',
        '(mae_deg > 3',
        'mae_deg > 3)',
        'mae_deg = 3',
        '__import__("os")',
        'mae_deg > "3"',
        'geodesic_deg > 3',
        'by_yaw > 1',
        'mae_deg > 3 + (1 > 2)',
        'mae_deg and 3',
        '1 / 0 > 2',
        'a b',
        'mae_deg.x > 1',
        '(' * 5000,
        'not ' * 5000 + 'mae_deg > 3',
        '-' * 5000 + '1 > 0',
    ],
)
def test_a_malformed_expression_is_refused_with_a_reason(expression):
    with pytest.raises(GateError, match=r'\w'):
        evaluate(expression, METRICS)


def test_a_malformed_expression_is_refused_before_there_are_figures():
    evaluate('anything.at_all > 3 / other', None)
    with pytest.raises(GateError):
        evaluate('anything >', None)


def test_a_figure_that_is_not_known_leaves_the_gate_undecided():
    with pytest.raises(UnknownFigureError, match='false_faces'):
        evaluate('detection.false_faces > 0', METRICS)
    with pytest.raises(UnknownFigureError, match='mean, p95'):
        evaluate('geodesic_deg.median > 0', METRICS)
    assert judge('detection.false_faces > 0', METRICS)['failed'] is None
    assert judge('mae_deg > 3', METRICS) == {'expression': 'mae_deg > 3', 'failed': True, 'verdict': 'FAILED'}


def test_a_figure_that_is_not_a_number_is_not_known():
    """No head is 10 degrees from a border between sub-spaces: the share of right ones among none is NaN, which metrics.json has as null."""
    figures = {'coarse': {'beyond_10': float('nan')}, 'ci95': {'coarse.beyond_10': [0.0, 1.0]}}
    for condition in ('coarse.beyond_10 < 0.9', 'not (coarse.beyond_10 < 0.9)', 'coarse.beyond_10 != 1'):
        assert judge(condition, figures)['failed'] is None
    known = {'coarse': {'beyond_10': 0.9}, 'ci95': {'coarse.beyond_10': [0.8, 1.0]}}
    assert compare(figures, known) == [] and compare(known, figures) == []


def test_a_change_counts_only_beyond_both_confidence_intervals():
    """Half-widths 0.3 and 0.4 make a margin of 0.5: 5.0 -> 5.4 may be chance, -> 5.6 is worse, -> 4.4 better; a rate the other way."""

    def metrics(geodesic, rate, half):
        return {
            'geodesic_deg': {'mean': geodesic},
            'detection': {'rate': rate},
            'ci95': {'geodesic_deg.mean': [geodesic - half, geodesic + half], 'detection.rate': [rate - 0.01, rate + 0.01]},
        }

    before = metrics(5.0, 0.9, 0.3)
    for value, verdict in ((5.4, 'same'), (5.6, 'worse'), (4.4, 'better')):
        assert {c.figure: c.verdict for c in compare(metrics(value, 0.95, 0.4), before)} == {
            'geodesic_deg.mean': verdict,
            'detection.rate': 'better',
        }
    assert compare({'ci95': {}}, before) == []


def test_a_change_on_the_same_recordings_is_not_lost_among_their_differences():
    """The recordings differ much, so the mean of others may be 3 degrees off; of these it is known to 0.1. An earlier metrics.json lacks
    the intervals of these recordings, so both are compared by the others."""

    def metrics(mean):
        parts = {'ci95': {'geodesic_deg.mean': [mean - 3, mean + 3]}, 'ci95_of_these': {'geodesic_deg.mean': [mean - 0.1, mean + 0.1]}}
        return {'geodesic_deg': {'mean': mean}} | parts

    before = metrics(5.0)
    assert [c.verdict for c in compare(metrics(5.5), before, same_recordings=True)] == ['worse']
    assert [c.verdict for c in compare(metrics(5.5), before)] == ['same']
    del before['ci95_of_these']
    assert [c.verdict for c in compare(metrics(5.5), before, same_recordings=True)] == ['same']


def test_a_figure_without_an_interval_of_these_recordings_is_compared_by_the_other_one():
    """As of clips that know their error in one block each, and their coverage in several: half-widths of 2 make a margin of 2.828."""

    def metrics(mean):
        parts = {'ci95': {'geodesic_deg.mean': [mean - 2, mean + 2], 'images.coverage': [0.5, 1.0]}}
        figures = {'geodesic_deg': {'mean': mean}, 'images': {'coverage': 0.8}}
        return figures | parts | {'ci95_of_these': {'images.coverage': [0.79, 0.81]}}

    changes = compare(metrics(9.0), metrics(5.0), same_recordings=True)
    assert [(c.figure, c.verdict, round(c.margin, 3)) for c in changes] == [
        ('geodesic_deg.mean', 'worse', 2.828),
        ('images.coverage', 'same', 0.014),
    ]


def test_a_busy_machine_does_not_trip_the_gate_of_a_baseline():
    """The network is 1 ms slower and 1 degree better: both changes are listed, the latency is counted nowhere."""

    def metrics(mean, ms):
        parts = {'geodesic_deg.mean': [mean - 0.1, mean + 0.1], 'latency_ms.infer.mean': [ms - 0.1, ms + 0.1]}
        return {'geodesic_deg': {'mean': mean}, 'latency_ms': {'infer': {'mean': ms}}, 'ci95': parts}

    changes = compare(metrics(4.0, 3.0), metrics(5.0, 2.0))
    assert {c.figure: c.verdict for c in changes} == {'geodesic_deg.mean': 'better', 'latency_ms.infer.mean': 'worse'}
    assert count_changes(changes) == {'better': 1, 'worse': 0, 'same': 0}


@pytest.mark.parametrize('name', ['geodesic_deg.mean', 'aligned.geodesic_deg.p95', 'unsmoothed.yaw_deg.mae'])
def test_an_error_without_a_truth_names_the_option_that_gives_one(name):
    """A typing mistake, which no truth would help, still lists the known names."""
    without_truth = {'images': {'n': 3}, 'unsmoothed': {'jitter_deg': 0.1}}
    with pytest.raises(UnknownFigureError, match='name the truth with --truth'):
        evaluate(f'{name} > 6', without_truth)
    with pytest.raises(UnknownFigureError, match='there is no figure geodesic; known are: images, unsmoothed'):
        evaluate('geodesic > 6', without_truth)
