"""Serving from one engine while another is made ready; both are ONNX Runtime here, so only the change-over is on trial."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.engine.parity import sample_crops
from c2f_head_pose.engine.switch import SwitchingEngine
from c2f_head_pose.models.registry import ModelError, model_path

WAIT_S = 20


@pytest.fixture
def first():
    return OnnxRuntimeEngine(model_path('c2f_edge'))


@pytest.fixture
def second():
    engine = OnnxRuntimeEngine(model_path('c2f_edge'), threads=2)
    engine.description = 'cuda (pretended)'
    return engine


class Counting:
    """An engine that counts its calls."""

    def __init__(self, engine):
        self.engine, self.calls, self.contract, self.description = engine, 0, engine.contract, engine.description

    def infer(self, crops):
        self.calls += 1
        return self.engine.infer(crops)


def test_the_first_engine_serves_until_the_second_is_ready_and_never_after(first, second):
    go, said = threading.Event(), threading.Event()

    def prepare(say):
        say('43 %, timing kernels')
        said.set()
        assert go.wait(WAIT_S)
        return counted_second

    counted_first, counted_second = Counting(first), Counting(second)
    engine = SwitchingEngine(counted_first, prepare)
    assert said.wait(WAIT_S)
    crops = sample_crops(engine.contract.input_size)[:3]
    before = engine.infer(crops)
    assert (counted_first.calls, counted_second.calls) == (1, 0)
    assert '43 %, timing kernels' in engine.progress and '43 %' in engine.description and engine.description.startswith('cpu')
    go.set()
    engine.wait(WAIT_S)
    after = engine.infer(crops)
    assert (counted_first.calls, counted_second.calls) == (1, 1)
    assert engine.progress is None and engine.description == 'cuda (pretended)'
    assert np.allclose(before.rotation, after.rotation, atol=1e-4)


def test_frames_keep_coming_while_the_change_happens(first, second):
    """Another thread lets the second engine through at a moment of its own; every call must answer."""
    go = threading.Event()
    engine = SwitchingEngine(first, lambda say: go.wait(WAIT_S) and second)
    crops = sample_crops(engine.contract.input_size)[:1]
    expected = first.infer(crops).rotation
    timer = threading.Timer(0.05, go.set)
    timer.start()
    calls = 0
    while engine.progress is not None or calls < 50:
        assert np.allclose(engine.infer(crops).rotation, expected, atol=1e-4)
        calls += 1
        assert calls < 100_000
    timer.join()
    assert engine.description == 'cuda (pretended)'


def test_a_failed_build_leaves_the_first_engine_and_reports_why(first):
    def prepare(say):
        raise RuntimeError('out of memory')

    engine = SwitchingEngine(first, prepare)
    engine.wait(WAIT_S)
    assert len(engine.infer(sample_crops(engine.contract.input_size)).rotation) == 24
    assert engine.description.startswith('cpu') and 'because cuda failed: out of memory' in engine.description
    assert engine.progress is None


def test_a_failed_build_that_was_required_fails_the_calls(first):
    def prepare(say):
        raise RuntimeError('out of memory')

    engine = SwitchingEngine(first, prepare, required=True)
    with pytest.raises(ModelError, match='out of memory'):
        engine.wait(WAIT_S)
    with pytest.raises(ModelError, match='out of memory'):
        engine.infer(sample_crops(engine.contract.input_size))


def test_an_engine_of_another_model_is_not_changed_over_to(first, second):
    second.contract = replace(second.contract, version='9')
    engine = SwitchingEngine(first, lambda say: second)
    engine.wait(WAIT_S)
    assert 'another model file' in engine.description and engine.description.startswith('cpu')


def test_waiting_has_an_end(first):
    go = threading.Event()
    engine = SwitchingEngine(first, lambda say: go.wait(WAIT_S) and first)
    with pytest.raises(TimeoutError, match='not ready'):
        engine.wait(0.01)
    go.set()
