"""Confidence intervals: blocks of time, and how often the intervals hold the true mean."""

from dataclasses import replace

import numpy as np
import pytest
from evaluated import scored

from c2f_head_pose.evaluation.sequences import bootstrap
from c2f_head_pose.evaluation.summary import _block_sums, summarise


def test_a_clock_that_jumps_adds_no_blocks():
    """Ten seconds before the clock is set by 1e6 s, ten after: 5 and 5 blocks of two seconds. A clock that starts at 0 and is set to the
    time of day is set by 1.7e9 s, for which the sums of the blocks between would need some GB for each figure."""
    one, _ = scored()
    shifted = {}
    for name in ('faces', 'images'):
        rows = getattr(one.series, name).copy()
        rows['stamp_s'] += 1e6 * (rows['frame'] >= 300)
        shifted[name] = rows
    jumped, plain = (_block_sums(replace(one, series=replace(one.series, **part))) for part in (shifted, {}))
    assert {len(counts) for _, counts in jumped.values()} == {len(counts) for _, counts in plain.values()} == {10}
    for name, (sums, counts) in plain.items():
        assert counts.tolist() == jumped[name][1].tolist() and sums.tolist() == jumped[name][0].tolist()


@pytest.mark.parametrize('count', [1, 2, 3, 5])
def test_intervals_hold_the_true_mean_in_95_of_100_evaluations(count):
    """Recordings of 30 blocks. Their means differ by 1 degree about a true mean of 0, and blocks by 0.6 about their recording's mean. Of
    200 evaluations 95 % are 190, with a standard deviation of 3; those of two recordings hold it more often. An interval for these
    recordings alone has to hold the mean of their own means."""
    rng = np.random.default_rng(5)
    held = held_of_these = 0
    for k in range(200):
        means = rng.normal(0, 1, count)
        recordings = [{'x': (60 * (m + rng.normal(0, 0.6, 30)), np.full(30, 60.0))} for m in means]
        low, high = bootstrap(recordings, seed=k)['x']
        held += low <= (0 if count > 1 else means[0]) <= high
        low, high = bootstrap(recordings, seed=k, resample_recordings=False)['x']
        held_of_these += low <= means.mean() <= high
    assert held >= 181 and held_of_these >= 181
    assert count == 2 or held <= 199


@pytest.mark.parametrize(('count', 'blocks'), [(20, 2), (10, 3), (3, 20)])
def test_intervals_of_these_recordings_hold_for_short_clips_too(count, blocks):
    """Clips of 4, 6 and 40 s: each spends one of its blocks on its own mean, so that 20 clips of 4 s know the spread of a block from 20
    differences. Counted as 40 blocks, their interval would be narrower by sqrt 2 and hold the mean in 83 of 100 evaluations."""
    rng = np.random.default_rng(5)
    held, means = 0, rng.normal(0, 1, count)
    for k in range(200):
        recordings = [{'x': (60 * (m + rng.normal(0, 0.6, blocks)), np.full(blocks, 60.0))} for m in means]
        low, high = bootstrap(recordings, seed=k, resample_recordings=False)['x']
        held += low <= means.mean() <= high
    assert 181 <= held <= 199


def test_clips_of_one_block_have_no_interval_of_their_own():
    """Nothing varies inside a clip of up to two seconds; how clips differ is known from two on."""
    clips = [{'x': (np.array([60.0 * k]), np.array([60.0]))} for k in range(20)]
    assert bootstrap(clips, resample_recordings=False) == {}
    low, high = bootstrap(clips)['x']
    assert low < 9.5 < high and low < high - 1


def test_several_recordings_have_intervals_of_both_kinds_and_one_has_one():
    """Two recordings hardly tell how others would do: Student's t with one degree of freedom is 12.7, for these alone it is about 2."""
    one, other = scored()[0], scored('other', seed=1)[0]
    together = summarise([one, other])
    widths = [np.ptp(together[key]['geodesic_deg.mean']) for key in ('ci95', 'ci95_of_these')]
    assert widths[0] > 4 * widths[1] > 0
    assert 'ci95_of_these' not in summarise([one])
