"""A folder of rendered heads' stand-ins that the tests of training share."""

import pytest


@pytest.fixture(scope='session')
def heads(tmp_path_factory):
    """80 crops of 64x64 pixels in the renders' format; read only."""
    from training.synthetic import stand_in

    path = tmp_path_factory.mktemp('heads')
    stand_in.write(path, 80, 64, seed=7)
    return path
