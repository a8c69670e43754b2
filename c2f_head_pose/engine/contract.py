"""Defines the contract of model files and engines (tensors, metadata, interface), and checks a model file against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..counting import counted
from ..models.registry import ModelError
from ..types import CATEGORIES

CONTRACT_VERSION = '1'
INPUT = 'crops'
OUTPUTS: dict[str, tuple[int, ...]] = {'rotation': (3, 3), 'rotation_std_rad': (3,), 'category_logits': (len(CATEGORIES),)}
"""Shape of each output by name, without the batch axis."""
CONVENTION = 'R_cam_head REP-103/REP-155'
_SAME_ROTATION = 0.1
"""Largest difference of an element of one crop's rotation in two batches, some 6 degrees: dynamic quantisation, whose scale is the batch's,
gives 2 degrees."""
_REMEDY = "export it with 'python -m training.export', or name a shipped model"


@dataclass(frozen=True)
class ModelContract:
    """The metadata of a model file, checked.

    Attributes:
        name: the model's name.
        version: the model's own version.
        modality: 'rgb' (gray crops of a colour, gray or infrared image) or 'depth'.
        input_size: S, pixels: crops are (B, 1, S, S) uint8.
        crop_margin: side of the square crop divided by the longer side of the bounding box of the 68 landmarks.
        detector_margin: side of the square crop divided by the longer side of the detector's box.
        training_data: description of the training data.
        licence: SPDX identifier of the weights' licence.
        depth_range_m: metres of depth spread over 1..255 about the head; 0.0 for an rgb model.
    """

    name: str
    version: str
    modality: str
    input_size: int
    crop_margin: float
    detector_margin: float
    training_data: str
    licence: str
    depth_range_m: float = 0.0


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """The network's output for a batch of crops.

    Attributes:
        rotation: (B, 3, 3) float32 R_crop_head, relative to the ray through each crop's centre.
        rotation_std_rad: (B, 3) float32, about the head's x, y, z axes (roll, pitch, yaw), radians.
        category_logits: (B, 4) float32 logits of the sub-spaces L1..L4.
    """

    rotation: np.ndarray
    rotation_std_rad: np.ndarray
    category_logits: np.ndarray


class Engine(Protocol):
    """Runs a model file. Not thread-safe: one thread may call it at a time."""

    @property
    def contract(self) -> ModelContract:
        """The metadata of the model file."""
        ...

    @property
    def description(self) -> str:
        """Device and library that run the network now, and the reason, as text. It can change between calls."""
        ...

    def infer(self, crops: np.ndarray) -> NetworkOutput:
        """Runs the network on (B, 1, S, S) uint8 crops, B >= 1.

        Raises:
            ModelError: when the network cannot run them, or does not give one row for each crop.
        """
        ...


def read_contract(
    source: str, metadata: Mapping[str, str], inputs: Mapping[str, Sequence], outputs: Mapping[str, Sequence]
) -> ModelContract:
    """Reads a model file's metadata and checks it and the tensors against the contract.

    Args:
        source: the file, for messages.
        metadata: ONNX metadata_props.
        inputs: shape of each input by name; a free dimension is a str, a fixed one an int.
        outputs: shape of each output by name, likewise.

    Returns:
        The contract.

    Raises:
        ModelError: naming the first entry or tensor that is missing or wrong, and the remedy.
    """

    def refuse(reason: str) -> ModelError:
        return ModelError(f'{source} is not a c2f_head_pose model: {reason}; {_REMEDY}')

    version = metadata.get('c2f_contract')
    if version != CONTRACT_VERSION:
        raise refuse(
            'its metadata has no c2f_contract'
            if version is None
            else f'its contract has version {version}, but this package reads version {CONTRACT_VERSION}'
        )
    if metadata.get('convention') != CONVENTION:
        raise refuse(f'its convention is {metadata.get("convention")!r}, not {CONVENTION!r}')
    if metadata.get('modality') not in ('rgb', 'depth'):
        raise refuse(f"its modality is {metadata.get('modality')!r}, not 'rgb' or 'depth'")
    try:
        contract = ModelContract(
            name=metadata['name'],
            version=metadata['version'],
            modality=metadata['modality'],
            input_size=int(metadata['input_size']),
            crop_margin=float(metadata['crop_margin']),
            detector_margin=float(metadata['detector_margin']),
            training_data=metadata['training_data'],
            licence=metadata['licence'],
            depth_range_m=float(metadata.get('depth_range_m', 0)),
        )
    except KeyError as error:
        raise refuse(f'its metadata lacks {error.args[0]}') from None
    except ValueError as error:
        raise refuse(f'a number in its metadata cannot be read ({error})') from None
    size = contract.input_size
    if not 16 <= size <= 1024 or not 0.5 <= contract.crop_margin <= 4 or not 0.5 <= contract.detector_margin <= 4:
        raise refuse('its input_size must be 16 to 1024 and its margins 0.5 to 4')
    if contract.modality == 'depth' and not 0 < contract.depth_range_m < 10:
        raise refuse('its depth_range_m must be more than 0 and less than 10 metres, because it is a depth model')
    if set(inputs) != {INPUT} or list(inputs[INPUT][1:]) != [1, size, size] or isinstance(inputs[INPUT][0], int):
        raise refuse(f'its input must be {INPUT} (batch, 1, {size}, {size}) with a free batch, not {dict(inputs)}')
    if missing := [name for name in OUTPUTS if name not in outputs]:
        raise refuse(f'it has no output {", ".join(missing)}')
    for name, sizes in OUTPUTS.items():
        stated = outputs[name]
        if len(stated) != 1 + len(sizes) or any(isinstance(s, int) and s != size for s, size in zip(stated[1:], sizes)):
            columns = f', one for each of {", ".join(CATEGORIES)}' if name == 'category_logits' else ''
            raise refuse(f"its {name} must be ('batch', {', '.join(map(str, sizes))}){columns}, not {tuple(stated)}")
    return contract


def trial_crops(contract: ModelContract) -> np.ndarray:
    """Returns (2, 1, S, S) uint8 crops for `check_outputs`: a black one, and one that brightens from black at the top to white."""
    size = contract.input_size
    return np.stack([np.zeros((size, size)), np.repeat(np.linspace(0, 255, size)[:, None], size, axis=1)]).astype(np.uint8)[:, None]


def check_outputs(source: str, both: NetworkOutput, second: NetworkOutput) -> None:
    """Checks the outputs for the trial crops, so that a network with other outputs fails when it is opened, not at the first faces.

    Args:
        source: the file, for messages.
        both: the network's output for both crops.
        second: the network's output for the second one alone.

    Raises:
        ModelError: naming the output that has a wrong shape or a number that is not finite, or whose rows depend on each other.
    """
    for output, count in ((second, 1), (both, 2)):
        for name, sizes in OUTPUTS.items():
            values = getattr(output, name)
            if values.shape != (count, *sizes) or not np.isfinite(values).all():
                raise ModelError(
                    f'{source} is not a c2f_head_pose model: for {counted(count, "crop")} its {name} is {values.dtype} {values.shape}, '
                    f'but it must be finite numbers of shape {(count, *sizes)}; {_REMEDY}'
                )
    if np.abs(both.rotation[1] - second.rotation[0]).max() > _SAME_ROTATION:
        raise ModelError(
            f'{source} is not a c2f_head_pose model: it gives a crop another rotation beside a second crop than alone; {_REMEDY}'
        )


def check_crops(crops: np.ndarray, contract: ModelContract) -> None:
    """Raises ValueError unless the crops are (B, 1, S, S) uint8 with B >= 1 and the contract's S."""
    size = contract.input_size
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (1, size, size) or len(crops) == 0:
        raise ValueError(f'crops must be uint8 of shape (B, 1, {size}, {size}), got {crops.dtype} {crops.shape}')
