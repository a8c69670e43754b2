"""The timing cache of an earlier build, given to a builder's configuration; TensorRT proper needs a GPU, so it is played."""

import pytest

from c2f_head_pose.engine.tensorrt_builder import timings_of, use_timing_cache


class Cache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return memoryview(self.content + b' and more')


class Config:
    """IBuilderConfig: of the notes of another driver it makes no cache, or refuses it; then it has none."""

    def __init__(self, makes=(), takes=()):
        self.makes, self.takes, self.cache = {b'', *makes}, {b'', *takes}, None

    def create_timing_cache(self, content):
        return Cache(content) if content in self.makes else None

    def set_timing_cache(self, cache, ignore_mismatch):
        assert not ignore_mismatch
        if cache.content not in self.takes:
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


@pytest.mark.parametrize(
    ('config', 'kept'), [(Config([b'notes'], [b'notes']), b'notes and more'), (Config([b'notes']), b' and more'), (Config(), b' and more')]
)
def test_a_build_begins_with_an_empty_timing_cache_where_the_stored_one_cannot_be_used(config, kept):
    use_timing_cache(config, b'notes')
    assert timings_of(config) == kept


def test_a_build_without_a_timing_cache_ends_with_nothing_to_store():
    assert timings_of(Config()) == b''
