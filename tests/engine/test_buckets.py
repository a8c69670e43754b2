"""Batch sizes a compiled engine is not ready for: split, padded, put together; with ONNX Runtime as the engine behind."""

import numpy as np
import pytest

from c2f_head_pose.engine.buckets import BUCKETS, run_in_buckets, split
from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.engine.parity import sample_crops
from c2f_head_pose.models.registry import model_path


@pytest.fixture(scope='module')
def engine():
    return OnnxRuntimeEngine(model_path('c2f_edge'))


class BucketsOfOnnxRuntime:
    """Runs full buckets only, in a buffer that keeps what was there before, as the GPU's lanes do."""

    def __init__(self, engine):
        self.engine, self.sizes = engine, []
        size = engine.contract.input_size
        self.buffer = np.random.default_rng(1).integers(0, 256, (BUCKETS[-1], 1, size, size), np.uint8)

    def __call__(self, crops, bucket):
        assert 1 <= len(crops) <= bucket and bucket in BUCKETS
        self.sizes.append(bucket)
        self.buffer[: len(crops)] = crops
        return self.engine.infer(self.buffer[:bucket])


def test_counts_split_as_worked_out_by_hand():
    assert split(1) == [(1, 1)]
    assert split(3) == [(3, 4)]
    assert split(64) == [(64, 64)]
    assert split(65) == [(64, 64), (1, 1)]
    assert split(150) == [(64, 64), (64, 64), (22, 32)]


def test_every_crop_goes_through_once_and_every_bucket_holds_its_part():
    for count in range(1, 200):
        parts = split(count)
        assert sum(n for n, _ in parts) == count
        assert all(0 < n <= bucket and bucket in BUCKETS for n, bucket in parts)


@pytest.mark.parametrize('count', [1, 2, 3, 5, 8, 17, 33, 70])
def test_padded_buckets_give_the_answers_of_single_crops(engine, count):
    """Stale rows of earlier batches are in the padding, so a network that mixed its rows would show here."""
    crops = np.resize(sample_crops(engine.contract.input_size), (count, 1, engine.contract.input_size, engine.contract.input_size))
    lanes = BucketsOfOnnxRuntime(engine)
    got = run_in_buckets(lanes, crops)
    assert lanes.sizes == [bucket for _, bucket in split(count)]
    assert got.rotation.shape == (count, 3, 3) and got.rotation_std_rad.shape == (count, 3) and got.category_logits.shape == (count, 4)
    for i in {0, count // 2, count - 1}:
        alone = engine.infer(crops[i : i + 1])
        assert np.allclose(got.rotation[i], alone.rotation[0], atol=1e-4)
        assert np.allclose(got.category_logits[i], alone.category_logits[0], atol=1e-2)
