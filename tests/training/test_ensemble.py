"""Ensembles: the weighted mean of several networks, joining checkpoints, and training a member on."""

import numpy as np
import pytest
import torch
from tiny_training import ALONE, tiny_config
from torch import nn

from c2f_head_pose import crop, geometry
from c2f_head_pose.engine import open_engine
from training import join
from training.data.crops import SyntheticCrops
from training.export import Labels, export
from training.exporting.onnx_in_torch import OnnxInTorch
from training.loop import checkpoint
from training.loop.deviations import scaled
from training.loop.run import Run
from training.models.ensemble import Ensemble
from training.models.symmetric import Symmetric

WHOLE = ((-0.5, -0.5), (0.5, 0.5))


class Says(nn.Module):
    """A network that gives one yaw, deviation and box of landmarks for every crop, and keeps the last pixels it was shown."""

    modality = 'rgb'

    def __init__(self, yaw_deg, std_deg, size=8, roll_deg=0.0, landmarks=WHOLE):
        super().__init__()
        self.R = torch.from_numpy(geometry.rotation_from_ypr_deg([yaw_deg, 0, roll_deg])).float()
        self.std, self.size, self.landmarks, self.shown = np.radians(std_deg), size, torch.tensor(landmarks), None

    def with_landmarks(self, crops):
        return self(crops), self.landmarks.expand(len(crops), -1, 2)

    def forward(self, crops):
        self.shown = crops
        n = len(crops)
        return self.R.expand(n, 3, 3), torch.full((n, 3), self.std), torch.zeros(n, 4)


def yaw_deg(R):
    return geometry.ypr_deg_from_rotation(R.double().numpy())[:, 0]


@pytest.mark.parametrize(('std_deg', 'expected'), [((4.0, 4.0), 5.0), ((2.0, 6.0), 1.0), ((6.0, 2.0), 9.0)])
def test_estimates_are_weighted_by_their_precision(std_deg, expected):
    """0 and 10 degrees; deviations of 2 and 6 weigh as 9 to 1. To 0.05 degrees the mean of rotations is the mean of the angles."""
    ensemble = Ensemble([Says(0, std_deg[0]), Says(10, std_deg[1])], 8)
    R, std, _ = ensemble(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))
    assert np.abs(yaw_deg(R) - expected).max() < 0.05
    weight = expected / 10
    about_z = (1 - weight) * (std_deg[0] ** 2 + expected**2) + weight * (std_deg[1] ** 2 + (10 - expected) ** 2)
    assert np.abs(np.degrees(std[:, 2].numpy()) - np.sqrt(about_z)).max() < 0.05  # of the mixture: they disagree about z alone
    assert np.abs(np.degrees(std[:, 0].numpy()) - np.hypot(*(np.sqrt([1 - weight, weight]) * std_deg))).max() < 0.05


def test_a_member_of_smaller_crops_sees_them_reduced_by_area():
    small = Says(0, 4, size=6)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), np.uint8)
    Ensemble([Says(0, 4), small], 8)(torch.from_numpy(pixels))
    theirs = np.stack([crop.resize(image[0], 6) for image in pixels]).astype(float)
    assert small.shown.shape == (2, 1, 6, 6) and np.abs(small.shown[:, 0].numpy() - theirs).max() <= 0.51  # theirs is rounded


@pytest.mark.parametrize(('roll_deg', 'quarters'), [(90.0, 1), (-90.0, -1), (0.0, 0)])
def test_an_aligned_ensembles_later_members_see_the_head_that_the_first_finds_upright(roll_deg, quarters):
    """Roll counts clockwise in the picture. The second finds no roll in what it is shown, so it agrees with the first."""
    first, second = Says(0, 4, roll_deg=roll_deg), Says(0, 4)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), np.uint8))
    R, std, _ = Ensemble([first, second], 8, aligned_margin=2)(pixels)
    assert torch.allclose(second.shown, torch.rot90(pixels, quarters, (2, 3)).float(), atol=1e-3)  # counter-clockwise
    assert geometry.geodesic_deg(R.double().numpy(), first.R.double().numpy()).max() < 0.05
    assert np.abs(np.degrees(std.numpy()) - 4).max() < 0.05


def test_an_aligned_ensembles_later_members_see_the_square_about_the_landmarks():
    """Landmarks from 0 to 0.25 across and -0.25 to 0.15 down: the square has the side 2 * 0.4, the middle (0.125, -0.05), so it shows x
    from -0.275 to 0.525 and y from -0.45 to 0.35 of a ramp, to half a pixel.
    """
    first, second = Says(0, 4, 64, landmarks=((0.0, -0.25), (0.25, 0.15))), Says(0, 4, 64)
    centre = (torch.arange(64) + 0.5) / 32 - 1
    x = centre.expand(1, 1, 64, 64)
    for ramp, seen, low in ((x, 0, -0.275), (x.transpose(2, 3), 1, -0.45)):
        Ensemble([first, second], 64, aligned_margin=2)(100 + 100 * ramp)
        shown = second.shown[0, 0] if seen == 0 else second.shown[0, 0].T
        assert ((shown - 100) / 100 - (low + 0.4 * (centre + 1))).abs().max() < 1 / 64 + 1e-4


def test_in_a_tilted_picture_the_square_is_upright_and_about_the_landmarks():
    """A face tilted by 30 degrees, its landmarks on a tilted square about (0.3, 0.1): the turned-back square is exactly theirs, without the
    room that the box of tilted landmarks would have.
    """
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.2 @ np.array([[c, s], [-s, c]]) + (0.3, 0.1)
    first, second = Says(0, 4, size=64, roll_deg=30, landmarks=square.tolist()), Says(0, 4, size=64)
    yx = (torch.arange(64) + 0.5) / 32 - 1
    pixels = (100 + 100 * yx)[None, None, None, :].expand(1, 1, 64, 64)  # of the x coordinate
    Ensemble([first, second], 64, aligned_margin=1)(pixels)
    shown = (second.shown[0, 0] - 100) / 100
    at = 0.2 * np.array([[[x, y] for x in yx] for y in yx]) @ np.array([[c, s], [-s, c]]) + (0.3, 0.1)
    assert np.abs(shown.numpy() - at[..., 0]).max() < 1 / 64 + 1e-4, 'to half a pixel'


def test_an_aligned_ensembles_categories_are_the_first_ones():
    first, second = Says(10, 4, roll_deg=90), Says(0, 4)
    first.forward = lambda crops: (*Says.forward(first, crops)[:2], torch.tensor([[0.0, 5, 0, 0]]).expand(len(crops), 4))
    _, _, logits = Ensemble([first, second], 8, aligned_margin=2)(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))
    assert torch.allclose(logits.softmax(1)[0], torch.tensor([0.0, 5, 0, 0]).softmax(0), atol=1e-6)


@pytest.mark.parametrize(('deviation_deg', 'share'), [(0.4, 1 / (1 + 1 / 100**2)), (4, 1 / 2), (8, 1 / 17)])
def test_an_aligned_ensembles_later_members_count_less_where_the_first_is_unsure(deviation_deg, share):
    """Both state one deviation s, so the second's weight to the first's is 1 to 1 + (s / 4 degrees)^4; small turns add up so."""
    ensemble = Ensemble([Says(0, deviation_deg), Says(2, deviation_deg)], 8, aligned_margin=2)
    R, _, _ = ensemble(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    towards = geometry.geodesic_deg(R.double().numpy(), Says(0, 1).R.double().numpy()[None])
    assert towards == pytest.approx(2 * share / (1 + share), abs=0.03)


def test_crops_of_depth_are_not_aligned():
    members = [Says(0, 4), Says(0, 4)]
    for member in members:
        member.modality = 'depth'
    with pytest.raises(ValueError, match='depth are not aligned'):
        Ensemble(members, 8, aligned_margin=1.5)


def test_members_of_two_modalities_are_refused():
    other = Says(0, 4)
    other.modality = 'depth'
    with pytest.raises(ValueError, match='all of one modality'):
        Ensemble([Says(0, 4), other], 8)


@pytest.fixture(scope='module')
def two(heads, tmp_path_factory):
    """Checkpoints of networks of 48 and 64 pixels that find landmarks too."""
    out = []
    for size in (48, 64):
        folder = tmp_path_factory.mktemp(f'of{size}')
        config = tiny_config(network=tiny_config().network | {'size': size, 'landmarks': True}, steps=3, seed=size, log_every=100)
        Run(config, SyntheticCrops([heads], 'train'), None, folder, ALONE).go()
        out.append(folder / 'final.pt')
    return out


def with_settings(path, out, **settings):
    """A copy of a checkpoint whose configuration differs."""
    content = checkpoint.load(path)
    content['config'].update(settings)
    checkpoint.save(out, **content)
    return out


def aligned(path, out, margin=1.4):
    """A copy of a checkpoint that says it learnt from aligned crops."""
    return with_settings(path, out, augment=checkpoint.load(path)['config'].get('augment', {}) | {'aligned_margin': margin})


@pytest.mark.parametrize('margin', [None, 1.4])
def test_joined_checkpoints_are_exported_as_their_weighted_mean(two, heads, tmp_path, margin):
    second = two[1] if margin is None else aligned(two[1], tmp_path / 'second.pt', margin)
    assert join.main(['--mirrored', str(two[0]), str(second), '--out', str(tmp_path / 'both.pt')]) in (None, 0)
    export(tmp_path / 'both.pt', tmp_path / 'files', Labels('both', '0.1.0'), ['fp32'], [str(heads)])
    members = [checkpoint.network_of(checkpoint.load(path)).eval() for path in two]
    expected = Ensemble([Symmetric(members[0]), members[1]], 64, margin)
    crops = np.random.default_rng(3).integers(0, 256, (4, 1, 64, 64), np.uint8)
    found = open_engine(str(tmp_path / 'files' / 'both.onnx'), 'cpu').infer(crops)
    with torch.no_grad():
        R, std, _ = expected(torch.from_numpy(crops))
    assert geometry.geodesic_deg(found.rotation, R.numpy()).max() < 0.05
    assert np.abs(found.rotation_std_rad - std.numpy()).max() < 1e-3
    with torch.no_grad():
        again = OnnxInTorch(tmp_path / 'files' / 'both.onnx', 4)(torch.from_numpy(crops))[0]
    assert geometry.geodesic_deg(again.numpy(), R.numpy()).max() < 0.05


def test_an_ensembles_crops_are_drawn_as_the_largest_members_or_where_others_read_aligned_ones_as_the_firsts(two, tmp_path):
    for paths, seed, margin in ((two, 64, None), ((two[0], aligned(two[1], tmp_path / 'aligned.pt')), 48, 1.4)):
        content = join.join(list(paths), 'both')
        assert content['seed'] == seed
        assert content['config']['network']['size'] == 64 and content['config']['network']['aligned_margin'] == margin
        assert 'aligned_margin' not in content['config'].get('augment', {}), 'the ensemble reads crops as they are'


def test_only_the_first_aligns_crops_and_it_needs_landmarks(two, tmp_path):
    narrow, other = aligned(two[1], tmp_path / 'narrow.pt'), aligned(two[1], tmp_path / 'other.pt', 1.6)
    for paths in ([narrow, two[0]], [two[0], narrow, other], [two[0], narrow, two[1]]):
        with pytest.raises(ValueError, match='either none learnt from aligned crops'):
            join.join(paths, 'both')
    blind = with_settings(two[0], tmp_path / 'blind.pt', network=checkpoint.load(two[0])['config']['network'] | {'landmarks': False})
    with pytest.raises(ValueError, match=r'blind\.pt was trained without landmarks \(network\.landmarks\)'):
        join.join([blind, narrow], 'both')


def test_a_member_is_trained_on_from_the_joined_checkpoint(two, heads, tmp_path):
    content = join.join([two[0], two[1]], 'both', mirrored=1)
    checkpoint.save(tmp_path / 'both.pt', **content)
    config = tiny_config(network=checkpoint.load(two[0])['config']['network'], steps=3, log_every=100)
    run = Run(config, SyntheticCrops([heads], 'train'), None, tmp_path / 'run', ALONE, start=tmp_path / 'both.pt')
    theirs = checkpoint.load(two[0])['average']
    assert all(torch.equal(value, theirs[name]) for name, value in run.network.state_dict().items())


@pytest.mark.parametrize(('names', 'told'), [(['one.pt'], 'needs at least two checkpoints'), (['one.pt', 'none.pt'], 'none.pt')])
def test_what_cannot_be_joined_is_told_in_a_line(two, tmp_path, capsys, names, told):
    (tmp_path / 'one.pt').write_bytes(two[0].read_bytes())
    assert join.main([*(str(tmp_path / name) for name in names), '--out', str(tmp_path / 'both.pt')]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count('\n') == 1 and not (tmp_path / 'both.pt').exists()


def test_members_state_the_deviations_that_training_gave_and_their_teacher_is_not_forgotten(two, tmp_path):
    """A calibration scales one member's deviations and so its weight; it was measured on that network alone."""
    plain = join.join(list(two), 'both')
    content, taught = dict(checkpoint.load(two[0])), {'name': 't.pt', 'hash': 'a' * 16, 'trained_on': 'renders'}
    weights, scale = scaled(content['average'], np.array([1.1, 1.4, 1.2])), {'std_scale': '1.100 1.400 1.200', 'std_scale_data': 'faces'}
    checkpoint.save(tmp_path / 'one.pt', **content | {'average': weights, 'calibration': scale, 'teacher': taught})
    found = join.join([tmp_path / 'one.pt', two[1]], 'both', mirrored=1)
    for name, value in plain['average'].items():
        assert torch.allclose(found['average'][name.replace('members.0.', 'members.0.network.')], value, atol=1e-6)
    assert 'calibration' not in found and found['teacher'] == taught and plain['teacher'] is None


def test_checkpoints_of_two_modalities_are_not_joined(two, heads, tmp_path):
    config = tiny_config(modality='depth', network=tiny_config().network | {'modality': 'depth'}, steps=1)
    Run(config, SyntheticCrops([heads], 'train', depth=True), None, tmp_path, ALONE).go()
    with pytest.raises(ValueError, match='the members read depth and rgb: an ensemble reads one modality'):
        join.join([two[0], tmp_path / 'final.pt'], 'both')


def test_a_network_that_is_no_member_is_not_trained_on(two, heads, tmp_path):
    checkpoint.save(tmp_path / 'both.pt', **join.join(list(two), 'both'))
    with pytest.raises(ValueError, match='has no member of the kind paper'):
        config = tiny_config(network={'kind': 'paper', 'size': 48}, loss={'kind': 'paper'})
        Run(config, SyntheticCrops([heads], 'train'), None, tmp_path / 'run', ALONE, start=tmp_path / 'both.pt')
