"""One way to run a model, whether a checkpoint, an .onnx file or a shipped name."""

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

from ..loop import checkpoint
from ..loop.config import RunConfig, config_of
from ..loop.validate import estimate

DETECTOR_EXTENT = 1.3
"""Larger extent of YuNet's box over that of the 68 landmarks' box (1.03 x as wide, 1.3 x as high)."""


@dataclass(frozen=True, eq=False)
class Model:
    """A model to evaluate.

    Attributes:
        name: for tables; of a file with its precision, unless that is fp32, and version.
        size: input side, pixels.
        crop_margin: of the landmarks' larger extent.
        detector_margin: of YuNet's larger extent.
        modality: 'rgb' or 'depth'.
        commit: that trained it, or ''.
        data_hash: of its training data, or ''.
        seed: of its training, or -1.
        engine: has `infer`.
        config: of a checkpoint's run; None of an exported file.
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
        """Of a crop by its name in `protocols`."""
        return self.detector_margin if crop_name == 'detector' else self.crop_margin

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs (N, 1, S, S) uint8 crops, N as large as you like.

        Raises:
            ValueError: for answers that are no numbers, as of a training that diverged.
        """
        parts = [self.engine.infer(crops[i : i + 64]) for i in range(0, len(crops), 64)]
        output = [np.concatenate([getattr(p, name) for p in parts]) for name in ('rotation', 'rotation_std_rad', 'category_logits')]
        if broken := (~np.all([np.isfinite(values).reshape(len(crops), -1).all(1) for values in output], 0)).sum():
            raise ValueError(f'{self.name} answers nan or inf for {broken} of {len(crops)} crops: a damaged file, or it diverged')
        return NetworkOutput(*output)

    def milliseconds(self, crops: np.ndarray, repeats: int = 200) -> float:
        """Median milliseconds of one crop at a time."""
        times = []
        for i in range(repeats):
            one = crops[i % len(crops)][None]
            start = time.perf_counter()
            self.engine.infer(one)
            times.append(time.perf_counter() - start)
        return 1e3 * float(np.median(times))


class TorchEngine:
    """Runs a network in PyTorch."""

    def __init__(self, network: torch.nn.Module, device: str = 'cpu'):
        self.network = network.eval().to(device)

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """As the package's engines do."""
        return NetworkOutput(*estimate(self.network, torch.from_numpy(crops)))


def open_model(source: str | Path, device: str = 'auto', threads: int | None = None) -> Model:
    """Opens a checkpoint (.pt), an .onnx file or a shipped name.

    Args:
        source: which.
        device: 'auto', 'cpu' or 'cuda'.
        threads: of the CPU. PyTorch has one number for the whole process, which a checkpoint takes over; None leaves it alone. A file runs
            in a session of its own, on one thread unless told otherwise.

    Raises:
        ValueError: for a file that is neither, or a device that is not there.
    """
    path = Path(source)
    if device not in DEVICES:
        raise ValueError(f'device {device!r} is none of {", ".join(DEVICES)}')
    if path.suffix == '.pt':
        content = checkpoint.load(path)
        config = config_of(content['config'])
        margin = config.augmentation().margin
        if device == 'auto':
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        if device == 'cuda' and not torch.cuda.is_available():
            raise ValueError("device 'cuda' cannot be used: PyTorch sees no GPU; use device 'cpu' or 'auto'")
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
    """PyTorch on one CPU thread while it lasts, as models are timed."""
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
