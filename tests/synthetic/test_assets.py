"""Building the heads' assets."""

import gzip

import pytest

torch = pytest.importorskip('torch')


def test_shapes_are_read_as_anny_reads_them(tmp_path):
    full_model = pytest.importorskip('anny.models.full_model')
    from training.synthetic.assets.build import read_blend_shape

    class ToWorld:
        @staticmethod
        def apply(offsets):
            return offsets.flip(1) / 10

    for number, text in enumerate(('', '2 .1 -0.25 3e-2\n0 1 2 3\n', '4 0.123456789 0 -7')):
        path = str(tmp_path / f'{number}.target.gz')
        with gzip.open(path, 'wt') as file:
            file.write(text)
        arguments = dict(vertices_count=5, world_transformation=ToWorld, dtype=torch.float32)
        assert torch.equal(read_blend_shape(path, **arguments), full_model.load_blend_shape(path, **arguments))
