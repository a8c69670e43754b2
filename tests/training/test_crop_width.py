"""Slopes by the width of the crop: by hand, and what happens without any set."""

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs torch: make test installs it')

from c2f_head_pose import geometry
from training.datasets.base import Face
from training.datasets.face_crops import landmark_square
from training.studies import crop_width


class Halving:
    """Says half of the blue at the crop's middle as yaw, and a pitch of 3."""

    name, size, margin = 'halving', 32, 1.4

    def rotation(self, image):
        return geometry.rotation_from_ypr_deg(np.array([image[16, 16, 0] / 2, 3.0, 0.0]))


def face(yaw: int, pitch: float) -> Face:
    picture = np.full((100, 100, 3), yaw, np.uint8)
    return Face('face', np.array([yaw, pitch, 0.0]), lambda: picture, landmarks=np.array([[40.0, 40.0], [60.0, 60.0]]))


def test_slope_and_error_at_each_width():
    """Yaws 10, 20 and 30 answered 5, 10 and 15: slope 0.5, 10 off in the mean.

    Pitches 0, 2 and 4 answered 3: slope 0, (3 + 1 + 1) / 3 off.
    """
    faces = [face(10, 0.0), face(20, 2.0), face(30, 4.0)]
    found = list(crop_width.rows(Halving(), faces, landmark_square, widths=(0.5, 1.0)))
    assert [row['margin'] for row in found] == [0.7, 1.4]
    for row in found:
        assert row['n'] == 3 and row['yaw_slope'] == pytest.approx(0.5) and row['yaw_error'] == pytest.approx(10)
        assert row['pitch_slope'] == pytest.approx(0, abs=1e-6) and row['pitch_error'] == pytest.approx(5 / 3)


def test_pan_and_tilt_of_marks_are_the_direction_of_the_face():
    """Pan 60 and tilt 30, by hand: the direction is right -0.75, down -0.5, forward -0.433."""
    face_axis = np.array([-np.cos(np.radians(30)) * np.sin(np.radians(60)), -0.5, -np.cos(np.radians(30)) * 0.5])
    R_cam_head = np.stack([face_axis, np.cross([0.0, 1.0, 0.0], face_axis), np.zeros(3)], -1)[None]
    assert crop_width.azimuth_elevation_deg(R_cam_head) == pytest.approx(np.array([[60.0, 30.0]]))
    for ypr_deg in ((40.0, 0.0, 0.0), (0.0, -25.0, 10.0)):
        R_cam_head = geometry.rotation_from_ypr_deg(np.array(ypr_deg))[None]
        assert crop_width.azimuth_elevation_deg(R_cam_head) == pytest.approx(np.array([ypr_deg[:2]]), abs=1e-6)
    assert crop_width.SETS['pointing04'][1] is crop_width.azimuth_elevation_deg


def test_without_any_set_the_command_names_where_to_get_them(tmp_path, monkeypatch, capsys):
    for name in ('AFLW2000_DIR', 'POINTING04_DIR'):
        monkeypatch.delenv(name, raising=False)
    assert crop_width.main(['c2f_edge', '--results', str(tmp_path / 'rows.csv')]) == 1
    assert 'AFLW2000' in capsys.readouterr().err and not (tmp_path / 'rows.csv').exists()


def test_a_model_is_opened_before_any_set_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crop_width, 'open_faces', lambda name: pytest.fail('read'))
    assert crop_width.main(['nosuch', '--results', str(tmp_path / 'rows.csv')]) == 1
    assert "no model 'nosuch'" in capsys.readouterr().err


def test_no_faces_are_no_limit(capsys):
    with pytest.raises(SystemExit):
        crop_width.main(['--limit', '0'])
    assert '--limit' in capsys.readouterr().err
