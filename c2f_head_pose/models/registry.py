"""Lists the model files with digest, licence and source, and finds them on disk."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..files import expand_user


class ModelError(ValueError):
    """A model cannot be used; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class ModelFile:
    """A model file that the package uses.

    Attributes:
        file: file name.
        sha256: hexadecimal digest of the file.
        licence: SPDX identifier.
        source: origin of the file.
    """

    file: str
    sha256: str
    licence: str
    source: str


_OURS = 'trained by this project: {}'

SHIPPED = {
    'c2f': ModelFile('c2f.onnx', '25231b55cbd557b9a6e20145e686806f48a58260a0ad458a0ef291cb7a948b14', 'Apache-2.0', _OURS.format('c2f.md')),
    'c2f_edge': ModelFile(
        'c2f_edge.onnx', '24769dfc12d7fb4634c9369c1b8aef4ea55d16bb2a9db8ff250e7f1a75d873a1', 'Apache-2.0', _OURS.format('c2f_edge.md')
    ),
    'c2f_edge_int8': ModelFile(
        'c2f_edge_int8.onnx', '5469b58d0693d1637a47e36bb7e86ff9eff7be75fa76c4a9de7d7b4d85e87b6c', 'Apache-2.0', _OURS.format('c2f_edge.md')
    ),
    'c2f_depth': ModelFile(
        'c2f_depth.onnx', '2722caa05c6165903444cce4bd5e60f158ad2f7c88be92420c25693f657a9fa5', 'Apache-2.0', _OURS.format('c2f_depth.md')
    ),
}

FOR_TENSORRT = tuple(sorted(SHIPPED.keys() - {'c2f_edge_int8'}))
"""The shipped models that TensorRT can build: the int8 file is quantised for CPUs."""

YUNET = ModelFile(
    'face_detection_yunet_2023mar.onnx',
    '8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4',
    'MIT',
    'opencv_zoo models/face_detection_yunet (Shiqi Yu, Yuantao Feng)',
)
DETECTOR = ModelFile(
    f'{Path(YUNET.file).stem}_{YUNET.sha256[:12]}_dynamic.onnx',
    '65443783acc01baa71e8d172e0f8270de261f609495d0249c9cd4fe4290d2367',
    YUNET.licence,
    f'{YUNET.file} with free image size',
)
"""The face detector's file, which `fetch_models` writes. onnx 1.14 to 1.23, with protobuf 3.20 to 7, write the same bytes."""

_SHIPPED_FOLDER = Path(__file__).parent


def model_path(model: str) -> Path:
    """Returns the file of a model. A shipped one is checked by its digest, as ONNX Runtime reads many damaged files without an error.

    Args:
        model: name of a shipped model, or path of an .onnx file, which is not checked.

    Raises:
        ModelError: when it is neither, with the list of the shipped names; for a shipped file that is damaged, with the remedy; for ~
            where the system does not know that home folder.
    """
    if model in SHIPPED:
        path = _SHIPPED_FOLDER / SHIPPED[model].file
        if not is_registered(path, SHIPPED[model]):
            raise ModelError(
                f'{path} is missing, damaged or another file than {model!r} (sha256 {SHIPPED[model].sha256[:12]}...); install the package '
                'again, or name a file of your own by its path'
            )
        return path
    path = expand_user(model, ModelError, 'name the model by a path without ~')
    if path.is_file():
        return path
    raise ModelError(f'no model {model!r}: neither a shipped name ({", ".join(sorted(SHIPPED))}) nor an existing .onnx file')


def is_registered(path: Path, registered: ModelFile) -> bool:
    """Whether a file exists and has the registered digest."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == registered.sha256


def fetched_folder() -> Path:
    """Returns the folder of fetched models: $C2F_HEAD_POSE_MODELS, else c2f_head_pose/models in the user's cache folder (XDG)."""
    return cache_folder('models', 'C2F_HEAD_POSE_MODELS')


def cache_folder(name: str, variable: str) -> Path:
    """Returns a folder of this package's in the user's cache folder (XDG), or another one where an environment variable names it.

    Args:
        name: the folder's name.
        variable: the environment variable.

    Raises:
        ModelError: where the system does not know the user's home folder, naming the variable to set.
    """
    if chosen := os.environ.get(variable):
        return expand_user(chosen, ModelError, f'set {variable} to a path without ~')
    cache = os.environ.get('XDG_CACHE_HOME') or expand_user('~/.cache', ModelError, f'set HOME, or {variable} to a folder for {name}')
    return Path(cache) / 'c2f_head_pose' / name


def detector_path() -> Path:
    """Returns the face detector's file, which `fetch_models` writes, after a check of its digest.

    Raises:
        ModelError: when it has not been fetched yet or is damaged, with the command that fetches it; see also cache_folder.
    """
    path = fetched_folder() / DETECTOR.file
    if not is_registered(path, DETECTOR):
        fault, again = ('is damaged', 'again') if path.is_file() else ('is missing', 'once')
        raise ModelError(
            f"the face detector {path} {fault}; fetch it {again} with 'ros2 run c2f_head_pose fetch_models' "
            "or 'python -m c2f_head_pose.models.fetch'"
        )
    return path
