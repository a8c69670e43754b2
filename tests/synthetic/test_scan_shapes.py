"""Shapes of scans on the body model's heads, with a made-up scan in ICT-FaceKit's format."""

import numpy as np
import pytest
from ball_head import write_ball_head

from training.synthetic.assets import fetch as assets_command
from training.synthetic.people import identities, landmarks
from training.synthetic.people.heads import Calibration, HeadModel
from training.synthetic.people.scan_shapes import ScanShapes

pytestmark = pytest.mark.render

NOSE = slice(27, 36)


@pytest.fixture(scope='module')
def scans(tmp_path_factory):
    assert assets_command.main([]) == 0, 'python -m training.synthetic.assets'
    folder = assets_command.cache_dir()
    path = write_ball_head(tmp_path_factory.mktemp('scan') / 'ball.npz')
    return ScanShapes(path, HeadModel(folder), Calibration.load(folder))


@pytest.fixture(scope='module')
def people():
    return identities.population(12, 0.5, 9)


def apart_mm(a, b):
    """Root mean square distance of two sets of points, laid onto each other with scale."""
    R = landmarks.rigid_alignment(a, b)
    turned, centred = (a - a.mean(0)) @ R.T, b - b.mean(0)
    return 1000 * np.sqrt(((turned * (turned * centred).sum() / (turned**2).sum() - centred) ** 2).sum(1).mean())


def test_two_people_under_the_same_modes_have_the_same_nose_and_their_own_backs_of_the_head(scans, people):
    model = scans._model
    own = [identities.neutral_shape(model, person) for person in people[:2]]
    laid = [scans.laid_over(shape, np.zeros(100)) for shape in own]
    before, after = (apart_mm(*(s.vertices[model.landmarks[NOSE]].astype(float) for s in pair)) for pair in (own, laid))
    assert after < 0.5 * before
    back = own[0].vertices[:, 2] < own[0].vertices[model.landmarks].mean(0)[2] - 0.21  # three reaches of the warp
    assert back.any() and np.array_equal(own[0].vertices[back], laid[0].vertices[back])


def test_a_seed_has_its_own_scan_and_always_the_same(scans, people):
    first, second = (scans.neutral_shape(person).vertices for person in people[:2])
    assert np.array_equal(first, scans.neutral_shape(people[0]).vertices)
    assert np.abs(first - second).max() > 0.002


def test_the_familys_mean_face_lies_on_the_canonical_face(scans, people):
    """By definition of its zero pose; twelve people's mean is off by their pitch, 2 degrees, over the root of twelve: 0.6, doubled."""
    rows = scans._model.landmarks
    shapes = [scans.neutral_shape(person) for person in people]
    posed = np.mean([s.vertices[rows] @ scans.calibration.rotation(s).T for s in shapes], axis=0)
    again = landmarks.zero_rotation(posed)
    assert abs(np.degrees(np.arctan2(again[2, 1], again[1, 1]))) < 1.2


def test_a_missing_file_names_the_command(tmp_path):
    folder = assets_command.cache_dir()
    with pytest.raises(RuntimeError, match=r'training\.portraits fetch'):
        ScanShapes(tmp_path / 'none.npz', HeadModel(folder), Calibration.load(folder))
