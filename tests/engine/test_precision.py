"""fp16 files made from fp32 ones, and the refusal of quantisation that TensorRT would misread."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.engine.parity import LIMITS_DEG, compare, sample_crops
from c2f_head_pose.engine.precision import geometry_nodes, natural_precision, precisions_of, with_precision
from c2f_head_pose.models.registry import FOR_TENSORRT, SHIPPED, ModelError, model_path


def model_of(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], shape: list[object]) -> onnx.ModelProto:
    """A model from `crops` of 5x5 pixels, uint8, to `out` of a shape."""
    graph = helper.make_graph(
        nodes,
        'small',
        [helper.make_tensor_value_info('crops', TensorProto.UINT8, ['batch', 1, 5, 5])],
        [helper.make_tensor_value_info('out', TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)


def small_model(bias: float = 0.0, zero: np.ndarray | None = None) -> onnx.ModelProto:
    """Normalise (x / 255), Conv 3x3, Relu, a 3x3 'geometry' MatMul; quantised before the Conv when `zero` is given."""
    weights = np.full((4, 1, 3, 3), 0.1, np.float32)
    nodes = [
        helper.make_node('Cast', ['crops'], ['real'], 'cast', to=TensorProto.FLOAT),
        helper.make_node('Div', ['real', 'full'], ['norm'], 'normalise'),
    ]
    constants = {'full': np.float32(255), 'w': weights, 'b': np.full(4, bias, np.float32), 'turn': np.eye(3, dtype=np.float32)}
    feed = 'norm'
    if zero is not None:
        constants |= {'scale': np.float32(1 / 127), 'zero': zero}
        nodes += [
            helper.make_node('QuantizeLinear', ['norm', 'scale', 'zero'], ['q'], 'quantise'),
            helper.make_node('DequantizeLinear', ['q', 'scale', 'zero'], ['dq'], 'dequantise'),
        ]
        feed = 'dq'
    nodes += [
        helper.make_node('Conv', [feed, 'w', 'b'], ['features'], 'layer'),
        helper.make_node('Relu', ['features'], ['relu'], 'relu'),
        helper.make_node('MatMul', ['relu', 'turn'], ['out'], 'geometry'),
    ]
    return model_of(nodes, constants, ['batch', 4, 3, 3])


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return {v.name: v.type.tensor_type.elem_type for v in [*typed.graph.value_info, *typed.graph.input, *typed.graph.output]}


def test_only_what_lies_between_the_first_and_the_last_layer_becomes_half():
    """Cast and Div come before the Conv, Relu and the 3x3 MatMul after it: one node is the trunk."""
    half = with_precision(small_model(), 'fp16', 'small')
    types = types_of(half)
    assert types['norm'] == types['out'] == TensorProto.FLOAT
    assert types['features_half'] == TensorProto.FLOAT16
    assert types['crops'] == TensorProto.UINT8
    assert geometry_nodes(small_model()) == {'cast', 'normalise', 'relu', 'geometry'}


def test_where_a_second_network_samples_the_picture_stays_in_full_precision():
    """The first Conv's outputs (2 of them, at 5x5 pixels) are the grid by which the second's picture is sampled: half would move pixels."""
    weights = {'first': np.ones((2, 1, 1, 1), np.float32), 'second': np.ones((1, 1, 1, 1), np.float32), 'size': np.float32(5)}
    nodes = [
        helper.make_node('Cast', ['crops'], ['real'], 'cast', to=TensorProto.FLOAT),
        helper.make_node('Conv', ['real', 'first'], ['estimate'], 'first_layer'),
        helper.make_node('Div', ['estimate', 'size'], ['places'], 'decode'),
        helper.make_node('Transpose', ['places'], ['grid'], 'last', perm=[0, 2, 3, 1]),
        helper.make_node('GridSample', ['real', 'grid'], ['turned'], 'sample', mode='nearest'),
        helper.make_node('Conv', ['turned', 'second'], ['out'], 'second_layer'),
    ]
    two = model_of(nodes, weights, ['batch', 1, 5, 5])
    assert geometry_nodes(two) == {'cast', 'decode', 'last', 'sample'}
    types = types_of(with_precision(two, 'fp16', 'two'))
    assert types['grid'] == types['turned'] == TensorProto.FLOAT
    assert types['estimate_half'] == types['out_half'] == TensorProto.FLOAT16


@pytest.mark.parametrize('name', sorted(SHIPPED))
def test_a_shipped_model_in_fp16_gives_the_same_rotations_within_half_a_degree(name, tmp_path):
    path = model_path(name)
    model = onnx.load(path)
    if natural_precision(model) == 'int8':
        pytest.skip(f'{name} is shipped quantised')
    half = with_precision(model, 'fp16', name)
    onnx.save(half, tmp_path / 'half.onnx')
    layers = [node for node in half.graph.node if node.op_type in ('Conv', 'Gemm')]
    kinds = types_of(half)
    assert layers and all(kinds[node.output[0]] == TensorProto.FLOAT16 for node in layers)
    assert kinds['rotation'] == kinds['rotation_std_rad'] == kinds['category_logits'] == TensorProto.FLOAT
    parity = compare(OnnxRuntimeEngine(path), OnnxRuntimeEngine(tmp_path / 'half.onnx'))
    print(f'{name} fp16 on onnxruntime: {parity}')
    assert parity.worst_deg < LIMITS_DEG['fp16']
    assert parity.worst_deg > 0  # it did change: the test would else pass on an untouched file


def test_nodes_without_a_name_are_called_as_tensorrts_parser_calls_them():
    model = small_model()
    model.graph.node[-1].name = ''
    assert geometry_nodes(model) == {'cast', 'normalise', 'relu', 'node_of_out'}


def test_weights_shared_through_an_identity_become_half_without_a_cast():
    """PyTorch's exporter writes equal weights once and hands them on; only the trunk's input and output are cast."""
    model = small_model()
    model.graph.node[2].input[1] = 'w_again'
    model.graph.node.insert(0, helper.make_node('Identity', ['w'], ['w_again'], 'share'))
    half = with_precision(model, 'fp16', 'small')
    assert [node.op_type for node in half.graph.node] == ['Cast', 'Div', 'Cast', 'Conv', 'Cast', 'Relu', 'MatMul']


def test_conversion_does_not_change_the_given_model():
    model = small_model()
    before = model.SerializeToString()
    with_precision(model, 'fp16', 'small')
    assert model.SerializeToString() == before


def test_weights_beyond_fp16_are_refused_with_the_remedy():
    with pytest.raises(ModelError, match='use precision fp32'):
        with_precision(small_model(bias=1e5), 'fp16', 'small')


@pytest.mark.parametrize(('zero', 'reason'), [(np.uint8(128), 'UINT8'), (np.int8(3), 'not 0')])
def test_quantisation_for_cpus_is_refused_for_tensorrt(zero, reason):
    with pytest.raises(ModelError, match=reason):
        with_precision(small_model(zero=np.asarray(zero)), 'int8', 'small')


def test_symmetric_quantisation_passes_unchanged():
    model = small_model(zero=np.asarray(np.int8(0)))
    assert natural_precision(model) == 'int8'
    assert with_precision(model, 'int8', 'small') is model
    with pytest.raises(ModelError, match='precision int8 only'):
        with_precision(model, 'fp16', 'small')


def test_an_fp16_file_is_fp16_alone():
    """At fp32 its layers would compute in fp16 all the same, under another name."""
    half = with_precision(small_model(), 'fp16', 'small')
    assert (precisions_of(half), precisions_of(small_model())) == (('fp16',), ('fp16', 'fp32'))
    assert types_of(with_precision(half, 'fp16', 'small')) == types_of(half)
    with pytest.raises(ModelError, match=r'small_fp16 has weights of fp16 and precision fp16 only'):
        with_precision(half, 'fp32', 'small_fp16')


def test_int8_of_a_file_that_is_not_quantised_names_the_exporter():
    with pytest.raises(ModelError, match=r'training\.export'):
        with_precision(small_model(), 'int8', 'small')


def test_sample_crops_are_the_same_every_time_and_fill_the_range():
    crops = sample_crops(64)
    assert crops.shape == (24, 1, 64, 64) and crops.dtype == np.uint8
    assert np.array_equal(crops, sample_crops(64))
    assert crops.min() < 30 and crops.max() > 220 and len({crop.tobytes() for crop in crops}) == 24


def test_depth_models_can_tell_the_sample_crops():
    """What a network cannot tell, it answers with a deviation of 20 degrees and more, and with another rotation for every rounding."""
    engine = OnnxRuntimeEngine(model_path('c2f_depth'))
    crops = sample_crops(engine.contract.input_size, 'depth')
    assert crops.shape == (24, 1, 96, 96) and crops.min() == 0 and len({crop.tobytes() for crop in crops}) == 24
    assert np.degrees(engine.infer(crops).rotation_std_rad).max() < 10
    assert set(np.unique(sample_crops(40, 'depth')[3])) <= set(np.unique(crops[3]))  # no depth between two surfaces is made up


@pytest.mark.parametrize('name', sorted(SHIPPED))
def test_models_for_tensorrt_are_those_that_it_does_not_refuse(name):
    model = onnx.load(model_path(name))
    if name in FOR_TENSORRT:
        with_precision(model, natural_precision(model), name)
    else:
        with pytest.raises(ModelError, match='--target tensorrt'):
            with_precision(model, natural_precision(model), name)
