"""Which depth belongs to an image."""

import pytest

from c2f_head_pose.depth_pairing import KeptDepth, belongs
from c2f_head_pose.files import seconds_from_ns


@pytest.mark.parametrize(('apart_ns', 'kept'), [(20_000_000, True), (-20_000_000, True), (20_010_000, False), (-20_010_000, False)])
def test_depth_exactly_the_tolerance_apart_belongs_to_every_image_of_an_epoch_stream(apart_ns, kept):
    """At 1.7e9 s a float holds whole steps of 0.24 us, by which 20 ms between two stamps come out longer or shorter; 10 us are too much."""
    for number in range(100):
        stamp_ns = 1_700_000_000_000_000_000 + number * 33_366_667
        depth = KeptDepth(None, seconds_from_ns(stamp_ns + apart_ns), 0.0)
        assert belongs(depth, seconds_from_ns(stamp_ns), 0.02) is kept, number
