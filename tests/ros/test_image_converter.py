"""cv_bridge beside this package's own reader: which one converts what, and that nobody can tell them apart."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from c2f_head_pose.images import ENCODINGS, ImageError, image_from_message
from c2f_head_pose.ros.image_converter import BRIDGED, ImageConverter, _survives

HALF = """
import numpy as np
class CvBridge:
    def imgmsg_to_cv2(self, message, wanted):
        if message.encoding in ('rgb8', 'bgr8', 'mono8'):
            pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, -1, 1 if message.encoding == 'mono8' else 3)
            return {'rgb8': pixels[..., ::-1], 'bgr8': pixels, 'mono8': 255 - pixels[..., 0]}[message.encoding]
        raise RuntimeError('Unrecognized image encoding')
"""
"""A cv_bridge that has two encodings, is wrong about a third, and raises for all others."""


def image(encoding, width=8, height=6, padding=0, big=0, largest=65535):
    channels = (
        {'nv12': 1.5, 'nv21': 1.5}.get(encoding)
        or {'yuv4': 2, 'uyvy': 2, 'yuyv': 2, '8UC4': 4}.get(encoding[:4])
        or (4 if 'a' in encoding[:4] and not encoding.startswith('bayer') else 3 if encoding.startswith(('rgb', 'bgr', '8UC3')) else 1)
    )
    generator = np.random.default_rng(1)
    if '16' in encoding:
        row = generator.integers(0, largest + 1, (height, width * channels)).astype('>u2' if big else '<u2').view(np.uint8)
    else:
        row = generator.integers(0, 256, (int(height * channels), width) if channels == 1.5 else (height, width * channels), np.uint8)
    data = np.pad(row, ((0, 0), (0, padding)))
    return SimpleNamespace(encoding=encoding, width=width, height=height, step=data.shape[1], is_bigendian=big, data=data.tobytes())


@pytest.fixture
def half_a_bridge(tmp_path, monkeypatch):
    (tmp_path / 'cv_bridge.py').write_text(HALF)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('PYTHONPATH', f'{tmp_path}{os.pathsep}{os.environ.get("PYTHONPATH", "")}')
    monkeypatch.delitem(sys.modules, 'cv_bridge', raising=False)
    _survives.cache_clear()
    yield
    sys.modules.pop('cv_bridge', None)
    _survives.cache_clear()


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_without_cv_bridge_every_encoding_is_read_all_the_same(encoding, monkeypatch):
    monkeypatch.setattr(sys, 'path', [p for p in sys.path if not (Path(p) / 'cv_bridge').exists()])
    converter = ImageConverter()
    assert converter.encodings == frozenset()
    np.testing.assert_array_equal(converter.image(image(encoding)), image_from_message(image(encoding)))


def test_cv_bridge_converts_only_what_it_converts_rightly(half_a_bridge):
    converter = ImageConverter()
    assert converter.encodings == {'rgb8', 'bgr8'}
    for encoding in ENCODINGS:
        np.testing.assert_array_equal(converter.image(image(encoding)), image_from_message(image(encoding)))


def test_rows_that_cv_bridge_cannot_express_are_read_by_the_package(half_a_bridge):
    """Two bytes behind rows of three-byte pixels; the stand-in would fail on them, the real one shifts every row."""
    padded = image('rgb8', padding=2)
    np.testing.assert_array_equal(ImageConverter().image(padded), image_from_message(padded))


def test_a_wrong_image_is_refused_by_its_field_with_cv_bridge_too(half_a_bridge):
    broken = image('bgr8')
    broken.data = broken.data[:-5]
    with pytest.raises(ImageError, match='data has 139 bytes'):
        ImageConverter().image(broken)


@pytest.mark.parametrize(
    'broken', ["raise AttributeError('_ARRAY_API not found')", 'import os' + HALF.replace('raise RuntimeError', 'os.abort(); raise')]
)
def test_an_installation_that_does_not_fit_together_costs_nothing(broken, half_a_bridge, tmp_path):
    """A cv_bridge compiled for numpy 1 fails at its import under numpy 2, or ends the process at its first conversion."""
    (tmp_path / 'cv_bridge.py').write_text(broken.replace("'rgb8', 'bgr8', 'mono8'", "''"))
    if np.__version__ < '2' and 'abort' in broken:
        pytest.skip('numpy 1 fits every cv_bridge')
    assert ImageConverter().encodings == frozenset()


@pytest.mark.parametrize('encoding', BRIDGED)
@pytest.mark.parametrize('size', [(8, 6), (640, 480), (34, 18)])
@pytest.mark.parametrize('largest', [65535, 4095])
def test_the_real_cv_bridge_and_the_package_agree(encoding, size, largest):
    pytest.importorskip('cv_bridge', reason='no cv_bridge in this ROS installation')
    converter = ImageConverter()
    assert 'rgb8' in converter.encodings
    if encoding not in converter.encodings:
        pytest.skip(f'this cv_bridge does not convert {encoding}')
    message = image(encoding, *size, padding=8, largest=largest) if encoding not in ('rgb8', 'bgr8', '8UC3') else image(encoding, *size)
    assert np.abs(converter.image(message).astype(int) - image_from_message(message)).max() <= 1
