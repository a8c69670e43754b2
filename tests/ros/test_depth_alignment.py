"""Depth that is not registered to the images is registered here, or refused by name; it is never taken as if it were."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from ros_calls import depth_message, foot_m, values, with_a_face
from ros_graph import SENSOR, camera_info, header, image_message, noise
from sensor_msgs.msg import CameraInfo, Image

from c2f_head_pose.camera import camera_from_info
from c2f_head_pose.depth_alignment import DepthAlignment, DepthError, ImageView
from c2f_head_pose.transforms import FrameError

pytestmark = pytest.mark.ros

COLOUR, DEPTH = 'camera_color_optical_frame', 'camera_depth_optical_frame'


class Transforms:
    """Stands in for TF, which the pip wheels lack; known transforms by (target, source)."""

    def __init__(self, **known):
        self.known = known

    def lookup(self, target, source):
        if f'{target}__{source}' not in self.known:
            raise FrameError(f'"{source}" passed to lookupTransform does not exist')
        return np.eye(3), np.array(self.known[f'{target}__{source}'])


def face_and_wall(shift_px=0, width=640, height=480):
    """A wall at 3 m, before it an ellipse at 0.8 m whose middle is shifted from the image's."""
    rows, columns = np.mgrid[:height, :width]
    across, down = (columns - width / 2 - shift_px) / (width / 8), (rows - height / 2) / (height / 6)
    return np.where(np.hypot(across, down) < 1, np.float32(0.8), np.float32(3.0))


def view(camera=True, frame=COLOUR, **changed):
    info = camera_info(**changed)
    return ImageView(header(1.0, frame), (info.height, info.width), camera_from_info(info) if camera else None)


def aligned(depth_m, depth_frame=DEPTH, info=None, tf=None, image=None, topic='/camera/depth/image_rect_raw'):
    alignment = DepthAlignment(topic, topic.rsplit('/', 1)[0] + '/camera_info')
    if info is not None:
        alignment.update(info)
    alignment.tf = tf
    return alignment.align(depth_m, header(1.0, depth_frame), image or view()), alignment


BASELINE = {f'{COLOUR}__{DEPTH}': (-0.256, 0.0, 0.0)}
"""The depth camera is 0.256 m to the left: at 500 px and 0.8 m all lies 160 px further to the right in its image."""


def test_depth_of_another_frame_is_registered_by_its_extrinsics():
    found, alignment = aligned(face_and_wall(shift_px=160), info=camera_info(), tf=Transforms(**BASELINE))
    np.testing.assert_allclose(found[230:250, 310:330], 0.8, rtol=1e-6)
    assert f'registered here, from {DEPTH} to {COLOUR}' in alignment.status


@pytest.mark.parametrize(
    'info, image',
    [
        (camera_info(320, 240, 250.0), None),  # depth of half the resolution
        (camera_info(640, 576, 504.0), view(width=1280, height=720, focal=610.0)),  # time of flight beside a 720p camera
        (camera_info(848, 480, 425.0), view(focal=615.0)),
    ],
)  # a wider view than the image's
def test_depth_of_other_intrinsics_in_the_images_frame_is_scaled_to_the_image(info, image):
    """In one frame with both principal points in the middle, the ellipse stays in the middle and the wall about it."""
    found, alignment = aligned(face_and_wall(width=info.width, height=info.height), COLOUR, info, image=image)
    height, width = found.shape
    np.testing.assert_allclose(found[height // 2 - 5 : height // 2 + 5, width // 2 - 5 : width // 2 + 5], 0.8, rtol=1e-6)
    assert np.nanmax(found) == pytest.approx(3.0)
    assert 'from its own intrinsics' in alignment.status


@pytest.mark.parametrize(
    'depth_frame, info',
    [(COLOUR, None), ('', None), (f'/{COLOUR}', camera_info()), (COLOUR, camera_info(focal=502.0)), (COLOUR, camera_info())],
)
def test_depth_in_the_images_frame_and_pixels_is_taken_as_it_is(depth_frame, info):
    depth_m = face_and_wall()
    found, alignment = aligned(depth_m, depth_frame, info)
    assert found is depth_m and alignment.status == 'registered by the driver'


def test_the_status_follows_depth_that_is_taken_as_it_is_after_it_was_registered_here():
    """Intrinsics that differ; then the images come without a calibration, so nothing shows that depth is not registered to them."""
    depth_m = face_and_wall()
    _, alignment = aligned(depth_m, COLOUR, camera_info(focal=400.0))
    assert 'from its own intrinsics' in alignment.status
    assert alignment.align(depth_m, header(2.0, COLOUR), view(camera=False)) is depth_m
    assert alignment.status == 'registered by the driver'


def test_aligned_depth_of_a_rectified_image_is_recognised_by_p():
    info = camera_info()
    info.p[0] = info.p[5] = 330.0
    image = ImageView(header(1.0, COLOUR), (480, 640), camera_from_info(info, rectified=True), rectified=True)
    depth_m = face_and_wall()
    assert aligned(depth_m, COLOUR, info, image=image)[0] is depth_m


@pytest.mark.parametrize(
    'info, tf, image, words',
    [
        (None, Transforms(**BASELINE), None, ['publish its calibration on /camera/depth/camera_info', 'depth/camera_info']),
        (camera_info(), None, None, [f'publish the transform from {DEPTH} to {COLOUR}', 'TF is not read yet']),
        (camera_info(), Transforms(), None, [f'publish the transform from {DEPTH}', 'does not exist']),
        (camera_info(), Transforms(**BASELINE), view(camera=False), ['publish camera_info of the images']),
        (camera_info(320, 240), Transforms(**BASELINE), None, ['is for 320x240 pixels', '640x480']),
        (camera_info(focal=0.0), Transforms(**BASELINE), None, ['is uncalibrated']),
        (None, None, None, ['calibration', 'transform']),
    ],
)
def test_missing_calibrations_and_transforms_are_reported_with_both_frames_and_the_remedy(info, tf, image, words):
    with pytest.raises(DepthError) as refused:
        aligned(face_and_wall(), info=info, tf=tf, image=image)
    for word in [f'is in frame {DEPTH}, the images in {COLOUR}', 'aligned_depth_to_color', *words]:
        assert word in str(refused.value)


def test_a_calibration_that_changes_is_read_again():
    alignment = DepthAlignment('/depth/image', '/depth/camera_info')
    alignment.tf = Transforms(**BASELINE)
    for focal, column in ((500.0, 320), (1000.0, 240)):  # x = 160 / 1000 * 0.8 - 0.256 = -0.128 m: 500 * -0.128 / 0.8 = -80
        alignment.update(camera_info(focal=focal))
        depth_m = np.full((480, 640), np.nan, np.float32)
        depth_m[240, 480] = 0.8
        found = alignment.align(depth_m, header(1.0, DEPTH), view())
        assert np.argwhere(np.isfinite(found)).tolist() == [[240, column]]


def depth_in(frame, depth_m, stamp_s):
    message = depth_message((1000 * depth_m).astype(np.uint16), stamp_s)
    message.header.frame_id = frame
    return message


def test_the_node_refuses_depth_of_another_frame_by_name_and_answers_from_the_face_size(graph):
    """The box of 80 px at 500 px is 500 * 0.184 / 80 = 1.15 m away by its size; unregistered depth would say 3 m."""
    results = graph.hear_results()
    graph.stranger().create_publisher(Image, '/camera/aligned_depth_to_color/image_raw', 1)
    node, images = with_a_face(graph, modality='rgbd', depth_model='', silence_timeout_s=0.5)
    depths = graph.image_publisher(topic='/depth/image')
    assert graph.probe.count_subscribers('/depth/camera_info') == 1

    def answered(stamp_s):
        before = node._session.depth.last_s
        depths.publish(depth_in(DEPTH, face_and_wall(160), stamp_s))
        graph.wait_until(lambda: node._session.depth.last_s not in (None, before), 'the depth')
        images.publish(image_message(noise(), stamp_s))
        graph.wait_until(lambda: results.poses and results.poses[-1].header.stamp.sec == stamp_s, 'a pose')
        return results.poses[-1].pose.pose.position.z

    assert answered(1) == pytest.approx(500 * 0.184 / 80, rel=0.01)
    graph.spin_for(0.6)
    answered(2)
    graph.wait_for_log(f'is in frame {DEPTH}, the images in camera_optical', 'answered from the image alone')
    assert DEPTH in values(graph.wait_for_state('degraded: depth on /depth/image is in frame'))['depth']
    graph.wait_for_log('remap depth/image:=/camera/aligned_depth_to_color/image_raw')


def test_the_node_registers_depth_where_calibration_and_transform_are_there(graph):
    results = graph.hear_results()
    node, images = with_a_face(graph, modality='rgbd', depth_model='')
    alignment = node._session.depth.alignment
    alignment.tf = SimpleNamespace(lookup=lambda target, source: (np.eye(3), np.array([-0.256, 0.0, 0.0])))
    infos = graph.image_publisher(CameraInfo, '/depth/camera_info', SENSOR)
    infos.publish(camera_info())
    graph.wait_until(lambda: alignment._info is not None, 'the calibration of depth')
    depths = graph.image_publisher(topic='/depth/image')
    depths.publish(depth_in(DEPTH, face_and_wall(160), 1.0))
    graph.wait_until(lambda: node._session.depth.last_s, 'the depth')
    images.publish(image_message(noise(), 1.0))
    graph.wait_until(lambda: results.poses, 'a pose')
    assert foot_m(results.poses[0].pose.pose.position, 320, 240)[2] == pytest.approx(0.8, abs=1e-6)
    assert 'paired, registered here' in values(graph.wait_for_state('ok'))['depth']


@pytest.mark.parametrize(
    'remaps, topic',
    [
        ({}, '/depth/camera_info'),
        ({'depth/image': '/camera/depth/image_rect_raw'}, '/camera/depth/camera_info'),
        ({'depth/image': '/camera/depth/image_rect_raw', 'depth/camera_info': '/tof/info'}, '/tof/info'),
    ],
)
def test_the_calibration_of_depth_is_read_beside_its_images_unless_remapped(graph, remaps, topic):
    graph.head_pose_node(remaps=remaps, modality='rgbd', depth_model='')
    assert graph.probe.count_subscribers(topic) == 1
