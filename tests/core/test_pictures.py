"""Picture files as phones, web sites and image programs write them: read by their content, or refused with the remedy."""

import io
import json
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from heic_making import heic_grid

import sample
from c2f_head_pose import demo
from c2f_head_pose.images import ImageError, image_from_compressed
from c2f_head_pose.images.encoded import PNG, check_complete, picture_kind
from c2f_head_pose.images.pictures import decode_picture, find_pictures, read_picture

FACE = sample.frames()[0].image
GRAY = cv2.cvtColor(FACE, cv2.COLOR_BGR2GRAY)
PICTURE = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (96, 128, 3), dtype=np.uint8), (0, 0), 4)


def pillow(image, kind, **options):
    Image = pytest.importorskip('PIL.Image')
    file = io.BytesIO()
    Image.fromarray(image[..., ::-1] if image.shape[-1] == 3 else image).save(file, kind, **options)
    return file.getvalue()


def opencv(suffix, image, *options):
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


@pytest.mark.parametrize(('height', 'tile'), [(300, 256), (160, 160)])
def test_a_phones_heic_of_several_tiles_is_read_whole(height, tile, tmp_path):
    """A face of 300 pixels in 2 by 2 tiles of 256 with a margin, its upper half in 1 by 2 tiles of 160."""
    pytest.importorskip('pillow_heif')
    picture = cv2.imread(str(Path(__file__).parents[1] / 'data' / 'face.jpg'))[:height]
    path = tmp_path / 'IMG_0001.HEIC'
    path.write_bytes(heic_grid(picture, tile))
    read = read_picture(path)
    assert read.shape == picture.shape
    assert np.abs(read.astype(int) - picture).mean() < 2


def test_without_pillow_heif_a_heic_is_refused_with_the_remedy_and_the_rest_goes_on(tmp_path, capsys, monkeypatch):
    """The brands that phones write: Apple's heic, a camera's heix of 10 bits, and mif1. OpenCV would read one tile of each."""
    monkeypatch.setitem(sys.modules, 'pillow_heif', None)
    for name, brand in (('a.heic', b'heic'), ('b.hif', b'heix'), ('c.jpg', b'mif1')):
        (tmp_path / name).write_bytes(b'\0\0\0\x18ftyp' + brand + bytes(4) + b'mif1heic' + bytes(100))
    cv2.imwrite(str(tmp_path / 'd.jpg'), FACE)
    assert demo.main([str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.err.count('a HEIC picture needs pillow_heif, which is not installed; install pillow-heif (pip install pillow-heif)') == 3
    assert '1 image, ' in told.out
    assert '3 inputs not readable' in told.out


@pytest.mark.parametrize(
    ('name', 'make'),
    [
        ('a.avif', lambda: pillow(PICTURE, 'AVIF', quality=95)),
        ('a.jfif', lambda: opencv('.jpg', PICTURE, cv2.IMWRITE_JPEG_QUALITY, 95)),
        ('a.jpe', lambda: opencv('.jpg', PICTURE, cv2.IMWRITE_JPEG_QUALITY, 95)),
        ('a.jp2', lambda: opencv('.jp2', PICTURE)),
        ('download', lambda: opencv('.png', PICTURE)),
        ('photo.image', lambda: opencv('.webp', PICTURE, cv2.IMWRITE_WEBP_QUALITY, 101)),
        ('wrong.png', lambda: opencv('.jpg', PICTURE, cv2.IMWRITE_JPEG_QUALITY, 95)),
        ('avif_called.jpg', lambda: pillow(PICTURE, 'AVIF', quality=95)),
        ('scan.TIF', lambda: opencv('.tiff', PICTURE)),
        ('a.dib', lambda: opencv('.bmp', PICTURE)),
        ('a.pnm', lambda: opencv('.ppm', PICTURE)),
        ('a.gif', lambda: pillow(PICTURE, 'GIF')),
    ],
)
def test_a_picture_is_read_by_its_content_whatever_its_name(name, make, tmp_path):
    (tmp_path / name).write_bytes(make())
    assert find_pictures(tmp_path) == ([tmp_path / name], [])
    assert np.abs(read_picture(tmp_path / name).astype(int) - PICTURE).mean() < 3


def test_an_avif_that_is_named_is_no_video(tmp_path):
    (tmp_path / 'a.avif').write_bytes(pillow(FACE, 'AVIF', quality=90))
    assert demo.main([str(tmp_path / 'a.avif'), '--json', str(tmp_path / 'poses.json')]) == 0
    (record,) = json.loads((tmp_path / 'poses.json').read_text())
    assert record['image'].endswith('a.avif')
    assert record['faces']
    assert 'stamp_s' not in record


def test_other_files_of_a_folder_are_counted_and_named_and_mac_os_files_skipped(tmp_path, capsys):
    """Two pictures, a video and notes; an archive made on a Mac holds ._ files (AppleDouble: 00 05 16 07) and .DS_Store beside them."""
    for name in ('a.jpg', 'b.webp'):
        cv2.imwrite(str(tmp_path / name), FACE)
    for name, content in (
        ('clip.mp4', b'\0\0\0\x18ftypisom' + bytes(16)),
        ('notes.txt', b'P1 is the driver'),
        ('._a.jpg', b'\0\5\x16\7' + bytes(60)),
        ('.DS_Store', b'\0\0\0\1Bud1'),
    ):
        (tmp_path / name).write_bytes(content)
    (tmp_path / '__MACOSX').mkdir()
    (tmp_path / '__MACOSX' / '._b.webp').write_bytes(b'\0\5\x16\7' + bytes(60))
    assert demo.main([str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert '2 images' in told.out
    assert '2 other files in the folders are no pictures and were not read: clip.mp4, notes.txt' in told.out
    assert '._' not in told.out + told.err


def test_a_folder_that_does_not_exist_is_refused_and_not_taken_for_an_empty_one(tmp_path):
    assert find_pictures(tmp_path) == ([], [])
    with pytest.raises(ImageError, match=r'picturs does not exist$'):
        find_pictures(tmp_path / 'picturs')
    (tmp_path / 'a.jpg').touch()
    with pytest.raises(ImageError, match=r'a\.jpg is no folder; give it to read_picture'):
        find_pictures(str(tmp_path / 'a.jpg'))


def test_a_folder_without_a_picture_is_refused_with_what_it_holds(tmp_path, capsys):
    for number in range(7):
        (tmp_path / f'{number}.txt').write_text('x')
    assert demo.main([str(tmp_path)]) == 2
    assert 'holds no picture: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more' in capsys.readouterr().err


def test_a_path_that_does_not_exist_is_reported_and_no_file_is_left_behind(tmp_path, capsys):
    assert demo.main([str(tmp_path / 'nofile.jpg'), '--json', str(tmp_path / 'new' / 'x.json'), '--output', str(tmp_path / 'out')]) == 2
    assert 'nofile.jpg does not exist' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_model_writes_no_file_and_keeps_an_earlier_result(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.jpg'), FACE)
    (tmp_path / 'old.json').write_text('[]')
    for name in ('new.json', 'old.json'):
        assert demo.main([str(tmp_path / 'a.jpg'), '--json', str(tmp_path / name), '--model', 'nothing']) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.jpg', 'old.json']
    assert (tmp_path / 'old.json').read_text() == '[]'


def exif_thumbnail():
    """A JPEG with a JPEG inside, in an APP1 segment, as cameras write their thumbnails."""
    thumbnail = opencv('.jpg', cv2.resize(FACE, (160, 120)))
    jpeg = opencv('.jpg', FACE)
    return jpeg[:2] + b'\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail + jpeg[2:], len(thumbnail)


@pytest.mark.parametrize(
    'data',
    [
        opencv('.jpg', FACE)[:-2],  # all but the end marker
        opencv('.jpg', FACE)[: len(opencv('.jpg', FACE)) // 2],
        opencv('.jpg', FACE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)[:-1000],
        opencv('.jpg', FACE, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)[:-1000],
        exif_thumbnail()[0][: exif_thumbnail()[1] + 700],  # the thumbnail's end marker is in the last eighth
        opencv('.jpg', FACE)[:20_000] + bytes(20_000),  # a download client reserved the whole file
        opencv('.png', FACE)[:-12],  # all but the end chunk
        opencv('.png', FACE)[:100_000],
    ],
    ids=['end', 'half', 'progressive', 'restarts', 'thumbnail', 'zeros', 'png end', 'png half'],
)
def test_a_picture_that_is_cut_off_is_refused_alike_as_a_file_and_as_a_message(data, tmp_path, capsys):
    (tmp_path / 'a.jpg').write_bytes(data)
    cv2.imwrite(str(tmp_path / 'b.jpg'), FACE)
    assert demo.main([str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert 'a.jpg cannot be read: data (' in told.err
    assert 'is cut off' in told.err.replace('a JPEG that ', '').replace('a PNG that ', '')
    with pytest.raises(ImageError, match='cut off'):
        image_from_compressed(SimpleNamespace(format='', data=data))


@pytest.mark.parametrize(
    'data',
    [
        exif_thumbnail()[0],
        opencv('.jpg', FACE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        opencv('.jpg', FACE, cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
        opencv('.jpg', FACE) + b'\0\0\0\x18ftypmp42' + bytes(500_000),  # a motion photo: the video follows the picture
        opencv('.jpg', FACE) + opencv('.jpg', GRAY)[:-100],  # a second picture (depth, gain map), of no importance here
        opencv('.png', FACE) + bytes(100),
    ],
    ids=['thumbnail', 'progressive', 'restarts', 'motion photo', 'second picture', 'png'],
)
def test_a_complete_picture_is_read_whatever_follows_it(data):
    assert check_complete(data) == (640, 480)
    assert decode_picture(data).shape == (480, 640, 3)
    assert image_from_compressed(SimpleNamespace(format='', data=data)).shape == (480, 640, 3)


@pytest.mark.parametrize('bits', [10, 12, 14, 16])
@pytest.mark.parametrize('suffix', ['.png', '.tiff', '.pgm'])
def test_stills_of_10_to_16_bits_read_as_at_8(bits, suffix):
    """A microscope's or an industrial camera's still: 12 bits in the low bits of 16."""
    gray = GRAY.copy()
    gray[:20, :40] = 255
    for image in (gray, cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)) if suffix != '.pgm' else (gray,):
        wide = np.round(image * ((2**bits - 1) / 255)).astype(np.uint16)
        read = decode_picture(opencv(suffix, wide))
        assert np.abs(read.astype(int) - cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)).max() <= 1


def with_alpha():
    """Four columns of orange (B 0, G 100, R 200) under alpha 0, 51, 255 and 0, the last one white under it."""
    pixels = np.zeros((8, 4, 4), np.uint8)
    pixels[:] = (0, 100, 200, 255)
    pixels[:, 0, 3], pixels[:, 1, 3] = 0, 51
    pixels[:, 3] = (255, 255, 255, 0)
    return pixels


OVER_GRAY = np.array([[128, 128, 128], [102, 122, 142], [0, 100, 200], [128, 128, 128]])
"""alpha 51 / 255 = 0.2: 0.2 * (0, 100, 200) + 0.8 * 128 = (102.4, 122.4, 142.4)."""


@pytest.mark.parametrize(
    'make',
    [
        lambda: opencv('.png', with_alpha()),
        lambda: opencv('.png', with_alpha().astype(np.uint16) * 257),
        lambda: opencv('.tiff', with_alpha()),
        lambda: opencv('.webp', with_alpha(), cv2.IMWRITE_WEBP_QUALITY, 101),
        lambda: pillow(np.ascontiguousarray(with_alpha()[..., [2, 1, 0, 3]]), 'PNG'),
    ],
    ids=['png', 'png16', 'tiff', 'webp', 'another png'],
)
def test_transparent_pixels_are_gray_whatever_lies_under_them(make):
    np.testing.assert_allclose(decode_picture(make())[0], OVER_GRAY, atol=1)


def test_gray_with_alpha_and_palettes_with_a_transparent_entry_are_laid_over_gray_too():
    Image = pytest.importorskip('PIL.Image')
    palette = Image.new('P', (4, 4), 1)
    palette.putpalette([0, 0, 0, 250, 100, 0])
    for picture, options in (
        (Image.merge('LA', [Image.new('L', (4, 4), 200), Image.new('L', (4, 4), 0)]), {}),
        (palette, {'transparency': 1}),
    ):
        file = io.BytesIO()
        picture.save(file, 'PNG', **options)
        np.testing.assert_array_equal(decode_picture(file.getvalue()), np.full((4, 4, 3), 128))


def test_a_face_that_was_cut_out_gets_the_pose_that_it_has_before_gray():
    """Transparent pixels hold noise, as some programs leave there: the pose is that of the composed picture."""
    alpha = np.zeros((480, 640), np.uint8)
    alpha[60:420, 160:480] = 255
    noise = np.random.default_rng(0).integers(0, 256, FACE.shape, dtype=np.uint8)
    composed = np.where(alpha[..., None] > 0, FACE, 128).astype(np.uint8)
    stored = np.dstack([np.where(alpha[..., None] > 0, FACE, noise), alpha])
    np.testing.assert_array_equal(decode_picture(opencv('.png', stored)), composed)


def test_a_large_transparent_picture_takes_a_small_multiple_of_its_own_memory():
    """Four bytes a pixel as decoded and three of the result; 64 of the 2400 rows are in floating point, some 40 bytes a pixel."""
    data = opencv('.png', np.zeros((2400, 1000, 4), np.uint8))
    tracemalloc.start()
    try:
        decode_picture(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 9 * 2400 * 1000


def test_a_picture_that_announces_a_gigapixel_is_refused_before_it_is_decoded():
    """A PNG of 65 bytes without pixels: chunks of length, name, data and check (RFC 2083, 3.2)."""

    def chunk(name, content=b''):
        return struct.pack('>I', len(content)) + name + content + struct.pack('>I', zlib.crc32(name + content))

    header = struct.pack('>IIBBBBB', 40_000, 30_000, 8, 6, 0, 0, 0)
    data = PNG + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND')
    with pytest.raises(ImageError, match='has 40000x30000 pixels, more than 268 megapixels; scale it down'):
        decode_picture(data)


def test_pictures_are_turned_upright_by_their_exif():
    """Orientation 6: the stored first row is the right-hand column of the upright picture (JEITA CP-3451, tag 0x0112)."""
    Image = pytest.importorskip('PIL.Image')
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = cv2.rotate(PICTURE, cv2.ROTATE_90_CLOCKWISE)
    for kind, options in (('JPEG', {'quality': 95}), ('AVIF', {'quality': 95}), ('WEBP', {'lossless': True})):
        read = decode_picture(pillow(PICTURE, kind, exif=exif.tobytes(), **options))
        assert read.shape == (128, 96, 3), kind
        assert np.abs(read.astype(int) - upright).mean() < 3, kind


@pytest.mark.parametrize('kind', ['PNG', 'WEBP'])
def test_pictures_with_transparent_pixels_are_turned_upright_too(kind):
    Image = pytest.importorskip('PIL.Image')
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.dstack([PICTURE[..., ::-1], np.full(PICTURE.shape[:2], 255, np.uint8)])
    stored[:40, :, 3] = 0
    shown = np.where(stored[..., 3:] > 0, PICTURE, 128).astype(np.uint8)
    read = decode_picture(pillow(stored, kind, exif=exif.tobytes(), lossless=True))
    np.testing.assert_array_equal(read, cv2.rotate(shown, cv2.ROTATE_90_CLOCKWISE))


@pytest.mark.parametrize(
    ('name', 'make', 'told'),
    [
        ('a.dng', lambda: opencv('.tiff', PICTURE), 'it is the raw file of a camera; convert it to JPEG or PNG'),
        ('a.NEF', lambda: opencv('.tiff', PICTURE), 'it is the raw file of a camera'),
        ('a.tiff', lambda: opencv('.tiff', PICTURE.astype(np.float32) / 255), 'it has pixels of type float32; save it with 8 or 16 bits'),
        ('a.jxl', lambda: b'\0\0\0\x0cJXL \r\n\x87\n' + bytes(40), 'JPEG XL data is damaged, cut off or of a rare kind; convert it'),
        ('a.webp', lambda: opencv('.webp', PICTURE)[:500], 'the WebP data is damaged, cut off'),
        ('a.bmp', lambda: opencv('.bmp', PICTURE)[:5000], 'the BMP data is damaged, cut off'),
        ('a.tif', lambda: opencv('.tiff', PICTURE)[:5000], 'the TIFF data is damaged, cut off'),
        ('empty.jpg', lambda: b'', 'cannot be read as a picture or video: it is empty'),
        ('letter.jpg', lambda: b'Dear Sir', 'its first bytes are of no known format'),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_with_the_reason(name, make, told, tmp_path):
    (tmp_path / name).write_bytes(make())
    with pytest.raises(ImageError, match=told):
        read_picture(tmp_path / name)


@pytest.mark.parametrize(
    ('head', 'kind'),
    [
        (b'\0\0\0\x1cftypisom', None),
        (b'\0\0\0\x14ftypqt  ', None),
        (b'\x1a\x45\xdf\xa3', None),
        (b'', None),
        (b'BM and more', None),
        (b'P1 is the driver', None),
        (b'P5\n# made by a scanner\n', 'PNM'),
        (b'P6 640 480', 'PNM'),
        (b'\0\0\0\x1cftypmif1\0\0\0\0mif1avif', 'AVIF'),
        (b'\0\0\0\x1cftypavis\0\0\0\0', 'AVIF'),
        (b'\0\0\0\x18ftypmif1\0\0\0\0heic', 'HEIC'),
        (b'MM\0*', 'TIFF'),
        (b'II+\0', 'TIFF'),
        (b'RIFF....AVI ', None),
    ],
)
def test_pictures_are_distinguished_from_videos_and_texts_by_their_first_bytes(head, kind):
    assert picture_kind(head.ljust(64, b'\0')) == kind
