"""Augmented crops keep their labels true, and training cuts the same crop as the package."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from c2f_head_pose import crop, geometry
from c2f_head_pose.depth import encode_depth
from c2f_head_pose.types import FaceBox
from training.data import augment, depth
from training.data import photometric as picture
from training.data.crops import Shuffler, SyntheticCrops
from training.models import rotations
from training.synthetic import stand_in

torch.set_num_threads(1)


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    folder = tmp_path_factory.mktemp('heads')
    stand_in.write(folder, 40, 96, seed=3)
    return SyntheticCrops([folder], None, depth=True)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_rolled_mirrored_shifted_view_shows_the_head_of_its_label(crops):
    """Draws the label's head anew, with a camera that looks along the view's ray, and compares the pictures' landmarks.

    Landmarks of the ellipsoid are projected by the source camera into the view, and by a virtual camera along the ray with the
    label's rotation; seen from 0.8 m or more the two differ by perspective alone, under 3 % of the face.
    """
    batch = crops.gather(np.arange(40))
    how = augment.Augmentation(shift_sd=0.15, roll_sd_deg=60, squeeze_sd=0.0, stretch_share=0.0, detector_share=0.0, zoom=1.0)
    view = augment.random_view(batch, how, generator(5))
    assert (view.mirror < 0).any() and (view.mirror > 0).any()
    label = augment.rotation_in_view(batch, view).numpy()
    labelled = augment.landmarks_in_view(batch, view).double().numpy()
    points = stand_in.landmarks_m()
    for i in range(40):
        K, R = batch.K[i].double().numpy(), batch.R_cam_head[i].double().numpy()
        t = crops.sets[0].table(0)['t_cam_head_m'][crops.where[i, 2]]
        seen = (points @ R.T + t) @ K.T
        pixels = seen[:, :2] / seen[:, 2:] + 0.5
        in_view = np.linalg.solve(view.matrix()[i].double().numpy(), (pixels - view.centre[i].numpy()).T).T
        # in the label's frame, a mirrored head has its y axis flipped
        flipped = points * [1, view.mirror[i].item(), 1]
        turned = flipped @ label[i].T
        shape = turned[:, :2] - turned[:, :2].mean(0)
        found = in_view - in_view.mean(0)
        shape *= np.linalg.norm(found) / np.linalg.norm(shape)
        assert np.abs(found - shape).max() < 0.1, i  # of 2.0, the crop's side
        turn = (found[:, 1] * shape[:, 0] - found[:, 0] * shape[:, 1]).sum() / (found**2).sum()
        assert abs(np.degrees(turn)) < 1.5, i  # no systematic turn between the two
        # the landmark labels are the same points; a mirrored face's are numbered from its other side
        assert np.abs(labelled[i] - in_view[augment.MIRRORED if view.mirror[i] < 0 else slice(None)]).max() < 1e-3


def test_a_mirrored_face_has_its_landmarks_numbered_from_its_other_side():
    """Twice mirrored is not mirrored, and the midline stays (the mesh's own points: test_synthetic_population.py)."""
    numbers = np.array(augment.MIRRORED)
    assert (numbers[numbers] == np.arange(68)).all()
    assert {i for i in range(68) if numbers[i] == i} == {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}


def test_jpeg_compresses_each_block_by_itself():
    """Changing one pixel of the first 8x8 block changes that block alone."""
    image = torch.rand(1, 1, 32, 32, generator=generator(1)) * 255
    other = image.clone()
    other[0, 0, 2, 3] += 200
    changed = (picture.jpeg(image, generator(2)) != picture.jpeg(other, generator(2)))[0, 0]
    assert changed[:8, :8].any() and changed.sum() == changed[:8, :8].sum()


def test_views_are_about_the_landmarks_box_of_the_turned_picture(crops):
    """Without jitter the landmarks fill 1 / margin of a square view in their larger direction, and of a stretched one in both."""
    batch = crops.gather(np.arange(40))
    for share in (0.0, 1.0):
        how = augment.Augmentation(
            margin=1.6, zoom=1.0, shift_sd=0.0, squeeze_sd=0.0, stretch_share=share, detector_share=0.0, roll_sd_deg=60
        )
        view = augment.random_view(batch, how, generator(3))
        seen = torch.linalg.solve(view.matrix(), (batch.landmarks - view.centre[:, None]).transpose(1, 2))
        sides = seen.amax(2) - seen.amin(2)
        assert torch.allclose(seen.amax(2) + seen.amin(2), torch.zeros(40, 2), atol=1e-3)
        if share:
            assert torch.allclose(sides[:, 1], torch.full((40,), 2 / 1.6), atol=1e-3)
            assert (sides[:, 0] >= 2 / 1.6 - 1e-3).all() and (sides[:, 0] <= 2 / 1.6 / 0.75 + 1e-3).all()
        else:
            assert torch.allclose(sides.amax(1), torch.full((40,), 2 / 1.6), atol=1e-3)


ALIGNED = {'mirror': False, 'photometric': None, 'border_share': 0.0, 'aligned_margin': 1.45}


def test_aligned_crops_show_the_face_upright_and_filling_the_square(crops, monkeypatch):
    """A perfect first network: the landmarks fill 1 / margin of the square, the head's z axis points up, and the pixels are those of the
    crop that is drawn without alignment: the landmarks' places have the same gray.
    """
    monkeypatch.setattr(augment, 'ALIGNMENT_SD', (0.0, 0.0, 0.0))
    batch, how = crops.gather(np.arange(40)), augment.Augmentation(**ALIGNED)
    drawn = augment.augment(batch, 96, replace(how, aligned_margin=None), generator(3))
    shown = augment.augment(batch, 96, how, generator(3))
    low, high = shown.landmarks.amin(1), shown.landmarks.amax(1)
    assert torch.allclose((high - low).amax(1), torch.full((40,), 2 / 1.45), atol=1e-3) and (high + low).abs().max() < 1e-3
    up = shown.rotation[:, :2, 2]
    assert up[:, 0].abs().max() < 1e-5 and (up[:, 1] < 0).all()
    assert torch.allclose(rotations.tilt(drawn.rotation) @ shown.rotation, drawn.rotation, atol=1e-5)
    before, after = (
        torch.nn.functional.grid_sample(b.crops.float(), b.landmarks[:, None], mode='nearest', align_corners=False)[:, 0, 0]
        for b in (drawn, shown)
    )
    inside = drawn.landmarks.abs().amax(2) < 0.98
    assert (before - after)[inside].abs().median() < 3 and (before - before.mean())[inside].abs().median() > 10


def test_aligned_crops_are_off_as_the_first_networks_alignment_is(crops):
    """The stated deviations of the centre, in units of the landmarks' extent, of its logarithm and of the tilt."""
    rows = np.tile(np.arange(40), 10)
    shown = augment.augment(crops.gather(rows), 32, augment.Augmentation(**ALIGNED), generator(3))
    low, high = shown.landmarks.amin(1), shown.landmarks.amax(1)
    extent = (high - low).amax(1)
    up = shown.rotation[:, :2, 2]
    tilt_deg = torch.rad2deg(torch.atan2(up[:, 0], -up[:, 1]))
    found = (((high + low) / 2 / extent[:, None]).std(), (extent * 1.45 / 2).log().std(), tilt_deg.std())
    assert [float(value) for value in found] == pytest.approx([0.03, 0.07, 4.0], rel=0.12)


def test_half_of_the_crops_are_centred_as_the_detectors_boxes_are(crops):
    """YuNet's centre lies 0.14 of an upright head's extent higher, so the landmarks lie 2 * 0.14 / 1.6 = 0.175 lower in a view's [-1, 1].

    Of a rolled head it lies less high: 0.12, 0.08 and 0.06 were measured at 15, 30 and 45 degrees.
    """
    batch = crops.gather(np.arange(40))
    how = augment.Augmentation(
        margin=1.6, zoom=1.0, shift_sd=0.0, squeeze_sd=0.0, stretch_share=0.0, detector_share=0.5, roll_wide_share=1.0, roll_wide_deg=45
    )
    view = augment.random_view(batch, how, generator(3))
    up = augment.rotation_in_view(batch, view)[:, :2, 2].numpy()
    tilt_deg = np.degrees(np.abs(np.arctan2(up[:, 0], -up[:, 1])))
    seen = torch.linalg.solve(view.matrix(), (batch.landmarks - view.centre[:, None]).transpose(1, 2))
    middle = ((seen.amax(2) + seen.amin(2)) / 2).numpy()
    assert np.abs(middle[:, 0]).max() < 1e-3
    higher = middle[:, 1] * 1.6 / 2
    shifted = higher > 1e-3
    assert 8 < shifted.sum() < 32
    measured = np.interp(tilt_deg, [0, 15, 30, 45], [0.14, 0.12, 0.08, 0.06])
    assert np.abs(higher - measured)[shifted].max() < 0.015 and np.abs(higher[~shifted]).max() < 1e-3


def test_the_heads_tilt_in_the_picture_becomes_the_drawn_one(crops):
    """The head's z axis then points up in the picture at every yaw, but for the turn of the view's own ray."""
    batch = crops.gather(np.arange(40))
    how = augment.Augmentation(roll_sd_deg=0.0, roll_wide_share=0.0, shift_sd=0.0)

    def tilts(R):
        return np.degrees(np.abs(np.arctan2(R[:, 0, 2], -R[:, 1, 2])))

    after = tilts(augment.rotation_in_view(batch, augment.random_view(batch, how, generator(3))).numpy())
    assert np.median(tilts(batch.R_cam_head.numpy())) > 3
    assert np.median(after) < 1.5 and after.max() < 10


def test_a_centred_view_has_the_renderers_label(crops):
    """The stored crop is centred on the landmarks' box, so the plain view's label is the dataset's own R_crop_head."""
    batch = crops.gather(np.arange(40))
    label = augment.rotation_in_view(batch, augment.centred_view(batch, 1.5)).numpy()
    assert geometry.geodesic_deg(label, crops.R_crop_head.numpy()).max() < 0.01


def test_ray_rotations_are_the_packages():
    rays = np.random.default_rng(0).normal(size=(50, 3)) + [0, 0, 3]
    mine = augment.ray_rotations(torch.from_numpy(rays)).numpy()
    assert np.abs(mine - [geometry.ray_rotation(ray) for ray in rays]).max() < 1e-12


def test_training_cuts_the_same_crop_as_the_package(crops):
    """The whole-pixel square of `c2f_head_pose.crop`, resized, against the tensors' sub-pixel view: half a source pixel apart at most."""
    batch = crops.gather(np.arange(16))
    mine = augment.plain(batch, 48, 1.5).crops[:, 0].numpy().astype(int)
    for i in range(16):
        box = FaceBox(*(float(v) for v in batch.box[i]))
        theirs = crop.cut(batch.image[i].numpy(), crop.square_about(box, 1.5), 48).astype(int)
        shifted = [
            np.abs(mine[i][2:-2, 2:-2] - theirs[2 + dy : 46 + dy, 2 + dx : 46 + dx]).mean() for dx in (-2, 0, 2) for dy in (-2, 0, 2)
        ]
        assert np.argmin(shifted) == 4  # best without any shift
        assert shifted[4] < 6


def test_augmentation_repeats_from_its_seed_and_varies_with_it(crops):
    batch = crops.gather(np.arange(16))
    for change in (augment.augment, depth.augment_depth):
        one, again, other = (change(batch, 48, augment.Augmentation(), generator(s)) for s in (1, 1, 2))
        assert torch.equal(one.crops, again.crops) and torch.equal(one.rotation, again.rotation)
        assert not torch.equal(one.crops, other.crops)


def test_every_disturbance_stays_in_range_and_changes_the_picture(crops):
    batch = crops.gather(np.arange(16))
    image = augment.plain(batch, 64, 1.5).crops.float()
    eyes = augment.eyes_of(augment.landmarks_in_view(batch, augment.centred_view(batch, 1.5)))
    how = picture.PhotometricAugmentation(light_share=1, occluder_share=1, sunglasses_share=1)
    changed = {
        'light': picture.light(image, how, generator()),
        'occlude': picture.occlude(image, eyes, torch.full((16,), 1.3), how, generator()),
        'photometry': picture.photometry(image, how, generator()),
        'blur': picture.blur(image, 0.02, generator()),
        'low_resolution': picture.low_resolution(image, 16, generator()),
        'noise': picture.noise(image, 20, generator()),
        'jpeg': picture.jpeg(image, generator()),
    }
    for name, out in changed.items():
        assert out.shape == image.shape and torch.isfinite(out).all(), name
        assert (out - image).abs().mean() > 0.2, name
    assert abs(float((changed['blur'] - image).mean())) < 1  # a blur neither lightens nor darkens
    assert float((changed['jpeg'] - image).abs().mean()) < 10


def test_depth_bytes_are_the_packages(crops):
    """A plane at 1 m with a step 5 cm nearer, a hole, and a wall 1 m behind: 128 at the median, nearer brighter, hole and wall 0.

    1 + 254 (0.5 + 0.05 / 0.5) = 153.4 rounds to 153; the median itself gives 1 + 127 = 128.
    """
    metres = np.full((32, 32), 1.0)
    metres[:8] = 0.95
    metres[20:24, 20:24] = np.nan
    metres[:, 30:] = 2.0
    code = encode_depth(metres, depth.DEPTH_RANGE_M)
    assert code[16, 16] == 128 and code[0, 0] == 153 and code[21, 21] == 0 and code[5, 31] == 0
    tensor = torch.from_numpy(np.nan_to_num(metres) * 1000).float()[None, None]
    assert np.array_equal(depth.to_bytes(tensor, depth.head_depth_mm(tensor))[0, 0].numpy(), code)


def test_shuffler_gives_every_sample_once_an_epoch_and_any_step_again():
    shuffler = Shuffler(10, 4, seed=1)
    seen = np.concatenate([shuffler.rows(step) for step in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:20]) == list(range(10))
    assert not np.array_equal(seen[:10], seen[10:20])
    assert np.array_equal(Shuffler(10, 4, seed=1).rows(3), seen[12:16])


def test_pose_limits_leave_out_what_is_beyond(tmp_path):
    stand_in.write(tmp_path, 40, 32, seed=1)
    few = SyntheticCrops([tmp_path], None, pose_limits_deg=(20, 20, 20))
    assert 0 < len(few) < 40
    assert np.abs(geometry.ypr_deg_from_rotation(few.R_crop_head.numpy())).max() <= 20 + 1e-4
    with pytest.raises(ValueError, match='no sample'):
        SyntheticCrops([tmp_path], None, pose_limits_deg=(0.01, 0.01, 0.01))
