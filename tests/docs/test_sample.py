"""The pipeline on the sample recording: a rendered face with known truth, through detector, tracker, network and filter."""

import json

import cv2
import numpy as np
import pytest

import sample
from c2f_head_pose import EstimatorOptions, HeadPoseEstimator, demo
from c2f_head_pose.detect import FaceDetector
from c2f_head_pose.draw import draw_poses
from c2f_head_pose.geometry import geodesic_deg, rotation_from_ypr_deg, ypr_deg_from_rotation
from c2f_head_pose.track import FaceTracker


@pytest.fixture(scope='module')
def estimator():
    return HeadPoseEstimator.load('c2f_edge')


def run(estimator, frames, **options):
    estimator.reset()
    estimator.options = EstimatorOptions(**options)
    return [estimator.estimate(f.image, f.camera, stamp_s=f.stamp_s) for f in frames]


def test_the_recording_shows_the_head_turning_every_way():
    ypr = np.array([ypr_deg_from_rotation(f.R_cam_head) for f in sample.frames()])
    assert len(ypr) == 300
    assert (ypr.max(0) > [30, 15, 15]).all()
    assert (ypr.min(0) < [-30, -20, -12]).all()


def test_the_face_is_followed_under_one_id_and_read_near_the_truth(estimator):
    frames = sample.frames()
    answers = run(estimator, frames)
    assert [len(a) for a in answers] == [1] * len(frames)
    assert {a[0].track_id for a in answers} == {answers[0][0].track_id}
    errors = geodesic_deg(np.array([f.R_cam_head for f in frames]), np.array([a[0].R_cam_head for a in answers]))
    assert errors.mean() < 8, 'far above what any sensible network does; figures are in training/results'


def test_smoothing_steadies_a_face_and_can_be_switched_off(estimator):
    frames = sample.frames()[:25]  # nearly still
    smoothed, raw = run(estimator, frames), run(estimator, frames, smoothing=False)

    def jitter(answers):
        R = np.array([a[0].R_cam_head for a in answers])
        return geodesic_deg(R[1:], R[:-1]).mean()

    assert jitter(smoothed) < 0.7 * jitter(raw)
    np.testing.assert_array_equal(smoothed[10][0].R_cam_head_unsmoothed, raw[10][0].R_cam_head)


def test_a_single_image_has_no_track(estimator):
    frame = sample.frames()[0]
    (pose,) = estimator.estimate(frame.image, frame.camera)
    assert pose.track_id is None
    assert pose.t_cam_head_m[2] == pytest.approx(0.7, rel=0.3), 'the person sits 0.7 m away; from size alone 15 % is a standard deviation'


def test_two_people_keep_their_ids_while_they_move_past_each_other():
    """Two copies of the face drift apart and together again without touching; each id stays on its own side."""
    image = sample.frames()[0].image
    face = image[100:340, 220:420]
    tracker = FaceTracker(FaceDetector())
    seen = []
    for i in range(40):
        canvas = np.full((480, 900, 3), 110, np.uint8)
        shift = round(100 * np.sin(i / 39 * np.pi))
        canvas[100:340, 120 + shift : 320 + shift] = face
        canvas[140:380, 580 - shift : 780 - shift] = face
        seen.append({t.track_id: t.box.centre[0] for t in tracker.update(canvas, i / 30, EstimatorOptions())})
    assert [set(s) for s in seen] == [set(seen[0])] * 40
    left, right = sorted(seen[0], key=seen[0].get)
    assert all(s[left] < s[right] for s in seen)


def test_an_id_outlives_a_short_gap_and_not_a_long_one():
    """The face is hidden for 0.3 s, then for 1 s; a track is kept for 0.5 s."""
    image = sample.frames()[0].image
    hidden = np.full_like(image, 128)
    tracker = FaceTracker(FaceDetector())

    def ids(picture, stamp_s):
        return [t.track_id for t in tracker.update(picture, stamp_s, EstimatorOptions())]

    first = ids(image, 0.0)
    assert ids(hidden, 0.1) == []
    assert ids(image, 0.3) == first
    assert ids(hidden, 0.4) == []
    assert ids(hidden, 1.2) == []
    again = ids(image, 1.3)
    assert len(again) == 1
    assert again != first


def test_time_that_jumps_back_starts_anew_with_a_new_id(estimator):
    frame = sample.frames()[0]
    estimator.reset()
    (before,) = estimator.estimate(frame.image, stamp_s=100.0)
    (after,) = estimator.estimate(frame.image, stamp_s=5.0)
    assert after.track_id > before.track_id


def test_a_rolled_image_gives_a_rolled_head(estimator):
    """Turning the image clockwise by 20 degrees about the face is a head rolled 20 degrees more (300W-LP: roll > 0 clockwise)."""
    image = sample.frames()[0].image
    (upright,) = estimator.estimate(image)
    turn = cv2.getRotationMatrix2D(upright.box.centre, -20, 1)
    (rolled,) = estimator.estimate(cv2.warpAffine(image, turn, image.shape[1::-1]))
    assert rolled.yaw_pitch_roll_deg[2] - upright.yaw_pitch_roll_deg[2] == pytest.approx(20, abs=6)


def test_a_mirrored_image_gives_a_mirrored_head(estimator):
    image = sample.frames()[50].image
    (a,) = estimator.estimate(image)
    (b,) = estimator.estimate(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(b.yaw_pitch_roll_deg, a.yaw_pitch_roll_deg * [-1, 1, -1], atol=8)


def test_drawing_marks_the_face_and_does_not_change_the_given_image(estimator):
    image = sample.frames()[0].image
    before = image.copy()
    drawing = draw_poses(image, estimator.estimate(image))
    np.testing.assert_array_equal(image, before)
    assert (drawing != image).any()
    assert draw_poses(image[..., 0], []).shape == image.shape


def test_the_demo_command_writes_the_promised_json_and_pictures(tmp_path, capsys):
    for i in (0, 50):
        (tmp_path / 'in' / 'deep').mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / 'in' / 'deep' / f'{i}.png'), sample.frames()[i].image)
    (tmp_path / 'in' / 'broken.jpg').write_bytes(b'nothing')
    status = demo.main([str(tmp_path / 'in'), '--json', str(tmp_path / 'poses.json'), '--output', str(tmp_path / 'out')])
    assert status == 1, 'one picture could not be read'
    assert 'broken.jpg' in capsys.readouterr().err
    records = json.loads((tmp_path / 'poses.json').read_text())
    assert len(records) == 2
    for record in records:
        (face,) = record['faces']
        assert set(face) == {
            'box',
            'score',
            'R_cam_head',
            'yaw_pitch_roll_deg',
            'rotation_std_deg',
            'category',
            'category_probabilities',
            'track_id',
        }
        assert len(face['box']) == 4
        assert face['track_id'] is None
        np.testing.assert_allclose(rotation_from_ypr_deg(face['yaw_pitch_roll_deg']), face['R_cam_head'], atol=1e-9)
    assert (tmp_path / 'out' / 'deep' / '0.png').is_file()


def test_the_demo_command_reads_a_video_with_tracks(tmp_path):
    video = cv2.VideoWriter(str(tmp_path / 'v.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 30, (640, 480))
    for frame in sample.frames()[:8]:
        video.write(frame.image)
    video.release()
    assert demo.main([str(tmp_path / 'v.mp4'), '--json', str(tmp_path / 'poses.json')]) == 0
    records = json.loads((tmp_path / 'poses.json').read_text())
    assert len({r['faces'][0]['track_id'] for r in records}) == 1
    assert records[0]['faces'][0]['track_id'] is not None


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [(['nowhere.jpg'], 'nowhere.jpg does not exist'), (['.', '--model', 'nothing'], "no model 'nothing'"), (['EMPTY'], 'holds no picture')],
)
def test_the_demo_command_names_what_is_wrong(arguments, named, tmp_path, capsys):
    assert demo.main([str(tmp_path) if a == 'EMPTY' else a for a in arguments]) == 2
    assert named in capsys.readouterr().err
