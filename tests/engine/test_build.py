"""The build path on the real TensorRT-RTX builder, which needs no GPU; and what is refused where there is none."""

import importlib.util
import json
import subprocess
import sys
import threading
import time

import numpy as np
import onnx
import pytest

from c2f_head_pose.bench.roofline import ceiling_model
from c2f_head_pose.engine import cuda, open_engine
from c2f_head_pose.engine.build import main
from c2f_head_pose.engine.parity import sample_crops
from c2f_head_pose.engine.precision import geometry_nodes, node_name, with_precision
from c2f_head_pose.engine.provision import build_in_process
from c2f_head_pose.models.registry import FOR_TENSORRT, ModelError, model_path

needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec('tensorrt_rtx') is None,
    reason="the GPU-less builder is not installed (pip install 'tensorrt-rtx-cu12==1.7.1.116')",
)
needs_gpu = pytest.mark.skipif(not cuda.has_driver(), reason='no NVIDIA driver here')
without_gpu = pytest.mark.skipif(cuda.has_driver(), reason='there is an NVIDIA driver here')
DEADLINE_S = 60


def quantised(path, folder):
    """The model quantised as TensorRT wants it: symmetric S8, float biases, the layers only."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    model = onnx.load(path)
    size = int({p.key: p.value for p in model.metadata_props}['input_size'])

    class Crops(CalibrationDataReader):
        def __init__(self):
            self.left = [{'crops': sample_crops(size)}]

        def get_next(self):
            return self.left.pop() if self.left else None

    target = folder / f'{path.stem}_int8.onnx'
    quantize_static(
        path,
        target,
        Crops(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=['Conv', 'Gemm'],
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options={'ActivationSymmetric': True, 'WeightSymmetric': True, 'QuantizeBias': False},
    )
    return target


@needs_rtx
@pytest.mark.parametrize('precision', ['fp32', 'fp16', 'int8'])
@pytest.mark.parametrize('name', FOR_TENSORRT)
def test_every_shipped_model_builds_for_three_generations_of_gpus(name, precision, tmp_path, capsys):
    path = quantised(model_path(name), tmp_path) if precision == 'int8' else model_path(name)
    status = main([str(path), '--precision', precision, '--compute-capability', 'SM86', 'SM89', 'SM120', '--json', '-'])
    out, err = capsys.readouterr()
    assert status == 0, err
    summary = json.loads(out)
    assert summary['bytes'] > 100_000 and summary['precision'] == precision and summary['parity'] is None
    assert 'SM120' in summary['device'] and '%' in err


@needs_rtx
def test_the_summary_is_written_into_a_new_folder_and_one_that_cannot_be_is_named(tmp_path, capsys):
    path = ceiling_model(tmp_path)
    check = [str(path), '--precision', 'fp32', '--compute-capability', 'SM89', '--json']
    assert main([*check, str(tmp_path / 'new' / 'summary.json')]) == 0
    assert json.loads((tmp_path / 'new' / 'summary.json').read_text())['model'] == str(path)
    assert main([*check, str(path / 'summary.json')]) == 1
    assert f"build_engine: [Errno 17] File exists: '{path}'" in capsys.readouterr().err


@needs_rtx
def test_the_parser_takes_every_node_and_keeps_the_types_of_the_fp16_file():
    """No layer falls back to fp32 within the trunk, none but the trunk is fp16, and there is no If."""
    import tensorrt_rtx as trt

    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    model = with_precision(onnx.load(model_path('c2f_edge')), 'fp16', 'c2f_edge')
    assert parser.parse(model.SerializeToString())
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    pinned = {node_name(node) for node in model.graph.node if node.op_type in ('Sub', 'Mul', 'Div', 'MatMul')} & geometry_nodes(model)
    assert pinned and pinned <= {layer.name for layer in layers}  # by these names, builders before 10 are told what stays fp32
    convolutions = [layer for layer in layers if layer.type == trt.LayerType.CONVOLUTION]
    assert len(convolutions) == sum(node.op_type == 'Conv' for node in model.graph.node)
    assert {layer.get_output(0).dtype for layer in convolutions} == {trt.float16}
    assert {network.get_output(i).dtype for i in range(network.num_outputs)} == {trt.float32}
    assert network.get_input(0).dtype == trt.uint8
    assert not [layer for layer in layers if layer.type in (trt.LayerType.CONDITION, trt.LayerType.PLUGIN_V3)]


@needs_rtx
def test_progress_only_grows_and_ends_near_the_whole():
    from c2f_head_pose.engine.tensorrt_builder import build_plan
    from c2f_head_pose.engine.tensorrt_installation import find_tensorrt

    told = []
    build_plan(
        find_tensorrt(),
        onnx.load(model_path('c2f_edge')),
        'fp16',
        'c2f_edge',
        progress=lambda share, what: told.append((share, what)),
        compute_capabilities=['SM89'],
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and 0.5 < shares[-1] <= 1
    assert all(what for _, what in told)


@needs_rtx
def test_other_threads_run_during_a_build(tmp_path):
    """The builder must not hold Python's lock, or a node that builds in-process would stand still."""
    from c2f_head_pose.engine.tensorrt_builder import build_plan
    from c2f_head_pose.engine.tensorrt_installation import find_tensorrt

    trt, model = find_tensorrt(), onnx.load(model_path('c2f_edge'))
    thread = threading.Thread(target=lambda: build_plan(trt, model, 'fp32', 'c2f_edge', compute_capabilities=['SM86', 'SM89', 'SM120']))
    thread.start()
    steps = 0
    while thread.is_alive():
        time.sleep(0.001)
        steps += 1
    assert steps > 20


@needs_rtx
@without_gpu
def test_an_engine_that_cannot_be_loaded_is_reported_with_tensorrts_reason():
    """Twice: TensorRT keeps the first logger it is given, and it must not be a dead one."""
    from c2f_head_pose.engine.tensorrt_builder import build_plan
    from c2f_head_pose.engine.tensorrt_engine import TensorRTEngine
    from c2f_head_pose.engine.tensorrt_installation import EngineError, find_tensorrt

    trt = find_tensorrt()
    plan, _ = build_plan(trt, onnx.load(model_path('c2f_edge')), 'fp16', 'c2f_edge', compute_capabilities=['SM89'])
    contract = open_engine('c2f_edge', 'cpu').contract
    for _ in range(2):
        with pytest.raises(EngineError, match=r'cannot load the engine: .*driver'):
            TensorRTEngine(plan, contract, trt, cuda.Gpu('none', (8, 9), 1, 1, False), 'fp16')


@needs_rtx
@without_gpu
def test_a_kept_engine_that_tensorrt_refuses_is_thrown_away(tmp_path):
    """Whole and of the right key, but not an engine: as after an update of libraries under the same version."""
    from c2f_head_pose.engine.build import load_engine, make_job
    from c2f_head_pose.engine.cache import EngineCache
    from c2f_head_pose.engine.tensorrt_installation import find_tensorrt

    job, cache = make_job('c2f_edge', None, find_tensorrt(), cuda.Gpu('none', (8, 9), 1, 1, False)), EngineCache(tmp_path)
    assert job.precision == 'fp16' and job.key.profile == 'batch 1-1-8 16-64-64'
    assert load_engine(job, cache) is None
    cache.get(job.key, lambda: b'refused')
    assert cache.find(job.key) is not None
    assert load_engine(job, cache) is None
    assert cache.find(job.key) is None


@needs_rtx
def test_the_names_that_only_a_gpu_would_call_exist():
    """Of TensorRT-RTX, whose calls are TensorRT 11's; those of 8.5, 8.6 and 10.3 were looked up in NVIDIA's source."""
    import tensorrt_rtx as trt

    for owner, names in {
        trt.IExecutionContext: (
            'set_optimization_profile_async',
            'device_memory',
            'set_input_shape',
            'get_tensor_shape',
            'set_tensor_address',
            'execute_async_v3',
            'is_stream_capturable',
            'profiler',
        ),
        trt.IProfiler: ('report_layer_time',),
        trt.ICudaEngine: ('device_memory_size_v2', 'create_execution_context', 'create_runtime_config'),
        trt.IRuntimeConfig: ('set_execution_context_allocation_strategy', 'dynamic_shapes_kernel_specialization_strategy'),
        trt.ExecutionContextAllocationStrategy: ('USER_MANAGED',),
        trt.DynamicShapesKernelSpecializationStrategy: ('EAGER',),
    }.items():
        for name in names:
            assert hasattr(owner, name), f'{owner.__name__}.{name}'


@needs_rtx
def test_a_model_that_the_parser_refuses_is_reported_with_its_reason(tmp_path, capsys):
    model = onnx.load(model_path('c2f_edge'))
    model.graph.node[0].op_type, model.graph.node[0].domain = 'Unheard', 'of.somebody'
    model.opset_import.append(onnx.helper.make_opsetid('of.somebody', 1))
    onnx.save(model, tmp_path / 'odd.onnx')
    assert main([str(tmp_path / 'odd.onnx'), '--precision', 'fp32', '--compute-capability', 'SM89']) == 1
    assert 'cannot read' in (error := capsys.readouterr().err) and 'Unheard' in error


@without_gpu
def test_cuda_asked_for_and_absent_names_each_missing_part_and_the_remedy():
    with pytest.raises(ModelError) as caught:
        open_engine('c2f_edge', 'cuda')
    text = str(caught.value)
    assert 'no NVIDIA driver' in text and 'nvidia-smi' in text and "device 'cpu' or 'auto'" in text
    assert ('cuda-python is not installed' in text) == (cuda.cudart is None)
    absent = all(importlib.util.find_spec(name) is None for name in ('tensorrt', 'tensorrt_rtx'))
    assert ('TensorRT is not installed' in text) == absent


@without_gpu
def test_auto_takes_the_cpu_and_reports_why():
    engine = open_engine('c2f_edge', 'auto')
    assert engine.description.startswith('cpu (onnxruntime') and engine.description.endswith('no NVIDIA driver here')
    assert open_engine('c2f_edge', 'cpu').description == engine.description.split(';')[0]


@without_gpu
def test_auto_takes_the_cpu_where_python_has_no_file_locks():
    """As on Windows, whose Python has no module fcntl; 'cuda' is refused there with the reason, as elsewhere."""
    script = (
        "import sys; sys.modules['fcntl'] = None\n"
        'from c2f_head_pose import HeadPoseEstimator\n'
        'from c2f_head_pose.engine import ModelError\n'
        "print(HeadPoseEstimator.load('c2f_edge').device)\n"
        "try: HeadPoseEstimator.load('c2f_edge', 'cuda')\n"
        'except ModelError as error: print(error)'
    )
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    taken, refused = done.stdout.splitlines()
    assert taken.startswith('cpu (onnxruntime') and refused.startswith("device 'cuda' cannot be used: no NVIDIA driver")


def test_auto_with_a_driver_reports_what_else_is_missing(monkeypatch):
    if importlib.util.find_spec('tensorrt') is not None:
        pytest.skip('TensorRT is installed here')
    monkeypatch.setattr(cuda, 'has_driver', lambda: True)
    monkeypatch.setattr(cuda, 'cudart', None)
    text = open_engine('c2f_edge', 'auto').description
    assert text.startswith('cpu') and 'cuda-python is not installed' in text


def test_an_unknown_device_lists_the_known():
    with pytest.raises(ModelError, match='auto, cpu, cuda'):
        open_engine('c2f_edge', 'gpu')


@without_gpu
def test_build_engine_without_a_gpu_reports_what_is_missing(capsys):
    assert main(['c2f_edge']) == 1
    assert 'no engine can be built on this machine: no NVIDIA driver was found' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['nobody', '--compute-capability', 'SM89'], 'no model'),
        (['c2f_edge', '--compute-capability', 'SM90'], 'only for SM120'),
        (['{damaged}', '--compute-capability', 'SM89'], 'cannot be read as an ONNX model'),
    ],
)
@needs_rtx
def test_build_engine_refuses_models_that_are_none(arguments, reason, tmp_path, capsys):
    (tmp_path / 'damaged.onnx').write_bytes(b'not a model')
    assert main([a.format(damaged=tmp_path / 'damaged.onnx') for a in arguments]) == 1
    assert reason in capsys.readouterr().err


def test_building_in_another_process_reports_progress_and_the_last_message():
    script = (
        'import json, sys\nprint(json.dumps({"share": 0.4, "what": "timing"}), flush=True)\nprint("a library talks", flush=True)\n'
        'print("build_engine: out of memory", file=sys.stderr)\nsys.exit(1)'
    )
    said = []
    with pytest.raises(ModelError, match=r'^out of memory$'):
        build_in_process([], said.append, (sys.executable, '-c', script))
    assert said == ['40 %, timing']


def test_a_builder_that_is_killed_is_reported():
    with pytest.raises(ModelError, match='exited with status -9'):
        build_in_process([], lambda said: None, (sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)'))


@without_gpu
def test_the_real_builder_aside_refuses_with_its_own_reason():
    with pytest.raises(ModelError, match='no engine can be built on this machine'):
        build_in_process(['c2f_edge'], lambda said: None)


@without_gpu
def test_a_builder_ends_with_the_program_that_wanted_it():
    """Its standard input closes when the program dies, however it dies."""
    script = (
        'import sys, time\nfrom c2f_head_pose.engine import build\n'
        'build._provision = lambda *_: (print("building", flush=True), time.sleep(60))\nbuild.main(sys.argv[1:])'
    )
    child = subprocess.Popen([sys.executable, '-c', script, 'c2f_edge', '--for-program'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b'building\n' and child.poll() is None
    child.stdin.close()
    assert child.wait(DEADLINE_S) == 1
    child.stdout.close()


@pytest.mark.skipif(cuda.cudart is None, reason="cuda-python is not installed (pip install 'cuda-python>=12,<13')")
@without_gpu
def test_cuda_python_takes_the_arguments_we_pass():
    """Without a driver each call must come back with CUDA's own error: a wrong name or argument raises another (from 12.9 on)."""
    host, kind = np.zeros(16, np.uint8), cuda.cudart.cudaMemcpyKind
    mode = cuda.cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    for function, *arguments in [
        ('cudaGetDeviceCount',),
        ('cudaGetDeviceProperties', 0),
        ('cudaMemGetInfo',),
        ('cudaStreamCreateWithFlags', 1),
        ('cudaMalloc', 4),
        ('cudaHostAlloc', 4, 0),
        ('cudaMemcpyAsync', 64, host.ctypes.data, 16, kind.cudaMemcpyHostToDevice, 7),
        ('cudaMemcpyAsync', host.ctypes.data, 64, 16, kind.cudaMemcpyDeviceToHost, 7),
        ('cudaMemcpyAsync', 64, 128, 16, kind.cudaMemcpyDeviceToDevice, 7),
        ('cudaStreamSynchronize', 7),
        ('cudaStreamBeginCapture', 7, mode),
        ('cudaStreamEndCapture', 7),
        ('cudaGraphInstantiateWithFlags', 7, 0),
        ('cudaGraphDestroy', 7),
        ('cudaGraphLaunch', 7, 7),
        ('cudaGraphExecDestroy', 7),
        ('cudaEventCreate',),
        ('cudaEventRecord', 7, 7),
        ('cudaEventSynchronize', 7),
        ('cudaEventElapsedTime', 7, 7),
        ('cudaEventDestroy', 7),
        ('cudaFree', 7),
        ('cudaFreeHost', 7),
        ('cudaStreamDestroy', 7),
    ]:
        with pytest.raises(cuda.CudaError, match=f'{function}: '):
            cuda.call(function, *arguments)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize('name', FOR_TENSORRT)
def test_on_a_gpu_the_engine_is_built_proved_kept_and_loaded(name, tmp_path):
    from c2f_head_pose.engine.build import get_engine, make_job
    from c2f_head_pose.engine.cache import EngineCache
    from c2f_head_pose.engine.tensorrt_installation import find_all

    try:
        trt, gpu = find_all()
    except ModelError as error:
        pytest.skip(str(error))
    job, cache = make_job(name, None, trt, gpu), EngineCache(tmp_path)
    first = get_engine(job, cache, lambda share, what: None)
    assert first.built and first.parity.within(job.precision) and first.kept == ''
    again = get_engine(job, cache, lambda share, what: None)
    assert not again.built
    reference = open_engine(name, 'cpu')
    crops = sample_crops(reference.contract.input_size, reference.contract.modality)
    for count in (1, 3, 24):
        got, expected = again.engine.infer(crops[:count]), reference.infer(crops[:count])
        assert np.abs(got.rotation - expected.rotation).max() < 0.02
