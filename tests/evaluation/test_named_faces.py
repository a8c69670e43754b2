"""Faces under names, as REP-155 gives them: whoever reads a recording keeps each id as the text it is."""

import csv
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, image_message, info_message, write_bag

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation.poses_bag import ANGLES_TOPIC, PosesWriter
from c2f_head_pose.geometry import rotation_from_ypr_deg
from c2f_head_pose.pose_messages import head_from_message, heads_from_detections
from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.types import FaceBox, HeadPose

IMAGES = 12
TOPIC = '/head_pose/head_poses'
NAMES = [
    ('face_abcde', 'face_kqzvt'),  # hri:=true
    ('face_3', 'face_12'),  # the tracker's numbers
    ('person/7', 'driver'),  # another node's
    ('face_²', 'face_٣'),
]  # digits to str.isdigit and str.isdecimal; int() refuses the first and takes the second for 3


def named(name, yaw_deg):
    return HeadPose(
        rotation_from_ypr_deg(np.array([yaw_deg, 0.0, 0.0])),
        np.full(3, 3.0),
        'L1',
        np.eye(4)[0],
        score=0.9,
        t_cam_head_m=np.array([0.0, 0.0, 0.7]),
        t_std_m=np.full(3, 0.05),
        published_id=name,
    )


def two_people(folder, first, second, frame_id=FRAME_ID):
    """A recording of images and of two named people, at yaw 20 and -30 throughout, in either order."""
    made = Recording()
    writer = PosesWriter(folder / 'poses.mcap')
    for k in range(IMAGES):
        stamp_ns = START_NS + k * 50_000_000
        made.add(
            '/camera/image_raw',
            'sensor_msgs/msg/Image',
            stamp_ns,
            lambda s, n=stamp_ns: image_message(s, np.zeros((48, 64), 'u1'), n, 'mono8'),
        )
        made.add('/camera/camera_info', 'sensor_msgs/msg/CameraInfo', stamp_ns, lambda s, n=stamp_ns: info_message(s, CAMERA, n))
        writer.write(stamp_ns, stamp_ns + 20_000_000, frame_id, [named(first, 20.0), named(second, -30.0)][:: (-1) ** k])
    writer.close()
    with BagFile(folder / 'poses.mcap') as bag:
        for message in bag.messages([TOPIC]):
            decoded = message.decode()
            made.add(TOPIC, bag.topics[TOPIC].type, message.log_ns, lambda s, m=decoded: m)
    return write_bag(folder / 'bag', made)


def test_the_pose_of_one_face_stays_with_it_as_in_the_node(tmp_path):
    """Two boxes 1 % apart, the other way round in each image."""
    writer = PosesWriter(tmp_path / 'poses.mcap')
    for k in range(4):
        faces = [(20.0, 1, 100 + k % 2), (-30.0, 2, 101 - k % 2)]
        poses = [replace(named(None, yaw_deg), track_id=i, box=FaceBox(0, 0, width, 100)) for yaw_deg, i, width in faces]
        writer.write(START_NS + k, START_NS + k, FRAME_ID, poses)
    writer.close()
    with BagFile(tmp_path / 'poses.mcap') as bag:
        yaws_deg = [np.degrees(message.decode().vector.z) for message in bag.messages([ANGLES_TOPIC])]
    assert np.allclose(yaws_deg, -30.0)


def evaluate(bag, output):
    status = evaluate_bag.main([str(bag), '--output', str(output), '--no-video', '--recorded-topic', TOPIC])
    return status, json.loads((output / 'metrics.json').read_text())['recordings'][0]


@pytest.mark.parametrize(('first', 'second'), NAMES)
def test_two_named_people_stay_two_whatever_their_ids_look_like(tmp_path, first, second):
    """Each id keeps its own yaw, 20 or -30, in all 12 images: two tracks. Nobody moves, so neither shows any jitter.

    Read as one person, the 50 degrees between them would be a jump in every image.
    """
    status, record = evaluate(two_people(tmp_path, first, second), tmp_path / 'out')
    assert status == 0 and record['errors'] == []
    with (tmp_path / 'out' / 'frames.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    yaw = {name: {round(float(row['yaw_deg'])) for row in rows if row['track_id'] == name} for name in (first, second)}
    assert yaw == {first: {20}, second: {-30}} and len(rows) == 2 * IMAGES
    assert record['figures']['images']['tracks'] == 2
    data = re.search(r'id="data">(.*?)</script>', (tmp_path / 'out' / 'report.html').read_text(), re.DOTALL)
    assert {curve['name'] for curve in json.loads(data[1])['recordings'][0]['curves']} == {first, second}


def test_poses_in_another_frame_than_the_images_are_refused_by_name(tmp_path):
    """A node with target_frame base_link: its angles are about a vehicle's axes, so no figure of them would mean anything."""
    status, record = evaluate(two_people(tmp_path, 'face_a', 'face_b', 'base_link'), tmp_path / 'out')
    assert status != 0
    assert "in frame 'base_link', the images in 'camera_optical'" in record['errors'][0] and 'target_frame' in record['errors'][0]


def xyz(*values):
    return SimpleNamespace(**dict(zip('xyzw', values)))


UPRIGHT = xyz(0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ('position', 'variance'),
    [
        ((0.0, 0.0, 0.0), 0.0),
        ((0.0, 0.0, 0.0), 1e6),
        ((0.0, 0.0, 0.7), 1e6),
        ((np.nan, 0.0, 0.7), 0.01),
        ((0.0, 0.0, 0.7), np.inf),
        ((0.0, 0.0, 0.7), np.nan),
    ],
)
def test_a_position_is_unknown_where_the_message_marks_it_in_any_of_the_usual_ways(position, variance):
    head = head_from_message(UPRIGHT, xyz(*position), np.diag([*3 * [variance], *3 * [0.01]]).ravel())
    assert head.t_cam_head_m is None and head.t_std_m is None


def test_a_covariance_of_zeros_is_an_unknown_deviation_not_a_perfect_one():
    """ROS: all zeros are 'covariance unknown'. 0.01 rad^2 is a deviation of 0.1 rad, 5.73 degrees."""
    known = head_from_message(UPRIGHT, xyz(0.0, 0.0, 0.7), np.diag([*3 * [0.04], *3 * [0.01]]).ravel())
    assert known.rotation_std_deg == pytest.approx([5.7296] * 3, abs=1e-3) and known.t_std_m == pytest.approx([0.2] * 3)
    assert np.isnan(head_from_message(UPRIGHT, xyz(0.0, 0.0, 0.7), np.zeros(36)).rotation_std_deg).all()
    assert head_from_message(UPRIGHT, None, None, unknown_std_deg=5.0).rotation_std_deg == pytest.approx([5.0] * 3)


def test_a_detection_without_an_id_has_none_and_one_without_a_result_is_no_head():
    result = SimpleNamespace(
        pose=SimpleNamespace(pose=SimpleNamespace(orientation=UPRIGHT, position=xyz(0.0, 0.0, 0.7)), covariance=np.zeros(36)),
        hypothesis=SimpleNamespace(class_id='L2', score=0.9),
    )
    detections = [
        SimpleNamespace(id='', results=[result]),
        SimpleNamespace(id='face_9', results=[]),
        SimpleNamespace(id='anna', results=[result]),
    ]
    heads = heads_from_detections(SimpleNamespace(detections=detections))
    assert [head.face_id for head in heads] == [None, 'anna'] and heads[1].category == 'L2'
