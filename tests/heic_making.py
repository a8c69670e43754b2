"""HEIC pictures as phones write them: a grid of tiles, each an HEVC picture of its own (needs pillow-heif to encode the tiles)."""

from __future__ import annotations

import io
import struct

import numpy as np


def heic_grid(image: np.ndarray, tile: int) -> bytes:
    """An HEIC whose primary item is a grid of tiles of that many pixels; the last row and column reach beyond the picture.

    Args:
        image: (H, W, 3) BGR uint8.
        tile: even.

    Source: ISO/IEC 14496-12, 8.11 (the boxes) and ISO/IEC 23008-12, 6.6.2.3 (the grid).
    """
    height, width = image.shape[:2]
    rows, columns = -(-height // tile), -(-width // tile)
    padded = np.pad(image, ((0, rows * tile - height), (0, columns * tile - width), (0, 0)), mode='edge')
    tiles = [_hevc(padded[y : y + tile, x : x + tile]) for y in range(0, rows * tile, tile) for x in range(0, columns * tile, tile)]
    datas = [struct.pack('>BBBBHH', 0, 0, rows - 1, columns - 1, width, height), *(data for _, data in tiles)]
    numbers = range(1, len(datas) + 1)  # item 1 is the grid
    entries = [_full(b'infe', 2, struct.pack('>HH4s', n, 0, b'grid' if n == 1 else b'hvc1') + b'\0') for n in numbers]
    properties = [tiles[0][0], _full(b'ispe', 0, struct.pack('>II', tile, tile)), _full(b'ispe', 0, struct.pack('>II', width, height))]
    associations = b''.join(struct.pack('>HBB', n, 1, 3) if n == 1 else struct.pack('>HBBB', n, 2, 0x81, 2) for n in numbers)

    def meta(start: int) -> bytes:
        places, at = b'', start
        for number, data in zip(numbers, datas):
            places += struct.pack('>HHHII', number, 0, 1, at, len(data))
            at += len(data)
        return _full(
            b'meta',
            0,
            b''.join(
                [
                    _full(b'hdlr', 0, bytes(4) + b'pict' + bytes(13)),
                    _full(b'pitm', 0, struct.pack('>H', 1)),
                    _full(b'iinf', 0, struct.pack('>H', len(entries)) + b''.join(entries)),
                    _full(b'iref', 0, _box(b'dimg', struct.pack(f'>HH{len(tiles)}H', 1, len(tiles), *numbers[1:]))),
                    _box(b'iprp', _box(b'ipco', b''.join(properties)) + _full(b'ipma', 0, struct.pack('>I', len(datas)) + associations)),
                    _full(b'iloc', 0, b'\x44\0' + struct.pack('>H', len(datas)) + places),
                ]
            ),
        )

    ftyp = _box(b'ftyp', b'heic' + bytes(4) + b'mif1heic')
    return ftyp + meta(len(ftyp) + len(meta(0)) + 8) + _box(b'mdat', b''.join(datas))


def _hevc(image: np.ndarray) -> tuple[bytes, bytes]:
    """The decoder's configuration (the hvcC box) and the data of one HEVC picture."""
    import pillow_heif
    from PIL import Image

    file = io.BytesIO()
    one_thread = {'preset': 'ultrafast', 'x265:pools': 'none', 'x265:frame-threads': '1'}  # its own threads spin on a busy machine
    pillow_heif.from_pillow(Image.fromarray(np.ascontiguousarray(image[..., ::-1]))).save(file, quality=90, enc_params=one_thread)
    made = file.getvalue()
    configuration, data = made.index(b'hvcC') - 4, made.index(b'mdat')
    return (
        made[configuration : configuration + int.from_bytes(made[configuration : configuration + 4], 'big')],
        made[data + 4 : data - 4 + int.from_bytes(made[data - 4 : data], 'big')],
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack('>I4s', 8 + len(content), kind) + content


def _full(kind: bytes, version: int, content: bytes) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]) + content)
