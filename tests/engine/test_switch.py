"""Serving from one engine while another is made ready; both are ONNX Runtime here, so only the change-over is on trial."""

import gc
import threading
import weakref
from dataclasses import replace

import gpu_stand_in
import numpy as np
import pytest

from c2f_head_pose.engine import build, provision
from c2f_head_pose.engine.cache import EngineCache
from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.engine.parity import Parity, sample_crops
from c2f_head_pose.engine.switch import SwitchingEngine
from c2f_head_pose.engine.tensorrt_installation import EngineError
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


def test_an_engine_that_is_dropped_while_another_is_made_is_freed_at_once(first, second):
    go, made = threading.Event(), threading.Event()

    def prepare(say):
        assert go.wait(WAIT_S)
        say('done')
        made.set()
        return second

    engine = SwitchingEngine(first, prepare)
    gone = weakref.ref(engine)
    del engine
    gc.collect()
    assert gone() is None
    go.set()
    assert made.wait(WAIT_S)


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


def test_a_program_takes_the_fp32_engine_that_was_built_because_fp16_was_refused(tmp_path, monkeypatch):
    gpu_stand_in.stand_in(monkeypatch.setattr)
    monkeypatch.setenv('C2F_HEAD_POSE_ENGINES', str(tmp_path))
    model, trt, gpu = gpu_stand_in.MODEL, gpu_stand_in.TRT, gpu_stand_in.GPU
    monkeypatch.setattr(build, 'compare', lambda *_: Parity(24, 0.7, 0.1, 0.1, 1.0))
    with pytest.raises(EngineError, match=r'by up to 0\.70 degrees .* --precision fp32'):
        build.get_engine(build.make_job(model, None, trt, gpu), EngineCache(), lambda *_: None)
    monkeypatch.setattr(build, 'compare', lambda *_: Parity(24, 0.01, 0.01, 0.01, 1.0))
    build.get_engine(build.make_job(model, 'fp32', trt, gpu), EngineCache(), lambda *_: None)
    engine = provision.engine_for_gpu(OnnxRuntimeEngine(model_path(model)), model, required=True)
    assert engine.description == 'cuda (stand-in)', 'from the cache, at once'
