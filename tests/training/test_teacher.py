"""Distillation: a network learns from another network's estimates on the same crops."""

import numpy as np
import pytest
import torch
from tiny_training import ALONE, tiny_config, write_config

from c2f_head_pose import crop
from training import train
from training.data.augment import shrink
from training.data.crops import SyntheticCrops
from training.export import Labels, export, metadata
from training.loop import checkpoint
from training.loop.config import config_of
from training.loop.loader import BatchLoader, WorkerLoader
from training.loop.run import Run
from training.loop.teacher import Teacher
from training.models.rotations import geodesic_rad

LARGE = tiny_config().network | {'size': 64}


@pytest.fixture(scope='module')
def taught_by(heads, tmp_path_factory):
    """A teacher of 64 pixels; the student of `tiny_config` has 48."""
    out = tmp_path_factory.mktemp('teacher')
    config = tiny_config(network=LARGE, steps=30, optimiser={'kind': 'adamw', 'lr': 3e-3, 'weight_decay': 0.0}, log_every=100, ema=0.9)
    Run(config, SyntheticCrops([heads], 'train'), None, out, ALONE).go()
    return out / 'final.pt'


@pytest.mark.parametrize('side, size', [(128, 96), (64, 48), (100, 37), (96, 96)])
def test_crops_shrink_as_the_one_crop_does(side, size):
    """The mean over each new pixel's area; OpenCV's own rounding may differ by one level."""
    crops = np.random.default_rng(side).integers(0, 256, (3, 1, side, side), np.uint8)
    mine = shrink(torch.from_numpy(crops), size).numpy().astype(int)
    theirs = np.stack([crop.resize(image[0], size) for image in crops]).astype(int)
    assert mine.shape == (3, 1, size, size) and np.abs(mine[:, 0] - theirs).max() <= 1
    with pytest.raises(ValueError, match=f'{side} pixels cannot shrink to {side + 1}'):
        shrink(torch.from_numpy(crops), side + 1)


def test_a_student_approaches_its_teacher_without_labels(heads, taught_by, tmp_path):
    """All weights but the teacher's are 0, so the estimates come from nowhere else.

    At least a third of the first distance is gone, and a tenth of that of the deviations.
    """
    silent = {'answer': 0.0, 'experts': 0.0, 'likelihood': 0.0, 'category': 0.0, 'landmarks': 0.0}
    config = tiny_config(
        loss={'kind': 'coarse_to_fine', **silent, 'teacher_rotation': 1.0, 'teacher_std': 0.1},
        steps=40,
        optimiser={'kind': 'adamw', 'lr': 3e-3, 'weight_decay': 0.0},
        log_every=100,
        ema=0.9,
    )
    run = Run(config, SyntheticCrops([heads], 'train'), None, tmp_path, ALONE, teacher=taught_by)
    assert run.drawn_size == 64
    crops = run.loader.batch(1000, 0).crops

    def distances():
        with torch.no_grad():
            rotation, std, logits = run.ema.network(shrink(crops, 48))
        targets = run.teacher.targets(crops)
        category = (logits.softmax(1) - targets.logits.softmax(1)).abs().mean()
        return geodesic_rad(rotation, targets.rotation).mean(), (std.log() - targets.std.log()).abs().mean(), category

    before = distances()
    run.go()
    after = distances()
    assert after[0] < 0.67 * before[0] and after[1] < 0.9 * before[1] and after[2] < before[2]


def test_a_teacher_averages_over_the_mirror_image_unless_set_otherwise(taught_by):
    """A mirrored crop then gets exactly diag(-1, 1, 1) R diag(1, -1, 1), R of the crop; a single pass does not."""
    teacher = Teacher(taught_by, tiny_config(), 'cpu')
    crops = torch.randint(0, 256, (4, 1, 80, 80), dtype=torch.uint8)
    camera, head = torch.diag(torch.tensor([-1.0, 1, 1])), torch.diag(torch.tensor([1.0, -1, 1]))
    differences = []
    for mirror in (True, False):
        mine, mirrored = (teacher.targets(c, mirror).rotation for c in (crops, crops.flip(3)))
        differences.append(float((camera @ mine @ head - mirrored).abs().max()))
    assert differences[0] < 1e-4 < differences[1]


def test_the_fused_teacher_estimates_as_the_checkpoint_does(taught_by):
    """Batch normalisation is folded into the convolutions, which changes rounding alone."""
    crops = torch.randint(0, 256, (4, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        whole = checkpoint.network_of(checkpoint.load(taught_by))(crops)
    targets = Teacher(taught_by, tiny_config(), 'cpu').targets(crops, mirror=False)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(whole, targets, strict=True))


def test_a_taught_run_resumes_as_the_uninterrupted_one_and_notes_its_teacher(heads, taught_by, tmp_path):
    """Not a bit differs; without the teacher or with another the run does not go on."""
    data, val = SyntheticCrops([heads], 'train'), SyntheticCrops([heads], 'val')
    Run(tiny_config(), data, val, tmp_path / 'whole', ALONE, teacher=taught_by).go()
    first = Run(tiny_config(), data, val, tmp_path / 'parts', ALONE, teacher=taught_by)
    for _ in range(3):
        first.do_step()
    first.save()
    with pytest.raises(ValueError, match=r'was trained taught by final.pt \([0-9a-f]{16}\): give the same --teacher'):
        Run(tiny_config(), data, val, tmp_path / 'parts', ALONE)
    with pytest.raises(ValueError, match='give the same --teacher'):
        Run(tiny_config(), data, val, tmp_path / 'parts', ALONE, teacher=tmp_path / 'whole' / 'final.pt')
    Run(tiny_config(), data, val, tmp_path / 'parts', ALONE, teacher=taught_by).go()
    whole, parts = (checkpoint.load(tmp_path / name / 'final.pt') for name in ('whole', 'parts'))
    for kind in ('network', 'average'):
        assert all(torch.equal(a, b) for a, b in zip(whole[kind].values(), parts[kind].values(), strict=True))
    assert whole['teacher'] == parts['teacher'] and whole['teacher']['name'] == 'final.pt'
    assert f'480 samples of {heads.name}' in whole['teacher']['trained_on']  # 30 steps of 16
    exported = metadata(config_of(whole['config']), whole, Labels('x', '1'), 'fp32')
    assert exported['teacher'] == f'final.pt {whole["teacher"]["hash"]}'
    header = (tmp_path / 'whole' / 'log.csv').read_text().splitlines()[0]
    assert 'teacher_deg' in header
    Run(tiny_config(), data, None, tmp_path / 'untaught', ALONE).save()
    with pytest.raises(ValueError, match='was trained without a teacher'):
        Run(tiny_config(), data, None, tmp_path / 'untaught', ALONE, teacher=taught_by)


def test_a_student_inherits_that_its_teacher_saw_pictures_which_are_not_rendered(heads, taught_by, tmp_path):
    """Its export, and that of a run that begins with it, need a text on the teacher's data."""
    content = checkpoint.load(taught_by)
    checkpoint.save(
        tmp_path / 'real.pt', **{k: v for k, v in content.items() if k != 'format'} | {'rendered': False, 'data': ['portraits']}
    )
    data = SyntheticCrops([heads], 'train')
    Run(tiny_config(steps=1), data, None, tmp_path / 'student', ALONE, teacher=tmp_path / 'real.pt').go()
    Run(tiny_config(steps=1), data, None, tmp_path / 'next', ALONE, start=tmp_path / 'student' / 'final.pt').go()
    for name in ('student', 'next'):
        final = tmp_path / name / 'final.pt'
        assert not checkpoint.load(final)['rendered']
        with pytest.raises(ValueError, match=r'taught by real.pt [0-9a-f]{16} \(.* samples of portraits\).*--training-data'):
            export(final, tmp_path / 'out', Labels('x', '1'), ['fp32'])


def test_larger_crops_drawn_ahead_equal_those_drawn_in_the_process(heads):
    """64 pixels for a network of 48; the labels do not depend on the size."""
    data = SyntheticCrops([heads], 'train')
    here, small, ahead = (BatchLoader(data, tiny_config(), size=64), BatchLoader(data, tiny_config()), None)
    try:
        ahead = WorkerLoader(data, tiny_config(), 0, (0, 1), 1, 64)
        mine, theirs, own = here.batch(0, 0), ahead.batch(0, 0), small.batch(0, 0)
        assert mine.crops.shape[-1] == 64 and own.crops.shape[-1] == 48
        assert torch.equal(mine.crops, theirs.crops) and torch.equal(mine.rotation, theirs.rotation)
        assert torch.equal(mine.rotation, own.rotation) and torch.equal(mine.landmarks, own.landmarks)
    finally:
        if ahead:
            ahead.close()


def test_a_teacher_that_does_not_suit_is_refused_in_one_line(heads, taught_by, tmp_path, capsys):
    """Another modality, aligned crops, a loss that takes no teacher, a file that is no checkpoint."""

    def refused(teacher, **changes):
        config = write_config(tmp_path, **changes)
        command = [config, '--data', str(heads), '--out', str(tmp_path / 'out'), '--teacher', str(teacher)]
        assert train.main([*command, '--device', 'cpu']) == 2
        return capsys.readouterr().err

    depth = tiny_config().network | {'modality': 'depth'}
    assert 'final.pt reads rgb crops, the network to train depth' in refused(taught_by, modality='depth', network=depth)
    assert 'where both networks read crops as they are' in refused(taught_by, augment={'aligned_margin': 1.45})
    assert 'final.pt, the network to train, tiny, read crops of the margins 1.5, 2.6' in refused(taught_by, augment={'margin': 2.6})
    paper = {'kind': 'paper', 'size': 64, 'width': 0.0625, 'channels': 4, 'hidden': 8}
    assert "loss 'paper' takes no teacher" in refused(taught_by, network=paper, loss={'kind': 'paper'})
    (tmp_path / 'text.pt').write_text('no checkpoint')
    assert 'text.pt is damaged or no checkpoint' in refused(tmp_path / 'text.pt')
