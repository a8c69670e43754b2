"""The node `attention` through the real ROS graph, and its messages."""

import itertools
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy', reason="needs rclpy: source a ROS installation, or pip install '.[ros]'")

from attention_scenes import MOUNT, head
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseWithCovarianceStamped, Twist, TwistStamped
from pasted_faces import Paste, background, paste
from rclpy.parameter import Parameter
from ros_graph import SENSOR, header, image_message, noise
from rosgraph_msgs.msg import Clock as ClockMessage
from std_msgs.msg import Float32, String
from visualization_msgs.msg import Marker, MarkerArray

from c2f_head_pose.attention.settings import AttentionSettings, State
from c2f_head_pose.attention.vehicle_profile import find_zones
from c2f_head_pose.parameters import ParameterError
from c2f_head_pose.pose_messages import head_from_message
from c2f_head_pose.ros import messages, parameters
from c2f_head_pose.ros.attention import input_watch
from c2f_head_pose.ros.attention import messages as attention_messages
from c2f_head_pose.ros.attention import node as attention_node
from c2f_head_pose.ros.attention.node import AttentionNode
from c2f_head_pose.ros.attention.parameters import AttentionParameters
from c2f_head_pose.ros.diagnostics import Report, diagnostic_array, read_reports
from c2f_head_pose.ros.diagnostics import State as HeadPoseState

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).parents[2] / 'config'
ROAD, LAP = (0.0, 0.0), (-9.0, -34.0)


class Driver:
    """A driver before the node: publishes poses, reads decisions."""

    def __init__(self, graph, **overrides):
        self.graph = graph
        self.states = graph.hear(String, '/attention/state')
        self.zones = graph.hear(String, '/attention/zone')
        self.off_road = graph.hear(Float32, '/attention/head_off_road_s')
        self.decisions = graph.hear(DiagnosticArray, '/attention/decision')
        self.looking_at = graph.hear(DiagnosticArray, '/attention/looking_at')
        given = [Parameter(name, value=value) for name, value in overrides.items()]
        self.node = graph.add(AttentionNode(context=graph.context, parameter_overrides=given))
        self.poses = graph.image_publisher(PoseWithCovarianceStamped, '/head_pose', SENSOR)
        self.stamp_s = 100.0
        graph.wait_until(lambda: graph.probe.count_publishers('/attention/decision'), 'the decision topic')
        graph.wait_until(lambda: self.states, 'a first word')

    def look(self, direction, seconds, rate_hz=8, frame_id='camera_optical', mount=MOUNT):
        """Poses at stamps of 1/8 s, each sent once the last was answered; returns the decision about the last."""
        for _ in range(round(seconds * rate_hz)):
            self.stamp_s += 1 / rate_hz
            pose = head(*direction, mount=mount, t_cam_head_m=np.array([0.1, 0.0, 0.7]), t_std_m=np.full(3, 0.01))
            self.poses.publish(messages.head_pose(header(self.stamp_s, frame_id), pose))
            self.graph.wait_until(self.answered, f'the decision at {self.stamp_s}')
        return self.decision()

    def answered(self):
        return any(messages.stamp_s(d.header) == self.stamp_s for d in self.decisions[-20:])

    def decision(self, index=-1):
        return {pair.key: pair.value for pair in self.decisions[index].status[0].values}

    def wait_for(self, state):
        self.graph.wait_until(lambda: self.states[-1].data == state, f'the state {state}')


def test_before_any_pose_the_state_is_unknown_and_the_reason_is_reported(graph):
    driver = Driver(graph)
    assert driver.states[0].data == 'unknown'
    graph.wait_for_log('no head poses', 'see /diagnostics')


@pytest.mark.parametrize(
    'array, topics, remaps',
    [
        (None, '/head_pose;', 'remap head_pose:=/head_pose/head_pose'),
        (PoseWithCovarianceStamped, '/head_pose or /head_poses;', 'head_pose:=/head_pose/head_pose and head_poses:=/head_pose/head_poses'),
    ],
    ids=['without vision_msgs', 'with vision_msgs'],
)
def test_while_nobody_publishes_poses_the_log_names_the_remap_of_each_input(graph, monkeypatch, array, topics, remaps):
    """Another type stands for vision_msgs/Detection3DArray, which the pip wheels do not have."""
    monkeypatch.setattr(attention_node, 'Detection3DArray', array)
    graph.add(AttentionNode(context=graph.context))
    assert graph.wait_for_log('nobody publishes ' + topics, remaps).endswith(remaps)


def test_a_phone_in_the_lap_is_reported_as_a_distraction_with_the_frames_stamp(graph):
    """2 s of road; the lap from the next frame on. The first frame in the lap at t0 = 102.125; 3.0 s later, 105.125, distracted."""
    driver = Driver(graph)
    assert driver.look(ROAD, 2)['state'] == 'attentive'
    said = driver.look(LAP, 3)
    assert (said['state'], said['reason'], said['zone']) == ('attentive', 'glance', 'lap')
    said = driver.look(LAP, 0.125)
    assert (said['state'], said['reason'], said['head off road s']) == ('distracted', 'long_distraction', '3.000')
    assert driver.stamp_s == 105.125 and driver.decisions[-1].header.frame_id == 'camera_optical'
    graph.wait_until(lambda: driver.states[-1].data == 'distracted' and driver.zones[-1].data == 'lap', 'state and zone')
    assert driver.off_road[-1].data == pytest.approx(3.0)


def test_input_that_stops_is_unknown_within_its_time_and_reported_repeatedly(graph):
    """stale_s = 1 s and a tick of 0.1 s; afterwards the state is repeated, so that a late listener hears it too."""
    driver = Driver(graph)
    driver.look(ROAD, 2)
    driver.wait_for('unknown')
    graph.wait_until(lambda: driver.decision()['reason'] == 'stale', 'the reason')
    count = len(driver.states)
    graph.wait_until(lambda: len(driver.states) > count + 3, 'more of it')
    assert {s.data for s in driver.states[count:]} == {'unknown'}


def test_a_camera_whose_stamp_stands_still_is_stale_although_poses_arrive(graph):
    """The last new stamp is 102.0; stale_s = 1 s later, and not in between again, the state is unknown, and the log names the stamp."""
    driver = Driver(graph)
    assert driver.look(ROAD, 2)['state'] == 'attentive'
    frozen = messages.head_pose(header(driver.stamp_s), head(*ROAD))
    graph.wait_until(lambda: driver.poses.publish(frozen) or driver.decision()['reason'] == 'stale', 'stale')
    count = len(driver.decisions)
    graph.wait_until(lambda: driver.poses.publish(frozen) or any('the stamp of an earlier one' in line for line in graph.log), 'the cause')
    assert {driver.decision(i)['reason'] for i in range(count, len(driver.decisions))} == {'stale'}
    assert driver.node._frames_ignored > 0
    assert driver.look(ROAD, 1.125)['state'] == 'attentive'


def status_of(publisher, text='', **stated):
    """A status as the head_pose node publishes it: the text is for people, the values are for programs."""
    values = [KeyValue(key=key, value=value) for key, value in stated.items()]
    publisher.publish(DiagnosticArray(header=header(), status=[DiagnosticStatus(name='probe: head pose', message=text, values=values)]))


@pytest.mark.parametrize(
    'text, reported, state, reason',
    [
        ('no face', 'no_face', 'absent', 'nobody'),
        ('images have stopped: camera unplugged', 'silent', 'unknown', 'blind'),
        ('niemand im Bild', 'no_face', 'absent', 'nobody'),
        ('ok', 'model_failed', 'unknown', 'blind'),
    ],
)
def test_nobody_there_and_a_blind_camera_are_distinguished_by_the_states_name(graph, text, reported, state, reason):
    """The head_pose node states which on /diagnostics, whatever its text; the car's speed is unknown, so nobody there is absent."""
    driver = Driver(graph)
    driver.look(ROAD, 2)
    diagnostics = graph.probe.create_publisher(DiagnosticArray, '/diagnostics', 10)
    graph.wait_until(lambda: status_of(diagnostics, text, state=reported) or driver.decision()['reason'] == reason, reason)
    driver.wait_for(state)


@pytest.mark.parametrize('stated', [{}, {'state': 'no face'}, {'state': 'newer_than_this_version'}])
def test_a_status_without_a_known_states_name_is_ignored(graph, stated):
    """Its text reads 'no face', which is for people: nothing is known, so the state is stale after 1 s and never 'nobody'."""
    driver = Driver(graph)
    driver.look(ROAD, 2)
    diagnostics = graph.probe.create_publisher(DiagnosticArray, '/diagnostics', 10)
    graph.wait_until(lambda: status_of(diagnostics, 'no face', **stated) or driver.decision()['reason'] == 'stale', 'stale')
    count = len(driver.decisions)
    graph.wait_until(lambda: status_of(diagnostics, 'no face', **stated) or len(driver.decisions) > count + 25, '2.5 s more')
    assert {driver.decision(i)['reason'] for i in range(count, len(driver.decisions))} == {'stale'}


@pytest.mark.parametrize('state', HeadPoseState)
def test_every_state_of_the_head_pose_node_is_read_back_as_it_was_written(state):
    written = diagnostic_array(header().stamp, '/front/head_pose', 'cam', state, 'some reason', {'faces': '2'})
    assert read_reports(written) == [Report('front/head_pose', state, 'cam', 2)]
    written = diagnostic_array(header().stamp, 'head_pose', 'cam', state, '', {'faces': '2', 'faces in seat_region': '0'})
    assert read_reports(written) == [Report('head_pose', state, 'cam', 0)]


def test_a_degraded_camera_that_finds_nobody_is_not_blind(graph):
    """It looks, less well than it could: nobody there is absent."""
    driver = Driver(graph)
    driver.look(ROAD, 2)
    diagnostics = graph.probe.create_publisher(DiagnosticArray, '/diagnostics', 10)
    graph.wait_until(lambda: status_of(diagnostics, state='degraded', faces='0') or driver.decision()['reason'] == 'nobody', 'nobody')
    driver.wait_for('absent')


def test_a_moving_car_with_nobody_seen_has_a_blind_camera(graph):
    driver = Driver(graph)
    speed = graph.probe.create_publisher(TwistStamped, '/speed', SENSOR)
    diagnostics = graph.probe.create_publisher(DiagnosticArray, '/diagnostics', 10)
    driver.look(ROAD, 2)
    twist = TwistStamped()
    twist.twist.linear.x = 20.0

    def told():
        speed.publish(twist)
        status_of(diagnostics, state='no_face')
        return driver.decision()['reason'] == 'no_face_while_moving'

    graph.wait_until(told, 'no face while moving')
    driver.wait_for('unknown')


def test_frames_of_a_replay_slower_than_reports_all_count(graph):
    """Frames at 100.5, 101.0, 101.5 s, each sent only once the estimated time has passed the next one's: the last is attentive.

    The road is seen for return_s = 1 s then. While nothing comes, 'nobody' is reported, at times that the frames then refute.
    """
    driver = Driver(graph)
    diagnostics = graph.probe.create_publisher(DiagnosticArray, '/diagnostics', 10)
    for _ in range(3):
        decided = driver.look(ROAD, 0.5, rate_hz=2)
        if driver.stamp_s < 101.5:
            graph.wait_until(
                lambda: status_of(diagnostics, state='no_face') or messages.stamp_s(driver.decisions[-1].header) > driver.stamp_s + 0.9,
                'the estimated time',
            )
    assert (driver.stamp_s, decided['state'], driver.node._frames_ignored) == (101.5, 'attentive', 0)


def test_under_a_slow_clock_a_quiet_second_is_not_stale_and_under_a_stopped_one_it_is(graph):
    """/clock runs at a twentieth: in two real seconds it moves by 0.1 s, well below stale_s = 1 s. Once it stands still, stale."""
    driver = Driver(graph, use_sim_time=True)
    clock = graph.probe.create_publisher(ClockMessage, '/clock', 10)
    started_s = time.monotonic()

    def tick():
        at_s = 100 + (time.monotonic() - started_s) / 20
        clock.publish(ClockMessage(clock=header(at_s).stamp))

    graph.wait_until(lambda: tick() or driver.node.get_clock().now().nanoseconds > 100e9, 'the clock')
    driver.look(ROAD, 2)
    count, until_s = len(driver.decisions), time.monotonic() + 2
    graph.wait_until(lambda: tick() or time.monotonic() > until_s, 'two seconds')
    assert 'stale' not in {driver.decision(i)['reason'] for i in range(count, len(driver.decisions))}
    graph.wait_until(lambda: driver.decision()['reason'] == 'stale', 'stale without a clock')


def test_speed_decides_which_glances_count_and_becomes_stale(graph):
    """At 2 m/s a long look aside is not judged; once the speed is older than speed_timeout_s it is unknown, and judged."""
    driver = Driver(graph, speed_timeout_s=60.0)
    speed = graph.probe.create_publisher(TwistStamped, '/speed', SENSOR)
    graph.wait_until(speed.get_subscription_count, 'a subscription of /speed')
    twist = TwistStamped()
    twist.twist.linear.x = 2.0
    speed.publish(twist)
    graph.wait_until(lambda: driver.node._current_motion().speed_mps == 2.0, 'the speed')
    driver.look(ROAD, 2)
    assert driver.look(LAP, 3.5)['reason'] == 'not_judged_at_low_speed'
    driver.node.set_parameters([Parameter('speed_timeout_s', value=0.1)])
    driver.look(ROAD, 2)
    graph.wait_until(lambda: driver.node._current_motion().speed_mps is None, 'the speed going stale')
    assert driver.look(LAP, 3.5)['state'] == 'distracted'


def test_a_speed_that_comes_once_a_second_stays_known(graph):
    """As from most GPS receivers: 20 ms late, or one message lost (2.02 s), it is still known; after three periods it is not."""
    driver = Driver(graph)
    speed = graph.probe.create_publisher(TwistStamped, '/speed', SENSOR)
    graph.wait_until(speed.get_subscription_count, 'a subscription of /speed')
    speed.publish(TwistStamped())
    graph.wait_until(lambda: driver.node._current_motion().speed_mps == 0.0, 'the speed')
    heard_s = driver.node._play.now_s()
    for age_s, speed_mps in ((1.02, 0.0), (2.02, 0.0), (3.0, None)):
        driver.node._motion_s = heard_s - age_s
        assert driver.node._current_motion().speed_mps == speed_mps, age_s


def test_a_speed_of_another_type_is_reported_with_the_remedy(graph, monkeypatch):
    """As of vehicle interfaces that publish Twist: DDS delivers nothing, and the car's speed stays unknown."""
    monkeypatch.setattr(input_watch, '_SILENCE_S', 0.3)
    graph.stranger().create_publisher(Twist, '/vehicle/twist', 10)
    graph.add(AttentionNode(context=graph.context, cli_args=['--ros-args', '-r', 'speed:=/vehicle/twist']))
    words = '/vehicle/twist is published as geometry_msgs/msg/Twist, not geometry_msgs/msg/TwistStamped; remap speed'
    graph.wait_for_log('the speed is unknown', words)


def test_a_speed_whose_qos_does_not_fit_is_reported(graph, monkeypatch):
    """Attention reads a speed of any reliability; a middleware or an override may still ask for more than is offered."""
    monkeypatch.setattr(input_watch, '_SILENCE_S', 0.3)
    monkeypatch.setattr(input_watch, 'explain_mismatch', lambda node, topic, qos: f'{topic} has incompatible QoS')
    graph.probe.create_publisher(TwistStamped, '/speed', 10)
    graph.add(AttentionNode(context=graph.context))
    graph.wait_for_log('the speed is unknown', '/speed has incompatible QoS')


@pytest.mark.parametrize('seat, words', [('any', ''), ('left', 'seat (left) excludes nobody')])
def test_poses_without_a_position_are_logged_whatever_the_seat(graph, monkeypatch, seat, words):
    """Without camera_info a pose has no position: a variance of 1e6. The first images may come before the calibration."""
    monkeypatch.setattr(input_watch, '_SILENCE_S', 0.3)
    driver = Driver(graph, seat=seat)
    count = itertools.count(1)

    def unplaced():
        driver.poses.publish(messages.head_pose(header(driver.stamp_s + next(count) / 1000), head(*ROAD)))
        return any('poses have no position' in line for line in graph.log)

    unplaced()
    driver.look(ROAD, 0.5)
    assert not unplaced()
    graph.wait_until(unplaced, 'the log')
    assert words in graph.wait_for_log('poses have no position', 'publish camera_info for head_pose')


def test_poses_in_the_vehicles_frame_need_no_mount(graph):
    driver = Driver(graph, camera_azimuth_deg=90.0)
    assert driver.look(ROAD, 2, frame_id='base_link', mount=np.eye(3))['state'] == 'attentive'
    assert 'vehicle axes' in graph.wait_for_log('vehicle axes')


def test_a_person_who_faces_the_camera_looks_at_it(graph):
    """A head 0.1 m beside the optical axis and 0.7 m away, facing straight back: 8 degrees off the camera, within 15."""
    driver = Driver(graph)
    driver.look(ROAD, 1)
    graph.wait_until(lambda: driver.looking_at and driver.looking_at[-1].status[0].message == 'camera', 'looking at the camera')
    driver.look((60.0, 0.0), 1)
    graph.wait_until(lambda: driver.looking_at[-1].status[0].values[0].value == 'no', 'looking away')


@pytest.mark.parametrize('step_s', [1.5, 0.125])
def test_whoever_looks_at_the_camera_does_between_frames_too_where_they_are_rare_or_replayed_slowly(graph, step_s):
    """Six frames, each sent once the node has answered for 0.7 s after the last one without a frame: half of the first step, and more
    than four of the second. The second of the first ones decides, and the fourth of the second, 0.375 s after the first."""
    driver = Driver(graph)
    for _ in range(6):
        driver.look(ROAD, step_s, rate_hz=1 / step_s)
        graph.wait_until(lambda: messages.stamp_s(driver.decisions[-1].header) > driver.stamp_s + 0.7, 'answers between frames')
    said = [message.status[0].values[0].value for message in driver.looking_at]
    decided = said.index('yes')
    assert set(said[:decided]) <= {'unknown'} and set(said[decided:]) == {'yes'}


def test_health_is_an_error_while_nothing_comes_and_a_warning_while_distracted(graph):
    driver = Driver(graph)
    health = graph.hear(DiagnosticArray, '/diagnostics')

    def newest():
        own = [s for m in health for s in m.status if s.name == 'attention: driver attention']
        return own[-1] if own else None

    graph.wait_until(lambda: newest() and newest().level == DiagnosticStatus.ERROR, 'an error')
    assert 'no head poses' in newest().message
    driver.look(ROAD, 2)
    driver.look(LAP, 4)
    graph.wait_until(lambda: newest().level == DiagnosticStatus.WARN, 'a warning')
    values = {pair.key: pair.value for pair in newest().values}
    assert values['pose age ms'] == '', 'stamps from 100 s on are of another clock'


def test_markers_show_the_zones_the_face_and_the_state(graph):
    shown = graph.hear(MarkerArray, '/attention/markers')
    driver = Driver(graph)
    graph.wait_until(driver.node._outputs._markers.get_subscription_count, 'a subscription of the markers')
    driver.look(ROAD, 1.5)
    graph.wait_until(lambda: any('attentive: road' in m.text for a in shown for m in a.markers), 'the state in text')
    zones = [m for m in shown[-1].markers if m.ns == 'zones']
    assert len(zones) == len(find_zones('passenger_car_lhd').zones) and all(m.type == Marker.LINE_STRIP for m in zones)
    arrow = next(m for m in shown[-1].markers if m.ns == 'face')
    tip = np.array([arrow.points[1].x, arrow.points[1].y, arrow.points[1].z])
    assert tip == pytest.approx([0.1, 0.0, 0.3]), 'from (0.1, 0, 0.7) 0.4 m towards the camera'


def test_a_wrong_parameter_is_refused_with_the_shipped_names(graph):
    with pytest.raises(ValueError, match=r'zones.*truck.*passenger_car_lhd, passenger_car_rhd'):
        AttentionNode(context=graph.context, parameter_overrides=[Parameter('zones', value='truck')])
    with pytest.raises(ValueError, match=r'uncertain_s'):
        AttentionNode(context=graph.context, parameter_overrides=[Parameter('uncertain_s', value=9.0)])


def test_behind_the_real_head_pose_node_an_empty_car_is_absent_and_a_dead_camera_unknown(graph):
    """Images in which nobody is; then none. What head_pose says of itself on /diagnostics is understood as it is written."""
    remaps = ['--ros-args', '-r', 'head_pose:=/head_pose/head_pose', '-r', 'head_poses:=/head_pose/head_poses']
    states = graph.hear(String, '/attention/state')
    decisions = graph.hear(DiagnosticArray, '/attention/decision')
    graph.head_pose_node(silence_timeout_s=1.0)
    graph.add(AttentionNode(context=graph.context, cli_args=remaps))
    images = graph.image_publisher()
    picture, count = noise(120, 160), itertools.count(1)

    def empty_car():
        images.publish(image_message(picture, 50 + next(count) / 8))
        return states and states[-1].data == 'absent'

    graph.wait_until(empty_car, 'absent')
    graph.wait_until(lambda: decisions[-1].status[0].message == 'unknown: blind', 'a blind camera')


def test_behind_the_real_head_pose_node_a_face_outside_seat_region_is_nobody(graph):
    """The only face is at the left, the region the right half: no `~/head_pose` comes, and head_pose states why."""
    health = graph.hear(DiagnosticArray, '/diagnostics')
    decisions = graph.hear(DiagnosticArray, '/attention/decision')
    graph.head_pose_node(seat_region=[0.5, 0.0, 1.0, 1.0], silence_timeout_s=1.0)
    graph.add(AttentionNode(context=graph.context, cli_args=['--ros-args', '-r', 'head_pose:=/head_pose/head_pose']))
    images, picture, count = graph.image_publisher(), background(640, 480, 'soft', 1), itertools.count(1)
    paste(picture, Paste(110, 70, 240))

    def newest(name):
        return next((s for m in reversed(health) for s in m.status if s.name.startswith(name)), None)

    def sent(met):
        images.publish(image_message(picture, 50 + next(count) / 8))
        graph.spin_for(0.1)
        return met()

    graph.wait_until(lambda: sent(lambda: decisions and decisions[-1].status[0].message == 'absent: nobody'), 'absent')
    assert {pair.key: pair.value for pair in newest('head_pose').values}['faces in seat_region'] == '0'
    graph.wait_until(lambda: sent(lambda: newest('attention').level != DiagnosticStatus.ERROR), 'no error')
    graph.wait_until(lambda: sent(lambda: any('none in seat_region [0.5, 0, 1, 1]' in line for line in graph.log)), 'the log')


# Messages and parameters, without the graph.


def test_a_published_head_comes_back_with_its_deviation_in_head_axes():
    """The covariance in the message is R diag(s^2) R^T about the camera's axes; read back, s in head axes, degrees."""
    pose = head(20, -10, t_cam_head_m=np.array([0.1, 0.2, 0.7]), t_std_m=np.full(3, 0.02))
    pose = type(pose)(
        pose.R_cam_head, np.array([1.0, 2.0, 6.0]), 'L1', pose.category_probabilities, t_cam_head_m=pose.t_cam_head_m, t_std_m=pose.t_std_m
    )
    message = messages.head_pose(header(), pose).pose
    back = head_from_message(message.pose.orientation, message.pose.position, message.covariance)
    assert back.R_cam_head == pytest.approx(pose.R_cam_head)
    assert back.rotation_std_deg == pytest.approx([1, 2, 6])
    assert back.t_cam_head_m == pytest.approx([0.1, 0.2, 0.7]) and back.t_std_m == pytest.approx([0.02] * 3)


def test_the_committed_yaml_is_the_generated_one_and_holds_the_settings_defaults():
    text = (CONFIG / 'attention.yaml').read_text()
    assert text == parameters.yaml_text(AttentionParameters, 'attention', 'attention.parameters'), (
        'run: python -m c2f_head_pose.ros.attention.parameters --yaml > config/attention.yaml'
    )
    table = AttentionParameters.from_values(yaml.safe_load(text)['/**']['ros__parameters'])
    assert table == AttentionParameters()
    for row in fields(AttentionSettings):
        assert getattr(table.settings, row.name) == pytest.approx(getattr(AttentionSettings(), row.name), abs=1e-3)


def test_a_profile_is_found_by_name_or_path_and_refused_with_a_remedy(tmp_path):
    assert AttentionParameters(zones='passenger_car_rhd').zone_map.name == 'passenger_car_rhd'
    assert AttentionParameters(zones=str(CONFIG / 'zones_passenger_car_lhd.yaml')).zone_map.name == 'passenger_car_lhd'
    for name in ('nowhere', str(tmp_path / 'nowhere.yaml')):
        with pytest.raises(ParameterError, match='zones cannot be'):
            AttentionParameters.from_values({'zones': name})


def test_a_mirrored_profile_is_read_again_once_its_original_was_edited(tmp_path):
    """As shipped, the car with the wheel on the right names the other one's file, which alone is edited."""
    for side in ('lhd', 'rhd'):
        (tmp_path / f'own_{side}.yaml').write_text(
            (CONFIG / f'zones_passenger_car_{side}.yaml').read_text().replace('zones_passenger_car_', 'own_')
        )
    original, zones = tmp_path / 'own_lhd.yaml', str(tmp_path / 'own_rhd.yaml')
    before = AttentionParameters.from_values({'zones': zones})
    original.write_text(original.read_text().replace('azimuth: 0.8', 'azimuth: 0.5'))
    after = before.changed({'zones': zones}, True)
    assert (before.zone_map.head_share, after.zone_map.head_share) == ((0.8, 0.7), (0.5, 0.7))


@pytest.mark.parametrize('spoil', [lambda path: path.write_text('zones: [half written'), Path.unlink], ids=['damaged', 'deleted'])
def test_a_profile_that_is_spoilt_while_the_node_runs_leaves_the_zones_that_were_read(graph, tmp_path, spoil):
    """The decision begins anew with another frame, for which the zones are needed; a change of parameters reads the file again."""
    path = tmp_path / 'own.yaml'
    path.write_text((CONFIG / 'zones_passenger_car_lhd.yaml').read_text())
    driver = Driver(graph, zones=str(path))
    health = graph.hear(DiagnosticArray, '/diagnostics')
    assert driver.look(ROAD, 0.5)['zone'] == 'road_ahead'
    spoil(path)
    health.clear()
    graph.wait_until(lambda: health, 'the health')
    assert {pair.key: pair.value for pair in health[-1].status[0].values}['vehicle'] == 'passenger_car_lhd'
    assert driver.look(ROAD, 0.5, frame_id='other')['zone'] == 'road_ahead'
    refused = driver.node.set_parameters([Parameter('seat', value='left')])[0]
    assert not refused.successful and f'zones cannot be {str(path)!r}' in refused.reason
    assert driver.node._declared.parameters.zone_map.name == 'passenger_car_lhd'


def test_targets_are_named_with_commas():
    assert AttentionParameters(looking_at=' camera, robot_head ,camera').targets == ['camera', 'robot_head']
    assert AttentionParameters(looking_at='none').targets == []


def test_every_state_has_a_level_and_a_colour():
    assert set(attention_messages._LEVELS) == set(attention_messages._COLOURS) == set(State)
