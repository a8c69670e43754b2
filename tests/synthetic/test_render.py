"""Rendered heads: labels, layers, repeatability. Builds the assets with the user's own command if they are not there yet."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from c2f_head_pose import geometry
from training import render as render_command
from training.data.augment import MIRRORED
from training.synthetic import check, dataset, layout, presets
from training.synthetic.assets import fetch as assets_command
from training.synthetic.people import landmarks
from training.synthetic.scene import frames
from training.synthetic.scene.crops import CropMaker, crop_rotation

pytestmark = pytest.mark.render


@pytest.fixture(scope='module')
def assets():
    return assets_command.ensure_assets()


@pytest.fixture(scope='module')
def maker(assets):
    return CropMaker(assets, replace(presets.PRESETS['wide'], crop_size=96, identities=60), seed=5)


def test_the_meshs_landmarks_are_mirrored_as_training_numbers_them(maker):
    points = maker.model.template.vertices[maker.model.landmarks]
    assert np.abs(points[MIRRORED] * [-1, 1, 1] - points).max() < 1e-5  # x to the person's left; metres


def test_labels_are_what_matrices_and_pixels_say(maker):
    errors = check.check_labels(maker, 8)
    assert errors.matrix_deg.max() < 0.01
    assert errors.picture_deg.max() < 0.3
    assert errors.position_mm.max() < 5
    assert errors.depth_mm.max() < 1
    assert errors.misaligned.max() == 0


def test_the_crops_label_is_relative_to_the_ray_through_its_centre(maker):
    row = maker.make(3).row
    ray = np.linalg.inv(row['K_crop']) @ [96 / 2 - 0.5, 96 / 2 - 0.5, 1]
    np.testing.assert_allclose(geometry.ray_rotation(ray) @ row['R_crop_head'], row['R_cam_head'], atol=1e-12)
    np.testing.assert_allclose(crop_rotation(row['K_crop'], row['R_cam_head'], 96), row['R_crop_head'], atol=1e-12)


def test_the_sellion_is_at_the_stated_position_and_the_box_fills_its_share(maker):
    """The sellion is landmark 27; margin 2.2 leaves the landmarks' larger extent 96 / 2.2 = 43.6 pixels."""
    for number in range(4):
        row = maker.make(number).row
        pixel = row['K_crop'] @ row['t_cam_head_m']
        distance = np.linalg.norm(pixel[:2] / pixel[2] + 0.5 - row['landmarks68_px'][landmarks.SELLION])
        assert distance < 3.0  # squints and frowns move the skin there a little
        x1, y1, x2, y2 = row['box_px']
        assert max(x2 - x1, y2 - y1) == pytest.approx(96 / 2.2, abs=1e-3)


def test_colour_mask_and_depth_lie_on_each_other(maker):
    for number in range(4):
        crop = maker.make(number)
        assert crop.image[crop.alpha == 0].max(initial=0) == 0
        inside = crop.alpha == 255
        assert (crop.depth_mm[inside] > 0).mean() > 0.98  # hair that covers colour by chance may miss depth's one sample
        assert (crop.depth_mm[crop.alpha == 0] == 0).all()
        assert 0.15 < inside.mean() < 0.95


def test_a_sample_is_the_same_whatever_was_rendered_before(assets, maker):
    first = maker.make(7)
    maker.make(20)
    other = CropMaker(assets, maker.preset, seed=5).make(7)
    for name in ('image', 'alpha', 'depth_mm'):
        np.testing.assert_array_equal(getattr(first, name), getattr(other, name))
    np.testing.assert_array_equal(first.row['R_cam_head'], other.row['R_cam_head'])


def test_a_stopped_run_goes_on_and_gives_the_same_dataset(tmp_path):
    arguments = [
        '--output',
        str(tmp_path / 'heads'),
        '--count',
        '6',
        '--shard-size',
        '3',
        '--crop-size',
        '64',
        '--identities',
        '20',
        '--workers',
        '1',
    ]
    assert render_command.main(arguments) is None
    second = layout.shard_path(tmp_path / 'heads', 1)
    before = np.load(second / 'image.npy')
    second.rename(tmp_path / 'lost')
    assert len(dataset.SyntheticDataset(tmp_path / 'heads', None)) == 3
    assert render_command.main([*arguments, '--shard', '1/2']) is None
    np.testing.assert_array_equal(np.load(second / 'image.npy'), before)


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(assets, tmp_path, capsys):
    """Where there is one, it renders."""
    command = ['--output', str(tmp_path / 'x'), '--count', '1', '--crop-size', '64', '--identities', '20', '--device', 'gpu']
    status = render_command.main(command)
    assert ('error: --device gpu' in capsys.readouterr().err) == (status == 2) == (not (tmp_path / 'x').exists())


def test_workers_end_when_the_command_is_killed(assets, tmp_path):
    command = [
        sys.executable,
        '-m',
        'training.render',
        '--output',
        str(tmp_path),
        '--count',
        '5000',
        '--shard-size',
        '5000',
        '--crop-size',
        '64',
        '--identities',
        '20',
        '--workers',
        '1',
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        while 'processes on' not in process.stdout.readline():
            assert process.poll() is None
        workers = _children(process.pid)
        assert workers
    finally:
        process.kill()
        process.wait()
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in workers)


def _children(pid):
    return [int(v) for task in Path(f'/proc/{pid}/task').iterdir() for v in (task / 'children').read_text().split()]


def _alive(pid):
    stat = Path(f'/proc/{pid}/stat')
    try:
        return stat.read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_robustness_set_changes_nothing_but_its_condition(assets):
    preset = replace(presets.PRESETS['illumination_angle'], crop_size=64, identities=20)
    maker = CropMaker(assets, preset, seed=2)
    left, right = maker.make(0), maker.make(10)
    np.testing.assert_array_equal(left.row['R_cam_head'], right.row['R_cam_head'])
    np.testing.assert_array_equal(left.depth_mm, right.depth_mm)
    assert (left.row['light_azimuth_deg'], right.row['light_azimuth_deg']) == (pytest.approx(-100), pytest.approx(100))
    assert np.abs(left.image.astype(int) - right.image).mean() > 3


def test_masks_are_black_and_of_the_papers_size(assets):
    maker = CropMaker(assets, replace(presets.PRESETS['occlusion'], identities=20, noise_sigma=0.0), seed=2)
    crop = maker.make(1)
    assert crop.image.shape == (330, 330)
    assert (crop.image[37:293, 37:293] == 0).sum() >= 60 * 120


def test_neutral_faces_are_levelled(maker):
    """The body model alone spreads neutral pitch by 2.8 degrees; ours is level by the face's surface."""
    bias = check.neutral_bias(maker.model, maker.dresser.calibration, 40)
    assert bias.landmarks_before.std() > 2.5
    assert bias.landmarks_after.std() < 0.8 * bias.landmarks_before.std()
    assert bias.surface_before.std() > 1.0
    assert np.abs(bias.surface_after).max() < 1e-6


def test_the_mean_face_lies_on_the_canonical_face(maker):
    """By definition of the zero pose: laying it on again turns it by nothing about x."""
    from training.synthetic.people import identities

    shapes = [identities.neutral_shape(maker.model, p) for p in identities.population(60, 0.5, 9)]
    posed = np.mean([s.vertices[maker.model.landmarks] @ maker.dresser.calibration.rotation(s).T for s in shapes], axis=0)
    again = landmarks.zero_rotation(posed)
    assert abs(np.degrees(np.arctan2(again[2, 1], again[1, 1]))) < 0.5


def test_a_frame_has_its_heads_where_the_labels_say(maker):
    frame = frames.random_frame(maker, 1)
    assert frame.image_bgr.shape == (480, 640, 3)
    for head in frame.heads:
        x, y = (int(v) for v in head.box.centre)
        if 0 <= x < 640 and 0 <= y < 480:
            assert abs(frame.depth_m[y, x] - head.t_cam_head_m[2]) < 0.6


def test_a_recording_needs_no_torch_and_turns_as_scripted(assets):
    code = (
        'import sys; from training.synthetic.recordings.sequence import render_sequence; from c2f_head_pose import geometry\n'
        'frames = list(render_sequence(seconds=2.4, fps=1, depth_model=None))\n'
        'assert "torch" not in sys.modules and "anny" not in sys.modules\n'
        'print(*(round(float(geometry.ypr_deg_from_rotation(f.R_cam_head)[0])) for f in frames))'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=120)
    yaw = [int(v) for v in result.stdout.split()]
    assert len(yaw) == 2
    assert abs(yaw[0]) < 5
