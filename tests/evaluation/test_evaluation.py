"""evaluate_bag from a recording to figures and exit codes, with the real estimator."""

import csv
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bag_making import CAMERA, START_NS, Recording, Scene, image_message, info_message, pose_message, scene_recording, write_bag

from c2f_head_pose.attention import AttentionSettings, monitor
from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation.frames_csv import COLUMNS
from c2f_head_pose.evaluation.sources import RecordedPoses, answered_frames
from c2f_head_pose.geometry import geodesic_deg, rotation_from_quaternion, rotation_from_vector, ypr_deg_from_rotation
from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.recordings.reader import Notes
from c2f_head_pose.recordings.topics import choose_topics

SCENE = Scene(duration_s=4.0, rate_hz=15.0)
MOUNT = rotation_from_vector(np.radians(5) * np.array([0.0, 0.6, 0.8]))


ZONES = Path(__file__).parents[2] / 'config' / 'zones_passenger_car_lhd.yaml'


def run(*arguments):
    return evaluate_bag.main([*map(str, arguments)])


def metrics_of(folder):
    return json.loads((folder / 'metrics.json').read_text())


def rows_of(folder):
    with (folder / 'frames.csv').open(newline='') as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """A recording with truth, evaluated with everything on."""
    folder = tmp_path_factory.mktemp('plain')
    bag = write_bag(folder / 'bag', scene_recording(SCENE))
    assert run(bag, '--output', folder / 'out') == 0
    return bag, folder / 'out'


def test_figures_equal_those_recomputed_from_frames_csv_and_the_truth(plain):
    """The truth is known at any time from the scene; linear interpolation of 100 Hz samples of a slow turn is exact to 0.01 degrees."""
    overall = metrics_of(plain[1])['overall']
    rows = [r for r in rows_of(plain[1]) if r['event'] == 'matched']
    R = np.array([rotation_from_quaternion([float(r[c]) for c in ('qx', 'qy', 'qz', 'qw')]) for r in rows])
    R_true = np.array([SCENE.truth((int(r['stamp_ns']) - START_NS) * 1e-9) for r in rows])
    error = np.degrees(np.arccos(np.clip((np.trace(np.swapaxes(R, 1, 2) @ R_true, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert len(rows) == 60
    for name, value in (
        ('mean', error.mean()),
        ('std', error.std()),
        ('p50', np.median(error)),
        ('p95', np.percentile(error, 95)),
        ('max', error.max()),
    ):
        assert overall['geodesic_deg'][name] == pytest.approx(value, abs=0.02)
    difference = ypr_deg_from_rotation(R) - ypr_deg_from_rotation(R_true)
    for i, axis in enumerate(('yaw', 'pitch', 'roll')):
        assert overall[f'{axis}_deg']['mae'] == pytest.approx(np.abs(difference[:, i]).mean(), abs=0.02)
        assert overall[f'{axis}_deg']['bias'] == pytest.approx(difference[:, i].mean(), abs=0.02)
    assert overall['geodesic_deg']['mean'] == pytest.approx(np.mean([float(r['error_deg']) for r in rows]), abs=1e-3)
    low, high = overall['ci95']['geodesic_deg.mean']
    assert low < overall['geodesic_deg']['mean'] < high
    assert overall['detection'] | {'rate_by_yaw': None} == {
        'true_heads': 60,
        'missed': 0,
        'rate': 1.0,
        'rate_facing': 1.0,
        'unmatched': 0,
        'false_faces': None,
        'id_switches': 0,
        'rate_by_yaw': None,
    }
    assert overall['images']['n'] == 60 and overall['images']['coverage'] == 1


def test_aligned_figures_follow_from_the_reported_alignment(plain):
    record = metrics_of(plain[1])
    alignment = record['recordings'][0]['alignment']
    assert abs(alignment['time_offset_s']) < 0.02
    rows = [r for r in rows_of(plain[1]) if r['event'] == 'matched']
    M = np.array(alignment['rotations'][alignment['side']])
    errors = []
    for r in rows:
        R_true = SCENE.truth((int(r['stamp_ns']) - START_NS) * 1e-9 + alignment['time_offset_s'])
        R_true = R_true @ M if alignment['side'] == 'head' else M @ R_true
        errors.append(geodesic_deg(R_true, rotation_from_quaternion([float(r[c]) for c in ('qx', 'qy', 'qz', 'qw')])))
    assert record['overall']['aligned']['geodesic_deg']['mean'] == pytest.approx(np.mean(errors), abs=0.02)
    assert record['overall']['aligned']['geodesic_deg']['mean'] < record['overall']['geodesic_deg']['mean']


def test_a_planted_time_offset_and_mount_rotation_are_found(plain, tmp_path, capsys):
    """Against the unplanted recording: truth 80 ms later, and turned by 5 degrees."""
    bag = write_bag(tmp_path / 'bag', scene_recording(SCENE, truth_delay_s=0.08, R_mount=MOUNT.T))
    assert run(bag, '--output', tmp_path / 'out', '--no-video', '--no-poses', '--baseline', plain[1]) == 0
    found, before = (metrics_of(f)['recordings'][0]['alignment'] for f in (tmp_path / 'out', plain[1]))
    assert found['time_offset_found'] and found['time_offset_s'] - before['time_offset_s'] == pytest.approx(0.08, abs=0.005)
    turned = np.array(found['rotations']['head']) @ np.array(before['rotations']['head']).T
    assert geodesic_deg(turned, MOUNT) < 0.3
    change = metrics_of(tmp_path / 'out')['recordings'][0]['alignment_change']
    assert change['time_offset_s'] == pytest.approx(0.08, abs=0.005) and change['rotation_deg'] == pytest.approx(5, abs=0.3)
    assert metrics_of(tmp_path / 'out')['overall']['aligned']['geodesic_deg']['mean'] == pytest.approx(
        metrics_of(plain[1])['overall']['aligned']['geodesic_deg']['mean'], abs=0.1
    )
    assert 'mount' in capsys.readouterr().out


@pytest.mark.parametrize('kind', ['sqlite3', 'rosbag1'])
def test_every_kind_of_bag_gives_the_same_figures(plain, tmp_path, kind):
    bag = write_bag(tmp_path / 'bag', scene_recording(SCENE), kind)
    assert run(bag, '--output', tmp_path / 'out', '--no-video', '--no-poses') == 0

    def timeless(record):
        figures = record['overall'] | {'latency_ms': None, 'images': None}
        figures['ci95'] = {k: v for k, v in figures['ci95'].items() if not k.startswith('latency')}
        return figures

    assert timeless(metrics_of(tmp_path / 'out')) == timeless(metrics_of(plain[1]))


def test_poses_mcap_holds_the_estimates_as_the_node_publishes_them(plain):
    rows = rows_of(plain[1])
    with BagFile(plain[1] / 'poses.mcap') as bag:
        assert {t.name: t.count for t in bag.topics.values()} == {
            '/head_pose/head_pose': 60,
            '/head_pose/head_poses': 60,
            '/head_pose/head_angles': 60,
        }
        for message, row in zip(bag.messages(['/head_pose/head_poses']), rows):
            decoded = message.decode()
            assert decoded.header.stamp.sec * 10**9 + decoded.header.stamp.nanosec == int(row['stamp_ns'])
            q = decoded.detections[0].results[0].pose.pose.orientation
            assert np.allclose([q.x, q.y, q.z, q.w], [float(row[c]) for c in ('qx', 'qy', 'qz', 'qw')], atol=1e-7)
            assert decoded.detections[0].id == f'face_{row["track_id"]}'


def test_recorded_poses_score_as_the_estimator_that_made_them(plain, tmp_path):
    """The estimates of the first run are put into a recording beside the images and the truth, and scored from there."""
    made = scene_recording(SCENE)
    for source in ('head_poses', 'head_pose'):
        with BagFile(plain[1] / 'poses.mcap') as bag:
            topic = f'/head_pose/{source}'
            for message in bag.messages([topic]):
                decoded = message.decode()
                made.add(topic, bag.topics[topic].type, message.log_ns + 30_000_000, lambda s, m=decoded: m)
    for message in made.messages:  # one answer is lost
        if message[0] == '/head_pose/head_pose' and message[2] - START_NS < 50_000_000:
            made.messages.remove(message)
            break
    bag = write_bag(tmp_path / 'bag', made)
    before = metrics_of(plain[1])['overall']
    for source in ('head_poses', 'head_pose'):
        assert run(bag, '--output', tmp_path / source, '--no-video', '--recorded-topic', f'/head_pose/{source}') == 0
        overall = metrics_of(tmp_path / source)['overall']
        lost = int(source == 'head_pose')
        assert (overall['images']['dropped'], overall['detection']['missed'], overall['geodesic_deg']['n']) == (0, lost, 60 - lost)
        if not lost:
            assert overall['geodesic_deg']['mean'] == pytest.approx(before['geodesic_deg']['mean'], abs=1e-4)
        assert overall['latency_ms']['publish']['p50'] == pytest.approx(32, abs=0.1)  # recorded 2 ms after its stamp, then 30
        assert overall['calibration']['rms_ratio'] == pytest.approx(before['calibration']['rms_ratio'], rel=0.03 if lost else 1e-3)


def test_a_face_that_a_topic_of_one_pose_misses_is_missed_and_not_dropped(tmp_path):
    """The true pose is recorded at every second of ten images, as a node does that finds nobody in the others."""
    scene, topic = Scene(duration_s=1.0, rate_hz=10.0), '/head_pose/head_pose'
    made, kind = scene_recording(scene), 'geometry_msgs/msg/PoseStamped'
    for t in scene.times_s[::2]:
        ns = START_NS + round(t * 1e9)
        made.add(topic, kind, ns + 3_000_000, lambda s, n=ns, t=t: pose_message(s, scene.truth(t), n, position_m=scene.position_m(t)))
    bag = write_bag(tmp_path / 'bag', made)
    gates = ['--fail-if', 'images.coverage < 0.9', '--fail-if', 'detection.rate < 0.98']
    assert run(bag, '--output', tmp_path / 'out', '--no-video', '--recorded-topic', topic, *gates) == 1
    record = metrics_of(tmp_path / 'out')
    images, detection = record['overall']['images'], record['overall']['detection']
    assert (images['n'], images['dropped'], images['coverage'], detection['missed'], detection['rate']) == (10, 0, 0.5, 5, 0.5)
    assert all(gate['failed'] for gate in record['gate'])
    assert [n for note, n in record['recordings'][0]['notes'].items() if 'Detection3DArray' in note] == [5]


def test_the_video_and_thumbnails_show_the_faces(plain):
    import cv2

    video = cv2.VideoCapture(str(plain[1] / 'annotated.mp4'))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 60
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(15, abs=0.1)
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (640, 480)


def test_misses_and_false_faces_are_counted(tmp_path):
    """The face is away for the middle second of three at 10 Hz while the truth goes on: ten misses."""
    scene = Scene(duration_s=3.0, rate_hz=10.0, absent=lambda t: 0.999 < t < 1.999)
    bag = write_bag(tmp_path / 'bag', scene_recording(scene))
    assert run(bag, '--output', tmp_path / 'out', '--no-video', '--no-poses', '--truth-complete') == 0
    detection = metrics_of(tmp_path / 'out')['overall']['detection']
    assert (detection['true_heads'], detection['missed'], detection['false_faces']) == (30, 10, 0)
    assert detection['rate'] == pytest.approx(2 / 3)
    assert detection['id_switches'] == 1  # away longer than a track lives
    assert [r['event'] for r in rows_of(tmp_path / 'out')].count('missed') == 10


def test_without_truth_the_figures_that_need_none_are_computed(tmp_path):
    bag = write_bag(tmp_path / 'bag', scene_recording(SCENE, truth='none'))
    assert run(bag, '--output', tmp_path / 'out', '--no-video', '--second-model', 'c2f_edge', '--fail-if', 'images.coverage < 1') == 0
    record = metrics_of(tmp_path / 'out')
    assert 'geodesic_deg' not in record['overall'] and record['overall']['agreement_deg']['max'] < 1e-3  # the very same model
    assert any('no truth' in n for n in record['recordings'][0]['notes'])
    assert run(bag, '--output', tmp_path / 'out', '--no-video', '--fail-if', 'geodesic_deg.mean > 6') == 4


def test_the_drivers_attention_covers_the_sample_recording_without_holes(tmp_path, monkeypatch):
    """10 s at 30 Hz. Its truth turns right by 38 degrees from 1.5 to 3 s (the passenger's mirror), left by 41 from 3.7 to 5 s (the
    driver's mirror) and up until 6.4 s, and down by 28 from 6.7 to 7.8 s (the lap). Attentive after return_s = 1 s of the road.
    Between the looks to the left, up and into the lap the road is seen for less than gap_s each time, so they are one glance: it is a long
    distraction once they have lasted long_driving_s together. That time counts from the first road frame to the last; the span of them
    lasts until the next frame, 1/30 s longer. Settings and zones keep away from what a network's errors decide: the road is seen for 0.2
    and 0.3 s, the default gap_s, and before the look to the left for 0.4; the looks last 4 s together, the default long_driving_s; the roof
    begins 17 degrees up at the zones' own head_share, 13 here, and the look up, by 22 degrees, is read as 15 to 18."""
    settings = AttentionSettings(gap_s=0.36, long_driving_s=3.5)
    monkeypatch.setattr(monitor, 'AttentionSettings', lambda: settings)
    zones, sample = tmp_path / 'zones.yaml', ZONES.parents[1] / 'sample' / 'head_motion'
    zones.write_text(ZONES.read_text().replace('elevation: 0.7', 'elevation: 0.55'))
    assert run(sample, '--output', tmp_path, '--no-video', '--no-poses', '--attention', zones) == 0
    spans = metrics_of(tmp_path)['recordings'][0]['attention']
    assert spans[0]['begin_s'] == 0 and spans[-1]['end_s'] == pytest.approx(299 / 30, abs=1e-3)
    assert all(a['end_s'] == b['begin_s'] and a['begin_s'] < a['end_s'] for a, b in itertools.pairwise(spans))
    assert (spans[0]['state'], spans[0]['end_s']) == ('unknown', pytest.approx(1.0, abs=0.04))
    at = {t: next(s for s in spans if s['begin_s'] <= t < s['end_s']) for t in (2.4, 4.4, 6.5, 7.3)}
    assert [(s['state'], s['reason'], s['zone']) for s in at.values()] == [
        ('attentive', 'glance', 'passenger_mirror'),
        ('attentive', 'glance', 'driver_mirror'),
        ('attentive', 'road', 'road_ahead'),
        ('attentive', 'glance', 'lap'),
    ]
    road, lap = at[6.5], at[7.3]
    between = [s for s in spans if at[4.4]['begin_s'] <= s['begin_s'] < lap['begin_s']]
    aside = [s['end_s'] - s['begin_s'] for s in between if s['reason'] == 'glance']
    assert all(s['end_s'] - s['begin_s'] < settings.gap_s + 1 / 30 for s in between if s['reason'] == 'road')
    assert (road['begin_s'], road['end_s']) == (pytest.approx(6.4, abs=0.1), lap['begin_s'])
    distracted = next(s for s in spans if s['state'] == 'distracted')
    assert distracted['reason'] == 'long_distraction'
    assert distracted['begin_s'] == pytest.approx(lap['begin_s'] + settings.long_driving_s - sum(aside), abs=0.04)
    assert {s['state'] for s in spans[1:] if s['end_s'] <= distracted['begin_s']} == {'attentive'}
    assert {s['state'] for s in spans[1:]} == {'attentive', 'distracted'}


def test_gates_set_the_exit_code(plain, tmp_path, capsys):
    """The folder of an earlier evaluation is taken as it is; its errors are some degrees."""
    assert run(plain[1], '--output', tmp_path / 'a', '--fail-if', 'geodesic_deg.mean > 90') == 0
    assert run(plain[1], '--output', tmp_path / 'b', '--fail-if', 'geodesic_deg.mean > 0.01') == 1
    assert run(plain[1], '--output', tmp_path / 'c', '--fail-if', 'geodesic_deg.maen > 1') == 4
    assert run(plain[1], '--output', tmp_path / 'd', '--fail-if', 'geodesic_deg.mean >') == 2
    assert run(plain[1], '--output', tmp_path / 'e', '--baseline', plain[1], '--fail-if', 'baseline.worse > 0') == 0
    assert 'gate: geodesic_deg.mean > 0.01: FAILED' in capsys.readouterr().out


def test_several_recordings_are_evaluated_side_by_side_and_together(plain, tmp_path):
    other = write_bag(tmp_path / 'other', scene_recording(Scene(duration_s=2.0, rate_hz=15.0)))
    bags = [plain[0], other, tmp_path / 'nowhere']
    assert run(*bags, '--output', tmp_path / 'out', '--jobs', 2, '--no-video') == 3
    record = metrics_of(tmp_path / 'out')
    assert [r['name'] for r in record['recordings']] == ['bag', 'other', 'nowhere']
    assert 'does not exist' in record['recordings'][2]['errors'][0] and not record['complete']
    assert record['overall']['geodesic_deg']['n'] == 90
    singles = [r['figures']['geodesic_deg'] for r in record['recordings'][:2]]
    assert record['overall']['geodesic_deg']['mean'] == pytest.approx(sum(s['mean'] * s['n'] for s in singles) / 90)
    assert singles[0]['mean'] == pytest.approx(metrics_of(plain[1])['overall']['geodesic_deg']['mean'], abs=1e-9)
    assert metrics_of(tmp_path / 'out' / 'other')['overall']['geodesic_deg']['n'] == 30
    together = tmp_path / 'together'  # as from several machines
    assert run(tmp_path / 'out' / 'bag', tmp_path / 'out' / 'other', '--output', together) == 0
    assert metrics_of(together)['overall']['geodesic_deg'] == record['overall']['geodesic_deg']


def odd(tmp_path, change):
    made = Recording()
    pictures = [SCENE.image(t) for t in SCENE.times_s[:20]]
    for k, picture in enumerate(pictures):
        image, ns, log_ns = change(k, picture, START_NS + k * 66_666_667)
        made.add('/camera/image_raw', 'sensor_msgs/msg/Image', log_ns, lambda s, p=image, n=ns: image_message(s, p, n))
        made.add('/camera/camera_info', 'sensor_msgs/msg/CameraInfo', log_ns, lambda s, n=ns: info_message(s, CAMERA, n))
    return write_bag(tmp_path / 'bag', made)


def test_mixed_resolutions_are_reported_and_every_image_used(tmp_path):
    bag = odd(tmp_path, lambda k, image, ns: (image if k < 10 else image[::2, ::2].copy(), ns, ns))
    assert run(bag, '--output', tmp_path / 'out') == 0
    record = metrics_of(tmp_path / 'out')
    assert record['overall']['images']['coverage'] == 1
    assert any('320x240' in n for n in record['recordings'][0]['notes'])


def test_stamps_that_go_back_are_reported_and_every_image_used(tmp_path):
    bag = odd(tmp_path, lambda k, image, ns: (image, ns if k < 10 else ns - 2 * 10**9, ns))
    assert run(bag, '--output', tmp_path / 'out', '--no-video') == 0
    record = metrics_of(tmp_path / 'out')
    assert record['overall']['images']['with_face'] == 20
    assert any('go back' in n for n in record['recordings'][0]['notes'])


def test_stamps_in_whole_seconds_freeze_no_pose_and_are_reported(tmp_path):
    """15 images a second: from the third on, 18 of 20 are answered by themselves, as in the node."""
    bag = odd(tmp_path, lambda k, image, ns: (image, ns // 10**9 * 10**9, ns))
    assert run(bag, '--output', tmp_path / 'out', '--no-video') == 0
    record = metrics_of(tmp_path / 'out')
    assert record['overall']['images']['with_face'] == 20
    assert [count for note, count in record['recordings'][0]['notes'].items() if 'stand still' in note] == [18]


def test_images_that_came_late_are_dropped_as_the_node_drops_them_and_end_no_track(tmp_path):
    """Of 20 images the sixth and the sixteenth come after their successors: the stamps of two neighbours are swapped."""
    swapped = {5: 1, 6: -1, 15: 1, 16: -1}
    bag = odd(tmp_path, lambda k, image, ns: (image, ns + swapped.get(k, 0) * 66_666_667, ns))
    assert run(bag, '--output', tmp_path / 'out', '--no-video') == 0
    record = metrics_of(tmp_path / 'out')
    images = record['overall']['images']
    assert (images['n'], images['dropped'], images['with_face'], images['tracks']) == (20, 2, 18, 1)
    assert [count for note, count in record['recordings'][0]['notes'].items() if 'late are left out' in note] == [2]


def test_a_clock_that_is_set_back_by_less_than_a_second_costs_three_images_and_restarts_tracking_once(tmp_path):
    """Images 10 to 12 of 20 are late; from 13 on faces have ids again."""
    bag = odd(tmp_path, lambda k, image, ns: (image, ns if k < 10 else ns - 5 * 10**8, ns))
    assert run(bag, '--output', tmp_path / 'out', '--no-video') == 0
    images = metrics_of(tmp_path / 'out')['overall']['images']
    assert (images['dropped'], images['with_face'], images['tracks']) == (3, 17, 2)
    with (tmp_path / 'out' / 'frames.csv').open() as file:
        assert [row['track_id'] for row in csv.DictReader(file) if row['track_id']] == 10 * ['1'] + 7 * ['2']


def test_a_truncated_recording_keeps_what_comes_before_and_reports_it(plain, tmp_path, capsys):
    bag = write_bag(tmp_path / 'bag', scene_recording(SCENE))
    file = next(bag.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert run(bag, '--output', tmp_path / 'out', '--no-video') == 3
    record = metrics_of(tmp_path / 'out')
    assert 20 <= record['overall']['images']['n'] <= 31 and not record['complete']
    assert 'damaged' in capsys.readouterr().err
    assert len(rows_of(tmp_path / 'out')) == record['overall']['images']['n']


@pytest.mark.parametrize(
    ('arguments', 'code', 'message'),
    [
        (['--image', '/nothing'], 2, 'no topic /nothing'),
        (['--truth', '/nothing'], 3, 'no topic /nothing'),
        (['--truth', '/camera/camera_info'], 3, 'CameraInfo'),
        (['--truth', 'tf:head'], 3, 'no TF'),
        (['--recorded-topic', '/nothing'], 2, 'no topic /nothing'),
        (['--model', 'nothing'], 2, 'nothing'),
        (['--second-model', 'nothing'], 2, "--second-model: no model 'nothing'"),
        (['--second-model', 'c2f_depth'], 2, "--second-model: model 'c2f_depth' reads depth; name one that reads images"),
        (['--recorded-topic', '/a', '--second-model', 'c2f', '--max-faces', '2'], 2, 'leave out --second-model and --max-faces'),
        (['--recorded-topic', '/a', '--no-smoothing'], 2, 'leave out --no-smoothing: no estimator runs with --recorded-topic'),
        (['--recorded-topic', '/a', '--model', 'c2f', '--min-face-px', '40'], 2, 'leave out --model and --min-face-px'),
        (['--recorded-topic', '/nothing', '--image-rotation', '180', '--second-model', ''], 2, 'no topic /nothing'),
        (['--attention', 'nothing.yaml'], 2, 'nothing.yaml'),
        (['--attention', 'truck'], 2, 'shipped are passenger_car_lhd, passenger_car_rhd'),
        (['--attention', 'passenger_car_lhd'], 0, ''),
        (['--attention', ZONES.with_name('hri.yaml')], 2, 'a vehicle profile needs'),
        (['--attention', ZONES, '--camera-elevation-deg', '90'], 2, 'camera elevation must be within'),
        (['--camera-elevation-deg', '15'], 2, '--attention'),
        (['--baseline', 'nothing.json'], 2, 'metrics.json'),
        (['--truth', 'nothing.csv'], 2, '--truth: nothing.csv does not exist'),
        (['--truth', ZONES], 2, 'has no column stamp_ns'),
    ],
)
def test_missing_parts_are_named_and_the_exit_code_shows_how_severe_it_is(tmp_path, capsys, arguments, code, message):
    bag = write_bag(tmp_path / 'bag', scene_recording(Scene(duration_s=0.4, rate_hz=10.0), truth='none'))
    assert run(bag, '--output', tmp_path / 'out', '--no-video', *arguments) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ('option', 'value', 'message'),
    [
        ('--max-gap-s', 'nan', 'nan is not 0 or more'),
        ('--max-gap-s', '-1', '-1 is not 0 or more'),
        ('--truth-offset-s', 'nan', 'nan is not between -1e+10 and 1e+10'),
        ('--truth-offset-s', 'inf', 'inf is not between'),
        ('--truth-offset-s', 'late', "invalid float value: 'late'"),
        ('--limit', '-3', '-3 is not 0 or more'),
        ('--jobs', '0', '0 is not 1 or more'),
        ('--jobs', '-2', '-2 is not 1 or more'),
        ('--jobs', '1.5', "invalid int value: '1.5'"),
        ('--picture-rate-hz', '0', '0 is not between 0.01 and 1000'),
    ],
)
def test_numbers_out_of_range_are_refused_by_the_name_of_their_option(tmp_path, capsys, option, value, message):
    with pytest.raises(SystemExit) as refused:
        run(tmp_path, '--output', tmp_path / 'out', f'{option}={value}')
    assert refused.value.code == 2
    assert f'argument {option}: {message}' in capsys.readouterr().err


def test_an_empty_recording_is_reported(tmp_path, capsys):
    assert run(write_bag(tmp_path / 'bag', Recording()), '--output', tmp_path / 'out') == 2
    assert 'no image topic' in capsys.readouterr().err


def interrupted(signal_number, bags, folder, written):
    """Exit code of evaluate_bag, to which a signal is sent as soon as each of these files has some rows."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'c2f_head_pose.evaluation.bag', *bags, '--output', folder, '--jobs', str(len(written))],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what a shell starts in the background ignores it
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(file.exists() and file.stat().st_size >= 2000 for file in written):
        time.sleep(0.05)
    process.send_signal(signal_number)
    return process.wait(60)


@pytest.fixture(scope='module')
def long_bag(tmp_path_factory):
    """A minute at 15 Hz: 900 images, which no machine evaluates before it is interrupted."""
    return write_bag(tmp_path_factory.mktemp('long') / 'bag', scene_recording(Scene(duration_s=60, rate_hz=15.0)))


def test_an_interrupted_run_leaves_valid_partial_results(tmp_path, long_bag):
    assert interrupted(signal.SIGINT, [long_bag], tmp_path / 'out', [tmp_path / 'out' / 'frames.csv']) == 130
    record = metrics_of(tmp_path / 'out')
    assert 0 < record['overall']['images']['n'] < 900 and not record['complete']
    assert (tmp_path / 'out' / 'poses.mcap').exists() and (tmp_path / 'out' / 'report.html').exists()
    assert set(rows_of(tmp_path / 'out')[0]) == set(COLUMNS)


@pytest.mark.parametrize('signal_number', [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_of_the_command_alone_interrupts_its_workers_too(tmp_path, long_bag, signal_number):
    """kill and supervisors send the signal to one process, a terminal to all. Two of three recordings have begun; the third has an entry,
    so that it is not taken for evaluated."""
    out = tmp_path / 'out'
    assert interrupted(signal_number, [long_bag] * 3, out, [out / 'bag' / 'frames.csv', out / 'bag_2' / 'frames.csv']) == 130
    record = metrics_of(out)
    assert not record['complete'] and [r['name'] for r in record['recordings']] == ['bag', 'bag_2', 'bag_3']
    assert all(0 < r['figures']['images']['n'] < 900 for r in record['recordings'][:2])
    assert 'figures' not in record['recordings'][2] and 'interrupted' in record['recordings'][2]['errors'][0]
    assert record['environment']['model'].startswith('c2f_edge')


def test_memory_is_bounded_by_a_hundred_and_fifty_bytes_a_face():
    """An hour at 30 Hz with one face: 108,000 rows of faces and images, about 15 MB beside an estimator of 250."""
    from c2f_head_pose.evaluation.series import FACE, IMAGE

    assert (FACE.itemsize + IMAGE.itemsize) * 108_000 < 17e6


def test_recorded_poses_hold_only_a_few_seconds(plain):
    with BagFile(plain[1] / 'poses.mcap') as poses, BagFile(plain[0]) as bag:
        source = RecordedPoses(poses, '/head_pose/head_poses')
        for answer in answered_frames(bag, choose_topics(bag), Notes(), source):
            assert len(answer.poses) == 1 and len(source._held) <= 6.1 * 15
