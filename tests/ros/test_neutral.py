"""Learning what is straight: from the person or the mount, kept in a file."""

import os
import stat
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from head_poses import head
from ros_calls import with_a_face
from ros_graph import image_message, noise
from std_srvs.srv import Trigger

from c2f_head_pose.geometry import HEAD_AXES, geodesic_deg, ray_rotation, rotation_from_vector, rotation_from_ypr_deg, ypr_deg_from_rotation
from c2f_head_pose.parameters import Parameters
from c2f_head_pose.ros import neutral
from c2f_head_pose.ros.frame_worker import FrameWorker
from c2f_head_pose.ros.log import Notices
from c2f_head_pose.ros.neutral import Neutral, NeutralError, NeutralLearner
from c2f_head_pose.ros.neutral_services import NeutralServices
from c2f_head_pose.turn import ROTATIONS_DEG, turn_rotation_back

pytestmark = pytest.mark.ros


def learned(kind, poses, **given):
    learner = NeutralLearner()
    for number, pose in enumerate(poses):
        learner.add(0.1 * number, pose)
    return learner.learn(kind, 0.1 * len(poses), given.get('window_s', 1.0), given.get('image_rotation', 0))


def test_the_longest_window_is_learned_from_whole_and_no_more_is_kept():
    """A minute at 60 images a second; the person looks down for the first half and straight for the second."""
    learner = NeutralLearner()
    for number in range(3600):
        learner.add(number / 60, head((0.0, -20.0 if number < 1800 else 0.0, 0.0)))
    assert 1799 <= len(learner._seen) <= 1802
    assert geodesic_deg(learner.learn('mount', 59.99, 29.9, 0).R, np.eye(3)) < 0.1


def test_a_persons_neutral_makes_the_same_look_read_as_into_the_camera():
    """A face that reads as pitch -8 while it looks into the camera, 45 degrees off the axis: its x then points back along the ray."""
    t = np.array([1.0, 0.0, 1.0])
    R = ray_rotation(t) @ rotation_from_ypr_deg(np.array([0.0, -8, 2]))
    found = learned('person', 6 * [head(t_cam_head_m=t, R_cam_head_unsmoothed=R)])
    corrected = found.of_pose(head(t_cam_head_m=t))
    np.testing.assert_allclose((R @ found.R)[:, 0], -t / np.sqrt(2), atol=1e-9)
    assert geodesic_deg(corrected.R_cam_head, head().R_cam_head @ found.R) < 1e-9
    np.testing.assert_allclose(found.R_turned_cam, np.eye(3))


@pytest.mark.parametrize('image_rotation', ROTATIONS_DEG)
def test_a_persons_neutral_keeps_the_head_upright_in_a_camera_that_is_mounted_turned(image_rotation):
    """An upright person off the axis, who reads as yaw 3, pitch -8, roll 2 of the upright image; the offset is that of an upright camera.

    With a clockwise rotation of the image by 90 degrees the upper edge of the upright image is the camera's left one, so the scalp of a
    person who looks along the axis points to -x; by 180 to +y, by 270 to +x, and without rotation to -y.
    """
    t = np.array([1.0, 0.5, 2.0])
    off, R_upright = rotation_from_ypr_deg(np.array([3.0, -8, 2])), turn_rotation_back(HEAD_AXES, image_rotation)
    R = ray_rotation(t) @ turn_rotation_back(off, image_rotation)
    found = learned('person', 6 * [head(t_cam_head_m=t, R_cam_head_unsmoothed=R)], image_rotation=image_rotation)
    assert geodesic_deg(R @ found.R, ray_rotation(t) @ R_upright) < 1e-6
    assert found.offset_deg == pytest.approx(geodesic_deg(off, HEAD_AXES))
    np.testing.assert_allclose(R_upright[:, 2], {0: [0, -1, 0], 90: [-1, 0, 0], 180: [0, 1, 0], 270: [1, 0, 0]}[image_rotation], atol=1e-12)


def test_a_persons_neutral_far_off_the_camera_is_neither_learned_nor_taken_from_a_file(tmp_path):
    """50 degrees are refused and 40 are not; of a mount both hold. A quarter turn is what image_rotation added in older versions."""
    with pytest.raises(NeutralError, match=r'50 deg off.*neutral to mount.*image_rotation'):
        learned('person', 6 * [head((50, 0, 0))])
    assert learned('mount', 6 * [head((50, 0, 0))]).offset_deg == pytest.approx(50)
    for number, found in enumerate((learned('person', 6 * [head((40, 0, 0))]), learned('mount', 6 * [head((50, 0, 0))]))):
        neutral.save(tmp_path / f'{number}.yaml', found, 'cam')
        assert neutral.load(tmp_path / f'{number}.yaml').kind == found.kind
    neutral.save(tmp_path / 'old.yaml', Neutral('person', rotation_from_vector(np.radians([90.0, 0, 0]))), 'cam')
    with pytest.raises(NeutralError, match=r'90 deg.*image_rotation.*call ~/set_neutral again'):
        neutral.load(tmp_path / 'old.yaml')


def test_a_mounts_neutral_makes_straight_ahead_read_as_zero_and_a_turn_from_there_as_that_turn():
    """The camera stands 20 degrees aside, so straight ahead reads as yaw 20, pitch -5; 30 degrees of yaw more must read as 30."""
    found = learned('mount', 6 * [head((20, -5, 0))])
    np.testing.assert_allclose(ypr_deg_from_rotation(found.R_turned_cam @ head((20, -5, 0)).R_cam_head), 0, atol=1e-9)
    turned = learned('mount', 6 * [head((20, 0, 0))])
    np.testing.assert_allclose(ypr_deg_from_rotation(turned.R_turned_cam @ head((50, 0, 0)).R_cam_head), [30, 0, 0], atol=1e-9)
    assert found.of_pose(head((1, 2, 3))).yaw_pitch_roll_deg == pytest.approx([1, 2, 3])


@pytest.mark.parametrize(
    'turn_deg, axis, std_deg, turned_deg',
    [
        (90, (0, 0, 1), (1, 2, 3), (2, 1, 3)),  # a quarter turn about z: the new x axis is the old y, the new y the old -x
        (90, (1, 0, 0), (1, 2, 3), (1, 3, 2)),
        (45, (0, 0, 1), (1, 3, 2), (np.sqrt(5), np.sqrt(5), 2)),  # (1 + 9) / 2 of variance about each
        (180, (0, 1, 0), (1, 2, 3), (1, 2, 3)),
    ],
)
def test_a_persons_neutral_turns_the_deviations_and_the_unsmoothed_rotation_too(turn_deg, axis, std_deg, turned_deg):
    N = rotation_from_vector(np.radians(turn_deg) * np.array(axis, float))
    unsmoothed = head((10, 5, 0)).R_cam_head
    corrected = Neutral('person', N).of_pose(replace(head(), rotation_std_deg=np.array(std_deg), R_cam_head_unsmoothed=unsmoothed))
    np.testing.assert_allclose(corrected.rotation_std_deg, turned_deg)
    np.testing.assert_allclose(corrected.R_cam_head_unsmoothed, unsmoothed @ N)


@pytest.mark.parametrize(
    'poses, words',
    [
        ([], 'only 0 images'),
        (3 * [head()], 'only 3 images'),
        ([head((10 * i, 0, 0)) for i in range(6)], 'moved by'),
        (5 * [head(track_id=1)] + [head(track_id=2)], 'only 1 image '),
    ],
)
def test_too_few_images_and_a_moving_head_are_refused_with_the_remedy(poses, words):
    with pytest.raises(NeutralError, match=words):
        learned('person', poses)


def test_a_neutral_survives_in_its_file_and_two_cameras_have_two(tmp_path):
    paths = [neutral.neutral_path(str(tmp_path / 'new'), node, 'cam') for node in ('/front/head_pose', '/rear/head_pose')]
    found = learned('mount', 6 * [head((20, -5, 0))])
    neutral.save(paths[0], found, 'cam')
    again = neutral.load(paths[0])
    assert again.kind == 'mount' and geodesic_deg(again.R, found.R) < 1e-6
    assert neutral.load(paths[1]) is None
    assert [path.name for path in paths[0].parent.iterdir()] == [paths[0].name], 'nothing half-written stays'
    neutral.clear(paths[0])
    assert neutral.load(paths[0]) is None
    neutral.clear(paths[0])


@pytest.mark.parametrize(
    'text',
    [
        '',
        'kind: person',
        'kind: other\nquaternion_xyzw: [0, 0, 0, 1]',
        'kind: person\nquaternion_xyzw: [0, 0, 0, 0]',
        '{',
        'kind: person\nquaternion_xyzw: [0, 1]',
        'kind: person\nquaternion_xyzw: [0, 0, 0, .inf]',
        f'kind: person\nquaternion_xyzw: [0, 0, 0, 1{400 * "0"}]',
        '!!int ""',
        '[' * 5000,
        'kind: [&a [x], *a]\nquaternion_xyzw: [0, 0, 0, 1]',
    ],
)
def test_a_damaged_file_is_refused_with_the_remedy(tmp_path, text):
    path = tmp_path / 'neutral.yaml'
    path.write_text(text)
    with pytest.raises(NeutralError, match='set_neutral'):
        neutral.load(path)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    """A file where the folder should be: what is read-only to others is not to root."""
    (tmp_path / 'file').write_text('')
    with pytest.raises(NeutralError, match='neutral_folder'):
        neutral.save(tmp_path / 'file' / 'neutral.yaml', neutral.NONE, 'cam')
    if os.geteuid() != 0:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        with pytest.raises(NeutralError, match='neutral_folder'):
            neutral.save(tmp_path / 'neutral.yaml', neutral.NONE, 'cam')


def homeless(monkeypatch) -> None:
    """Makes this the process of a container's user: neither HOME nor an entry in passwd."""

    def unknown(_):
        raise KeyError('getpwuid(): uid not found')

    for name in ('HOME', 'ROS_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('pwd.getpwuid', unknown)


def test_a_user_without_a_home_folder_has_a_neutral_until_the_next_start_and_is_told_what_to_set(monkeypatch):
    homeless(monkeypatch)
    made, corrected_deg = services('')
    answer = learn(made, corrected_deg, 'colour')
    assert not answer.success and 'lost at the next start' in answer.message and 'set neutral_folder, HOME or ROS_HOME' in answer.message
    assert corrected_deg('colour') == pytest.approx(11.17, abs=0.01)
    answer = made._clear(None, Trigger.Response())
    assert not answer.success and 'home folder of ~/.ros' in answer.message
    assert corrected_deg('colour') == pytest.approx(0, abs=1e-6)


def test_a_neutral_folder_in_an_unknown_home_folder_is_refused_when_configuring(graph):
    graph.head_pose_node(neutral_folder='~nobody_of_this_name/neutral')
    graph.wait_for_log('not configured: the system does not know the home folder of ~nobody_of_this_name/neutral; set neutral_folder to')


def services(folder, **parameters):
    """The services without a graph, and a question for the correction of a frame's images in degrees."""
    node = SimpleNamespace(create_service=lambda *_: None, get_fully_qualified_name=lambda: '/head_pose')
    log = SimpleNamespace(info=lambda _: None, warning=lambda _: None, error=lambda _: None)
    made = NeutralServices(node, Notices(log), lambda: Parameters(neutral_folder=str(folder), **parameters))
    pose = head((10.0, 5.0, 0.0), track_id=1)

    def corrected_deg(frame_id):
        held, person = made.update(frame_id, [pose], pose, lambda _: True)
        assert person is pose
        return float(geodesic_deg(held.R_turned_cam @ held.of_pose(pose).R_cam_head, pose.R_cam_head))

    return made, corrected_deg


def test_the_service_learns_with_the_rotation_of_the_images(tmp_path):
    """The pose reads as yaw 10 and pitch 5 of the image as it is taken: in a camera that is mounted upside down nobody is upright."""
    made, corrected_deg = services(tmp_path, image_rotation=180)
    answer = learn(made, corrected_deg, 'colour')
    assert not answer.success and 'deg off from looking into the camera' in answer.message


def learn(made, corrected_deg, frame_id):
    for _ in range(6):
        corrected_deg(frame_id)
    return made._set(None, Trigger.Response())


def test_the_neutral_of_the_person_holds_in_a_frame_that_has_none_even_where_it_cannot_be_stored(tmp_path):
    """As when images stop and depth of another frame is answered alone; yaw 10 and pitch 5 are 11.2 degrees."""
    (tmp_path / 'file').write_text('')
    made, corrected_deg = services(tmp_path / 'file')
    assert not learn(made, corrected_deg, 'colour').success
    assert [corrected_deg(frame) for frame in ('colour', 'depth', 'colour')] == pytest.approx(3 * [11.17], abs=0.01)


def test_cleared_in_one_frame_the_neutral_of_the_person_holds_in_none(tmp_path):
    made, corrected_deg = services(tmp_path)
    assert learn(made, corrected_deg, 'colour').success
    assert corrected_deg('depth') > 11
    assert made._clear(None, Trigger.Response()).success
    assert [corrected_deg(frame) for frame in ('depth', 'colour')] == pytest.approx([0, 0], abs=1e-6)
    assert list(tmp_path.iterdir()) == []


def test_the_neutral_of_a_person_corrects_that_face_alone_and_the_next_primary_one_once_its_id_is_gone(tmp_path):
    """A reads as 20 degrees low and learns it; B looks straight, and is 0 off whoever is primary, until A's id is gone.

    After a restart the file's is of the face that is primary first, and of images without stamps it is of the primary face of each.
    """
    made, _ = services(tmp_path)
    a, b = head((0.0, -20.0, 0.0), track_id=1), head(track_id=2)
    frame = SimpleNamespace(header=SimpleNamespace(frame_id='colour'), size=(640, 480))
    monitoring = SimpleNamespace(statistics=None, notices=None, topic='image')

    def published_deg(primary, *poses, followed=(1, 2)):
        """How far each face is published to be off from straight."""
        parts = SimpleNamespace(estimator=SimpleNamespace(follows=followed.__contains__))
        worker = FrameWorker(parts, None, made, monitoring, Parameters, lambda: 0.0)
        worker._primary.choose = lambda *_: primary
        answer = worker._choose(frame, list(poses), None)
        assert answer.primary is (None if primary is None else answer.poses[poses.index(primary)])
        return [round(float(geodesic_deg(pose.R_cam_head, HEAD_AXES))) for pose in answer.poses]

    assert [published_deg(a, a, b) for _ in range(6)] == [[20, 0]] * 6
    assert made._set(None, Trigger.Response()).success
    assert [published_deg(primary, a, b) for primary in (a, b, None)] == [[0, 0]] * 3
    assert published_deg(b, b) == [0]
    assert published_deg(b, b, followed=(2,)) == [20]
    made.start()
    assert [published_deg(primary, a, b) for primary in (a, b)] == [[0, 0]] * 2
    made.start()
    plain = [replace(pose, track_id=None) for pose in (a, b)]
    assert [published_deg(primary, *plain) for primary in plain] == [[0, 0], [20, 20]]


def test_the_neutral_of_a_mount_and_a_frames_own_hold_in_that_frame_only(tmp_path):
    made, corrected_deg = services(tmp_path, neutral='mount')
    assert learn(made, corrected_deg, 'colour').success
    assert [corrected_deg(frame) for frame in ('depth', 'colour')] == pytest.approx([0, 11.17], abs=0.01)
    neutral.save(made._path('side'), Neutral('person', rotation_from_vector(np.radians([0.0, 0.0, 30.0]))), 'side')
    assert [corrected_deg(frame) for frame in ('side', 'colour')] == pytest.approx([30, 11.17], abs=0.01)


def test_the_node_learns_keeps_and_clears_its_neutral(graph, tmp_path):
    """The same picture again and again: after learning the mount its angles are 0, a new node knows it, and cleared they are as before."""
    results = graph.hear_results()
    node, images = with_a_face(graph, neutral='mount', neutral_folder=str(tmp_path), neutral_window_s=30.0)

    def angles(stamp_s):
        images.publish(image_message(noise(), stamp_s))
        graph.wait_until(lambda: results.angles and results.angles[-1].header.stamp.sec == int(stamp_s), 'angles')
        vector = results.angles[-1].vector
        return [vector.x, vector.y, vector.z]

    assert 'only 0 images' in graph.call(Trigger, '/head_pose/set_neutral', Trigger.Request()).message
    answer = graph.call(Trigger, '/head_pose/clear_neutral', Trigger.Request())
    assert not answer.success and 'no image yet' in answer.message, 'nobody knows yet which camera it is'
    before = [angles(float(number)) for number in range(1, 7)][-1]
    answer = graph.call(Trigger, '/head_pose/set_neutral', Trigger.Request())
    assert answer.success and str(tmp_path) in answer.message
    np.testing.assert_allclose(angles(7.0), 0, atol=1e-6)
    node._neutral.start()
    np.testing.assert_allclose(angles(8.0), 0, atol=1e-6)
    graph.wait_for_log('neutral of the mount taken from', str(tmp_path))
    assert graph.call(Trigger, '/head_pose/clear_neutral', Trigger.Request()).success
    np.testing.assert_allclose(angles(9.0), before, atol=1e-6)
    assert list(tmp_path.iterdir()) == []
