"""Finds and reads picture files, which are recognised by their content."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from .encoded import ImageError, check_complete, picture_kind
from .paths import shown_path
from .sixteen_bits import SignificantBits

PICTURE_SUFFIXES = (
    '.avif',
    '.bmp',
    '.dib',
    '.gif',
    '.heic',
    '.heif',
    '.hif',
    '.jfif',
    '.jp2',
    '.jpe',
    '.jpeg',
    '.jpg',
    '.jxl',
    '.pbm',
    '.pgm',
    '.png',
    '.pnm',
    '.ppm',
    '.psd',
    '.tif',
    '.tiff',
    '.webp',
)
"""Lower-case endings of picture files. A file with one of them is reported when it cannot be read; others count by their content."""
_RAW_SUFFIXES = ('.arw', '.cr2', '.cr3', '.dng', '.nef', '.orf', '.pef', '.raf', '.rw2', '.srw')
"""Raw files of cameras: most begin like a TIFF and hold a thumbnail first, which must not be taken for the picture."""
_BEHIND_ALPHA = 128
"""Level of the neutral gray that transparent pixels are laid over."""
_BLEND_ROWS = 64
"""Rows that are laid over gray at a time: in floating point the whole of a large picture takes several times its own memory."""
_MAX_PIXELS = 1 << 28
"""268 megapixels, more than a camera or phone has: a PNG of a megabyte may announce a gigapixel."""
_EXIF_CHUNKS = {'PNG': (b'eXIf',), 'WebP': (b'EXIF',)}
_HEAD_BYTES = 64
_CONVERT = 'convert it to JPEG or PNG'


def find_pictures(folder: str | Path, without: Iterable[Path] = ()) -> tuple[list[Path], list[Path]]:
    """The pictures in a folder and below it, and its other files, each sorted by path.

    A picture has the first bytes or the ending of one. `._*`, which macOS writes beside each file of an archive or a foreign disk, is in
    neither list; hidden files are not among the other files.

    Args:
        folder: searched with its subfolders.
        without: resolved paths of folders that are not searched.

    Raises:
        ImageError: where there is no such folder.
    """
    if not Path(folder).is_dir():
        raise ImageError(
            f'{shown_path(folder)} ' + ('is no folder; give it to read_picture' if Path(folder).exists() else 'does not exist')
        )
    pictures, others = [], []
    for path in sorted(Path(folder).rglob('*')):
        if path.name.startswith('._') or not path.is_file() or any(path.resolve().is_relative_to(left_out) for left_out in without):
            continue
        if is_picture(path):
            pictures.append(path)
        elif not path.name.startswith('.'):
            others.append(path)
    return pictures, others


def is_picture(path: Path) -> bool:
    """Whether a file has the ending or the first bytes of a picture."""
    if path.suffix.lower() in PICTURE_SUFFIXES + _RAW_SUFFIXES:
        return True
    try:
        with path.open('rb') as file:
            return picture_kind(file.read(_HEAD_BYTES)) is not None
    except OSError:
        return False


def read_picture(path: str | Path) -> np.ndarray:
    """The pixels of a picture file, turned upright by its EXIF orientation.

    The format is found from the content; OpenCV reads most, Pillow (with pillow-heif) AVIF and HEIC, where installed. 16 bits are scaled by
    the picture's own number of significant bits, transparent pixels are laid over a neutral gray (level 128). A picture with such pixels is
    turned upright where Pillow is installed.

    Returns:
        (H, W, 3) BGR uint8.

    Raises:
        ImageError: for a file that cannot be read, with the remedy; a JPEG or PNG is refused that is cut off or has more than 268
            megapixels.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f'cannot be opened: {error.strerror or error}') from error
    if path.suffix.lower() in _RAW_SUFFIXES:
        raise ImageError(f'cannot be read: it is the raw file of a camera; {_CONVERT}')
    return decode_picture(data)


def decode_picture(data: bytes) -> np.ndarray:
    """As read_picture, of a file's bytes."""
    kind = picture_kind(data)
    if kind is None:
        raise ImageError('cannot be read as a picture or video: ' + ('its first bytes are of no known format' if data else 'it is empty'))
    try:
        size = check_complete(data)
    except ImageError as error:
        raise ImageError(f'cannot be read: {error}') from error
    if size is not None and size[0] * size[1] > _MAX_PIXELS:
        raise ImageError(f'cannot be read: it has {size[0]}x{size[1]} pixels, more than {_MAX_PIXELS // 10**6} megapixels; scale it down')
    if kind == 'HEIC':
        return _by_pillow(data, kind)
    if kind == 'AVIF':
        try:  # first Pillow: OpenCV does not turn an AVIF upright
            return _by_pillow(data, kind)
        except ImageError:
            pixels = _by_opencv(data, kind)
            if pixels is None:
                raise
            return pixels
    pixels = _by_opencv(data, kind)
    if pixels is not None:
        return pixels
    try:  # GIF, JPEG 2000 and others are missing in some builds of OpenCV
        return _by_pillow(data, kind)
    except ImageError as error:
        raise ImageError(f'cannot be read: the {kind} data is damaged, cut off or of a rare kind; {_CONVERT}') from error


def _by_opencv(data: bytes, kind: str) -> np.ndarray | None:
    """Decodes a picture by OpenCV; returns None if it cannot."""
    encoded = np.frombuffer(data, np.uint8)
    try:
        if kind != 'JPEG':
            pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
            if pixels is None:
                return None
            if pixels.ndim == 3 and pixels.shape[2] == 4:
                # In bitmaps of 32 bits the fourth byte is mostly padding, all 0.
                padding = kind == 'BMP' and not pixels[..., 3].any()
                if pixels.dtype == np.uint8 and any(chunk in data for chunk in _EXIF_CHUNKS.get(kind, ())):
                    with contextlib.suppress(ImageError):
                        return _by_pillow(data, kind)  # IMREAD_UNCHANGED, which alone reads alpha, does not turn it upright
                return np.ascontiguousarray(pixels[..., :3]) if padding else _opaque(pixels)
            del pixels
        pixels = cv2.imdecode(encoded, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)  # unlike IMREAD_UNCHANGED turns it upright
    except cv2.error:
        return None
    if pixels is None:
        return None
    pixels = _eight_bits(pixels)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f'cannot be read: it has pixels of type {pixels.dtype}; save it with 8 or 16 bits a channel')
    return SignificantBits().to_8_bits(pixels)


def _opaque(pixels: np.ndarray) -> np.ndarray:
    """Lays a BGRA picture over a neutral gray and returns BGR."""
    colour = _eight_bits(pixels[..., :3].copy())
    for first in range(0, len(pixels), _BLEND_ROWS):
        rows = slice(first, first + _BLEND_ROWS)
        alpha = pixels[rows, :, 3:] / np.float32(np.iinfo(pixels.dtype).max)
        colour[rows] = np.round(alpha * colour[rows] + (1 - alpha) * _BEHIND_ALPHA)
    return colour


def _by_pillow(data: bytes, kind: str) -> np.ndarray:
    """Decodes a picture by Pillow, HEIC with pillow-heif, and returns BGR.

    Raises:
        ImageError: where they are not installed or cannot decode it.
    """
    remedy = (
        f'install pillow-heif (pip install pillow-heif) or {_CONVERT}'
        if kind == 'HEIC'
        else f"install Pillow 11.3 or newer (pip install 'pillow>=11.3') or {_CONVERT}"
    )
    try:
        if kind == 'HEIC':
            import pillow_heif  # first: where both are missing, installing it brings Pillow

            pillow_heif.register_heif_opener()
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImageError(f'cannot be read: a {kind} picture needs {error.name}, which is not installed; {remedy}') from error
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = ImageOps.exif_transpose(opened).convert('RGBA')
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError, Image.DecompressionBombError) as error:
        raise ImageError(f'cannot be read: the {kind} data is damaged or of a rare kind ({error}); {remedy}') from error
    pixels = np.array(picture)
    del picture
    return _opaque(cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA, pixels))
