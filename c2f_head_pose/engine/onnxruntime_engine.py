"""Runs a model file with ONNX Runtime on the CPU: the engine where there is no GPU, and the reference for compiled engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from ..counting import counted
from ..models.registry import ModelError
from .contract import INPUT, OUTPUTS, NetworkOutput, check_crops, check_outputs, read_contract, trial_crops


class OnnxRuntimeEngine:
    """Runs a model file on the CPU with ONNX Runtime.

    Args:
        path: the .onnx file.
        threads: intra-op threads, at least 1.

    Raises:
        ModelError: for a file that is missing, damaged or outside the contract, with the remedy.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._path = path
        self._session = open_session(path, threads)
        what = 'metadata'
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
            what = 'tensor names'
            inputs = {i.name: i.shape for i in self._session.get_inputs()}
            outputs = {o.name: o.shape for o in self._session.get_outputs()}
        except UnicodeDecodeError as error:
            raise ModelError(f'{path} has {what} that cannot be decoded as UTF-8 ({error}); fetch or export it again') from error
        self.contract = read_contract(str(path), metadata, inputs, outputs)
        self.description = f'cpu (onnxruntime {onnxruntime.__version__}, {counted(threads, "thread")})'
        crops = trial_crops(self.contract)
        check_outputs(str(path), self._run(crops), self._run(crops[1:]))

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs the network on (B, 1, S, S) uint8 crops, B >= 1.

        Raises:
            ModelError: when the network cannot run them, or does not give one row for each crop.
        """
        check_crops(crops, self.contract)
        output = self._run(crops)
        rows = {name: len(getattr(output, name)) for name in OUTPUTS}
        if set(rows.values()) != {len(crops)}:
            raise ModelError(f'{self._path} gives {rows} rows for {counted(len(crops), "crop")}; fetch or export it again')
        return output

    def _run(self, crops: np.ndarray) -> NetworkOutput:
        try:
            return NetworkOutput(*self._session.run(list(OUTPUTS), {INPUT: crops}))
        except Exception as error:  # for the reason given in open_session
            what = f'{self._path} cannot be run by ONNX Runtime on {counted(len(crops), "crop")}'
            raise ModelError(f'{what} ({_first_line(error)}); fetch or export it again') from error


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Opens an ONNX Runtime session on the CPU that logs errors only, and whose threads sleep between calls instead of spinning.

    Args:
        path: the .onnx file.
        threads: intra-op threads, at least 1.

    Raises:
        ModelError: for a missing or damaged file, or fewer than one thread.
    """
    if threads < 1:
        raise ModelError(f'threads must be at least 1, got {threads}')
    if not path.is_file():
        raise ModelError(f'no model file {path}; give the path of an .onnx file')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # onnxruntime's exception classes have no common public base
        raise ModelError(f'{path} cannot be read as an ONNX model ({_first_line(error)}); fetch or export it again') from error


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
