"""Runs our networks and public ones through one interface, from a crop to a rotation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from c2f_head_pose import crop, geometry
from c2f_head_pose.crop import gray
from c2f_head_pose.decode import decode
from c2f_head_pose.engine import open_engine
from c2f_head_pose.engine.onnxruntime_engine import open_session
from c2f_head_pose.models.registry import ModelError


class HeadPoseNetwork(Protocol):
    """Estimates the rotation of one crop.

    Attributes:
        name: the network's name in tables.
        size: side of its crops, pixels.
        margin: side of the square crop over the larger extent of the 68 landmarks' box.
    """

    name: str
    size: int
    margin: float

    def rotation(self, image: np.ndarray) -> np.ndarray:
        """Estimates (3, 3) R_crop_head of a (size, size, 3) BGR uint8 crop."""
        ...


class Ours:
    """A model file of this package."""

    def __init__(self, model: str, threads: int) -> None:
        self._engine = open_engine(model, 'cpu', threads)
        contract = self._engine.contract
        self.name, self.size, self.margin, self.modality = Path(model).stem, contract.input_size, contract.crop_margin, contract.modality

    def rotation(self, image: np.ndarray) -> np.ndarray:
        """See HeadPoseNetwork."""
        return decode(self._engine.infer(gray(image)[None, None]))[0].R_cam_head


class OpenTrack:
    """A 129x129 gray crop, its brightness stretched, to a quaternion (x, y, z, w) of the head in OpenCV's camera axes.

    Source: opentrack/tracker-neuralnet, model_adapters.cpp: if the ninetieth percentile of the gray values is below 127, it is scaled to
    0.45, otherwise 255 is scaled to 1; then 0.5 is subtracted.
    """

    name = 'opentrack 0.4 small int8'
    files = ('opentrack-0.4-small-int8.onnx',)
    size = 129
    margin = 1.41

    def __init__(self, folder: Path, threads: int) -> None:
        self._session = open_session(folder / self.files[0], threads)
        self._input = self._session.get_inputs()[0].name

    def rotation(self, image: np.ndarray) -> np.ndarray:
        """See HeadPoseNetwork."""
        pixels = gray(image)
        counts = np.cumsum(np.bincount(pixels.ravel(), minlength=256))
        bright = int(np.searchsorted(counts, 0.9 * pixels.size))
        gain = 0.45 / max(bright, 5) if bright < 127 else 1 / 255
        quaternion = self._session.run(['quat'], {self._input: (pixels * gain - 0.5).astype(np.float32)[None, None]})[0][0]
        return geometry.rotation_from_quaternion(quaternion) @ geometry.HEAD_AXES


class FsaNet:
    """A 64x64 colour crop to yaw, pitch and roll in 300W-LP's signs: the mean of two networks.

    They are two of the authors' three, trained anew in PyTorch (headpose-fsanet-pytorch). Of the landmarks' extent their published crop
    takes in 1.6 times on the median of AFLW2000; at 1.8 times, of 1.41, 1.6, 1.8 and 2, they err least there.
    """

    name = 'FSA-Net fusion'
    files = ('fsanet-1x1-iter-688590.onnx', 'fsanet-var-iter-688590.onnx')
    size = 64
    margin = 1.8

    def __init__(self, folder: Path, threads: int) -> None:
        self._sessions = [open_session(folder / file, threads) for file in self.files]

    def rotation(self, image: np.ndarray) -> np.ndarray:
        """See HeadPoseNetwork."""
        values = ((image.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        ypr_deg = np.mean([session.run(['output'], {'input': values})[0][0] for session in self._sessions], axis=0)
        return geometry.rotation_from_ypr_deg(ypr_deg.astype(float))


PEERS = (OpenTrack, FsaNet)


def networks(models: Sequence[str], peers: Path | None, threads: int) -> list[HeadPoseNetwork]:
    """Opens our RGB models, then the peers whose files exist.

    Raises:
        ModelError: for a model that cannot be opened, or if none is an RGB model.
    """
    ours = [one for one in (Ours(model, threads) for model in models) if one.modality == 'rgb']
    if not ours:
        raise ModelError(f'{", ".join(models)}: a depth model reads no images, name one that does')
    found = [] if peers is None else [peer(peers, threads) for peer in PEERS if all((peers / file).is_file() for file in peer.files)]
    return [*ours, *found]


def rotations(network: HeadPoseNetwork, images: Sequence[np.ndarray], squares: Sequence[crop.CropSquare]) -> np.ndarray:
    """Estimates (N, 3, 3) R_crop_head in each picture's square."""
    return np.stack([network.rotation(crop.cut(image, square, network.size)) for image, square in zip(images, squares, strict=True)])


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds MODEL ... and --peers, whose values `networks` opens."""
    parser.add_argument('models', nargs='*', default=['c2f_edge'], metavar='MODEL', help='shipped names or .onnx files')
    parser.add_argument('--peers', type=Path, metavar='FOLDER', help='the files that python -m training.studies.peers --help names')
