"""What runs beside TensorRT on a GPU, tried on the CPU: the same network in PyTorch, and the aims."""

import json

import numpy as np
import onnx
import pytest

from c2f_head_pose.bench.interleaved import Timing
from c2f_head_pose.bench.networks import Report, Row
from c2f_head_pose.engine import cuda
from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.engine.parity import LIMITS_DEG, sample_crops
from c2f_head_pose.engine.precision import natural_precision, with_precision
from c2f_head_pose.geometry import geodesic_deg
from c2f_head_pose.models.registry import SHIPPED, model_path

torch = pytest.importorskip('torch', reason="needs PyTorch: pip install '.[training]'")


@pytest.mark.parametrize(('precision', 'limit_deg'), [('fp32', 0.01), ('fp16', LIMITS_DEG['fp16'])])
@pytest.mark.parametrize('name', sorted(SHIPPED))
def test_the_network_in_torch_gives_the_same_answers_as_onnxruntime(name, precision, limit_deg):
    from training.exporting.onnx_in_torch import OnnxInTorch

    if natural_precision(onnx.load(model_path(name))) == 'int8':
        pytest.skip(f'{name} is shipped quantised')
    reference = OnnxRuntimeEngine(model_path(name))
    crops = sample_crops(reference.contract.input_size, reference.contract.modality)[:8]
    with torch.inference_mode():
        rotation, std, logits = OnnxInTorch(model_path(name), len(crops), precision)(torch.from_numpy(crops))
    expected = reference.infer(crops)
    assert geodesic_deg(expected.rotation, rotation.numpy()).max() < limit_deg
    tolerance = np.radians(limit_deg)
    np.testing.assert_allclose(std.numpy(), expected.rotation_std_rad, atol=tolerance)
    np.testing.assert_allclose(logits.numpy(), expected.category_logits, atol=10 * tolerance)


def test_a_way_that_fails_is_reported_and_the_others_are_timed(monkeypatch):
    from training.exporting import gpu_report

    monkeypatch.setattr(gpu_report, '_compiled', lambda network, crops: lambda: network(crops))
    times = gpu_report.time_torch(model_path('c2f_edge'), 1, 'fp32', 'cpu', repeats=3)
    assert times['eager'].median_ms > 0 and times['compile'].runs == 3
    if not torch.cuda.is_available():
        assert isinstance(times['cuda_graph'], str)


def test_a_file_that_pytorch_cannot_run_keeps_the_reports_other_figures(tmp_path, monkeypatch):
    """Another exporter's pooling, padded on one side alone: the text stands where the times would, and no error ends the report."""
    from onnx import TensorProto, helper

    from training.exporting import gpu_report

    def value(name, kind, *shape):
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        [
            helper.make_node('Cast', ['crops'], ['x'], to=TensorProto.FLOAT),
            helper.make_node('MaxPool', ['x'], ['y'], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        ],
        'uneven',
        [value('crops', TensorProto.UINT8, 'batch', 1, 8, 8)],
        [value('y', TensorProto.FLOAT, 'batch', 1, 4, 4)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8), tmp_path / 'uneven.onnx')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    said = gpu_report._torch_rows(tmp_path / 'uneven.onnx', ['fp32'])
    assert said.startswith('not timed in PyTorch: MaxPool with uneven padding is not implemented')


def test_aims_are_judged_by_the_right_figures():
    """Batch 1: 0.3 and 0.1 ms, the better is 0.1 <= 0.2. Batch 64: 4 over the floor, missed. Replay 0.1 / 0.05 = 2, missed."""
    from training.exporting.gpu_report import aims_of

    def row(precision, batch, ms, over):
        timing = Timing(ms, ms, ms, 1)
        kernels_ms = 0.05 if precision == 'fp16' else None
        return Row('m', precision, batch, {'crop_to_pose': timing, 'network': timing}, 1, 1, 1, 1, over, kernels_ms)

    report = Report('', '', '', {}, {}, rows=[row('fp32', 1, 0.3, 1), row('fp16', 1, 0.1, 1), row('fp32', 64, 1, 4)])
    assert [(a['value'], a['met']) for a in aims_of(report, 'm')] == [(0.1, True), (4, False), (2.0, False)]


@pytest.mark.skipif(cuda.has_driver(), reason='there is an NVIDIA driver here')
def test_without_a_gpu_the_message_names_what_is_missing(capsys):
    from training.exporting.gpu_report import main

    assert main(['c2f_edge']) == 1
    assert 'gpu_report: no NVIDIA driver' in capsys.readouterr().err


@pytest.mark.skipif(cuda.has_driver(), reason='there is an NVIDIA driver here')
@pytest.mark.parametrize('models', [['c2f_edge'], ['c2f', 'c2f_edge_int8']])
def test_without_a_gpu_the_named_report_has_the_reason_and_no_figure(tmp_path, models):
    from training.exporting.gpu_report import main

    assert main([*models, '--json', str(tmp_path / 'new' / 'gpu.json')]) == 1
    content = json.loads((tmp_path / 'new' / 'gpu.json').read_text())
    assert content['skipped'].startswith('no NVIDIA driver') and not content['reports'] and not content['aims']


def test_a_file_is_measured_at_the_precisions_that_it_has(tmp_path, monkeypatch, capsys):
    """An exported fp16 file is fp16 alone: at fp32 it is the same engine under another name. PyTorch runs no int8."""
    from training.exporting import gpu_report

    half = tmp_path / 'edge_fp16.onnx'
    onnx.save(with_precision(onnx.load(model_path('c2f_edge')), 'fp16', 'c2f_edge'), half)
    measured, timed = [], []

    def bench(models, batches, precisions, *_):
        measured.extend((models[0], precision) for precision in precisions)
        return Report('', '', '', {'device': 'cuda', 'gpu': {'name': 'none'}}, {}, rows=[])

    monkeypatch.setattr(gpu_report, 'bench_cuda', bench)
    monkeypatch.setattr(gpu_report, '_torch_rows', lambda path, precisions: timed.append((path.stem, *precisions)))
    assert gpu_report.main([str(half), 'c2f_edge', 'c2f_edge_int8', '--json', str(tmp_path / 'gpu.json')]) == 0
    assert measured == [(str(half), 'fp16'), ('c2f_edge', 'fp16'), ('c2f_edge', 'fp32'), ('c2f_edge_int8', 'int8')]
    assert timed == [('edge_fp16', 'fp16'), ('c2f_edge', 'fp16', 'fp32')]


def test_a_damaged_model_is_named(tmp_path, capsys):
    from training.exporting.gpu_report import main

    path = tmp_path / 'half.onnx'
    path.write_bytes(model_path('c2f_edge').read_bytes()[:200_000])
    assert main([str(path)]) == 1
    assert f'gpu_report: {path} cannot be read as an ONNX model' in capsys.readouterr().err
