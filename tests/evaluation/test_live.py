"""The live evaluation: a bag through the real graph gives evaluate_bag's report, and agrees with it frame by frame."""

import copy
import csv
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

from bag_making import START_NS, Scene, scene_recording, write_bag
from sensor_msgs.msg import CameraInfo, Image

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation.evaluate import Options, evaluate_recording
from c2f_head_pose.evaluation.poses_bag import PosesWriter
from c2f_head_pose.evaluation.sources import poses_from_message
from c2f_head_pose.evaluation.summary import summarise
from c2f_head_pose.geometry import rotation_from_ypr_deg
from c2f_head_pose.pose_messages import HEAD_SIZE_M
from c2f_head_pose.ros import evaluation_node
from c2f_head_pose.ros.child_node import ChildNode, end_all
from c2f_head_pose.ros.evaluation_node import EvaluationNode, LiveAnswers
from c2f_head_pose.types import FaceBox, HeadPose

pytestmark = pytest.mark.ros


def rows_of(folder):
    with (folder / 'frames.csv').open(newline='') as file:
        return {row['frame']: row for row in csv.DictReader(file) if row['event'] != 'nobody'}


def test_live_and_offline_agree_frame_by_frame_where_nothing_was_dropped(tmp_path, monkeypatch):
    """Five images a second, so that nothing is dropped. The live node reports the smoothed pose alone."""
    bag = write_bag(tmp_path / 'bag', scene_recording(Scene(duration_s=5.0, rate_hz=5.0)))
    assert evaluate_bag.main([str(bag), '--output', str(tmp_path / 'offline'), '--no-video', '--no-poses']) == 0
    monkeypatch.setenv('PYTHONUNBUFFERED', '1')
    info = ['-r', 'camera_info:=/camera/camera_info']
    children = [ChildNode('node', (), ['-r', 'image:=/camera/image_raw', *info], tmp_path / 'node.log')]
    try:
        evaluation = ChildNode(
            'evaluation_node',
            [str(bag), '--output', str(tmp_path / 'live'), '--no-video', '--no-poses'],
            ['-r', 'pose:=/head_pose/head_pose', '-r', 'poses:=/head_pose/head_poses', *info],
            tmp_path / 'evaluation_node.log',
        )
        children.append(evaluation)
        wait_for_text(evaluation.log, 'listening to')
        children.append(ChildNode('replay_node', [str(bag)], log=tmp_path / 'replay_node.log'))
        status = evaluation.wait(90)
    finally:
        end_all(children)
    logs = ''.join(child.log.read_text()[-1500:] for child in children)
    assert status == 0, logs
    live, offline = rows_of(tmp_path / 'live'), rows_of(tmp_path / 'offline')
    answered = [k for k, row in live.items() if row['event'] == 'matched']
    assert len(answered) >= 20, logs  # the first may come before the graph is up
    first = int(answered[0])
    if first == 0 and len(answered) == 25:
        for k in answered:
            q_live, q_offline = (np.array([float(rows[k][c]) for c in ('qx', 'qy', 'qz', 'qw')]) for rows in (live, offline))
            assert np.allclose(q_live, q_offline, atol=1e-5), k
            assert float(live[k]['error_deg']) == pytest.approx(float(offline[k]['error_deg']), abs=2e-3)
            assert np.allclose(*([float(rows[k][f'std_{a}_deg']) for a in 'xyz'] for rows in (live, offline)), atol=2e-3)
    else:
        pytest.skip(f'this machine dropped {25 - len(answered)} of 25 images, so tracks and smoothing differ')
    record = json.loads((tmp_path / 'live' / 'metrics.json').read_text())
    assert record['overall']['latency_ms']['publish']['p50'] > 0
    assert (tmp_path / 'live' / 'report.html').exists()


@pytest.mark.parametrize('topic', ['/image', '/camera_info'])
def test_the_replay_is_over_when_what_it_published_has_gone(graph, topic):
    """A recording without calibration has images alone; where `image` is not remapped, there is camera_info alone."""
    node = graph.add(EvaluationNode(context=graph.context))
    replay = graph.stranger()
    publisher = replay.create_publisher(Image if topic == '/image' else CameraInfo, topic, 10)
    graph.wait_until(lambda: node.finished or node.count_publishers(topic), 'the replay')
    graph.spin_for(2.5)
    assert not node.finished
    replay.destroy_publisher(publisher)
    graph.wait_until(lambda: node.finished, 'the end', deadline_s=10.0)


def test_a_replay_that_does_not_begin_is_not_waited_for_for_ever(graph, monkeypatch):
    monkeypatch.setattr(evaluation_node, '_START_TIMEOUT_S', 0.5)
    node = graph.add(EvaluationNode(context=graph.context))
    assert not node.finished
    graph.wait_until(lambda: node.finished, 'the end', deadline_s=5.0)


@pytest.mark.parametrize('every_face', [True, False])
def test_an_image_without_a_live_answer_was_dropped_only_where_there_are_answers_of_nobody(tmp_path, every_face):
    """Two images of five are answered, each with a face. With vision_msgs a node answers an image of nobody too; without, it is silent."""
    scene, answers = Scene(duration_s=1.0, rate_hz=5.0), LiveAnswers()
    for t in scene.times_s[:2]:
        answers.add(START_NS + round(t * 1e9), '', [HeadPose(scene.truth(t), np.ones(3), 'L1', np.eye(4)[0])], 0.0, every_face)
    bag = write_bag(tmp_path / 'bag', scene_recording(scene))
    done = evaluate_recording(bag, 'bag', tmp_path / 'out', Options(video=False), None, answers=answers)
    images = summarise([done.scored])['images']
    assert (images['dropped'], images['coverage']) == ((3, 1.0) if every_face else (0, 0.4))


@pytest.mark.parametrize('sent', [3, 5])
def test_an_interrupted_replay_is_no_whole_evaluation(tmp_path, sent):
    """Five images are recorded; as many are sent and answered until Ctrl-C: those after them are not counted as without a face."""
    scene, answers = Scene(duration_s=1.0, rate_hz=5.0), LiveAnswers()
    for t in scene.times_s[:sent]:
        answers.add_image(START_NS + round(t * 1e9), 0.0)
        answers.add(START_NS + round(t * 1e9), '', [HeadPose(scene.truth(t), np.ones(3), 'L1', np.eye(4)[0])], 0.0, False)
    answers.interrupt()
    bag, output = write_bag(tmp_path / 'bag', scene_recording(scene)), tmp_path / 'out'
    options, gate = Options(video=False, truth=('none',)), ['images.coverage < 0.9']
    assert evaluation_node.evaluate_live(bag, output, options, answers, ['evaluation_node'], None, gate) == 130
    record = json.loads((output / 'metrics.json').read_text())
    assert not record['complete'] and record['recordings'][0]['errors'] == ['interrupted: the results until then are kept']
    assert (record['overall']['images']['n'], record['overall']['images']['coverage']) == (sent, 1.0)


def test_a_node_that_is_interrupted_before_any_pose_came_says_so(tmp_path, monkeypatch, capsys):
    """As process.run leaves it: the node was made, and never asked whether it has finished with a yes."""
    bag = write_bag(tmp_path / 'bag', scene_recording(Scene(duration_s=0.4, rate_hz=5.0)))
    node = SimpleNamespace(answers=LiveAnswers(), ended=False)
    monkeypatch.setattr(evaluation_node.running, 'run', lambda make, start, *_: start(node) or 0)
    assert evaluation_node.main(['evaluation_node', str(bag), '--output', str(tmp_path / 'out')]) == 130
    assert 'interrupted before any pose came' in capsys.readouterr().err


def test_live_answers_without_stamps_are_refused_because_no_image_has_one(tmp_path):
    scene, answers = Scene(duration_s=0.4, rate_hz=5.0), LiveAnswers()
    answers.add(0, '', [HeadPose(scene.truth(0), np.ones(3), 'L1', np.eye(4)[0])], 0.0, True)
    bag = write_bag(tmp_path / 'bag', scene_recording(scene, stamps_ns=[0, 0]))
    done = evaluate_recording(bag, 'bag', tmp_path / 'out', Options(video=False), None, answers=answers)
    assert done.scored is None and 'the poses on the live topic have no stamps' in done.errors[0]


def test_a_recording_that_does_not_exist_is_refused_at_once(tmp_path, capsys):
    assert evaluation_node.main(['evaluation_node', str(tmp_path / 'nowhere'), '--output', str(tmp_path / 'output')]) == 2
    assert 'error: there is no recording' in capsys.readouterr().err


@pytest.mark.parametrize('option', [('--model', 'c2f'), ('--max-faces', '2'), ('--recorded-topic', '/a')])
def test_options_of_the_estimator_are_refused_because_the_running_node_answers(option, tmp_path, capsys):
    bag = write_bag(tmp_path / 'bag', scene_recording(Scene(duration_s=0.4, rate_hz=5.0)))
    assert evaluation_node.main(['evaluation_node', str(bag), '--output', str(tmp_path / 'output'), *option]) == 2
    assert f'error: leave out {option[0]}: the running node answers' in capsys.readouterr().err


def wait_for_text(path, text, seconds=30.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f'{text!r} did not come: {path.read_text()}')


def test_poses_mcap_holds_the_very_messages_of_the_node(tmp_path):
    """Field by field, the messages written without ROS equal those the node builds."""
    from std_msgs.msg import Header

    from c2f_head_pose.ros import messages

    pose = HeadPose(
        rotation_from_ypr_deg(np.array([30.0, -20, 10])),
        np.array([3.0, 4, 5]),
        'L2',
        np.array([0.1, 0.7, 0.1, 0.1]),
        FaceBox(1, 2, 30, 40),
        0.9,
        7,
        np.array([0.1, 0.2, 0.8]),
        np.array([0.01, 0.02, 0.03]),
    )
    written = PosesWriter(tmp_path / 'poses.mcap')
    made = messages.head_pose(Header(), pose)
    box = copy.deepcopy(made.pose.pose)
    box.position.x, box.position.y, box.position.z = (pose.t_cam_head_m - pose.R_cam_head @ [0.09, 0, 0]).tolist()
    detection = written._detection(written._make('std_msgs/msg/Header', stamp=None, frame_id=''), pose)
    result = detection.results[0]
    for ours, theirs in ((result.pose.pose, made.pose.pose), (detection.bbox.center, box)):
        assert [getattr(ours.orientation, c) for c in 'xyzw'] == [getattr(theirs.orientation, c) for c in 'xyzw']
        assert [getattr(ours.position, c) for c in 'xyz'] == [getattr(theirs.position, c) for c in 'xyz']
    assert np.allclose(result.pose.covariance, made.pose.covariance)
    assert detection.id == messages.face_frame(pose) and result.hypothesis.class_id == 'L2'
    assert [getattr(detection.bbox.size, c) for c in 'xyz'] == list(HEAD_SIZE_M)
    back = poses_from_message(made, 'geometry_msgs/msg/PoseWithCovarianceStamped')[0]
    assert np.allclose(back.R_cam_head, pose.R_cam_head) and np.allclose(back.rotation_std_deg, pose.rotation_std_deg)
    assert back.category == '', 'this message has no field for it'
    assert np.allclose(back.t_std_m, pose.t_std_m)
    written.close()
