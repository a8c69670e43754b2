"""Runs a checkpoint, an .onnx file or a shipped model through one interface."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from c2f_head_pose.engine import DEVICES, NetworkOutput, open_engine

from ..datasets.base import DETECTOR_EXTENT
from ..loop import checkpoint
from ..loop.config import RunConfig, config_of
from ..loop.validate import estimate


@dataclass(frozen=True, eq=False)
class Model:
    """A model to evaluate.

    Attributes:
        name: name in tables; a file's name includes its version, and its precision unless that is fp32.
        size: input side, pixels.
        crop_margin: side of the crop divided by the landmarks' larger extent.
        detector_margin: side of the crop divided by the larger extent of YuNet's box.
        modality: 'rgb' or 'depth'.
        commit: commit of the checkout that trained it, or ''.
        data_hash: hash of its training data, or ''.
        seed: seed of its training, or -1.
        engine: engine that runs crops with `infer`.
        config: configuration of a checkpoint's run; None for an exported file.
    """

    name: str
    size: int
    crop_margin: float
    detector_margin: float
    modality: str
    commit: str
    data_hash: str
    seed: int
    engine: Any
    config: RunConfig | None = None

    def margin(self, crop_name: str) -> float:
        """Returns the margin for a crop by its name (`face_crops.CROPS`)."""
        return self.detector_margin if crop_name == 'detector' else self.crop_margin

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs any number of (N, 1, S, S) uint8 crops in batches.

        Raises:
            ValueError: if outputs are not finite, as after a training that diverged.
        """
        parts = [self.engine.infer(crops[i : i + 64]) for i in range(0, len(crops), 64)]
        output = [np.concatenate([getattr(p, name) for p in parts]) for name in ('rotation', 'rotation_std_rad', 'category_logits')]
        if broken := (~np.all([np.isfinite(values).reshape(len(crops), -1).all(1) for values in output], 0)).sum():
            raise ValueError(
                f'the output of {self.name} is nan or inf for {broken} of {len(crops)} crops: the file is damaged, or its training '
                'diverged; export or train it again'
            )
        return NetworkOutput(*output)

    def milliseconds(self, crops: np.ndarray, repeats: int = 200) -> float:
        """Returns median milliseconds per crop at batch size 1."""
        times = []
        for i in range(repeats):
            one = crops[i % len(crops)][None]
            start = time.perf_counter()
            self.engine.infer(one)
            times.append(time.perf_counter() - start)
        return 1e3 * float(np.median(times))


class TorchEngine:
    """Runs a network in PyTorch with the interface of the package's engines."""

    def __init__(self, network: torch.nn.Module, device: str = 'cpu'):
        self.network = network.eval().to(device)

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs (B, 1, S, S) uint8 crops."""
        return NetworkOutput(*estimate(self.network, torch.from_numpy(crops)))


def open_model(source: str | Path, device: str = 'auto', threads: int | None = None) -> Model:
    """Opens a checkpoint (.pt), an .onnx file or a shipped name.

    Args:
        source: path or name.
        device: 'auto', 'cpu' or 'cuda'.
        threads: CPU threads. For a checkpoint this sets PyTorch's number for the whole process, and None keeps it. A file runs in its own
            session, by default on one thread.

    Raises:
        ValueError: for a file of another kind, or a device that is not available.
    """
    path = Path(source)
    if device not in DEVICES:
        raise ValueError(f'device {device!r} is none of {", ".join(DEVICES)}')
    if path.suffix == '.pt':
        content = checkpoint.load(path)
        config = config_of(content['config'])
        margin = config.augmentation().centred_margin
        if device == 'auto':
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        if device == 'cuda' and not torch.cuda.is_available():
            raise ValueError("device 'cuda' cannot be used: PyTorch finds no GPU; use device 'cpu' or 'auto'")
        if threads is not None:
            torch.set_num_threads(threads)
        return Model(
            config.name,
            config.size,
            margin,
            margin / DETECTOR_EXTENT,
            config.modality,
            content['commit'],
            content['data_hash'],
            content['seed'],
            TorchEngine(checkpoint.network_of(content), device),
            config,
        )
    engine = open_engine(str(source), device, threads or 1)
    metadata = _metadata(source)
    contract, precision = engine.contract, metadata.get('precision', 'fp32')
    return Model(
        f'{contract.name}{"" if precision == "fp32" else f"_{precision}"} {contract.version}',
        contract.input_size,
        contract.crop_margin,
        contract.detector_margin,
        contract.modality,
        metadata.get('commit', ''),
        metadata.get('data_hash', ''),
        int(metadata.get('seed') or -1),
        engine,
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits PyTorch to one CPU thread in its body, for timing."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _metadata(source: str | Path) -> dict[str, str]:
    import onnx

    from c2f_head_pose.models.registry import model_path

    model = onnx.load(str(model_path(str(source))), load_external_data=False)
    return {entry.key: entry.value for entry in model.metadata_props}
