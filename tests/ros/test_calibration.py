"""What the node says of a calibration: the axes and the centre that a stereo camera's camera_info leaves open."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from ros_calls import depth_message
from ros_graph import camera_info

from c2f_head_pose.geometry import rotation_from_vector
from c2f_head_pose.parameters import Parameters
from c2f_head_pose.ros.calibration import Calibration
from c2f_head_pose.ros.frame_reader import FrameReader
from c2f_head_pose.ros.log import Notices

pytestmark = pytest.mark.ros

IDENTITY = np.eye(3)
TURNED = rotation_from_vector(np.radians([0.0, 1.5, 0.0]))


class Log(list):
    """A logger that keeps what is said."""

    info = warning = error = list.append


def said(R=IDENTITY, tx=0.0, rectified=False, topic='/cam/image', images=3):
    """What is logged of three images with a pinhole of f = 500 pixels, and what diagnostics say of it."""
    log = Log()
    info = camera_info(focal=500.0)
    info.r = R.ravel()
    info.p[3] = tx
    calibration = Calibration(Notices(log), topic, '/cam/camera_info', 'camera_info')
    calibration.update(info)
    for _ in range(images):
        assert calibration.camera(640, 480, rectified, info.header.frame_id) is not None
    return log, calibration.status


def test_raw_images_of_a_stereo_camera_that_rectification_turns_are_warned_of_once():
    log, status = said(TURNED)
    (line,) = log
    assert 'R turns this stereo camera by 1.5 deg' in line and 'frame camera_optical' in line and 'set rectified to true' in line
    assert "poses of raw images are in the raw camera's axes" in status


@pytest.mark.parametrize('calibration', [dict(), dict(R=np.zeros((3, 3))), dict(R=np.full((3, 3), np.nan)), dict(R=TURNED, rectified=True)])
def test_a_camera_that_is_not_turned_and_rectified_images_are_not_warned_of(calibration):
    """Drivers of single cameras leave R zero."""
    assert said(**calibration)[0] == []


def test_a_name_that_contradicts_rectified_is_warned_of_where_only_r_differs():
    """Without distortion and with P equal to K, the axes of raw and rectified images still differ by R."""
    assert any('set rectified to true' in line and 'name of rectified images' in line for line in said(TURNED, topic='/cam/image_rect')[0])
    assert said(topic='/cam/image_rect')[0] == []


@pytest.mark.parametrize('rectified', [False, True])
def test_the_second_camera_of_a_stereo_pair_is_warned_of_once_with_its_place(rectified):
    """P[0, 3] = -fx B = -25 pixels m at fx = 500: the second camera is 5 cm to the right of the first."""
    log, status = said(tx=-25.0, rectified=rectified)
    (line,) = log
    assert 'second camera of a stereo pair' in line and 'x 0.050 m, y 0.000 m' in line and "the driver name this camera's own frame" in line
    assert "positions are from this camera's own centre" in status


@pytest.mark.parametrize(
    ('name', 'rectified', 'p_px', 'focal_px'),
    [
        ('image_raw', False, 500.0, 575.0),
        ('image_rect', False, 500.0, 500.0),
        ('image', True, 500.0, 500.0),
        ('image_rect', False, 0.0, 575.0),
    ],
)
def test_depth_alone_is_read_as_rectified_by_its_name_as_recordings_and_depth_beside_images_are(name, rectified, p_px, focal_px):
    """K has f = 575 px with a distortion, P 500 px without, or is left 0 by the driver. A name that is followed is not warned of."""
    log, topic = Log(), f'/cam/depth/{name}'
    info = camera_info(focal=575.0)
    info.d = [-0.25, 0.08, 0.0, 0.0, 0.0]
    info.p[0] = info.p[5] = p_px
    calibration = Calibration(Notices(log), topic, '/cam/depth/camera_info', 'depth/camera_info')
    calibration.update(info)
    reader = FrameReader(calibration, None, lambda: Parameters(rectified=rectified))
    camera = reader.read(depth_message(np.full((480, 640), 800)), depth_alone=True).camera
    assert (camera.K[0, 0], bool(camera.D.any())) == (focal_px, focal_px == 575.0)
    assert log == [] or p_px == 0.0
