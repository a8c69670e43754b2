"""A compiled engine's key and bytes, for tests that need no GPU."""

from c2f_head_pose.engine.cache import EngineKey

KEY = EngineKey('c2f_edge', 'ab' * 32, 'tensorrt', '10.3.0', 'NVIDIA GeForce RTX 4090', 'sm89', 128, 'fp16', 'batch 1-1-8 16-64-64')


PLAN = bytes(range(256)) * 50


def never():
    raise AssertionError('built although the cache has it')
