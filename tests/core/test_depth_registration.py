"""Depth of one camera as another would measure it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from c2f_head_pose.depth_registration import DepthRegistration, _distort
from c2f_head_pose.types import Camera

EYE = np.eye(3)


def camera(width=640, height=480, focal=500.0, D=(), model='plumb_bob', centre=None) -> Camera:
    cx, cy = centre or (width / 2, height / 2)
    return Camera(width, height, np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]]), np.array(D, float), model)


def single_point(column, row, z_m, of: Camera) -> np.ndarray:
    depth_m = np.full((of.height, of.width), np.nan, np.float32)
    depth_m[row, column] = z_m
    return depth_m


def where(registered):
    rows, columns = np.nonzero(np.isfinite(registered))
    return list(zip(columns.tolist(), rows.tolist())), registered[rows, columns].tolist()


@pytest.mark.parametrize('z_m, column', [(0.8, 480), (1.6, 400), (4.0, 352)])
def test_a_baseline_shifts_a_point_by_its_parallax(z_m, column):
    """f b / z of 500 px and 0.256 m is 160 px at 0.8 m, 80 at 1.6 m and 32 at 4 m, from column 320 on."""
    here = camera()
    registered = DepthRegistration(here, here).register(single_point(320, 240, z_m, here), EYE, np.array([0.256, 0, 0]))
    assert where(registered) == ([(column, 240)], [pytest.approx(z_m)])


def test_a_depth_camera_behind_the_image_camera_and_upside_down_measures_from_there():
    """Turned by 180 degrees about the axis and 0.1 m behind: pixel (420, 240) at 1 m is x = 0.2, so -0.2 at 1 - 0.1 = 0.9 m: 320 - 111."""
    here = camera()
    registered = DepthRegistration(here, here).register(single_point(420, 240, 1.0, here), np.diag([-1.0, -1, 1]), np.array([0, 0, -0.1]))
    assert where(registered) == ([(209, 240)], [pytest.approx(0.9)])


def test_what_lies_behind_the_image_camera_or_beside_its_view_is_not_in_its_image():
    here = camera()
    for t in ([0, 0, -1.5], [5.0, 0, 0]):
        assert not np.isfinite(DepthRegistration(here, here).register(single_point(320, 240, 1.0, here), EYE, np.array(t))).any()


def test_the_nearest_of_two_points_that_fall_into_one_pixel_hides_the_other():
    """With b = 0.2 m: 1 m at column 300 moves by 100 to 400, 2 m at column 350 by 50 to 400 as well."""
    here = camera()
    depth_m = single_point(300, 240, 1.0, here)
    depth_m[240, 350] = 2.0
    assert where(DepthRegistration(here, here).register(depth_m, EYE, np.array([0.2, 0, 0]))) == ([(400, 240)], [pytest.approx(1.0)])


@pytest.mark.parametrize(
    'D, model, x, column',
    [
        ((-0.2, 0, 0, 0, 0), 'plumb_bob', 0.48, 549),  # 0.48 (1 - 0.2 * 0.2304) = 0.4579: 320 + 228.9
        ((0, 0, 0, 0.1, 0), 'plumb_bob', 0.4, 544),  # 0.4 + 0.1 * 3 * 0.16 = 0.448: 320 + 224
        ((0.5, 0, 0, 0, 0, 0.8, 0, 0), 'rational_polynomial', 0.5, 554),  # 0.5 * 1.125 / 1.2 = 0.46875: 320 + 234.4
        ((0, 0, 0, 0), 'equidistant', 0.5, 552),
    ],
)  # atan 0.5 = 0.4636: 320 + 231.8
def test_a_point_lands_where_the_image_cameras_lens_shows_it(D, model, x, column):
    depth_camera, here = camera(), camera(D=D, model=model)
    registered = DepthRegistration(depth_camera, here).register(single_point(int(320 + 500 * x), 240, 1.0, depth_camera), EYE, np.zeros(3))
    assert where(registered)[0] == [(column, 240)]


@pytest.mark.parametrize('D, model', [((), 'plumb_bob'), ((-0.2, 0, 0, 0, 0), 'plumb_bob'), ((0.02, -0.01, 0, 0), 'equidistant')])
def test_a_camera_whose_pixels_are_skewed_measures_as_itself(D, model):
    """A skew of 40 is 40 * 200 / 500 = 16 columns at row 440, which the way there and the way back must both have."""
    plain = camera(D=D, model=model)
    here = replace(plain, K=plain.K + [[0, 40, 0], [0, 0, 0], [0, 0, 0]])
    registered = DepthRegistration(here, here).register(single_point(500, 440, 1.0, here), EYE, np.zeros(3))
    assert where(registered)[0] == [(500, 440)]


def test_the_depth_cameras_own_lens_is_undone():
    """Its pixel at angle 0.5 rad (column 320 + 500 * 0.5) sees x = tan 0.5 = 0.5463 at z = 1, so a pinhole's column 320 + 273."""
    depth_camera, here = camera(D=(0, 0, 0, 0), model='equidistant'), camera()
    registered = DepthRegistration(depth_camera, here).register(single_point(570, 240, 1.0, depth_camera), EYE, np.zeros(3))
    assert where(registered)[0] == [(593, 240)]


@pytest.mark.parametrize('x, y', [(0.5, 0.3), (-0.55, -0.4)])
def test_the_depth_cameras_polynomial_lens_is_undone(x, y):
    """Straight ahead of each other, a point of the distorted depth image comes out at its pinhole pixel: 320 + 500 x, 240 + 500 y."""
    D = (-0.3, 0.09, 0.002, -0.001, -0.01)
    r2 = x * x + y * y
    radial = 1 - 0.3 * r2 + 0.09 * r2**2 - 0.01 * r2**3
    shown = x * radial + 2 * 0.002 * x * y - 0.001 * (r2 + 2 * x * x), y * radial + 0.002 * (r2 + 2 * y * y) - 2 * 0.001 * x * y
    column, row = round(320 + 500 * shown[0]), round(240 + 500 * shown[1])
    depth_camera, here = camera(D=D), camera()
    (found,), _ = where(DepthRegistration(depth_camera, here).register(single_point(column, row, 1.0, depth_camera), EYE, np.zeros(3)))
    np.testing.assert_allclose(found, [320 + 500 * x, 240 + 500 * y], atol=1.5)


@pytest.mark.parametrize('width, height, focal', [(1280, 720, 930.0), (1920, 1080, 1400.0), (640, 480, 600.0)])
def test_an_image_finer_than_depth_has_depth_in_every_pixel_that_the_depth_camera_sees(width, height, focal):
    """A wall at 2 m in 848x480 at 430 px, a wider view than the image's: no pixel is without depth, none is other than 2 m."""
    depth_camera = camera(848, 480, 350.0)
    registered = DepthRegistration(depth_camera, camera(width, height, focal)).register(
        np.full((480, 848), 2.0, np.float32), EYE, np.zeros(3)
    )
    assert registered.shape == (height, width)
    np.testing.assert_allclose(registered, 2.0, rtol=1e-6)


def test_a_far_wall_does_not_show_through_a_near_face():
    """A disk at 0.8 m before a wall at 3 m, seen from 0.05 m aside by a finer camera: within the disk nothing is farther than 0.8 m."""
    depth_camera, here = camera(), camera(focal=525.0)
    rows, columns = np.mgrid[:480, :640]
    disk = np.hypot(columns - 320, rows - 240) < 60
    registered = DepthRegistration(depth_camera, here).register(np.where(disk, 0.8, 3.0).astype(np.float32), EYE, np.array([0.05, 0, 0]))
    moved = np.hypot(columns - (320 + 525 * 0.05 / 0.8), rows - 240) < 60  # the disk grows to 63 px
    np.testing.assert_allclose(registered[moved], 0.8, rtol=1e-6)


def test_points_beyond_the_angle_at_which_a_polynomial_folds_back_are_not_in_the_image():
    """r (1 - 0.35 r^2) grows up to r = 0.976 only: at r = 1.6 it is 0.166 again, as if the point lay near the middle."""
    wide, here = camera(focal=150.0), camera(focal=300.0, D=(-0.35, 0, 0, 0))
    registered = DepthRegistration(wide, here).register(single_point(320 + 240, 240, 1.0, wide), EYE, np.zeros(3))
    assert not np.isfinite(registered).any()


def test_points_beyond_the_angle_at_which_a_fisheye_folds_back_are_not_in_the_image():
    """theta (1 - 0.2 theta^2) grows up to 74 degrees: a point at 80 degrees would be seen where one at 68 is."""
    x, _ = _distort(camera(D=(-0.2, 0, 0, 0), model='equidistant'), np.tan(np.radians(np.float32([68, 80]))), np.zeros(2, np.float32))
    assert np.isfinite(x[0]) and np.isnan(x[1])


def test_a_tilted_sensor_sees_a_point_where_opencv_says():
    lens = camera(D=(-0.2, 0.05, 0.001, -0.002, 0.0, 0, 0, 0, 0.01, 0, -0.01, 0, 0.05, -0.03), model='rational_polynomial')
    points = np.float32([[0, 0], [0.4, -0.3], [-0.2, 0.5]])
    x, y = _distort(lens, *points.T)
    seen = cv2.projectPoints(np.column_stack([points, np.ones(3)]), np.zeros(3), np.zeros(3), np.eye(3), lens.D)[0].reshape(-1, 2)
    np.testing.assert_allclose(np.column_stack([x, y]), seen, atol=1e-5)


def test_focal_lengths_beyond_reason_register_without_a_fault():
    """A damaged calibration: the image's focal length is 1e300 times that of depth, so one measured point covers the whole image."""
    found = DepthRegistration(camera(focal=1e-200), camera(focal=1e100)).register(np.full((480, 640), 1.0, np.float32), EYE, np.zeros(3))
    assert found.shape == (480, 640) and not (found <= 0).any()
