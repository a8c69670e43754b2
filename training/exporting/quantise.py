"""Quantises model files to int8, with ranges calibrated on rendered crops."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from c2f_head_pose.engine.contract import INPUT


def quantise(source: Path, path: Path, crops: np.ndarray, properties: dict[str, str], target: str = 'cpu') -> None:
    """Writes an int8 QDQ file with ranges calibrated on crops.

    Convolutions and the embedding's matrix product are quantised, with weights by channel. The first convolution and the decoding stay in
    float32: on the edge network this halves the difference to fp32 (from 1.5 to 0.8 degrees in the mean on disturbed crops) and is
    faster. Ranges to the 99.99th percentile instead of the largest value reduce the difference to 0.6.

    Args:
        source: the fp32 file.
        path: the file to write.
        crops: (N, 1, S, S) uint8.
        properties: metadata.
        target: 'cpu' (unsigned activations, ONNX Runtime's fast kernels) or 'tensorrt' (symmetric, float biases).
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.batches = iter(np.array_split(crops, max(1, len(crops) // 16)))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    model = onnx.load(str(source))
    # The last products decode angles and logits; they stay in float32 and are 0.1 % of the arithmetic.
    products = [node.name for node in model.graph.node if node.op_type in ('Gemm', 'MatMul')]
    first = [node.name for node in model.graph.node if node.op_type == 'Conv'][:1]
    symmetric = target == 'tensorrt'

    def write(method: CalibrationMethod) -> None:
        with redirect_stdout(StringIO()):  # suppresses a print of histogram sizes
            quantize_static(
                str(source),
                str(path),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=['Conv', 'Add', 'Relu', 'MaxPool', 'Concat', 'Gemm'],
                nodes_to_exclude=first + products[1:] + _decoding_nodes(model),
                calibrate_method=method,
                extra_options={'ActivationSymmetric': symmetric, 'QuantizeBias': not symmetric, 'CalibPercentile': 99.99},
            )

    try:
        write(CalibrationMethod.Percentile)
    except ValueError as error:  # a tensor that hardly varies has no histogram, as in untrained networks
        print(f'{path.name}: the ranges are those of the largest values, because percentiles cannot be computed ({error})', file=sys.stderr)
        write(CalibrationMethod.MinMax)
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, str(path))


def _decoding_nodes(model: Any) -> list[str]:
    """Names of the nodes outside the trunk: before the first convolution and after the last."""
    places = [i for i, node in enumerate(model.graph.node) if node.op_type == 'Conv']
    inside = range(places[0], _embedding(model, places[-1]) + 1)
    return [node.name for i, node in enumerate(model.graph.node) if i not in inside]


def _embedding(model: Any, last_convolution: int) -> int:
    """Index of the first matrix product after the trunk, the only large one."""
    for i in range(last_convolution, len(model.graph.node)):
        if model.graph.node[i].op_type in ('Gemm', 'MatMul'):
            return i
    return last_convolution
