"""What an evaluation makes of poses and truth image by image, without a network."""

import csv
import itertools
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from attention_scenes import CONFIG, LHD, head
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, image_message, info_message, pose_message, write_bag

from c2f_head_pose.attention.zones import azimuth_elevation_deg
from c2f_head_pose.camera import pixel_ray
from c2f_head_pose.evaluation.evaluate import evaluate_recording
from c2f_head_pose.evaluation.frame_results import FrameResults
from c2f_head_pose.evaluation.options import Options
from c2f_head_pose.evaluation.rotations import quaternions_from_rotations
from c2f_head_pose.evaluation.series import Series
from c2f_head_pose.evaluation.sources import Answer
from c2f_head_pose.evaluation.summary import Scored, summarise
from c2f_head_pose.evaluation.truth.heads import R_OPTICAL_LINK, Truth, TruthHead
from c2f_head_pose.files import seconds_from_ns
from c2f_head_pose.geometry import HEAD_AXES, category_index, ray_rotation, rotation_from_ypr_deg
from c2f_head_pose.recordings.reader import Frame
from c2f_head_pose.turn import turn_rotation_back
from c2f_head_pose.types import CATEGORIES, Camera, FaceBox, HeadPose

STAMPS_NS = START_NS + 100_000_000 * np.arange(40)
STAMPS_S = np.array([seconds_from_ns(ns) for ns in STAMPS_NS.tolist()])


def results(folder, answers, truth=None, camera=CAMERA, **options):
    """The results of images at 10 Hz with the poses of each."""
    image = np.zeros((camera.height, camera.width), np.uint8)
    with ExitStack() as files:
        run = FrameResults(folder, Options(video=False, poses=False, **options), truth, files)
        for k, (poses, stamp_ns) in enumerate(zip(answers, STAMPS_NS.tolist())):
            run.take(Answer(Frame(k, stamp_ns, stamp_ns, FRAME_ID, image, camera, None), poses, [np.nan] * len(poses)))
    return run


def rows_of(folder):
    with (folder / 'frames.csv').open(newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize('rotation_deg', [0, 90, 180, 270])
@pytest.mark.parametrize('zone', ['road_ahead', 'driver_mirror', 'lap'])
def test_the_zones_of_a_turned_camera_are_those_of_the_upright_camera(tmp_path, rotation_deg, zone):
    """Poses stay in the camera's frame, so a head that rests on a zone has another rotation in each camera, but points at the same zone."""
    upright = head(*azimuth_elevation_deg(LHD.centre(zone)))
    turned = replace(upright, R_cam_head=turn_rotation_back(upright.R_cam_head, rotation_deg))
    run = results(tmp_path, [[turned]] * 20, attention=str(CONFIG / 'zones_passenger_car_lhd.yaml'), image_rotation=rotation_deg)
    assert {span.zone for span in run.attention.spans()} == {zone}


@pytest.mark.parametrize('rotation_deg', [0, 90, 180, 270])
@pytest.mark.parametrize('form', ['estimated', 'detection', 'pose'])
def test_categories_of_the_truth_are_those_that_the_crop_shows(tmp_path, rotation_deg, form):
    """A perfect network: it names the sub-space of the head in its upright crop, and the rotation is the true one. The faces are up to 28
    degrees off the axis, so that their signs of yaw and pitch in the camera's frame are often others, and in a turned camera always. A
    detection has its category and position, but no box; a pose has no category either. Alignment with the identity changes nothing."""
    rng = np.random.default_rng(0)
    answers, R_true = [], []
    for R_crop in rotation_from_ypr_deg(rng.normal(0, (20, 15, 5), (len(STAMPS_NS), 3))):
        x, y = rng.uniform((40, 40), (600, 440))
        ray = pixel_ray(CAMERA, x, y)
        R_true.append(ray_rotation(ray) @ turn_rotation_back(R_crop, rotation_deg))
        category = '' if form == 'pose' else CATEGORIES[int(category_index(R_crop))]
        box = FaceBox(x - 40, y - 50, x + 40, y + 50) if form == 'estimated' else None
        answers.append([HeadPose(R_true[-1], np.ones(3), category, np.full(4, np.nan), box, track_id=1, t_cam_head_m=0.7 * ray)])
    heads = (TruthHead('head', STAMPS_S, quaternions_from_rotations(np.array(R_true))),)
    run = results(tmp_path, answers, Truth(heads, 'x'), image_rotation=rotation_deg)
    scored = Scored('x', Series(run.faces.array(), run.images.array(), ('head',)), np.array(R_true), 1.0)
    figures = summarise([scored])
    assert figures['coarse'] == figures['aligned']['coarse'] == dict.fromkeys(figures['coarse'], 1.0)
    assert figures['ci95']['coarse.beyond_0'] == [1, 1]
    assert {(row['category'], row['true_category']) for row in rows_of(tmp_path)} == {(name, name) for name in CATEGORIES}


FISHEYE = Camera(1000, 1000, np.array([[270.0, 0, 499.5], [0, 270, 499.5], [0, 0, 1]]), np.zeros(4), 'equidistant')


@pytest.mark.parametrize('form', ['estimated', 'detection'])
def test_a_head_beyond_90_degrees_of_a_fisheye_is_matched_and_its_category_is_the_crops(tmp_path, form):
    """Angle = radius / f: 475 pixels to the right of the middle are 475 / 270 rad, 100.8 degrees off the axis, so z is negative."""
    ray, R_crop = pixel_ray(FISHEYE, 975, 500), rotation_from_ypr_deg(np.array([-20.0, 10, 0]))
    R, t = ray_rotation(ray) @ R_crop, 0.8 * ray
    assert t[2] < 0 and category_index(R) != category_index(R_crop)
    box = FaceBox(955, 470, 995, 530) if form == 'estimated' else None
    pose = HeadPose(R, np.ones(3), 'L1', np.full(4, np.nan), box, track_id=1, t_cam_head_m=t)
    head = TruthHead('head', STAMPS_S, quaternions_from_rotations(np.tile(R, (40, 1, 1))), np.tile(t, (40, 1)))
    truth = Truth((head,), 'x')
    assert truth.places_heads(FISHEYE) and not truth.places_heads(CAMERA)
    results(tmp_path, [[pose]] * 3, replace(truth, located=True), FISHEYE)
    expected = ('matched', CATEGORIES[int(category_index(R_crop))])
    assert [(row['event'], row['true_category']) for row in rows_of(tmp_path)] == [expected] * 3


POSE = 'geometry_msgs/msg/PoseStamped'


class TwoFaces:
    """Answers every image with a face at 200, 240 and one at 440, 240 px."""

    def of(self, frame):
        boxes = [FaceBox(x - 40, 190, x + 40, 290) for x in (200, 440)]
        return [HeadPose(HEAD_AXES, np.ones(3), 'L1', np.eye(4)[0], box, track_id=k) for k, box in enumerate(boxes)], 0.0


def test_a_tracked_person_who_is_out_of_view_is_not_missed(tmp_path):
    """Focal length 600, image 640 wide: 1 m away, x = -0.55 m is 10 pixels outside, 3 m 72 degrees aside. Most of the time the person is
    behind the camera. A face of which the image shows the rest is still the person's."""
    seen, aside, border, behind = (0.0, 0.0, 1.0), (3.0, 0.0, 1.0), (-0.55, 0.0, 1.0), (0.1, 0.0, -1.0)
    faced = HeadPose(HEAD_AXES, np.ones(3), 'L1', np.eye(4)[0], FaceBox(280, 190, 360, 290), track_id=1)
    cut = replace(faced, box=FaceBox(0, 190, 50, 290))
    course = [(seen, [faced]), (seen, []), (aside, []), (border, [cut]), (border, []), (border, [faced]), *6 * [(behind, [])]]
    positions = np.array([t for t, _ in course], np.float32)
    head = TruthHead('head', STAMPS_S[:12], quaternions_from_rotations(np.tile(HEAD_AXES, (12, 1, 1))), positions)
    truth = Truth((head,), 'x', located=True)
    assert truth.places_heads(CAMERA)
    run = results(tmp_path, [poses for _, poses in course], truth)
    images = run.images.array()
    assert images['heads'].tolist() == [1, 1, 0, 1, 0, 0] + 6 * [0]
    assert images['missed'].tolist() == [0, 1] + 10 * [0]
    assert images['unmatched'].tolist() == [0, 0, 0, 0, 0, 1] + 6 * [0] and run.out_of_view == 9


def images_of_two(stamps_ns):
    """A recording of calibrated images; TwoFaces has their faces. Focal length 600: at 1 m they are at -0.2 and 0.2 m."""
    made, image = Recording(), np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    for ns in stamps_ns:
        made.add('/image', 'sensor_msgs/msg/Image', ns, lambda s, n=ns: image_message(s, image, n, 'mono8'))
        made.add('/camera_info', 'sensor_msgs/msg/CameraInfo', ns, lambda s, n=ns: info_message(s, CAMERA, n))
    return made


def test_the_positions_of_a_truth_in_the_cameras_body_frame_tell_its_heads_apart(tmp_path):
    """The body frame of a camera has a name of its own. Its x is forward and its y to the left: (1, 0.2, 0) is (-0.2, 0, 1) optical."""
    stamps_ns = STAMPS_NS[:5].tolist()
    made = images_of_two(stamps_ns)
    for ns, (name, y) in itertools.product(stamps_ns, (('a', -0.2), ('b', 0.2))):
        pose = {'frame_id': 'camera_link', 'position_m': np.array([1, y, 0])}
        made.add(f'/truth/{name}', POSE, ns, lambda s, n=ns, pose=pose: pose_message(s, R_OPTICAL_LINK.T @ HEAD_AXES, n, **pose))
    options = Options(video=False, poses=False, truth=('/truth/a', '/truth/b'), truth_parent='link')
    done = evaluate_recording(write_bag(tmp_path / 'bag', made), 'bag', tmp_path, options, None, answers=TwoFaces())
    assert done.errors == [] and done.notes == {}
    assert {(row['head'], row['x1']) for row in rows_of(tmp_path)} == {('/truth/a head', '400.00'), ('/truth/b head', '160.00')}
    assert summarise([done.scored])['geodesic_deg']['max'] < 0.01


def evaluated_by_csv(tmp_path, rows):
    """The evaluation of TwoFaces by the rows x, y, z in metres of heads a and b at each image; everybody is in the truth."""
    lines = ['stamp_ns,id,yaw_deg,pitch_deg,roll_deg,x_m,y_m,z_m']
    for ns, places in zip(STAMPS_NS.tolist(), rows):
        lines += [f'{ns},{name},0,0,0,{place}' for name, place in zip('ab', places)]
    (tmp_path / 't.csv').write_text('\n'.join(lines))
    path = write_bag(tmp_path / 'bag', images_of_two(STAMPS_NS[: len(rows)].tolist()))
    options = Options(video=False, poses=False, truth=(str(tmp_path / 't.csv'),), truth_complete=True)
    return evaluate_recording(path, 'bag', tmp_path, options, None, answers=TwoFaces())


def test_images_with_a_head_out_of_view_are_counted(tmp_path):
    """Person b is behind the camera at two images of five: the face there is nobody's."""
    done = evaluated_by_csv(tmp_path, 3 * [('-0.2,0,1', '0.2,0,1')] + 2 * [('-0.2,0,1', '0.2,0,-1')])
    assert done.errors == [] and list(done.notes.values()) == [2] and 'a true head is out of view' in next(iter(done.notes))
    detection = summarise([done.scored])['detection']
    assert (detection['true_heads'], detection['missed'], detection['false_faces']) == (8, 0, 2)


def test_a_truth_whose_positions_are_never_in_view_is_reported_with_the_remedy(tmp_path):
    """Positions in the camera's body frame, x forward and z up, that are stated as optical."""
    done = evaluated_by_csv(tmp_path, 5 * [('1,0.2,0.1', '1,-0.2,0.1')])
    (error,) = done.errors
    assert 'no true head is ever in view' in error and '--truth-parent' in error
    assert summarise([done.scored])['detection']['rate'] is None


@pytest.mark.parametrize('unplaced', [('b',), ('a', 'b')])
def test_a_head_whose_place_is_unknown_is_left_out_at_that_image(tmp_path, unplaced):
    """Two people in five images, and a truth that holds everybody. In the third image the positions of one or both are empty cells: those
    are neither heads nor missed, and their faces are nobody's, but not false."""
    known = '-0.2,0,1', '0.2,0,1'
    lacking = tuple(',,' if name in unplaced else place for name, place in zip('ab', known))
    done = evaluated_by_csv(tmp_path, [known, known, lacking, known, known])
    assert done.errors == [] and [n for note, n in done.notes.items() if 'where every head is' in note] == [1]
    figures, lost = summarise([done.scored]), len(unplaced)
    detection = figures['detection']
    assert (detection['true_heads'], detection['missed'], detection['unmatched'], detection['false_faces']) == (10 - lost, 0, lost, 0)
    assert figures['geodesic_deg']['n'] == 10 - lost
