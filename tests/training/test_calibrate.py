"""Calibrated standard deviations: a scale by axis, measured on held-out people, in the exported graph and its metadata."""

import numpy as np
import pytest
import torch
from stand_in_portraits import FIT, write_portraits
from tiny_training import ALONE, tiny_config

from c2f_head_pose import geometry
from c2f_head_pose.engine import open_engine
from c2f_head_pose.engine.onnxruntime_engine import open_session
from training import export
from training.data.crops import SyntheticCrops
from training.data.portrait_turns import labels_of_the_fit
from training.exporting.calibrate import HeldOut, held_out_faces, ratios, scaled, std_scale
from training.loop import checkpoint
from training.loop.run import Run
from training.loop.validate import estimate, held_out
from training.models.factory import build
from training.models.symmetric import Symmetric
from training.synthetic import stand_in

SINGLE = tiny_config(network=tiny_config().network | {'dropout': 0.0, 'gating': 'single'})
SOFT = tiny_config(network=tiny_config().network | {'dropout': 0.0})


def maker(config, mirrored=False):
    """Makes a configuration's network, or its mean over a mirror image, from weights."""

    def make(weights):
        network = build(config.network).eval()
        network.load_state_dict(weights)
        return Symmetric(network).eval() if mirrored else network

    return make


def weights_of(config):
    torch.manual_seed(0)
    return build(config.network).state_dict()


def faces_that_err(network, sd_over_std, count=800):
    """Faces whose errors about x, y, z are Gaussian, `sd_over_std` times the deviations that the network states."""
    rng = np.random.default_rng(0)
    crops = torch.from_numpy(rng.integers(0, 256, (count, 1, 48, 48), np.uint8))
    R, std, _ = estimate(network, crops)
    d = rng.normal(size=(count, 3)) * std * sd_over_std
    return HeldOut('made up', crops, R.astype(float) @ np.stack([geometry.rotation_from_vector(v) for v in d]))


def test_the_scale_is_the_ratio_of_the_errors_to_the_deviations():
    """Errors of 0.5, 1.5 and 2 stated deviations; 800 samples give a quantile to about 5 %. Nothing is narrowed: 1 for 0.5."""
    make, weights = maker(SINGLE), weights_of(SINGLE)
    faces = faces_that_err(make(weights), np.array([0.5, 1.5, 2.0]))
    scale = std_scale(weights, make, [faces])
    assert scale == pytest.approx([1.0, 1.5, 2.0], rel=0.08) and scale[0] == 1
    middle = np.median(ratios(make(scaled(weights, scale)), faces), axis=0)
    assert middle == pytest.approx([0.337, 0.6745, 0.6745], abs=0.06)  # 0.6745 is the median of a Gaussian's |d|


@pytest.mark.parametrize('mirrored', [False, True])
def test_deviations_of_a_mixture_cover_as_a_gaussian_does(mirrored):
    """The regressors' disagreement is not scaled, so the scale is found in rounds: 68.3 % within one afterwards, by axis."""
    make, weights = maker(SOFT, mirrored), weights_of(SOFT)
    faces = faces_that_err(make(weights), np.array([1.3, 1.6, 1.2]))
    before = (ratios(make(weights), faces) <= 1).mean(0)
    after = (ratios(make(scaled(weights, std_scale(weights, make, [faces]))), faces) <= 1).mean(0)
    assert (before < 0.63).all() and after == pytest.approx(0.683, abs=0.02)


def test_networks_with_constant_deviations_are_scaled_and_others_refused():
    assert scaled({'std_rad': torch.tensor([0.1, 0.2, 0.3])}, np.array([2.0, 1.0, 0.5]))['std_rad'].tolist() == pytest.approx(
        [0.2, 0.2, 0.15]
    )
    with pytest.raises(ValueError, match='no standard deviations to calibrate'):
        scaled({'weight': torch.zeros(1)}, np.ones(3))
    make, weights = maker(SINGLE), weights_of(SINGLE)
    with pytest.raises(ValueError, match='do not fit the network'):
        std_scale(weights, make, [faces_that_err(make(weights), np.full(3, 30.0), 100)])


def test_a_calibration_keeps_at_least_the_scale_that_is_given():
    """Errors of a hundredth of the deviations would keep 1, 1, 1; given are 1.2, 1, 1.4. Nothing is narrowed: 0.5 counts as 1."""
    make, weights = maker(SINGLE), weights_of(SINGLE)
    faces = faces_that_err(make(weights), np.full(3, 0.01), 200)
    assert np.allclose(std_scale(weights, make, [faces], (1.2, 1.0, 1.4)), (1.2, 1.0, 1.4))
    assert np.allclose(std_scale(weights, make, [faces], (0.5, 1.0, 1.4)), (1.0, 1.0, 1.4))


@pytest.fixture(scope='module')
def portraits(tmp_path_factory):
    """Stand-in heads as portraits: 52 held-out pictures in each split, whose fit is 5 degrees about y from the labels' own poses."""
    folder = tmp_path_factory.mktemp('portraits')
    write_portraits(folder, 520)
    return folder


def test_the_fit_gives_a_second_label_to_every_turn(portraits):
    """A label is D R_base and the fit's D R_fit, with R_fit = R_base exp(5 degrees about y): so each label is turned by that alone."""
    data = SyntheticCrops([portraits], 'val')
    labels = labels_of_the_fit(portraits, data.table['identity'], data.table['R_cam_head'])
    assert np.allclose(labels, data.table['R_cam_head'] @ FIT)
    faces = held_out_faces(portraits, 'val', SINGLE)
    own = held_out_faces_of_labels(data)
    assert np.abs(np.swapaxes(own, 1, 2) @ faces.R_true - FIT).max() < 1e-5 and "the fit's labels" in faces.name
    with pytest.raises(ValueError, match='no turns of portrait 77'):
        labels_of_the_fit(portraits, np.array([77]), np.eye(3)[None])


def test_other_labels_replace_those_of_samples_that_are_held(portraits):
    """The copy on the device has the dataset's labels; each is turned by FIT, and `gather` must return it so."""
    data = SyntheticCrops([portraits], 'val')
    assert data.hold('cpu', 10**9)
    other, rows = data.relabelled(data.table['R_cam_head'] @ FIT), np.arange(3)
    assert np.allclose(other.gather(rows).R_cam_head, data.table['R_cam_head'][rows] @ FIT, atol=1e-6)
    assert np.allclose(data.gather(rows).R_cam_head, data.table['R_cam_head'][rows], atol=1e-6)


def held_out_faces_of_labels(data):
    """The rotations of the dataset's own labels, as its clean crops have them."""
    return held_out(data, SINGLE, disturbed=False)[1]


def test_the_exported_file_and_weights_state_calibrated_deviations(portraits, tmp_path, capsys):
    """One regressor, so the stated deviations are exactly the scale times the network's own; the rotation does not change."""
    config = tiny_config(network=SINGLE.network, steps=3, log_every=100)
    Run(config, SyntheticCrops([portraits], 'train'), None, tmp_path, ALONE).go()
    command = [str(tmp_path / 'final.pt'), '--name', 'x', '--training-data', 'stand-in heads']
    assert not export.main([*command, '--out', str(tmp_path / 'own')])
    assert not export.main([*command, '--out', str(tmp_path / 'scaled'), '--calibrate', str(portraits)])
    assert 'before, within 1: ' in (out := capsys.readouterr().out) and 'after, within 1: ' in out
    meta = open_session(tmp_path / 'scaled' / 'x.onnx', 1).get_modelmeta().custom_metadata_map
    scale = np.array([float(value) for value in meta['std_scale'].split()])
    assert meta['std_scale_data'] == portraits.name and np.abs(scale - 1).max() > 0.1
    crops = np.random.default_rng(0).integers(0, 256, (5, 1, 48, 48), np.uint8)
    own, other = (open_engine(str(tmp_path / name / 'x.onnx'), 'cpu').infer(crops) for name in ('own', 'scaled'))
    assert np.abs(own.rotation - other.rotation).max() < 1e-5
    assert other.rotation_std_rad == pytest.approx(own.rotation_std_rad * scale, rel=2e-3)
    content = checkpoint.load(tmp_path / 'scaled' / 'x.pt')
    std = estimate(checkpoint.network_of(content), torch.from_numpy(crops))[1]
    again = [str(tmp_path / 'scaled' / 'x.pt'), *command[1:], '--out', str(tmp_path / 'twice'), '--calibrate', str(portraits)]
    assert export.main(again) == 2 and 'calibrated already' in capsys.readouterr().err
    assert std == pytest.approx(other.rotation_std_rad, rel=1e-4) and content['calibration']['std_scale'] == meta['std_scale']


def test_too_few_held_out_faces_are_refused(tmp_path):
    """Ten samples, one of each person: a single one is held out for each split."""
    stand_in.write(tmp_path, 10, 48)
    with pytest.raises(ValueError, match=r'held-out faces of the split .val. in the poses of use, 50 are needed'):
        held_out_faces(tmp_path, 'val', SINGLE)


def test_a_least_scale_without_a_calibration_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        export.main(['x.pt', '--name', 'x', '--out', str(tmp_path), '--least-std-scale', '1', '1', '1.2'])
    assert '--least-std-scale is for --calibrate' in capsys.readouterr().err
