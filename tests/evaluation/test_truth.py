"""Truth: sources, conventions, interpolation, and how it is brought into line with the estimates."""

import numpy as np
import pytest
from bag_making import CAMERA, FRAME_ID, START_NS, Recording, header, image_message, pose_message, quaternion, write_bag

from c2f_head_pose.evaluation.evaluate import Options, evaluate_recording
from c2f_head_pose.evaluation.rotations import (
    interpolate,
    median_rotation,
    quaternions_from_rotations,
    rotation_vectors,
    rotations_from_quaternions,
)
from c2f_head_pose.evaluation.truth.alignment import Pairs, estimate_alignment, likelier_convention
from c2f_head_pose.evaluation.truth.csv_file import read_csv
from c2f_head_pose.evaluation.truth.heads import AXES, Truth, TruthHead
from c2f_head_pose.evaluation.truth.matching import Matcher
from c2f_head_pose.evaluation.truth.read import read_truth
from c2f_head_pose.geometry import (
    HEAD_AXES,
    geodesic_deg,
    quaternion_from_rotation,
    rotation_from_quaternion,
    rotation_from_vector,
    rotation_from_ypr_deg,
    rotation_vector,
)
from c2f_head_pose.recordings.bagfile import BagError, BagFile
from c2f_head_pose.types import FaceBox, HeadPose

RNG = np.random.default_rng(3)


def random_rotations(n):
    return np.array([rotation_from_quaternion(q) for q in RNG.standard_normal((n, 4))])


def test_many_quaternions_equal_those_made_one_by_one():
    R = np.concatenate([random_rotations(200), [np.eye(3), np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1])]])
    assert np.allclose(rotations_from_quaternions(quaternions_from_rotations(R)), R, atol=1e-12)
    vectors = np.array([rotation_vector(r) for r in R[:200]])
    assert np.allclose(rotation_vectors(R[:200]), vectors) and np.allclose(rotation_vectors(np.eye(3)[None]), 0)
    one_by_one = np.array([quaternion_from_rotation(r) for r in R])
    assert np.allclose(np.abs(np.sum(one_by_one * quaternions_from_rotations(R), axis=1)), 1)


def test_interpolation_goes_along_the_geodesic_and_stops_at_gaps():
    """From 0 to 90 degrees about x between t = 0 and 1: at 0.25 it is 22.5; the gap from 1 to 3 is too long; nothing is extrapolated."""
    R = np.array([rotation_from_vector(np.array([a, 0, 0])) for a in (0, np.pi / 2, np.pi / 2)])
    q, known = interpolate(np.array([0.0, 1.0, 3.0]), -quaternions_from_rotations(R), np.array([0.25, 1.0, 2.0, 3.0, 3.1, -0.1]), 1.5)
    assert known.tolist() == [True, True, False, True, False, False]
    assert np.allclose(geodesic_deg(rotations_from_quaternions(q[known]), R[0]), [22.5, 90, 90])
    assert np.isnan(q[~known]).all()


def test_samples_as_far_apart_as_the_largest_gap_are_interpolated_however_their_stamps_are_rounded():
    """As seconds since 1970 stamps are multiples of 2^-22 s, so of samples at exactly 10 Hz half are more than 0.1 s apart."""
    stamps_s = 1.7e9 + np.arange(100) / 10
    assert 20 < np.count_nonzero(np.diff(stamps_s) > 0.1) < 80
    q = quaternions_from_rotations(np.repeat(np.eye(3)[None], 100, axis=0))
    assert interpolate(stamps_s, q, stamps_s[:-1] + 0.03, 0.1)[1].all()
    assert not interpolate(stamps_s[::2], q[::2], stamps_s[:-2:2] + 0.03, 0.19)[1].any()


def test_the_truth_is_known_where_every_source_has_samples_around_it():
    """One source from 0 to 1 s and from 2 to 3 s, whose only head leaves at 0.5 s while its messages go on; another from 0 to 2.5 s.
    0.7 is known although nobody is there, 1.5 lies in a gap, 2.7 after the other's end, -0.1 before both."""
    times_s = np.arange(31) / 10
    q = quaternions_from_rotations(np.repeat(np.eye(3)[None], 31, axis=0))
    head = TruthHead('h', times_s[:6], q[:6])
    one = Truth((head,), 'x', sampled_s=(np.delete(times_s, slice(11, 20)),))
    both = Truth((head,), 'x', sampled_s=(*one.sampled_s, times_s[:26]))
    at_s = np.array([-0.1, 0.25, 0.7, 1.5, 2.25, 2.7])
    assert one.known_at(at_s, 0.1).tolist() == [False, True, True, False, True, True]
    assert both.known_at(at_s, 0.1).tolist() == [False, True, True, False, True, False]
    assert both.delayed(0.2).known_at(at_s + 0.2, 0.1).tolist() == both.known_at(at_s, 0.1).tolist()
    assert Truth((head,), 'x').known_at(at_s, 0.1).tolist() == [False, True, False, False, False, False]


def test_the_median_rotation_ignores_a_third_of_outliers():
    true = rotation_from_ypr_deg(np.array([20.0, -10, 5]))
    R = np.array([true] * 20 + list(random_rotations(10)))
    assert geodesic_deg(median_rotation(R, 100), true) < 1


def test_csv_truth_reads_quaternions_angles_and_matrices_alike(tmp_path):
    R = rotation_from_ypr_deg(np.array([30.0, -20, 10]))
    forms = {
        'q': ('qx,qy,qz,qw', quaternion_from_rotation(R)),
        'a': ('yaw_deg,pitch_deg,roll_deg', [30, -20, 10]),
        'm': (','.join(f'r{i}{j}' for i in range(3) for j in range(3)), R.ravel()),
    }
    for name, (columns, values) in forms.items():
        path = tmp_path / f'{name}.csv'
        numbers = ','.join(map(str, values))
        path.write_text(f'stamp_ns,id,{columns}\n1500000000,ann,{numbers}\n1600000000,ann,{numbers}\n')
        head = read_csv(path).heads[0]
        assert head.name == 'ann' and head.stamps_s.tolist() == [1.5, 1.6]
        assert np.allclose(rotations_from_quaternions(head.quaternions), R, atol=1e-6)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('yaw_deg\n1\n', 'stamp_ms or stamp_s'),
        ('stamp_s,yaw_deg\n1,2\n', 'no rotation'),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg\n1,2,x,3\n', 'line 2'),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg\n', 'empty'),
        ('', 'stamp_ms or stamp_s'),
    ],
)
def test_a_csv_that_is_wrong_is_refused_with_the_column_or_line(tmp_path, text, reason):
    (tmp_path / 't.csv').write_text(text)
    with pytest.raises(BagError, match=reason):
        read_csv(tmp_path / 't.csv')


def truth_bag(tmp_path, add, storage='mcap'):
    recording = Recording()
    add(recording)
    return BagFile(write_bag(tmp_path / 'bag', recording, storage))


def test_conventions_are_renamed_into_ours(tmp_path):
    """A face that looks into the camera: cv axes identity; gaze axes z towards the camera, x to the image's left, y down."""
    gaze = np.array([[-1.0, 0, 0], [0, 1, 0], [0, 0, -1]])
    assert np.allclose(gaze @ AXES['gaze'], HEAD_AXES)
    assert np.allclose(np.eye(3) @ AXES['cv'], HEAD_AXES)
    body = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]) @ HEAD_AXES  # link: x forward, y left, z up
    head = TruthHead('h', np.array([1.0]), quaternions_from_rotations(body))
    restated = Truth((head,), 'x').stated_in('head', 'link')
    assert np.allclose(rotations_from_quaternions(restated.heads[0].quaternions), HEAD_AXES, atol=1e-6)
    back = restated.stated_in('head', 'optical')
    assert np.allclose(rotations_from_quaternions(back.heads[0].quaternions), body, atol=1e-6)


def transform(store, parent, child, R, t, stamp_ns):
    x, y, z = t
    return store.types['geometry_msgs/msg/TransformStamped'](
        header=header(store, stamp_ns, parent),
        child_frame_id=child,
        transform=store.types['geometry_msgs/msg/Transform'](
            translation=store.types['geometry_msgs/msg/Vector3'](x=x, y=y, z=z), rotation=quaternion(store, R)
        ),
    )


@pytest.mark.parametrize(
    ('storage', 'kind'), [('mcap', 'tf2_msgs/msg/TFMessage'), ('rosbag1', 'tf2_msgs/msg/TFMessage'), ('rosbag1', 'tf/msg/tfMessage')]
)
def test_tf_truth_follows_a_chain_through_static_and_moving_frames(tmp_path, storage, kind):
    """world -> camera_link (moves) -> camera_optical (static); world -> tracker -> head (moves): the head in camera_optical."""
    R_world_link = [rotation_from_vector(np.array([0, 0, 0.1 * k])) for k in range(5)]
    R_link_optical = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    R_tracker_head = [rotation_from_vector(np.array([0.05 * k, 0.2, 0])) for k in range(5)]

    def add(recording):
        recording.add(
            '/tf_static',
            kind,
            START_NS,
            lambda s: s.types[kind](
                transforms=[
                    transform(s, 'camera_link', FRAME_ID, R_link_optical, (0.0, 0, 0), START_NS),
                    transform(s, 'world', 'tracker', np.eye(3), (2.0, 0, 0), START_NS),
                ]
            ),
        )
        for k in range(5):
            ns = START_NS + k * 100_000_000
            recording.add(
                '/tf',
                kind,
                ns,
                lambda s, k=k, ns=ns: s.types[kind](
                    transforms=[
                        transform(s, 'world', 'camera_link', R_world_link[k], (1.0, 0, 0), ns),
                        transform(s, 'tracker', 'head', R_tracker_head[k], (0.0, 0.5, 0), ns),
                    ]
                ),
            )

    with truth_bag(tmp_path, add, storage) as bag:
        head = read_truth(bag, ['tf:head'], FRAME_ID).heads[0]
        expected = [(R_world_link[k] @ R_link_optical).T @ R_tracker_head[k] for k in range(5)]
        assert np.allclose(rotations_from_quaternions(head.quaternions), expected, atol=1e-6)
        assert np.array_equal(read_truth(bag, ['tf:/head'], f'/{FRAME_ID}').heads[0].quaternions, head.quaternions)  # as ROS 1 names frames
        assert np.allclose(head.t_cam_head_m[0], R_link_optical.T @ np.array([1.0, 0.5, 0]), atol=1e-6)  # (2, 0.5) - (1, 0)
        with pytest.raises(BagError, match='no frame nose'):
            read_truth(bag, ['tf:nose'], FRAME_ID)
        with pytest.raises(BagError, match='does not connect'):
            read_truth(bag, ['tf:head'], 'another_camera')


@pytest.mark.parametrize('again_s', [-4.5, 0.25])
def test_a_static_transform_that_is_published_again_holds_as_the_newest_does(tmp_path, again_s):
    """A publisher that restarts states the camera's mount once more, turned by another angle. world -> head comes ten times a second."""
    kind, mounts = 'tf2_msgs/msg/TFMessage', {-5.0: 0.3, again_s: 0.7}
    R_head, turned = rotation_from_vector(np.array([0.2, 0, 0])), {s: rotation_from_vector(np.array([0, 0, a])) for s, a in mounts.items()}

    def add(recording):
        moving = [('/tf', k / 10, 'head', R_head) for k in range(5)]
        for topic, at_s, child, R in [*(('/tf_static', s, FRAME_ID, R) for s, R in turned.items()), *moving]:
            ns = START_NS + round(at_s * 1e9)
            message = lambda s, c=child, R=R, ns=ns: s.types[kind](transforms=[transform(s, 'world', c, R, (0.0, 0, 1), ns)])  # noqa: E731
            recording.add(topic, kind, ns, message)

    with truth_bag(tmp_path, add) as bag:
        head = read_truth(bag, ['tf:head'], FRAME_ID).heads[0]
    assert np.allclose(head.stamps_s - 1e-9 * START_NS, np.arange(5) / 10, atol=1e-6)
    expected = [turned[again_s if k / 10 >= again_s else -5.0].T @ R_head for k in range(5)]
    assert np.allclose(rotations_from_quaternions(head.quaternions), expected, atol=1e-6)


def tf_bag(tmp_path, transforms):
    """A recording of (topic, seconds, parent, child, R, t)."""

    def add(recording):
        for topic, at_s, parent, child, R, t in transforms:
            ns = START_NS + round(at_s * 1e9)
            stated = parent, child, R, t, ns
            recording.add(topic, TF, ns, lambda s, stated=stated: s.types[TF](transforms=[transform(s, *stated)]))

    return truth_bag(tmp_path, add)


TF = 'tf2_msgs/msg/TFMessage'
MOUNT = rotation_from_vector(np.array([0.3, 0, 0]))


def test_a_head_that_is_fixed_to_a_tracked_helmet_moves_with_it(tmp_path):
    """Motion capture: world -> body slowly, body -> helmet at 20 Hz with a gap of 0.3 s, which stays one. The head and the
    camera are static, each stated twice."""
    at_s = np.delete(np.arange(20) / 20, slice(6, 11))
    turns = {t: rotation_from_vector(np.array([0, 0, t])) for t in at_s.tolist()}
    static = [
        ('/tf_static', t, *edge)
        for t in (0, 0.01)
        for edge in (('helmet', 'head', MOUNT, (0.1, 0, 0)), ('world', FRAME_ID, np.eye(3), (0.0, 0, 0)))
    ]
    body = [('/tf', k / 5, 'world', 'body', np.eye(3), (0.0, 0, 1)) for k in range(6)]
    helmet = [('/tf', t, 'body', 'helmet', R, (0.0, 0, 1)) for t, R in turns.items()]
    with tf_bag(tmp_path, [*static, *body, *helmet]) as bag:
        head = read_truth(bag, ['tf:head'], FRAME_ID).heads[0]
    assert np.allclose(head.stamps_s - 1e-9 * START_NS, at_s, atol=1e-6)
    assert np.allclose(rotations_from_quaternions(head.quaternions), [R @ MOUNT for R in turns.values()], atol=1e-6)
    assert np.allclose(head.t_cam_head_m, [R @ [0.1, 0, 0] + [0, 0, 2] for R in turns.values()], atol=1e-6)


@pytest.mark.parametrize('frame', ['head', 'world'])
def test_a_head_that_rests_before_a_moving_camera_is_known_whenever_the_camera_is(tmp_path, frame):
    """world -> odom -> base -> camera, of which the first two move at other times: 0, 0.25, 0.5 and 0, 0.1 ... 0.5. The head is static in
    the world, or the world itself, as where a dummy's head is the origin."""
    odom_s, base_s = np.arange(3) / 4, np.arange(6) / 10
    static = [('/tf_static', 0, 'world', 'head', np.eye(3), (0.0, 0, 0)), ('/tf_static', 0, 'base', FRAME_ID, MOUNT, (0.0, 0, 0))]
    moving = [('/tf', t, 'world', 'odom', np.eye(3), (0.0, 0, -1 - t)) for t in odom_s.tolist()]
    moving += [('/tf', t, 'odom', 'base', rotation_from_vector(np.array([t, 0, 0])), (0.0, 0, 0)) for t in base_s.tolist()]
    with tf_bag(tmp_path, [*static, *moving]) as bag:
        head = read_truth(bag, [f'tf:{frame}'], FRAME_ID).heads[0]
    at_s = np.union1d(odom_s, base_s)
    R_cam = [rotation_from_vector(np.array([t + 0.3, 0, 0])) for t in at_s]
    assert np.allclose(head.stamps_s - 1e-9 * START_NS, at_s, atol=1e-6)
    assert np.allclose(rotations_from_quaternions(head.quaternions), [R.T for R in R_cam], atol=1e-5)
    assert np.allclose(head.t_cam_head_m, [R.T @ [0, 0, 1 + t] for R, t in zip(R_cam, at_s)], atol=1e-5)


def test_a_head_and_a_camera_that_both_rest_are_refused(tmp_path):
    static = [('/tf_static', t, 'world', child, MOUNT, (0.0, 0, 1)) for t in (0, 1) for child in ('head', FRAME_ID)]
    with tf_bag(tmp_path, static) as bag, pytest.raises(BagError, match=f"between head and the images' frame '{FRAME_ID}' are static"):
        read_truth(bag, ['tf:head'], FRAME_ID)


class TrueAnswers:
    def of(self, frame):
        return [HeadPose(HEAD_AXES, np.ones(3), 'L1', np.full(4, 0.25), FaceBox(20, 10, 44, 38))], 0.0


@pytest.mark.parametrize('source', ['tf:head', '/truth/head'])
@pytest.mark.parametrize(('image_frame', 'truth_frame'), [(f'/{FRAME_ID}', FRAME_ID), (FRAME_ID, f'/{FRAME_ID}')])
def test_a_slash_in_front_of_a_frame_does_not_make_it_another(tmp_path, source, image_frame, truth_frame):
    """Drivers of ROS 1 write /camera_optical or camera_optical. The truth is in the images' frame, so nothing is noted about it."""

    def image(store, stamp_ns):
        message = image_message(store, np.full((48, 64), 90, np.uint8), stamp_ns, 'mono8')
        message.header.frame_id = image_frame
        return message

    def transform(store, stamp_ns):
        types = store.types
        moved = types['geometry_msgs/msg/Transform'](
            translation=types['geometry_msgs/msg/Vector3'](x=0.0, y=0.0, z=0.6), rotation=quaternion(store, HEAD_AXES)
        )
        stamped = types['geometry_msgs/msg/TransformStamped'](
            header=header(store, stamp_ns, truth_frame), child_frame_id='head', transform=moved
        )
        return types['tf2_msgs/msg/TFMessage'](transforms=[stamped])

    made = Recording()
    for k in range(3):
        ns = START_NS + k * 100_000_000
        made.add('/camera/image_raw', 'sensor_msgs/msg/Image', ns, lambda s, ns=ns: image(s, ns))
        made.add('/tf', 'tf2_msgs/msg/TFMessage', ns, lambda s, ns=ns: transform(s, ns))
        made.add('/truth/head', 'geometry_msgs/msg/PoseStamped', ns, lambda s, ns=ns: pose_message(s, HEAD_AXES, ns, frame_id=truth_frame))
    path = write_bag(tmp_path / 'bag', made, 'rosbag1')
    options = Options(truth=(source,), video=False, poses=False)
    evaluated = evaluate_recording(path, 'slash', tmp_path / 'out', options, None, answers=TrueAnswers())
    assert evaluated.errors == [] and evaluated.truth.startswith(source if source[0] == '/' else 'TF head')
    assert not any('the truth is in frame' in note for note in evaluated.notes)


def test_heads_that_cannot_be_told_apart_end_the_evaluation_with_that_reason_alone(tmp_path):
    """Two people in one CSV file without positions; every image can be read."""
    made = Recording()
    for k in range(3):
        ns = START_NS + k * 100_000_000
        image = np.full((48, 64), 90, np.uint8)
        made.add('/camera/image_raw', 'sensor_msgs/msg/Image', ns, lambda s, ns=ns, image=image: image_message(s, image, ns, 'mono8'))
    rows = ''.join(f'{START_NS + k * 100_000_000},{name},0,0,0\n' for k in range(3) for name in ('ann', 'bob'))
    (tmp_path / 't.csv').write_text(f'stamp_ns,id,yaw_deg,pitch_deg,roll_deg\n{rows}')
    options = Options(truth=(str(tmp_path / 't.csv'),), video=False, poses=False)
    path = write_bag(tmp_path / 'bag', made)
    evaluated = evaluate_recording(path, 'two', tmp_path / 'out', options, None, answers=TrueAnswers())
    (error,) = evaluated.errors
    assert 'several heads that cannot be told apart' in error and 'keep the rows of one id' in error
    assert evaluated.scored is None


def test_topics_that_hold_no_rotation_are_refused(tmp_path):
    def add(recording):
        recording.add('/truth/head', 'geometry_msgs/msg/PoseStamped', START_NS, lambda s: pose_message(s, np.eye(3), START_NS))
        recording.add('/text', 'std_msgs/msg/String', START_NS, lambda s: s.types['std_msgs/msg/String'](data='x'))

    with truth_bag(tmp_path, add) as bag:
        assert read_truth(bag, [], FRAME_ID).source.startswith('/truth/head')
        with pytest.raises(BagError, match='no topic /missing'):
            read_truth(bag, ['/missing'], FRAME_ID)
        with pytest.raises(BagError, match='std_msgs/msg/String'):
            read_truth(bag, ['/text'], FRAME_ID)


def moving_head(seconds=30.0):
    t = np.arange(0, seconds, 0.01)
    ypr = np.stack([40 * np.sin(0.9 * t), 15 * np.sin(1.3 * t + 1), 10 * np.sin(0.5 * t)], axis=-1)
    return t, rotation_from_ypr_deg(ypr)


@pytest.mark.parametrize('side', ['head', 'camera'])
def test_a_planted_offset_and_mount_rotation_are_found_and_on_the_right_side(side):
    """Truth 80 ms late and turned by 5 degrees; estimates at 30 Hz with 0.7 degrees of noise, one in thirty of them nonsense."""
    t, R = moving_head()
    mount = rotation_from_vector(np.radians(5) * np.array([0.6, 0.0, 0.8]))
    stated = R @ mount.T if side == 'head' else mount.T @ R
    head = TruthHead('h', t + 0.08, quaternions_from_rotations(stated).astype(np.float32))
    noise = np.array([rotation_from_vector(v) for v in np.radians(0.7) * RNG.standard_normal((len(t[::3]), 3))])
    estimates = R[::3] @ noise
    estimates[::30] = random_rotations(len(estimates[::30]))
    found = estimate_alignment([Pairs(head, t[::3], estimates)], 0.1)
    assert found.time_offset_found and abs(found.time_offset_s - 0.08) < 0.004
    assert found.side == side and found.time_offset_std_s < 0.004
    assert geodesic_deg(found.R, mount) < 0.4 and abs(found.rotation_deg - 5) < 0.4
    aligned, known = found.apply(head, t[300:600], 0.1)
    assert known.all() and geodesic_deg(aligned, R[300:600]).max() < 0.6


def test_an_offset_is_not_claimed_for_a_head_that_rests():
    t, R = moving_head()
    still = np.repeat(R[:1], len(t), axis=0)
    noise = np.array([rotation_from_vector(v) for v in np.radians(2) * RNG.standard_normal((len(t), 3))])
    found = estimate_alignment([Pairs(TruthHead('h', t, quaternions_from_rotations(still)), t[100:-100], (still @ noise)[100:-100])], 0.1)
    assert not found.time_offset_found and found.time_offset_s == 0


@pytest.mark.parametrize('labelled', [np.arange(0, 300, 10), *(np.sort(np.random.default_rng(k).choice(300, 40, False)) for k in range(3))])
def test_truth_at_keyframes_gives_a_rotation_and_no_false_offset(labelled):
    """Ten seconds at 30 Hz with the truth of 30 or 40 images, at their own stamps: without an offset it is known for all of them, at
    other offsets only between labelled neighbours and where an offset of some images meets a stamp by chance."""
    stamps_s, R = 1.7e9 + np.arange(300) / 30, moving_head(10.0)[1][(np.arange(300) * 100 / 30).astype(int)]
    estimates = R @ np.array([rotation_from_vector(v) for v in np.radians(2) * RNG.standard_normal((300, 3))])
    mount = rotation_from_vector(np.radians(5) * np.array([0.6, 0.0, 0.8]))
    head = TruthHead('h', stamps_s[labelled], quaternions_from_rotations(R[labelled] @ mount.T))
    found = estimate_alignment([Pairs(head, stamps_s[labelled], estimates[labelled])], 0.1)
    assert not found.time_offset_found and found.time_offset_s == 0
    assert found.samples >= len(labelled) / 2 and geodesic_deg(found.R, mount) < 1.5


def test_a_likelier_convention_is_pointed_out():
    t, R = moving_head()
    head = TruthHead('h', t, quaternions_from_rotations(R @ AXES['gaze'].T))
    truth = Truth((head,), 'x')
    assert likelier_convention(truth, [Pairs(head, t, R)], 0.1) == ('gaze', 'optical')
    right = truth.stated_in('gaze', 'optical')
    assert likelier_convention(right, [Pairs(right.heads[0], t, R)], 0.1) is None


def face_at(x, y, track=None, size=80.0):
    box = FaceBox(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return HeadPose(HEAD_AXES, np.ones(3), 'L1', np.full(4, 0.25), box, 0.9, track)


def test_faces_are_paired_with_heads_by_where_they_are():
    """Focal length 600: a head at (0.1, 0, 1) is seen at 380, 240; one at (-0.2, 0, 1) at 200, 240; nobody stands at 560, 100."""
    heads = [np.array([0.1, 0, 1.0]), np.array([-0.2, 0, 1.0])]
    faces = [face_at(560, 100), face_at(205, 238), face_at(372, 244)]
    assert Matcher(True).match(faces, heads, CAMERA) == [None, 1, 0]
    assert Matcher(True).match(faces, [heads[0], None], CAMERA) == [None, None, 0], 'the place of one is unknown'
    assert Matcher(True).match([], heads, CAMERA) == []
    assert Matcher(True).match(faces, [], CAMERA) == [None] * 3


@pytest.mark.parametrize('distance_m, aside_m, found', [(0.4, 0.09, True), (0.4, 0.11, False), (2.0, 0.17, True), (2.0, 0.18, False)])
def test_recorded_poses_without_boxes_are_matched_within_5_degrees_or_10_centimetres(distance_m, aside_m, found):
    """At 2 m, 5 degrees are 17.5 cm."""
    pose = HeadPose(HEAD_AXES, np.ones(3), 'L1', np.full(4, 0.25), t_cam_head_m=np.array([0.0, 0, distance_m]))
    assert Matcher(True).match([pose], [np.array([aside_m, 0, distance_m])], CAMERA) == [0 if found else None]


def test_without_positions_the_one_head_is_the_largest_face_and_stays_with_its_track():
    matcher = Matcher(False)
    assert matcher.match([face_at(100, 100, 1, 60), face_at(300, 100, 2, 90)], [None], None) == [None, 0]
    assert matcher.match([face_at(100, 100, 1, 99), face_at(300, 100, 2, 90)], [None], None) == [None, 0]
    assert matcher.match([face_at(100, 100, 1, 99)], [None], None) == [0]
    with pytest.raises(BagError, match='told apart'):
        matcher.match([face_at(100, 100, 1, 99)], [None, None], None)


def test_positions_are_used_only_where_there_are_any():
    """Sources that know no position leave it at 0, 0, 0; heads are before the camera."""
    q = quaternions_from_rotations(np.eye(3)[None])
    for position, located in (((0.0, 0.0, 0.0), False), ((0.1, 0.0, 0.7), True), (None, False)):
        head = TruthHead('h', np.array([1.0]), q, None if position is None else np.array([position], np.float32))
        assert Truth((head,), 'x').places_heads(CAMERA) is Truth((head,), 'x').places_heads(None) is located
