"""Measures of real faces: by hand, and what happens without any set."""

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs torch: make test installs it')

from c2f_head_pose import crop, geometry
from c2f_head_pose.types import FaceBox
from training.datasets.base import Face
from training.studies import real_faces


class WiderIsWorse:
    """Answers the truth, off in yaw by as many degrees as a white pixel's border of the picture shows in the crop's corner."""

    name, size, margin = 'wider is worse', 32, 1.4

    def rotation(self, image):
        return geometry.rotation_from_ypr_deg(np.array([4.0 if image[0, 0, 0] else 2.0, 0.0, 0.0]))


def test_angles_count_within_yaw_60_alone():
    """Yaws 10 and -20 answered 12 and -24: 3 off in the mean; pitch 1 off in one of two; a profile at 80 does not count."""
    truth = np.array([[10.0, 0, 0], [-20.0, 5, 0], [80.0, 0, 0]])
    R = geometry.rotation_from_ypr_deg(np.array([[12.0, 0, 0], [-24.0, 6, 0], [20.0, 0, 0]]))
    found = {name: (count, value) for name, count, value in real_faces.angle_measures(truth, R)}
    assert found['yaw within yaw 60'] == (2, pytest.approx(3))
    assert found['pitch within yaw 60'] == (2, pytest.approx(0.5))
    assert found['roll within yaw 60'] == (2, pytest.approx(0, abs=1e-9))


def test_profiles_and_rolled_faces_are_measured_by_their_angles_and_as_rotations():
    """Upright faces off by 3 in yaw: 1 in the mean of the angles, 3 as a rotation. In profile, yaw 80, turned by 3 about the camera's
    y axis alone too. Rolled by 50, off by 6 in roll; rolled by 50 in profile by 9: rolled 2.5 and 7.5, of which 2 and 6 within yaw 60.
    """
    truth = np.array([[0.0, 0, 0], [80, 0, 0], [0, 0, 50], [80, 0, 50]])
    off = np.array([[3.0, 0, 0], [3, 0, 0], [0, 0, 6], [0, 0, 9]])
    found = {name: (n, value) for name, n, value in real_faces.pose_measures(truth, geometry.rotation_from_ypr_deg(truth + off))}
    expected = {
        'within yaw 60': (2, 1.5, 4.5), 'beyond yaw 60': (2, 2, 6), 'within roll 45': (2, 1, 3), 'beyond roll 45': (2, 2.5, 7.5),
        'within roll 45 and yaw 60': (1, 1, 3), 'beyond roll 45 within yaw 60': (1, 2, 6),
    }  # fmt: skip
    assert len(found) == 2 * len(expected)
    for where, (n, of_angles, geodesic) in expected.items():
        assert found[f'MAE {where}'] == (n, pytest.approx(of_angles)) and found[f'geodesic {where}'] == (n, pytest.approx(geodesic))


def test_rolled_faces_over_upright_ones():
    """Upright faces are 2 and 4 off (3 in the mean), those rolled by 40 and -55 are 5 and 7 off (6): twice the error.

    A roll of 170 counts for neither.
    """
    truth = np.array([[0.0, 0, 0], [0, 0, -9], [0, 0, 40], [0, 0, -55], [0, 0, 170]])
    R = geometry.rotation_from_ypr_deg(truth + np.array([[0.0, 0, 2], [0, 0, -4], [0, 0, 5], [0, 0, -7], [0, 0, 9]]))
    found = {name: (count, value) for name, count, value in real_faces.roll_measures(truth, R)}
    assert found['geodesic at roll 0 to 10'] == (2, pytest.approx(3))
    assert found['geodesic at roll 30 to 60'] == (2, pytest.approx(6))
    assert found['geodesic of rolled over upright'] == (2, pytest.approx(2))
    assert found['geodesic at roll 10 to 30'][0] == 0


def test_the_worst_width_over_the_best():
    """A box of 40 in a black picture whose white border begins 29 from its middle: a half side of 0.5 * 1.5 * 40 = 30 and wider shows it,
    25 and 27.2 do not. Yaw 0 is answered 4 and 2, pitch right: 2 and 1 in the mean, so twice.
    """
    picture = np.full((100, 100, 3), 255, np.uint8)
    picture[21:79, 21:79] = 0
    face = Face('face', np.array([0.0, 0, np.nan]), lambda: picture, box=FaceBox(30.0, 30.0, 70.0, 70.0))
    found = {name: value for name, _, value in real_faces.width_measures(WiderIsWorse(), [face])}
    assert found['MAE at 1.25 times the box'] == pytest.approx(1) and found['MAE at 1.36 times the box'] == pytest.approx(1)
    assert found['MAE at 1.5 times the box'] == pytest.approx(2) and found['MAE at 1.65 times the box'] == pytest.approx(2)
    assert found['worst over best width'] == pytest.approx(2)


def test_squares_off_centre_over_centred_ones():
    """A black picture with a white border from row and column 10: a square of side 40 at 12 is black in its corner, and white there when it
    moves by 4 to the left or top: 4 degrees twice, 2 twice and 2 where it is, so 3 over 2.
    """
    picture = np.full((100, 100, 3), 255, np.uint8)
    picture[10:, 10:] = 0
    square = crop.CropSquare(12, 12, 40)
    R = geometry.rotation_from_ypr_deg(np.array([[2.0, 0, 0]]))
    found = {name: value for name, _, value in real_faces.shift_measures(WiderIsWorse(), np.zeros((1, 3)), R, [picture], [square])}
    assert found['geodesic shifted by 0.1 of the side'] == pytest.approx(3, abs=1e-6)
    assert found['geodesic of shifted over centred'] == pytest.approx(1.5)


def test_without_any_set_the_command_names_where_to_get_them(tmp_path, monkeypatch, capsys):
    for name in ('AFLW2000_DIR', 'POINTING04_DIR'):
        monkeypatch.delenv(name, raising=False)
    assert real_faces.main(['c2f_edge', '--results', str(tmp_path / 'rows.csv')]) == 1
    assert 'AFLW2000' in capsys.readouterr().err and not (tmp_path / 'rows.csv').exists()


def test_a_model_that_there_is_not_is_named(tmp_path, capsys):
    assert real_faces.main(['nosuch', '--results', str(tmp_path / 'rows.csv')]) == 1
    assert "no model 'nosuch'" in capsys.readouterr().err
