"""Prepares a model file for a precision: converts fp32 weights to fp16, and checks that an int8 file suits TensorRT."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..models.registry import ModelError

PRECISIONS = ('fp32', 'fp16', 'int8')

# A smaller matrix belongs to the geometry (a 3x3 rotation, the anchors of sub-spaces), not to a trained layer.
_SMALLEST_LAYER = 512
_LARGEST_HALF = 65504.0


def precisions_of(model: onnx.ModelProto) -> tuple[str, ...]:
    """Returns the precisions that a file can be built at, the default first; one that is quantised or has fp16 weights has its own only."""
    if any(node.op_type == 'QuantizeLinear' for node in model.graph.node):
        return ('int8',)
    if any(weight.data_type == TensorProto.FLOAT16 for weight in model.graph.initializer):
        return ('fp16',)
    return 'fp16', 'fp32'


def natural_precision(model: onnx.ModelProto) -> str:
    """Returns the precision that a file is built at by default: 'int8' for a quantised file, else 'fp16'."""
    return precisions_of(model)[0]


def with_precision(model: onnx.ModelProto, precision: str, source: str) -> onnx.ModelProto:
    """Converts a model so that its tensor types state the precision, as strongly typed builders require.

    Args:
        model: the file's content; it is not changed.
        precision: 'fp32', 'fp16' or 'int8'.
        source: the file, for messages.

    Raises:
        ModelError: when the file does not permit the precision, with the remedy.
    """
    quantised = natural_precision(model) == 'int8'
    if precision == 'int8':
        if not quantised:
            raise ModelError(
                f"{source} is not quantised; export its int8 file with 'python -m training.export --precision int8 --target tensorrt', "
                'or use precision fp16'
            )
        if reason := _unfit_for_tensorrt(model.graph):
            raise ModelError(
                f'{source} is quantised for CPUs, not for TensorRT: {reason}; '
                'export it with --target tensorrt, or use the fp32 file at precision fp16'
            )
        return model
    if precision not in PRECISIONS:
        raise ModelError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
    if quantised:
        raise ModelError(f'{source} is quantised and has precision int8 only; use precision int8, or the fp32 file')
    if precision not in precisions_of(model):
        raise ModelError(f'{source} has weights of fp16 and precision fp16 only; use precision fp16, or the fp32 file')
    return _half(model, source) if precision == 'fp16' else model


def geometry_nodes(model: onnx.ModelProto) -> set[str]:
    """Returns the names of the nodes that stay fp32 in an fp16 engine: normalisation before the first layer, sampling, and decoding."""
    trunk = _trunk(model.graph)
    return {node_name(node) for i, node in enumerate(model.graph.node) if i not in trunk}


def node_name(node: onnx.NodeProto) -> str:
    """Returns the name that TensorRT's parser gives to a node's layer: the node's own, else one made from its first output."""
    return node.name or f'node_of_{node.output[0]}'


def _unfit_for_tensorrt(graph: onnx.GraphProto) -> str:
    """Returns the reason why TensorRT would refuse or misread the quantisation; '' when there is none."""
    constants = {c.name: c for c in graph.initializer}
    constants |= {node.output[0]: a.t for node in graph.node if node.op_type == 'Constant' for a in node.attribute if a.name == 'value'}
    for node in graph.node:
        if node.op_type not in ('QuantizeLinear', 'DequantizeLinear'):
            continue
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None:
            return f'{node.name} has no constant zero point'
        if zero.data_type != TensorProto.INT8:
            return f'{node.name} is {TensorProto.DataType.Name(zero.data_type)}'
        if np.any(numpy_helper.to_array(zero)):
            return f'{node.name} has a zero point that is not 0'
    return ''


def _trunk(graph: onnx.GraphProto) -> set[int]:
    """Returns the indices of the nodes that have a layer at or before them and a layer at or after them.

    How a picture is sampled is geometry, not a layer's work: what computes a GridSample's grid counts as decoding, and what it samples as
    an input (half precision moves places in a crop of 192 by up to a tenth of a pixel).
    """
    sizes = {c.name: int(np.prod(c.dims)) for c in graph.initializer}

    def is_layer(node: onnx.NodeProto) -> bool:
        return node.op_type in ('Conv', 'ConvTranspose', 'Gemm') or (
            node.op_type == 'MatMul' and any(sizes.get(name, 0) >= _SMALLEST_LAYER for name in node.input)
        )

    def inputs(node: onnx.NodeProto) -> set[str]:
        return set(node.input[:1] if node.op_type == 'GridSample' else node.input)

    after: set[str] = set()
    downstream = set()
    for i, node in enumerate(graph.node):
        if is_layer(node) or after & inputs(node):
            downstream.add(i)
            after |= set(node.output)
    before: set[str] = set()
    trunk = set()
    for i in reversed(range(len(graph.node))):
        node = graph.node[i]
        if is_layer(node) or before & set(node.output):
            before |= inputs(node)
            if i in downstream:
                trunk.add(i)
    return trunk


def _half(model: onnx.ModelProto, source: str) -> onnx.ModelProto:
    """Converts the trunk to fp16; normalisation, sampling, decoding, inputs and outputs keep their types."""
    model = _with_own_weights(model)
    typed = onnx.shape_inference.infer_shapes(model)
    kinds = {v.name: v.type.tensor_type.elem_type for v in [*typed.graph.value_info, *typed.graph.input, *typed.graph.output]}
    kinds |= {c.name: c.data_type for c in model.graph.initializer}
    floats = {name for name, kind in kinds.items() if kind == TensorProto.FLOAT}
    weights = {c.name: c for c in model.graph.initializer if c.data_type == TensorProto.FLOAT}
    result, graph = model, model.graph
    trunk = _trunk(graph)
    made_here = {name for i in trunk for name in graph.node[i].output if name in floats}
    used_outside = {name for i, node in enumerate(graph.node) if i not in trunk for name in node.input} | {o.name for o in graph.output}
    nodes: list[onnx.NodeProto] = []
    halves: set[str] = set()
    for i, node in enumerate(graph.node):
        if i not in trunk:
            nodes.append(node)
            continue
        for k, name in enumerate(node.input):
            if name not in floats:
                continue
            half = f'{name}_half'
            node.input[k] = half
            if name in made_here or half in halves:
                continue
            halves.add(half)
            if name in weights:
                graph.initializer.append(_half_weight(weights[name], half, source))
            else:
                nodes.append(helper.make_node('Cast', [name], [half], name=f'{half}_cast', to=TensorProto.FLOAT16))
        for attribute in node.attribute:
            if node.op_type == 'Cast' and attribute.name == 'to' and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
        nodes.append(node)
        for k, name in enumerate(node.output):
            if name in made_here:
                node.output[k] = f'{name}_half'
                if name in used_outside:
                    nodes.append(helper.make_node('Cast', [f'{name}_half'], [name], name=f'{name}_float', to=TensorProto.FLOAT))
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [c for c in graph.initializer if c.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(result, full_check=True)
    return result


def _with_own_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Removes the Identity nodes through which exporters share equal weights."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {c.name for c in model.graph.initializer}
    shared = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == 'Identity' and node.input[0] in constants}
    shared = {name: source for name, source in shared.items() if name not in {o.name for o in model.graph.output}}
    kept = [node for node in result.graph.node if not (node.op_type == 'Identity' and node.output[0] in shared)]
    for node in kept:
        for k, name in enumerate(node.input):
            node.input[k] = shared.get(name, name)
    del result.graph.node[:]
    result.graph.node.extend(kept)
    return result


def _half_weight(weight: onnx.TensorProto, name: str, source: str) -> onnx.TensorProto:
    values = numpy_helper.to_array(weight)
    if np.abs(values).max(initial=0) > _LARGEST_HALF:
        raise ModelError(f'{source} has weights above {_LARGEST_HALF:.0f} in {weight.name}, too large for fp16; use precision fp32')
    return numpy_helper.from_array(values.astype(np.float16), name)
