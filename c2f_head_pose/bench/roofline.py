"""Computes the shortest time that a network can take, from the work in its ONNX file and the device's limits (roofline model)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..engine.contract import CONTRACT_VERSION, CONVENTION, INPUT
from ..engine.precision import geometry_nodes, node_name

ELEMENT_BYTES = {'fp32': 4, 'fp16': 2, 'int8': 1}
_LAYERS = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')
_POOLS = ('MaxPool', 'AveragePool', 'GlobalAveragePool')
_CHANNELS, _SIDE, _DEPTH = 1024, 32, 3  # of the ceiling model: 1x1 convolutions, each a product of 1024x1024 with 1024 columns a crop


@dataclass(frozen=True)
class Work:
    """The work of one layer for one batch.

    Attributes:
        name: the node's name.
        flops: floating-point operations; a multiplication with its addition counts as two.
        elements: elements that are read and written, weights included, each once. Elementwise nodes count as fused, with no traffic.
    """

    name: str
    flops: float
    elements: float


@dataclass(frozen=True)
class Ceilings:
    """The measured limits of a device.

    Attributes:
        flops_s: floating-point operations a second in matrix products, at the precision in use.
        bytes_s: bytes read and written a second in large copies.
    """

    flops_s: float
    bytes_s: float


def count_work(model: onnx.ModelProto, batch: int) -> list[Work]:
    """Counts the work of every layer and pooling. Elementwise nodes are assumed to be fused; an addition reads its second input.

    Args:
        model: a model file within the contract.
        batch: crops in one call.

    Raises:
        ValueError: for a model whose tensor shapes cannot be inferred.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField('shape')
    del fixed.graph.value_info[:]
    typed = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    tensors = [*typed.graph.value_info, *typed.graph.input, *typed.graph.output]
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in tensors}
    shapes |= {c.name: list(c.dims) for c in fixed.graph.initializer}
    outside = geometry_nodes(model)
    work = []
    for node in fixed.graph.node:
        if node.op_type not in (*_LAYERS, *_POOLS, 'Add') or node_name(node) in outside:
            continue
        inputs = [int(np.prod(shapes[name])) for name in node.input if name in shapes]
        output = shapes.get(node.output[0])
        if not output or 0 in output or len(inputs) < len([n for n in node.input if n]):
            raise ValueError(f'the tensor shapes at {node_name(node)} are not known; export the model with shapes')
        written = int(np.prod(output))
        if node.op_type == 'Add':
            work.append(Work(node_name(node), written, inputs[1]))
            continue
        work.append(Work(node_name(node), _flops(node, shapes, written), sum(inputs) + written))
    return work


def floor_s(work: Sequence[Work], ceilings: Ceilings, element_bytes: int) -> float:
    """Returns the sum of the layers' shortest times, each limited by arithmetic or by memory; seconds."""
    return sum(max(w.flops / ceilings.flops_s, w.elements * element_bytes / ceilings.bytes_s) for w in work)


def ceiling_model(folder: Path) -> Path:
    """Writes a model within the contract that consists of large matrix products, to measure an engine's arithmetic limit.

    Args:
        folder: existing folder for the file.

    Returns:
        Path of the file.
    """
    random = np.random.default_rng(0)
    constants: dict[str, np.ndarray] = {'full': np.float32(255), 'rows': np.array([-1, 3, 3], np.int64)}
    nodes = [
        helper.make_node('Cast', [INPUT], ['real'], 'cast', to=TensorProto.FLOAT),
        helper.make_node('Div', ['real', 'full'], ['x0'], 'normalise'),
    ]
    for i in range(_DEPTH + 1):
        inputs = 1 if i == 0 else _CHANNELS
        constants[f'w{i}'] = random.normal(0, (2 / inputs) ** 0.5, (_CHANNELS, inputs, 1, 1)).astype(np.float32)
        nodes += [
            helper.make_node('Conv', [f'x{i}', f'w{i}'], [f'y{i}'], f'product{i}'),
            helper.make_node('Relu', [f'y{i}'], [f'x{i + 1}'], f'relu{i}'),
        ]
    nodes += [
        helper.make_node('GlobalAveragePool', [f'x{_DEPTH + 1}'], ['pooled'], 'pool'),
        helper.make_node('Flatten', ['pooled'], ['features'], 'flatten'),
    ]
    for name, columns in (('nine', 9), ('rotation_std_rad', 3), ('category_logits', 4)):
        constants[f'w_{name}'] = random.normal(0, 0.03, (_CHANNELS, columns)).astype(np.float32)
        nodes.append(helper.make_node('Gemm', ['features', f'w_{name}'], [name], f'head_{name}'))
    nodes.append(helper.make_node('Reshape', ['nine', 'rows'], ['rotation'], 'reshape'))
    shapes: dict[str, list[str | int | None]] = {
        'rotation': ['batch', 3, 3],
        'rotation_std_rad': ['batch', 3],
        'category_logits': ['batch', 4],
    }
    graph = helper.make_graph(
        nodes,
        'ceiling',
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ['batch', 1, _SIDE, _SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(
        model,
        {
            'c2f_contract': CONTRACT_VERSION,
            'name': 'ceiling',
            'version': '1',
            'modality': 'rgb',
            'input_size': str(_SIDE),
            'crop_margin': '1.5',
            'detector_margin': '1.5',
            'convention': CONVENTION,
            'training_data': 'none, random weights',
            'licence': 'Apache-2.0',
        },
    )
    path = folder / 'ceiling.onnx'
    onnx.save(model, path)
    return path


def _flops(node: onnx.NodeProto, shapes: dict[str, list[int]], written: int) -> float:
    if node.op_type in ('Conv', 'ConvTranspose'):
        weights = shapes[node.input[1]]
        if node.op_type == 'Conv':
            return 2.0 * written * int(np.prod(weights[1:]))
        return 2.0 * int(np.prod(shapes[node.input[0]])) * int(np.prod(weights[1:]))
    if node.op_type in ('Gemm', 'MatMul'):
        transposed = any(a.name == 'transA' and a.i for a in node.attribute)
        return 2.0 * written * shapes[node.input[0]][0 if transposed else -1]
    return float(int(np.prod(shapes[node.input[0]])))
