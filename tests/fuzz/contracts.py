"""Model files: damaged ones through ONNX Runtime, and metadata of any content."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from c2f_head_pose.engine.contract import CONVENTION, INPUT, read_contract
from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.models.registry import ModelError

from .choices import Choices
from .scratch import scratch_file

MODULES = ('c2f_head_pose.engine.contract', 'c2f_head_pose.engine.onnxruntime_engine')
_METADATA = {
    'c2f_contract': '1',
    'convention': CONVENTION,
    'modality': 'rgb',
    'name': 'n',
    'version': '1',
    'input_size': '16',
    'crop_margin': '1.5',
    'detector_margin': '1.2',
    'training_data': 'none',
    'licence': 'MIT',
    'depth_range_m': '0.5',
}
_TEXTS = ('', '1', '16', '0', '-1', 'nan', 'inf', '1e400', '1_6', '9' * 400, 'depth', 'rgb', CONVENTION)
_SIZES = (None, 'batch', '', 1, 3, 4, 16, 0, -1)
_MEMORY = 700 << 20
_NAMES = (INPUT, 'rotation', 'rotation_std_rad', 'category_logits', 'other')


def small_model() -> bytes:
    """A model to the contract, of constants and of a kilobyte: crops are only counted."""

    def constant(name: str, values: np.ndarray) -> onnx.TensorProto:
        return onnx.numpy_helper.from_array(np.asarray(values), name)

    nodes, initial, outputs = [helper.make_node('Shape', ['crops'], ['count'], end=1)], [], []
    for name, value in (('rotation', np.eye(3)), ('rotation_std_rad', np.full(3, 0.1)), ('category_logits', np.zeros(4))):
        initial += [constant(f'{name}_one', value[None].astype(np.float32)), constant(f'{name}_ones', np.ones(value.ndim, np.int64))]
        nodes += [
            helper.make_node('Concat', ['count', f'{name}_ones'], [f'{name}_times'], axis=0),
            helper.make_node('Tile', [f'{name}_one', f'{name}_times'], [name]),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ['batch', *value.shape]))
    graph = helper.make_graph(
        nodes, 'small', [helper.make_tensor_value_info('crops', TensorProto.UINT8, ['batch', 1, 16, 16])], outputs, initial
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(model, _METADATA)
    return model.SerializeToString()


def seeds() -> list[bytes]:
    """The small model, and metadata that is right."""
    return [b'\0' + small_model(), b'\1', b'\1' + bytes([1, 0, 4, 6, 3]), b'\1' + bytes(range(40))]


def limit_memory() -> None:
    """Gives this process 700 MB more: a model is a program and may ask for any amount, and what it is not given must be a ModelError."""
    taken = re.search(r'VmSize:\s*(\d+) kB', Path('/proc/self/status').read_text())
    assert taken is not None
    resource.setrlimit(resource.RLIMIT_AS, ((int(taken[1]) << 10) + _MEMORY, resource.RLIM_INFINITY))


def check(data: bytes) -> None:
    """Opens a model, and runs it if it is accepted."""
    choices = Choices(data)
    if choices.integer() % 2:
        _check_metadata(choices)
        return
    try:
        engine = OnnxRuntimeEngine(scratch_file('model.onnx', choices.rest()))
    except ModelError:
        return
    size = engine.contract.input_size
    output = engine.infer(np.full((2, 1, size, size), 7, np.uint8))
    assert (output.rotation.shape, output.rotation_std_rad.shape, output.category_logits.shape) == ((2, 3, 3), (2, 3), (2, 4))


def _check_metadata(choices: Choices) -> None:
    metadata = dict(_METADATA)
    for _ in range(choices.integer() % 4):
        name = choices.pick([*_METADATA])
        if choices.integer() > 200:
            metadata.pop(name, None)
        else:
            metadata[name] = choices.pick(_TEXTS) if choices.integer() < 200 else choices.text()
    inputs = {INPUT: ['batch', 1, 16, 16]}
    outputs = {name: ['batch', *sizes] for name, sizes in zip(_NAMES[1:4], ((3, 3), (3,), (4,)))}
    for _ in range(choices.integer() % 3):
        tensors = choices.pick((inputs, outputs))
        name = choices.pick(_NAMES)
        if choices.integer() > 200:
            tensors.pop(name, None)
        else:
            tensors[name] = [choices.pick(_SIZES) for _ in range(choices.integer() % 6)]
    try:
        contract = read_contract('model.onnx', metadata, inputs, outputs)
    except ModelError:
        return
    assert contract.input_size == 16 and 0.5 <= contract.crop_margin <= 4 and contract.modality in ('rgb', 'depth')
