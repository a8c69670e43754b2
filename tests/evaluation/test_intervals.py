"""Confidence intervals: blocks of time, and how often the intervals hold the true mean."""

from dataclasses import replace

from evaluated import scored

from c2f_head_pose.evaluation.summary import _block_sums


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
