"""Converts a model file to a PyTorch module node by node, to time PyTorch beside TensorRT on the same network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from c2f_head_pose.engine.contract import OUTPUTS
from c2f_head_pose.engine.precision import with_precision

_TYPES = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.BOOL: torch.bool,
    onnx.TensorProto.UINT8: torch.uint8,
}
_POINTWISE: dict[str, Callable[..., Tensor]] = {
    'Add': torch.add,
    'Sub': torch.sub,
    'Mul': torch.mul,
    'Div': torch.div,
    'Sqrt': torch.sqrt,
    'Exp': torch.exp,
    'Log': torch.log,
    'Sin': torch.sin,
    'Cos': torch.cos,
    'Neg': torch.neg,
    'Reciprocal': torch.reciprocal,
    'Relu': torch.relu,
    'Sigmoid': torch.sigmoid,
    'Greater': torch.gt,
    'Less': torch.lt,
    'Equal': torch.eq,
    'Where': torch.where,
    'MatMul': torch.matmul,
    'Pow': torch.pow,
    'Identity': lambda x: x,
}
_REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    'ReduceMean': torch.mean,
    'ReduceSum': torch.sum,
    'ReduceMax': torch.amax,
    'ReduceMin': torch.amin,
    'ReduceLogSumExp': torch.logsumexp,
    'ReduceL2': lambda x, dim, keepdim: x.square().sum(dim, keepdim).sqrt(),
}


class OnnxInTorch(nn.Module):
    """Runs a model file's graph at one batch size.

    Args:
        path: an fp32 model file.
        batch: crops at once; shapes are computed for it beforehand.
        precision: 'fp32' or 'fp16', types as in the engine of that precision.

    Raises:
        NotImplementedError: for an operator that this file does not implement.
    """

    def __init__(self, path: Path, batch: int, precision: str = 'fp32'):
        super().__init__()
        graph = with_precision(_for_one_batch(path, batch), precision, str(path)).graph
        self._steps: list[tuple[Callable[..., Any], list[str], list[str]]] = []
        self._names: dict[str, str] = {}
        numbers: dict[str, list[int]] = {}  # constants that become arguments of functions, not tensors
        for constant in graph.initializer:
            self._keep(constant.name, constant, numbers)
        for node in graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == 'Constant':
                self._keep(node.output[0], attributes['value'], numbers)
                continue
            self._steps.append(
                (_function(node.op_type, attributes, [numbers.get(name) for name in node.input]), list(node.input), list(node.output))
            )

    def _keep(self, name: str, constant: onnx.TensorProto, numbers: dict[str, list[int]]) -> None:
        array = numpy_helper.to_array(constant)
        self._names[name] = f'constant_{len(self._names)}'
        self.register_buffer(self._names[name], torch.from_numpy(array.copy()))
        if array.dtype.kind == 'i' and array.ndim <= 1:
            numbers[name] = array.reshape(-1).tolist()

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Maps (batch, 1, S, S) uint8 crops to the contract's outputs."""
        values: dict[str, Any] = {name: getattr(self, buffer) for name, buffer in self._names.items()} | {'crops': crops, '': None}
        for function, inputs, outputs in self._steps:
            result = function(*(values[name] for name in inputs))
            if len(outputs) == 1:
                values[outputs[0]] = result
            else:
                values.update(zip(outputs, result, strict=True))
        return tuple(values[name] for name in OUTPUTS)


def _for_one_batch(path: Path, batch: int) -> onnx.ModelProto:
    """The model with a fixed batch size, with everything that depends on it folded into constants."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    name = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_param
    options.add_free_dimension_override_by_name(name, batch)
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / 'fixed.onnx')
        onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        model = onnx.load(options.optimized_model_filepath)
    for constant in model.graph.initializer:
        if constant.name in OUTPUTS:  # an output that no longer depends on the input
            model.graph.node.append(helper.make_node('Identity', [f'{constant.name}_value'], [constant.name]))
            constant.name = f'{constant.name}_value'
    return model


def _function(kind: str, a: dict[str, Any], n: list[list[int] | None]) -> Callable[..., Any]:
    """A node as a function of tensors; `n` holds the inputs that are constant whole numbers."""
    if kind in _POINTWISE:
        return _POINTWISE[kind]
    if kind in _REDUCTIONS:
        axes = a.get('axes') or (n[1] if len(n) > 1 else None)
        return lambda x, *_: _REDUCTIONS[kind](x, tuple(axes or range(x.ndim)), bool(a.get('keepdims', 1)))
    if kind in ('Conv', 'MaxPool', 'AveragePool'):
        return _window(kind, a)
    axis = a.get('axis', 0)
    table: dict[str, Callable[..., Any]] = {
        'Cast': lambda x: x.to(_TYPES[a['to']]),
        'GlobalAveragePool': lambda x: x.mean((2, 3), keepdim=True),
        'Gemm': lambda x, w, b=None: functional.linear(x, w if a.get('transB') else w.T, b),
        'Flatten': lambda x: x.flatten(a.get('axis', 1)),
        'Softmax': lambda x: x.softmax(a.get('axis', -1)),
        'ArgMax': lambda x: x.argmax(axis, bool(a.get('keepdims', 1))),
        'Concat': lambda *xs: torch.cat(xs, axis),
        'Transpose': lambda x: x.permute(a['perm']),
        'Clip': lambda x, low=None, high=None: x.clamp(low, high),
        'Gather': lambda x, i: x.select(axis, int(n[1][0])) if i.ndim == 0 else x.index_select(axis, i),  # type: ignore[index]
        'Reshape': lambda x, _: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(n[1] or [])]),
        'Expand': lambda x, _: x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(n[1] or []))),
        'Squeeze': lambda x, *_: x.squeeze(tuple(n[1])) if len(n) > 1 and n[1] else x.squeeze(),
        'Unsqueeze': lambda x, _: _unsqueezed(x, n[1] or []),
        'Slice': lambda x, *_: _sliced(x, n),
        'Split': lambda x, *_: x.split(n[1] if len(n) > 1 and n[1] else x.shape[axis] // a['num_outputs'], axis),
        'OneHot': lambda i, _, v: torch.where(functional.one_hot(i.long(), int(n[1][0])).movedim(-1, a.get('axis', -1)) > 0, v[1], v[0]),  # type: ignore[index]
        'GridSample': lambda x, at: functional.grid_sample(x, at, a['mode'].decode(), a['padding_mode'].decode(), bool(a['align_corners'])),
        'DepthToSpace': lambda x: _pixels_of_channels(x, a),
        'LRN': lambda x: functional.local_response_norm(x, a['size'], a.get('alpha', 1e-4), a.get('beta', 0.75), a.get('bias', 1.0)),
    }
    if kind not in table:
        raise NotImplementedError(f'{kind} is not implemented in training/exporting/onnx_in_torch.py: add it there')
    return table[kind]


def _pixels_of_channels(x: Tensor, a: dict[str, Any]) -> Tensor:
    if a.get('mode', b'DCR') != b'CRD':
        raise NotImplementedError('DepthToSpace of the mode DCR is not implemented in training/exporting/onnx_in_torch.py: add it there')
    return functional.pixel_shuffle(x, a['blocksize'])


def _window(kind: str, a: dict[str, Any]) -> Callable[..., Tensor]:
    top, left, bottom, right = a.get('pads', [0, 0, 0, 0])
    even, strides = (top, left) == (bottom, right), a.get('strides', [1, 1])
    if kind == 'Conv':

        def convolve(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
            x = x if even else functional.pad(x, (left, right, top, bottom))
            return functional.conv2d(x, w, b, strides, (top, left) if even else 0, a.get('dilations', 1), a.get('group', 1))

        return convolve
    if not even or a.get('auto_pad', b'NOTSET') not in (b'NOTSET', b'VALID'):
        raise NotImplementedError(f'{kind} with uneven padding is not implemented in training/exporting/onnx_in_torch.py: add it there')
    shape, ceil = a['kernel_shape'], bool(a.get('ceil_mode', 0))
    if kind == 'MaxPool':
        return lambda x: functional.max_pool2d(x, shape, strides, (top, left), ceil_mode=ceil)
    return lambda x: functional.avg_pool2d(x, shape, strides, (top, left), ceil, bool(a.get('count_include_pad', 0)))


def _unsqueezed(x: Tensor, axes: list[int]) -> Tensor:
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _sliced(x: Tensor, n: list[list[int] | None]) -> Tensor:
    starts, ends = n[1] or [], n[2] or []
    axes = (n[3] if len(n) > 3 else None) or list(range(len(starts)))
    steps = (n[4] if len(n) > 4 else None) or [1] * len(starts)
    cuts = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 0:  # PyTorch slices forwards only
            x = x.index_select(axis, torch.tensor(range(x.shape[axis])[start:end:step], device=x.device))
            continue
        cuts[axis] = slice(start, None if end >= 2**31 - 1 else end, step)
    return x[tuple(cuts)]
