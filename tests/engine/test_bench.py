"""The benchmark: what it counts, by hand, and that it runs where there is no GPU."""

import json
import signal

import gpu_stand_in
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from c2f_head_pose.bench import command as bench
from c2f_head_pose.bench import networks
from c2f_head_pose.bench.roofline import Ceilings, Work, ceiling_model, count_work, floor_s
from c2f_head_pose.engine import build, cuda, open_engine
from c2f_head_pose.models import fetch
from c2f_head_pose.models.registry import FOR_TENSORRT, model_path


def two_layers() -> onnx.ModelProto:
    """Conv 3x3, 1 to 4 channels, 5x5 to 3x3; an addition; Gemm 36 to 2."""
    constants = {'w': np.zeros((4, 1, 3, 3), np.float32), 'b': np.zeros(4, np.float32), 'g': np.zeros((36, 2), np.float32)}
    nodes = [
        helper.make_node('Cast', ['crops'], ['x'], 'cast', to=TensorProto.FLOAT),
        helper.make_node('Conv', ['x', 'w', 'b'], ['c'], 'conv'),
        helper.make_node('Relu', ['c'], ['r'], 'relu'),
        helper.make_node('Add', ['c', 'r'], ['a'], 'add'),
        helper.make_node('Flatten', ['a'], ['f'], 'flatten'),
        helper.make_node('Gemm', ['f', 'g'], ['out'], 'gemm'),
        helper.make_node('Softmax', ['out'], ['soft'], 'softmax'),
    ]
    graph = helper.make_graph(
        nodes,
        'two',
        [helper.make_tensor_value_info('crops', TensorProto.UINT8, ['batch', 1, 5, 5])],
        [helper.make_tensor_value_info('soft', TensorProto.FLOAT, ['batch', 2])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)


def test_work_is_counted_as_by_hand():
    """Batch 3. Conv: 3*4*3*3 = 108 outputs of 9 products, 2 FLOPs each: 1944; elements 75 in, 36+4 weights, 108 out = 223.

    Add: 108 FLOPs, reads its other input, 108. Gemm: 6 outputs of 36 products: 432 FLOPs; 108 in, 72 weights, 6 out = 186.
    """
    assert count_work(two_layers(), 3) == [Work('conv', 1944, 223), Work('add', 108, 108), Work('gemm', 432, 186)]


def test_the_floor_is_the_sum_of_each_layers_worse_limit():
    """1000 FLOPs at 100 a second take 10 s, more than 10 elements of 2 bytes at 10 a second; 500 elements take 100 s."""
    assert floor_s([Work('a', 1000, 10), Work('b', 1, 500)], Ceilings(100, 10), 2) == pytest.approx(110)


def test_the_ceiling_model_is_to_the_contract_and_nearly_all_matrix_products(tmp_path):
    path = ceiling_model(tmp_path)
    assert open_engine(str(path), 'cpu').contract.name == 'ceiling'
    work = {w.name: w.flops for w in count_work(onnx.load(path), 2)}
    assert work['product1'] == 2 * 2 * 1024**3
    assert sum(flops for name, flops in work.items() if name.startswith('product')) > 0.99 * sum(work.values())


def test_work_of_the_shipped_edge_model_scales_with_the_batch():
    model = onnx.load(model_path('c2f_edge'))
    one, eight = (sum(w.flops for w in count_work(model, batch)) for batch in (1, 8))
    assert eight == 8 * one and 0.05e9 < one < 0.15e9


def test_the_cpu_benchmark_writes_a_table_and_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(networks, 'cpu_ceilings', lambda folder, threads: Ceilings(1e11, 1e10))
    target = tmp_path / 'bench.json'
    assert bench.main(['c2f_edge', '--device', 'cpu', '--batch', '1', '3', '--seconds', '0.02', '--json', str(target)]) == 0
    out = capsys.readouterr().out
    assert out.count('| c2f_edge | fp32 |') == 2
    written = json.loads(target.read_text())
    assert [row['batch'] for row in written['rows']] == [1, 3]
    row = written['rows'][0]
    assert set(row['stages']) == {'network', 'crop_to_pose'} and row['stages']['crop_to_pose']['runs'] >= 5
    assert row['floor_ms'] > 0 and row['over_floor'] == pytest.approx(row['stages']['network']['median_ms'] / row['floor_ms'])
    assert written['machine']['processor'] and written['command'].startswith('python -m c2f_head_pose.bench')


def test_a_json_file_that_cannot_be_written_is_named_below_the_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(networks, 'cpu_ceilings', lambda folder, threads: Ceilings(1e11, 1e10))
    assert bench.main(['c2f_edge', '--batch', '1', '--seconds', '0.02', '--json', str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert '| c2f_edge | fp32 | 1 |' in out and err.startswith('bench: ') and str(tmp_path) in err


def test_a_damaged_model_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(networks, 'cpu_ceilings', lambda folder, threads: Ceilings(1e11, 1e10))
    path = tmp_path / 'half.onnx'
    path.write_bytes(model_path('c2f_edge').read_bytes()[:200_000])
    assert bench.main([str(path)]) == 1
    assert f'bench: {path} cannot be read as an ONNX model' in capsys.readouterr().err


@pytest.mark.skipif(cuda.has_driver(), reason='there is an NVIDIA driver here')
def test_the_cuda_benchmark_without_a_gpu_reports_what_is_missing(capsys):
    assert bench.main(['--device', 'cuda']) == 1
    assert 'bench: no NVIDIA driver' in capsys.readouterr().err


def test_the_cuda_benchmark_measures_what_tensorrt_can_build_and_refuses_the_rest_before_it_measures(capsys, monkeypatch):
    gpu_stand_in.stand_in(monkeypatch.setattr)
    begun, checked, check = [], [], networks.with_precision

    def get_engine(*_):
        begun.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(cuda, 'call', lambda *_: (1, 1))
    monkeypatch.setattr(networks, 'gpu_copy_bytes_s', lambda: 1e12)
    monkeypatch.setattr(networks, 'gpu_flops_s', lambda *_: 1e14)
    monkeypatch.setattr(
        networks, 'with_precision', lambda model, precision, source: checked.append(source) or check(model, precision, source)
    )
    monkeypatch.setattr(build, 'get_engine', get_engine)
    assert bench.main(['c2f', 'c2f_edge_int8', '--device', 'cuda']) == 1
    assert not begun and 'quantised for CPUs' in capsys.readouterr().err
    checked.clear()
    assert bench.main(['--device', 'cuda']) == 130
    assert begun == [1] and checked == [str(model_path(name)) for name in FOR_TENSORRT]


def test_batches_that_are_no_buckets_are_refused_on_cuda(capsys):
    with pytest.raises(SystemExit):
        bench.main(['--device', 'cuda', '--batch', '3'])
    assert '1, 2, 4, 8, 16, 32, 64' in capsys.readouterr().err


def test_a_benchmark_that_is_stopped_prints_what_it_has_measured(tmp_path, capsys, monkeypatch):
    """Two stages of the first model are measured; Ctrl-C comes in the first stage of the second."""
    stages, measure = [], networks.measure

    def measure_or_stop(run, seconds):
        stages.append(run)
        if len(stages) == 3:
            signal.raise_signal(signal.SIGINT)
        return measure(run, seconds)

    monkeypatch.setattr(networks, 'cpu_ceilings', lambda *_: Ceilings(1e11, 1e10))
    monkeypatch.setattr(networks, 'measure', measure_or_stop)
    arguments = ['c2f_edge', 'c2f', '--batch', '1', '--seconds', '0.01', '--json', str(tmp_path / 'bench.json')]
    try:
        status = bench.main(arguments)
    except KeyboardInterrupt:
        pytest.fail('the command ended with a traceback')
    shown = capsys.readouterr()
    assert status == 130 and '| c2f_edge | fp32 | 1 |' in shown.out and '| c2f |' not in shown.out
    assert f'bench: stopped; {tmp_path}/bench.json is not written' in shown.err and not (tmp_path / 'bench.json').exists()


@pytest.mark.parametrize(('module', 'function', 'arguments'), [(build, 'make_job', ['c2f_edge']), (fetch, 'fetch_detector', [])])
def test_build_engine_and_fetch_models_end_without_a_traceback_when_they_are_interrupted(module, function, arguments, monkeypatch):
    monkeypatch.setattr(build, 'find_all', lambda: (None, None))
    monkeypatch.setattr(module, function, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        assert module.main(arguments) == 130
    except KeyboardInterrupt:
        pytest.fail('the command ended with a traceback')
