"""Heads found in depth alone."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from depth_dolls import FOCAL, doll, room, seen_by

from c2f_head_pose.camera import pixels_of
from c2f_head_pose.crop import CropSquare
from c2f_head_pose.depth import depth_crop, encode_depth, fuse
from c2f_head_pose.depth_head_finder import THRESHOLD, find_heads
from c2f_head_pose.geometry import geodesic_deg, rotation_from_ypr_deg
from c2f_head_pose.rectification import rectification
from c2f_head_pose.turn import turn_rotation_back
from c2f_head_pose.types import FACE_EXTENT_M, Camera, HeadPose

CAMERA = Camera(640, 480, np.array([[FOCAL, 0, 319.5], [0, FOCAL, 239.5], [0, 0, 1]]))


def test_a_doll_is_found_at_its_place():
    (head,) = find_heads(doll(room(), (0.1, -0.05, 1.2)), CAMERA)
    np.testing.assert_allclose(head.centre_m, [0.1, -0.05, 1.2], atol=0.04)
    x, y = head.box.centre
    np.testing.assert_allclose([x, y], [320 + FOCAL * 0.1 / 1.2, 240 - FOCAL * 0.05 / 1.2], atol=FOCAL * 0.04 / 1.2)


def test_three_dolls_are_three_heads_and_an_empty_room_none():
    places = [(-0.5, 0.0, 1.4), (0.05, -0.05, 0.9), (0.8, 0.1, 2.2)]
    depth_m = room()
    for place in places:
        depth_m = doll(depth_m, place)
    found = find_heads(depth_m, CAMERA)
    assert len(found) == 3
    for place in places:
        assert min(np.linalg.norm(head.centre_m - place) for head in found) < 0.05
    assert find_heads(room(), CAMERA) == find_heads(np.full((480, 640), np.nan), CAMERA) == []


WIDE_PINHOLE = Camera(424, 240, np.array([[212.0, 0, 211.5], [0, 212, 119.5], [0, 0, 1]]))
"""A RealSense D435's depth, binned 2x2: 90 degrees broad. The first grid has cells of 3 pixels, the finer one of 1."""


@pytest.mark.parametrize('z_m', [2.55, 3.5, 4.2, 4.8])
def test_a_far_head_is_found_by_a_camera_with_a_wide_field(z_m):
    """Half of them were missed beyond 3 m: cells of 3 pixels are 3 z / 212 wide, 5 cm at 3.5 m. At 2.55 m both grids see a part of it."""
    for x, y in ((-0.21, -0.06), (0.0, -0.03), (0.13, 0.04), (0.28, -0.1)):
        at_m = np.array([x, y, 1.0]) * z_m
        found = find_heads(seen_by(WIDE_PINHOLE, at_m, 6.0), WIDE_PINHOLE)
        assert len(found) == 1, (x, y)
        assert np.linalg.norm(found[0].centre_m - at_m) < 0.08


def test_cells_are_left_out_only_where_they_cannot_reach_the_threshold():
    """With a low threshold each cell is asked in full: the heads above the usual one are the same."""
    depth_m = room()
    for place in ((-0.5, 0.0, 1.4), (0.05, -0.05, 0.9), (0.8, 0.1, 2.2)):
        depth_m = doll(depth_m, place)
    depth_m += np.random.default_rng(0).normal(0, 0.01, depth_m.shape)
    full = [head for head in find_heads(depth_m, CAMERA, threshold=0.3) if head.score >= THRESHOLD]
    assert len(full) == 3
    assert [(head.box, head.score) for head in find_heads(depth_m, CAMERA)] == [(head.box, head.score) for head in full]


def lens(focal: float, size: int, D: list[float], model: str) -> Camera:
    return Camera(size, size, np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]]), np.array(D), model)


WIDE = lens(126, 256, [2.2797, 1.4859, 0, 0, 0.07436, 2.6152, 2.3031, 0.4046], 'rational_polynomial')
"""An Azure Kinect's wide field of view, 120 degrees, binned 4x4. 45 degrees off the axis it shows a head half as broad as K says."""
FISHEYE = lens(125, 320, [0, 0, 0, 0], 'equidistant')


@pytest.mark.parametrize('camera', [WIDE, FISHEYE])
@pytest.mark.parametrize('angle_deg', [0, 35, -45, 52])
def test_a_head_at_the_side_of_a_wide_lens_is_found_at_its_place(camera, angle_deg):
    """The chest was taken for it, 20 to 35 cm lower. The finder's own offset on these bald dolls is 3 to 6 cm, in a pinhole camera too."""
    angle = np.radians(angle_deg)
    at_m = 1.2 * np.array([np.sin(angle), -0.04, np.cos(angle)])
    (head,) = find_heads(seen_by(camera, at_m), camera)
    assert np.linalg.norm(head.centre_m - at_m) < 0.07
    np.testing.assert_allclose(head.box.centre, pixels_of(camera, head.centre_m[None])[0], atol=0.1)
    # a head beside the axis is shown as broad as two rays a face apart
    left, right = pixels_of(camera, head.centre_m + [[-0.01, 0, 0], [0.01, 0, 0]])
    assert head.box.width == pytest.approx(FACE_EXTENT_M / 0.02 * np.linalg.norm(right - left), rel=0.05)


@pytest.mark.parametrize('width', [480, 640])
def test_a_head_and_its_mirror_image_are_found_in_mirrored_places(width):
    """Cells of 3 and 4 pixels. Places x and width - x: those of an even step were half a pixel too far left, so the sum was 1 less.

    A cell shows one pixel of its own, so single places differ by the rest; their mean over a cell's width does not.
    """
    first = (640 - width) // 2
    camera = Camera(width, 480, np.array([[FOCAL, 0, (width - 1) / 2], [0, FOCAL, 239.5], [0, 0, 1]]))
    sums = []
    for shift_px in range(12):
        depth_m = doll(room(), (1.2 * shift_px / FOCAL, -0.05, 1.2))[:, first : first + width]
        (head,), (mirrored,) = (find_heads(depth, camera) for depth in (depth_m, depth_m[:, ::-1]))
        sums.append(head.box.centre[0] + mirrored.box.centre[0])
    assert np.mean(sums) == pytest.approx(width, abs=0.3)


@pytest.mark.parametrize('rotation_deg', [90, 180, 270])
def test_a_wide_lens_that_is_mounted_turned_sees_the_same_head(rotation_deg):
    """The lens is symmetric, so the upright image turned counter-clockwise is what it measures when turned."""
    depth_m = seen_by(WIDE, (0.85, -0.05, 0.85))
    (upright,) = find_heads(depth_m, WIDE)
    (turned,) = find_heads(np.rot90(depth_m, rotation_deg // 90), WIDE, rotation_deg=rotation_deg)
    np.testing.assert_allclose(turned.centre_m, turn_rotation_back(upright.centre_m, rotation_deg), atol=0.015)


def test_only_a_lens_with_distortion_is_rectified_and_its_table_is_computed_once():
    """At 45 degrees a fisheye of focal length 125 shows 125 pi / 4 = 98.2 pixels off the axis what a pinhole of 100 shows at 100."""
    assert rectification(CAMERA, 100.0) is None
    flat = rectification(FISHEYE, 100.0)
    assert flat is rectification(lens(125, 320, [0, 0, 0, 0], 'equidistant'), 100.0)
    columns = np.tile(np.arange(320, dtype=np.uint16), (320, 1))
    shown = flat.rectify(columns, 65535)
    (x, y), _ = pixels_of(flat.camera, np.array([[1.0, 0, 1], [0, 0, 1]]))
    assert abs(int(shown[int(y), int(x)]) - (160 + 98.2)) <= 1
    assert flat.camera.width == flat.camera.height == 430, '100 * tan(65 degrees) = 214.5 to each side, in whole pixels'


def test_a_ball_a_board_and_a_box_are_no_heads():
    """A ball of 10 cm is too small, one of 50 cm too large, a board of 50 cm too broad."""
    v, u = np.mgrid[:480, :640]
    for radius_m in (0.05, 0.25):
        inside = np.hypot(u - 320, v - 240) < FOCAL * radius_m / 1.2
        assert find_heads(np.where(inside, 1.2, room()), CAMERA) == []
    assert find_heads(np.where((abs(u - 320) < 120) & (abs(v - 240) < 120), 1.2, room()), CAMERA) == []


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('shape', [(1, 1), (3, 700), (480, 640), (100, 100)])
def test_any_size_and_any_values_are_answered(shape):
    camera = Camera(shape[1], shape[0], np.array([[100.0, 0, 1], [0, 100, 1], [0, 0, 1]]))
    for values in (np.nan, 0.0, np.inf, -1.0, 1.0):
        find_heads(np.full(shape, values), camera)
    find_heads(np.random.default_rng(0).uniform(-1, 6, shape), camera)


def test_depth_bytes_are_linear_about_the_heads_depth():
    """Range 0.5 m about a median of 1 m: 1 m is 1 + 254 / 2 = 128; 0.9 m 1 + 254 * 0.7 = 178.8; 1.24 m 1 + 254 * 0.02 = 6; 1.3 m beyond."""
    depth_m = np.full((8, 8), 1.0)
    depth_m[0, :5] = [0.9, 1.24, 1.3, np.nan, 0.0]
    assert encode_depth(depth_m, 0.5)[0].tolist() == [179, 6, 0, 0, 0, 128, 128, 128]


def test_a_crop_takes_the_nearest_pixel_and_is_unknown_beyond_the_image():
    """A square of 8 from (-2, 0) in 4 pixels: columns -1, 1, 3, 5; an edge between columns 3 and 4 stays an edge."""
    depth_m = np.full((8, 8), 1.0)
    depth_m[:, 4:] = 1.2
    crop = depth_crop(depth_m, CropSquare(-2, 0, 8), 4, 1.0)
    assert crop[0].tolist() == [0, 128, 128, 77]


def pose(ypr_deg, std_deg) -> HeadPose:
    return HeadPose(rotation_from_ypr_deg(np.array(ypr_deg, float)), np.full(3, float(std_deg)), 'L1', np.full(4, 0.25))


def test_two_estimates_are_weighted_by_their_certainty():
    """Yaw 0 with 2 deg and yaw 3 with 1 deg: weights 1/4 and 1, so 3 * 1 / 1.25 = 2.4, deviation sqrt(1 / 1.25) = 0.894.

    The contradiction, 3^2 / (4 + 1) over three axes = 0.6, is less than 1.
    """
    both = fuse(pose((0, 0, 0), 2), pose((3, 0, 0), 1))
    np.testing.assert_allclose(both.yaw_pitch_roll_deg, [2.4, 0, 0], atol=1e-6)
    np.testing.assert_allclose(both.rotation_std_deg, np.sqrt(0.8))


def test_a_contradiction_makes_the_answer_less_certain_than_either():
    """40 degrees apart, each claiming 2: Birge's ratio 40^2 / 8 / 3 = 66.7, deviation sqrt(66.7 * 2) = 11.5."""
    both = fuse(pose((0, 0, 0), 2), pose((40, 0, 0), 2))
    np.testing.assert_allclose(both.rotation_std_deg, np.sqrt(1600 / 8 / 3 * 2))
    assert geodesic_deg(both.R_cam_head, rotation_from_ypr_deg(np.array([20.0, 0, 0]))) < 1e-6


@pytest.mark.render
@pytest.mark.slow
def test_rendered_heads_are_found_within_five_centimetres():
    """A few held-out frames; the figure comes from python -m training.studies.depth_heads."""
    pytest.importorskip('moderngl', reason='needs the renderer')
    from training.studies import depth_heads as command

    tallies = command.measure(91, 8)
    for sensor in command.SENSORS:
        tally = tallies[sensor, 0]
        assert tally.heads >= 8 and tally.share_within > 0.9 and tally.false == 0, tally.line(sensor)
        assert tally.heads == sum(tallies[sensor, people].heads for people in (1, 2, 3))


@pytest.mark.skipif('BIWI_DIR' not in os.environ, reason='needs BIWI_DIR: a folder with frame_*_depth.bin, frame_*_pose.txt, depth.cal')
def test_the_head_of_each_of_biwis_frames_is_found():
    """The centre that the set gives is that of its head model, which is not quite ours."""
    pytest.importorskip('torch', reason='needs torch: training imports it')
    from training.studies.depth_heads import biwi_lines

    lines = list(biwi_lines(Path(os.environ['BIWI_DIR']), None))
    assert lines
    for line in lines:
        assert float(re.search(r'nearest ([\d.]+) cm', line)[1]) < 12, line
