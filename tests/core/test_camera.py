"""CameraInfo's whole meaning, and the rays that follow from it."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from c2f_head_pose.camera import (
    camera_from_info,
    in_image,
    largest_angle_rad,
    largest_radius,
    may_see,
    pixel_ray,
    pixel_rays,
    pixels_of,
    reaches_corners,
)
from c2f_head_pose.types import Camera

K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])


def info(**changes):
    fields = dict(
        width=640,
        height=480,
        k=K.ravel(),
        p=np.c_[K, np.zeros(3)].ravel(),
        d=[],
        distortion_model='plumb_bob',
        binning_x=0,
        binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
    )
    return SimpleNamespace(**{**fields, **changes})


def test_a_pixel_at_the_principal_point_looks_along_the_optical_axis():
    """Continuous pixels count from the corner, K from the first pixel's centre: K's (320, 240) is (320.5, 240.5)."""
    np.testing.assert_allclose(pixel_ray(camera_from_info(info()), 320.5, 240.5), [0, 0, 1], atol=1e-12)


def test_a_pixel_one_focal_length_aside_looks_45_degrees_aside():
    np.testing.assert_allclose(pixel_ray(camera_from_info(info()), 320.5 + 500, 240.5), np.array([1, 0, 1]) / np.sqrt(2), atol=1e-12)


def test_a_camera_stays_as_it_was_made_when_the_callers_arrays_are_scaled_for_another_one():
    given, D = K.copy(), np.array([-0.3, 0.1, 0, 0, 0])
    full = Camera(640, 480, given, D)
    given[:2] /= 2
    D *= 0
    np.testing.assert_array_equal(full.K, K)
    np.testing.assert_array_equal(full.D, [-0.3, 0.1, 0, 0, 0])
    with pytest.raises(ValueError, match='read-only'):
        full.K[:2] /= 2


def test_binning_and_region_of_interest_shift_and_shrink_the_intrinsics():
    """ROI offset (100, 60) in full pixels, then 2x2 binning: cx = (320 - 100) / 2, fx = 500 / 2; the ROI's 400x300 become 200x150."""
    camera = camera_from_info(info(binning_x=2, binning_y=2, roi=SimpleNamespace(x_offset=100, y_offset=60, width=400, height=300)))
    np.testing.assert_allclose(camera.K, [[250, 0, 110], [0, 255, 90], [0, 0, 1]])
    assert (camera.width, camera.height) == (200, 150)


def test_a_rectified_image_uses_p_without_distortion():
    P = np.array([[400.0, 0, 300, 0], [0, 400, 200, 0], [0, 0, 1, 0]])
    camera = camera_from_info(info(p=P.ravel(), d=[-0.3, 0.1, 0, 0, 0]), rectified=True)
    np.testing.assert_allclose(camera.K, P[:, :3])
    assert camera.D.size == 0


def test_an_uncalibrated_camera_is_none():
    assert camera_from_info(info(k=np.zeros(9))) is None


@pytest.mark.parametrize(
    ('model', 'D'),
    [
        ('plumb_bob', [-0.35, 0.15, 0.001, -0.002, -0.03]),
        ('rational_polynomial', [0.5, -0.2, 0.001, 0.0005, 0.05, 0.8, -0.1, 0.02]),
        ('equidistant', [0.02, -0.01, 0.004, -0.001]),
    ],
)
def test_rays_through_a_distorting_lens_project_back_to_their_pixel(model, D):
    camera = camera_from_info(info(d=D, distortion_model=model))
    for x, y in ((320.5, 240.5), (20.0, 30.0), (630.0, 470.0), (500.0, 100.0)):
        ray = pixel_ray(camera, x, y).reshape(1, 1, 3)
        project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
        seen = project(ray, np.zeros(3), np.zeros(3), camera.K, camera.D)[0].ravel()
        np.testing.assert_allclose(seen + 0.5, [x, y], atol=1e-3)


@pytest.mark.parametrize(
    ('model', 'D'),
    [
        ('plumb_bob', [-0.35, 0.15, 0.001, -0.002, -0.03]),
        ('rational_polynomial', [0.5, -0.2, 0.001, 0.0005, 0.05, 0.8, -0.1, 0.02]),
        ('equidistant', [0.02, -0.01, 0.004, -0.001]),
    ],
)
def test_rays_do_not_depend_on_the_axes_of_the_sensors_pixels(model, D):
    """A point seen at (x, y) by pixels without skew is seen at x + skew (y - cy) / fy by pixels with it. OpenCV ignores K[0, 1]."""
    skewed = K + [[0, 8, 0], [0, 0, 0], [0, 0, 0]]
    points = [(20.0, 30.0), (630.0, 470.0), (500.0, 100.0)]
    rays = pixel_rays(Camera(640, 480, skewed, np.array(D), model), [(x + 8 * (y - 240.5) / 510, y) for x, y in points])
    np.testing.assert_allclose(rays, pixel_rays(Camera(640, 480, K, np.array(D), model), points), atol=1e-9)


@pytest.mark.parametrize('D', [[-0.25, 0, 0, 0, 0], [-0.4, 0.06, 0, 0, 0], [-0.25, 0, 0.001, -0.001, 0]])
def test_a_pixel_that_the_lens_does_not_reach_has_the_outermost_ray_in_its_direction(D):
    """k1 = -0.25, k2 = 0: the radius r (1 - 0.25 r^2) grows up to r = sqrt(1 / 0.75) = 1.1547, 49.1 degrees, seen at 0.7698 f = 293 pixels.

    The image's corner is 400 pixels away, up and to the right; its neighbours beyond the limit look the same way.
    """
    limit = largest_radius(np.array(D))
    if D[1] == 0:
        assert limit == pytest.approx(np.sqrt(4 / 3))
    camera = Camera(640, 480, np.array([[380.0, 0, 319.5], [0, 380, 239.5], [0, 0, 1]]), np.array(D))
    rays = pixel_rays(camera, [(320 + 0.8 * radius, 240 - 0.6 * radius) for radius in (100, 200, 240, 320, 360, 400)])
    radii = np.hypot(*(rays[:, :2] / rays[:, 2:]).T)
    assert (np.diff(radii[:3]) > 0).all()
    np.testing.assert_allclose(radii[3:], limit, rtol=1e-9)
    np.testing.assert_allclose(np.degrees(np.arctan2(rays[:, 1], rays[:, 0])), -36.87, atol=0.1)


@pytest.mark.parametrize(
    ('model', 'D'),
    [
        ('plumb_bob', []),
        ('plumb_bob', [-0.35, 0.15, 0.001, -0.002, -0.03]),
        ('rational_polynomial', [0.5, -0.2, 0.001, 0.0005, 0.05, 0.8, -0.1, 0.02]),
        ('equidistant', [0.02, -0.01, 0.004, -0.001]),
        ('equidistant', [0, 0, 0, 0]),
    ],
)
def test_a_point_is_seen_in_the_pixel_whose_ray_it_lies_on(model, D):
    """Through pixels in the image and outside; 900 pixels are 103 degrees off an ideal fisheye's axis. Nothing is seen straight behind."""
    camera = Camera(640, 480, K + [[0, 8, 0], [0, 0, 0], [0, 0, 0]], np.array(D), model)
    pixels = [(320.5, 240.5), (20.0, 30.0), (630.0, 470.0), (-10.0, 100.0), *([(1220.5, 240.5)] if D == [0, 0, 0, 0] else [])]
    rays = pixel_rays(camera, pixels)
    assert D != [0, 0, 0, 0] or rays[-1, 2] < -0.2
    np.testing.assert_allclose(pixels_of(camera, 1.7 * rays), pixels, atol=1e-4)
    assert in_image(camera, rays).tolist() == [True] * 3 + [False] * (len(pixels) - 3)
    assert np.isnan(pixels_of(camera, [(0, 0, -1), (0, 0, 0)])).all()


def test_nothing_is_seen_beyond_the_last_ray_of_a_lens():
    """r (1 - 0.25 r^2) grows up to r = 1.1547; 2.2 would be seen at -0.46 f, in the image.

    theta (1 - 0.2 theta^2) grows up to 74 degrees; 140 would be seen at -0.48 f.
    """
    lens = Camera(640, 480, K, np.array([-0.25, 0, 0, 0, 0]))
    fisheye = Camera(640, 480, K, np.array([-0.2, 0, 0, 0]), 'equidistant')
    assert in_image(lens, [(0.3, 0, 1), (2.2, 0, 1)]).tolist() == [True, False]
    assert in_image(fisheye, [(0.3, 0, 1), (1, 0, -1.2)]).tolist() == [True, False]


def test_a_fisheye_alone_may_see_what_is_not_before_it():
    """Before the camera, beside it, behind and aside, straight behind, and its own place."""
    points = np.array([(0.1, 0, 1), (1, 0, 0), (1, 0, -1), (0, 0, -1), (0, 0, 0)])
    fisheye = Camera(640, 480, K, np.zeros(4), 'equidistant')
    assert may_see(fisheye, points).tolist() == [True, True, True, False, False]
    for camera in (Camera(640, 480, K), None):
        assert may_see(camera, points).tolist() == [True, False, False, False, False]


def test_a_fisheyes_pixel_beyond_its_polynomial_has_the_outermost_ray_too():
    """theta (1 - 0.2 theta^2) grows up to theta = sqrt(1 / 0.6) = 1.291 rad = 74 degrees, seen at 0.8607 f = 258.2 pixels."""
    camera = Camera(640, 640, np.array([[300.0, 0, 319.5], [0, 300, 319.5], [0, 0, 1]]), np.array([-0.2, 0, 0, 0]), 'equidistant')
    rays = pixel_rays(camera, [(320 + radius, 320) for radius in (100, 250, 260, 300)])
    angles = np.arctan2(rays[:, 0], rays[:, 2])
    assert (np.diff(angles[:3]) > 0).all()
    np.testing.assert_allclose(angles[2:], np.sqrt(1 / 0.6), rtol=1e-9)


@pytest.mark.parametrize(
    'D',
    [
        [-0.2, 0, 0, 0],  # the slope at the limit, 74 degrees, is 0
        [0.0829, 0.0043, 0.0104, -0.0139],  # a fit of an ideal stereographic lens
        [0.02, -0.01, 0.004, -0.001],
    ],
)
def test_a_fisheyes_ray_is_right_up_to_the_limit_of_its_polynomial(D):
    """Each angle is seen at theta (1 + k1 theta^2 + ...), and the ray of that pixel has the angle again."""
    camera = Camera(2000, 2000, np.array([[300.0, 0, 999.5], [0, 300, 999.5], [0, 0, 1]]), np.array(D), 'equidistant')
    angles = np.linspace(0, 0.999, 200) * largest_angle_rad(camera.D)
    seen = angles * (1 + angles**2 * np.polyval(D[::-1], angles**2))
    rays = pixel_rays(camera, [(1000 + 300 * radius, 1000) for radius in seen])
    np.testing.assert_allclose(np.arctan2(rays[:, 0], rays[:, 2]), angles, atol=1e-9)


@pytest.mark.parametrize(
    'model, D, reached',
    [
        ('plumb_bob', [], True),
        ('plumb_bob', [-0.35, 0.15, 0.001, -0.002, 0], True),
        ('plumb_bob', [-0.25, 0, 0, 0, 0], False),
        ('equidistant', [-0.2, 0, 0, 0], True),
    ],
)
def test_a_calibration_knows_whether_it_reaches_the_images_corners(model, D, reached):
    camera = Camera(640, 480, np.array([[380.0, 0, 319.5], [0, 380, 239.5], [0, 0, 1]]), np.array(D, float), model)
    assert reaches_corners(camera) is reached


@pytest.mark.parametrize(
    ('model', 'D', 'same'),
    [
        ('equidistant', [0.1, 0.02, 0, 0, 0], ('equidistant', [0.1, 0.02, 0, 0])),
        ('fisheye', [0.0] * 5, ('equidistant', [0.0] * 4)),
        ('none', [], ('plumb_bob', [])),
        ('pinhole', [0.0] * 5, ('plumb_bob', [])),
    ],
)
def test_what_drivers_write_for_no_coefficient_is_read(model, D, same):
    camera = Camera(640, 480, K, np.array(D), model)
    assert camera.distortion_model == same[0] and camera.D.tolist() == same[1]


def test_a_fisheye_sees_beyond_90_degrees_off_its_axis():
    """Equidistant without distortion: angle = radius / f; 100 degrees at f = 200 is a radius of 200 * 1.7453 = 349.07 pixels."""
    camera = Camera(1000, 1000, np.array([[200.0, 0, 500], [0, 200, 500], [0, 0, 1]]), np.array([0, 0, 0, 0.0]), 'equidistant')
    ray = pixel_ray(camera, 500.5 + 200 * np.radians(100), 500.5)
    np.testing.assert_allclose(ray, [np.sin(np.radians(100)), 0, np.cos(np.radians(100))], atol=1e-9)


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        (dict(k=np.full(9, np.nan)), 'CameraInfo.k'),
        (dict(k=np.r_[-500.0, K.ravel()[1:]]), 'CameraInfo.k'),
        (dict(k=[1, 2, 3]), 'CameraInfo.k'),
        (dict(k=np.r_[K.ravel()[:8], 0.0]), 'third'),  # no inverse, so no rays
        (dict(k=np.r_[K.ravel()[:3], 7.0, K.ravel()[4:]]), 'second row'),
        (dict(k=np.r_[1e-308, K.ravel()[1:]]), 'no ray through pixel'),
        (dict(distortion_model='thin_prism', d=[1.0]), 'distortion_model'),
        (dict(d=[0.1, 0.2, 0.3]), 'CameraInfo.d'),
    ],
)
def test_a_camera_info_that_is_no_cameras_is_refused_by_field(changes, named):
    with pytest.raises(ValueError, match=named):
        camera_from_info(info(**changes))


def test_ros_1_capitals_are_read_too():
    ros1 = info()
    ros1 = SimpleNamespace(**{name.upper() if name in 'kdp' else name: value for name, value in vars(ros1).items()})
    np.testing.assert_allclose(camera_from_info(ros1).K, K)


def fisheye_info(model, D, **changes):
    """f = 500, principal point at the first pixel's corner."""
    return info(k=[500.0, 0, -0.5, 0, 500, -0.5, 0, 0, 1], d=D, distortion_model=model, width=1000, height=1000, **changes)


@pytest.mark.parametrize(('model', 'D'), [('equidistant', [0.0, 0, 0, 0]), ('fisheye', [0.0, 0, 0, 0]), ('equidistant', [])])
def test_a_fisheye_without_coefficients_is_still_a_fisheye(model, D):
    """Equidistant: angle = radius / f. 500 pixels at f = 500 are 1 rad = 57.3 degrees; a pinhole would see 45."""
    ray = pixel_ray(camera_from_info(fisheye_info(model, D)), 500, 0)
    np.testing.assert_allclose(ray, [np.sin(1), 0, np.cos(1)], atol=1e-12)


@pytest.mark.parametrize(('model', 'D'), [('plumb_bob', [-0.3, 0.1, 0, 0, 0]), ('equidistant', [0.02, -0.01, 0.004, -0.001])])
def test_a_camera_takes_what_opencvs_calibrations_return(model, D):
    """`cv2.calibrateCamera` returns D of (1, 5) or (5, 1), `cv2.fisheye.calibrate` of (4, 1)."""
    ray = pixel_ray(Camera(640, 480, K, np.array(D), model), 600, 100)
    names = ('fisheye', 'equidistant') if model == 'equidistant' else (model,)
    for name in names:
        for shape in ((1, -1), (-1, 1)):
            camera = Camera(640, 480, K.tolist(), np.array(D).reshape(shape), name)
            np.testing.assert_array_equal(pixel_ray(camera, 600, 100), ray)
            assert camera.D.shape == (len(D),) and camera.K.dtype == float


def test_a_camera_whose_fisheye_has_no_coefficients_is_a_fisheye():
    """As in CameraInfo: 500 pixels at f = 500 are 1 rad."""
    camera = Camera(1000, 1000, np.array([[500.0, 0, -0.5], [0, 500, -0.5], [0, 0, 1]]), distortion_model='fisheye')
    np.testing.assert_allclose(pixel_ray(camera, 500, 0), [np.sin(1), 0, np.cos(1)], atol=1e-12)


@pytest.mark.parametrize(
    ('K', 'D', 'model', 'named'),
    [
        (np.zeros((3, 3)), [], 'plumb_bob', r"^K cannot be a camera's: focal lengths must be finite and positive, got 0 and 0"),
        (K.ravel(), [], 'plumb_bob', r'^K .* must be \(3, 3\), got \(9,\)'),
        (K, [0.1, 0.2], 'plumb_bob', '^D has 2 values'),
        (K, [0.1, 0.2, 0, 0, 0.3], 'equidistant', "^D has 5 values, 'equidistant' needs 4"),
        (K, [0.1, 0.2, 0, np.nan], 'equidistant', '^D has 4 values'),
        (K, [0.1, 0, 0, 0, 0], 'pinhole', "'pinhole' is not known"),
        (K, [0.1, 0.2, 0, 0], 'KANNALA_BRANDT', "'KANNALA_BRANDT' is not known; use one of plumb_bob, .*, fisheye"),
    ],
)
def test_a_calibration_that_is_no_cameras_is_refused_when_the_camera_is_made(K, D, model, named):
    with pytest.raises(ValueError, match=named):
        Camera(640, 480, K, np.array(D), model)


@pytest.mark.parametrize('model', ['equidistant', 'plumb_bob', 'rational_polynomial'])
def test_a_rectified_image_is_a_pinholes_whatever_lens_took_it(model):
    """P is the pinhole that the image was rectified to: 500 pixels at f = 500 are 45 degrees."""
    D = np.zeros({'equidistant': 4, 'plumb_bob': 5, 'rational_polynomial': 8}[model])
    P = np.array([[500.0, 0, -0.5, 0], [0, 500, -0.5, 0], [0, 0, 1, 0]])
    ray = pixel_ray(camera_from_info(fisheye_info(model, D, p=P.ravel()), rectified=True), 500, 0)
    np.testing.assert_allclose(ray, [np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-12)
