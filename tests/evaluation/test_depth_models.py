"""Depth models in evaluate_bag: fused with the images as the node's modality rgbd, and alone as its modality depth."""

import csv
import json

import numpy as np
import pytest
from bag_making import Scene, scene_recording, write_bag
from depth_dolls import doll, room
from depth_recordings import PNG_MM, RAW, depth_recording

from c2f_head_pose import HeadPoseEstimator
from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.geometry import geodesic_deg, rotation_from_quaternion
from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.recordings.reader import Notes, read_frames
from c2f_head_pose.recordings.topics import choose_topics
from c2f_head_pose.types import Camera

MIDDLE_M = np.array([0.1, -0.05, 1.2])
DEPTH_CAMERA = Camera(640, 480, np.array([[575.0, 0, 319.5], [0, 575.0, 239.5], [0, 0, 1]]))


def a_doll() -> np.ndarray:
    """(480, 640) uint16 mm: a doll's head in a room, seen by DEPTH_CAMERA."""
    return (1000 * doll(room(), MIDDLE_M)).astype(np.uint16)


def evaluate(path, output, *arguments):
    """The exit code, the environment, and the lines of frames.csv."""
    code = evaluate_bag.main([str(path), '--output', str(output), '--no-poses', *arguments])
    with (output / 'frames.csv').open(newline='') as file:
        return code, json.loads((output / 'metrics.json').read_text())['environment'], [*csv.DictReader(file)]


def rotations(rows):
    return np.array([rotation_from_quaternion([float(row[c]) for c in ('qx', 'qy', 'qz', 'qw')]) for row in rows])


@pytest.fixture(scope='module')
def face_with_depth(tmp_path_factory):
    """A face at 0.8 m before a wall: half an ellipsoid, which the depth model reads as some head, other than the picture's."""
    folder = tmp_path_factory.mktemp('face')
    with BagFile(write_bag(folder / 'face', scene_recording(Scene(duration_s=0.1)))) as bag:
        face = next(read_frames(bag, choose_topics(bag), Notes())).image
    y, x = np.mgrid[:480, :640]
    radius = ((x - 320) / 130) ** 2 + ((y - 240) / 170) ** 2
    depth_mm = np.where(radius < 1, 900 - 100 * np.sqrt(np.maximum(1 - radius, 0)), 3000).astype(np.uint16)
    return write_bag(folder / 'bag', depth_recording(depth_mm, image=face[..., 1] if face.ndim == 3 else face, count=2))


def test_a_depth_model_is_fused_with_the_images_as_the_estimator_does(tmp_path, face_with_depth):
    code, facts, rows = evaluate(face_with_depth, tmp_path, '--depth-model', 'c2f_depth', '--no-smoothing', '--no-video')
    assert (code, len(rows)) == (0, 2)
    assert facts['depth_model'] == 'c2f_depth' and len(facts['depth_model_sha256']) == 64 and 'c2f_depth' in facts['model']
    estimator = HeadPoseEstimator.load(depth_model='c2f_depth')
    with BagFile(face_with_depth) as bag:
        frame = next(read_frames(bag, choose_topics(bag), Notes()))
    (fused,) = estimator.estimate(frame.image, frame.camera, frame.depth_m)
    assert geodesic_deg(rotations(rows)[0], fused.R_cam_head) < 0.1
    _, facts, without = evaluate(face_with_depth, tmp_path / 'without', '--no-smoothing', '--no-video')
    assert facts['depth_model'] is facts['depth_model_sha256'] is None
    assert geodesic_deg(rotations(without)[0], fused.R_cam_head) > 1


@pytest.mark.parametrize(('codec', 'images'), [(RAW, True), (PNG_MM, False)], ids=['beside images', 'compressed, without images'])
def test_a_model_of_depth_is_evaluated_on_depth_alone(tmp_path, codec, images):
    """The head's middle is at MIDDLE_M; the sellion is 9 cm from it."""
    made = depth_recording(a_doll(), codec, depth_camera=DEPTH_CAMERA)
    made.messages = [message for message in made.messages if images or 'color' not in message[0]]
    code, facts, rows = evaluate(write_bag(tmp_path / 'bag', made), tmp_path / 'out', '--model', 'c2f_depth')
    assert code == 0 and facts['model'].startswith('c2f_depth') and [row['frame'] for row in rows] == ['0', '1', '2']
    for row in rows:
        position_m = np.array([float(row[c]) for c in ('x_m', 'y_m', 'z_m')])
        assert 0.05 < np.linalg.norm(position_m - MIDDLE_M) < 0.13
    assert (tmp_path / 'out' / 'annotated.mp4').stat().st_size > 0


@pytest.mark.parametrize(
    ('made', 'arguments', 'words'),
    [
        ('images', ('--depth-model', 'c2f_depth'), 'has no depth that is registered to its images: leave out --depth-model'),
        ('images', ('--model', 'c2f_depth'), 'has no depth, which the model reads; it holds'),
        ('uncalibrated', ('--model', 'c2f_depth'), 'record /camera/depth/camera_info beside /camera/depth/image_raw'),
        ('depth', ('--model', 'c2f_depth', '--camera-info', 'none'), 'needs a calibration'),
        ('depth', ('--model', 'c2f_depth', '--depth', '/nothing'), 'no topic /nothing'),
        ('depth', ('--model', 'c2f_depth', '--image', '/camera/color/image_raw'), 'leave out --image'),
        ('depth', ('--model', 'c2f_depth', '--second-model', 'c2f_edge'), 'leave out --second-model'),
        ('depth', ('--model', 'c2f_depth', '--depth-model', 'c2f_depth'), 'leave out depth_model'),
        ('depth', ('--depth-model', 'c2f_edge'), "model 'c2f_edge' reads rgb crops; use a model of modality 'depth'"),
        ('depth', ('--depth-model', 'c2f_depth', '--recorded-topic', '/a'), 'leave out --depth-model: no estimator runs'),
    ],
)
def test_a_depth_model_that_cannot_be_run_is_refused_with_the_reason(tmp_path, capsys, made, arguments, words):
    recording = {
        'images': lambda: scene_recording(Scene(duration_s=0.1)),
        'uncalibrated': lambda: depth_recording(a_doll(), image_camera=None),
        'depth': lambda: depth_recording(a_doll(), depth_camera=DEPTH_CAMERA),
    }[made]()
    path = write_bag(tmp_path / 'bag', recording)
    assert evaluate_bag.main([str(path), '--output', str(tmp_path / 'out'), '--no-video', *arguments]) == 2
    assert words in capsys.readouterr().err


def test_depth_alone_whose_calibration_is_of_another_size_is_left_out_with_the_reason(tmp_path, capsys):
    half = Camera(320, 240, np.array([[287.5, 0, 159.5], [0, 287.5, 119.5], [0, 0, 1]]))
    path = write_bag(tmp_path / 'bag', depth_recording(a_doll(), depth_camera=half))
    assert evaluate_bag.main([str(path), '--output', str(tmp_path / 'out'), '--no-video', '--model', 'c2f_depth']) == 2
    assert 'depth without a calibration is left out' in capsys.readouterr().err
