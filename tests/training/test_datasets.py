"""Readers of real data sets: on files made here by hand, and on the real ones where their folders are given."""

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from real_sets import write_biwi, write_boston
from scipy.io import savemat

from c2f_head_pose import geometry
from c2f_head_pose.types import FaceBox
from training.data.augment import Augmentation, random_view
from training.datasets import biwi, boston
from training.datasets import face_crops as protocols
from training.datasets import registry as datasets
from training.datasets.base import Face, MissingDataError
from training.datasets.real_crops import JoinedCrops, RealCrops
from training.datasets.registry import open_faces


def need(variable):
    if not os.environ.get(variable):
        pytest.skip(f'{variable} is unset: the real data set is not at hand (python -m training.evaluate says how to get it)')
    return Path(os.environ[variable])


def test_biwi_depth_runs_are_decoded(tmp_path):
    write_biwi(tmp_path / '01')
    metres = biwi.read_depth_m(tmp_path / '01' / 'frame_00001_depth.bin')
    assert metres.shape == (2, 4)
    assert np.allclose(metres, [[np.nan, 0.9, 0.901, np.nan], [np.nan, np.nan, np.nan, 0.902]], equal_nan=True)
    broken = tmp_path / 'broken.bin'
    broken.write_bytes(struct.pack('<iiii', 4, 2, 1, 70))
    with pytest.raises(ValueError, match='damaged at byte 8'):
        biwi.read_depth_m(broken)


def test_biwi_pose_is_turned_into_the_cameras_frame_and_boxed(tmp_path):
    """A head centre 100 mm to the right of a colour camera at the depth camera's place, at 1 m: x = 320.5 + 500 * 0.1 = 370.5;
    a 0.2 m box is 500 * 0.2 = 100 pixels wide. A face turned 20 degrees to the image's left has R_cv = Ry(20)."""
    write_biwi(tmp_path / '01', geometry.rotation_from_ypr_deg(np.array([20.0, 0, 0])) @ geometry.HEAD_AXES.T, shift_mm=(100, 0, 0))
    face = open_faces('biwi', tmp_path)[0]
    assert np.allclose(face.ypr_deg, [20, 0, 0])
    assert (face.box.x1, face.box.x2, face.box.centre[1]) == pytest.approx((320.5, 420.5, 240.5))
    assert biwi.depth_face(face, tmp_path).box.centre == pytest.approx((320.5, 240.5))
    assert open_faces('biwi', tmp_path, sequences=(2,)) == []


def test_paper_split_keeps_every_frame_once():
    faces = [Face(str(i), np.zeros(3), lambda: None) for i in range(50)]
    train, test = biwi.split_80_20(faces)
    assert (len(train), len(test)) == (40, 10)
    assert {f.name for f in train} | {f.name for f in test} == {str(i) for i in range(50)}


def test_biwis_test_sets_go_by_name(tmp_path):
    """Ten sequences of a frame each: the authors' are 1 and 12, a fifth of the frames is the paper's; its frames are no neighbours."""
    for number in (*range(1, 10), 12):
        write_biwi(tmp_path / 'hpdb' / f'{number:02d}')
    official, fifth = open_faces('biwi:official', tmp_path), open_faces('biwi:80-20', tmp_path)
    assert [face.name for face in official] == ['01/frame_00001', '12/frame_00001'] and official[0].sequence == '01'
    assert [face.name for face in fifth] == [face.name for face in biwi.split_80_20(open_faces('biwi', tmp_path))[1]]
    assert len(fifth) == 2 and {face.sequence for face in fifth} == {''}
    with pytest.raises(ValueError, match="no part 'official'; it has none"):
        open_faces('pointing04:official', tmp_path)
    with pytest.raises(MissingDataError, match='no frames of biwi:official'):
        open_faces('biwi:official', tmp_path / 'hpdb' / '02')


def test_a_depth_frame_is_its_own_sequences(tmp_path):
    """Frames of the same number in two sequences, one folder deeper than asked for: each keeps its own pose."""
    for number, x in (('01', 0), ('02', 100)):
        write_biwi(tmp_path / 'hpdb' / number, centre_mm=(x, 0, 1000))
    second = biwi.depth_face(open_faces('biwi', tmp_path)[1], tmp_path)
    assert second.box.centre == pytest.approx((370.5, 240.5))


def test_boston_columns_and_signs(tmp_path):
    """frame, x, y, z, roll, yaw, pitch; each angle is the opposite of ours."""
    (tmp_path / 'jam1.dat').write_text('1 0 0 0 1 2 3\n2 0 0 0 -4 5 -6\n')
    assert np.allclose(boston.read_truth(tmp_path / 'jam1.dat'), [[-2, -3, -1], [-5, 6, 4]])


def test_boston_videos_are_read_frame_by_frame(tmp_path, capsys):
    """Brightness 40, 80, 120 survive the JPEG within a few steps; a .dat alone is named, one with more rows than frames is refused."""
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in (40, 80, 120)]
    write_boston(tmp_path / 'uniform-light', 'jam1', pictures, [(i, 2, 3) for i in range(4)])
    (tmp_path / 'varying-light').mkdir()
    (tmp_path / 'varying-light' / 'ssm1.dat').write_text('1 0 0 0 0 0 0\n')
    faces = open_faces('boston', tmp_path)
    assert [face.name for face in faces] == ['jam1/000', 'jam1/001', 'jam1/002', 'jam1/003'] and faces[0].sequence == 'jam1'
    assert faces[2].ypr_deg.tolist() == [2, 2, 3]
    assert [face.read().mean() for face in faces[:3]] == pytest.approx([40, 80, 120], abs=3)
    with pytest.raises(ValueError, match=r'3 frames, but its [.]dat file labels frame 4'):
        faces[3].read()
    assert 'boston: 1 .dat files left out' in (said := capsys.readouterr().err) and 'varying-light/ssm1.dat' in said
    assert len(open_faces('boston', tmp_path, light='uniform')) == 4
    assert not capsys.readouterr().err


def write_mat(path, yaw, pitch, roll, **content):
    """A label file of Zhu et al. and its picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {'Pose_Para': np.radians([[pitch, yaw, roll, 0, 0, 0, 0]]), **content})
    cv2.imwrite(str(path.with_suffix('.jpg')), np.full((120, 120, 3), 90, np.uint8))


def test_aflw2000_reads_degrees_points_and_leaves_out_beyond_99(tmp_path):
    points = np.arange(204.0).reshape(3, 68)
    write_mat(tmp_path / 'image00002.mat', 20, -10, 5, pt3d_68=points, pt2d=np.array([[10.0, -1, 30], [15.0, -1, 40]]))
    write_mat(tmp_path / 'image00004.mat', 100, 0, 0, pt3d_68=points, pt2d=np.zeros((2, 21)))
    (face,) = open_faces('aflw2000', tmp_path)
    assert face.name == 'image00002' and face.ypr_deg == pytest.approx([20, -10, 5]) and face.read().shape == (120, 120, 3)
    assert face.landmarks[1].tolist() == [1, 69] and face.points21.tolist() == [[10, 15], [-1, -1], [30, 40]] and face.box is None


def test_300wlp_reads_its_folders_with_and_without_mirror_images(tmp_path):
    """AFW and AFW_Flip; the landmarks' and code's folders are no faces, nor is an angle beyond 99 degrees."""
    points = np.arange(136.0).reshape(2, 68)
    for name, yaw in (('AFW/AFW_1_0', 30), ('AFW_Flip/AFW_1_0', -30), ('AFW/AFW_2_0', 110), ('landmarks/AFW_1_0', 30), ('Code/x', 0)):
        write_mat(tmp_path / f'{name}.mat', yaw, 10, -5, pt2d=points)
    faces = open_faces('300wlp', tmp_path)
    assert [face.name for face in faces] == ['AFW/AFW_1_0', 'AFW_Flip/AFW_1_0']
    assert faces[0].ypr_deg == pytest.approx([30, 10, -5]) and faces[0].landmarks[67].tolist() == [67, 135]
    assert protocols.landmark_box(faces[0]) == FaceBox(0, 68, 67, 135) and faces[1].read().shape == (120, 120, 3)
    assert [face.name for face in open_faces('300wlp', tmp_path, flipped=False)] == ['AFW/AFW_1_0']


def test_faces_are_spread_from_the_first_to_the_last():
    assert datasets.spread(list(range(10)), 7) == [0, 1, 3, 4, 6, 7, 9] and datasets.spread([1, 2], 5) == [1, 2]
    assert datasets.spread([], 3) == []


def test_pointing04_reads_pan_and_tilt_from_names_and_leaves_out_what_is_beyond(tmp_path):
    """person01 1 07 -15+30: tilt -15 (down), pan +30; the file's last four numbers are the box's centre and size."""
    folder = tmp_path / 'Person01'
    folder.mkdir()
    for name in ('person01107-15+30', 'person01108-60+0'):
        cv2.imwrite(str(folder / f'{name}.jpg'), np.zeros((288, 384, 3), np.uint8))
        (folder / f'{name}.txt').write_text(f'{name}.jpg\n\nFace\n200\n150\n80\n100\n')
    faces = open_faces('pointing04', tmp_path)
    assert len(faces) == 1 and len(open_faces('pointing04', tmp_path, max_tilt_deg=90)) == 2
    assert faces[0].ypr_deg[:2].tolist() == [30, -15] and np.isnan(faces[0].ypr_deg[2])
    assert (faces[0].box.x1, faces[0].box.y2) == (160, 200)


def test_a_missing_set_explains_how_to_get_it_and_under_which_terms(monkeypatch, tmp_path):
    for name, source in datasets.SOURCES.items():
        monkeypatch.delenv(source.variable, raising=False)
        with pytest.raises(MissingDataError, match=source.variable) as error:
            open_faces(name)
        assert source.steps in str(error.value) and source.licence in str(error.value)
        with pytest.raises(MissingDataError, match='has no'):
            open_faces(name, tmp_path)


HEADER = 'image,x1,y1,x2,y2,yaw_deg,pitch_deg,roll_deg\n'


def own_file(folder, *lines):
    """A user's csv beside a picture a.png of 60 x 60 pixels."""
    cv2.imwrite(str(folder / 'a.png'), np.full((60, 60, 3), 50, np.uint8))
    path = folder / 'faces.csv'
    path.write_text(HEADER + ''.join(f'{line}\n' for line in lines))
    return path


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_the_users_own_faces_are_read_as_excel_writes_them_too(encoding, tmp_path, capsys):
    path = own_file(tmp_path, 'a.png,10,10,50,50,20,-5,')
    path.write_text(path.read_text(), encoding=encoding)
    (face,) = open_faces(f'csv:{path}')
    assert face.ypr_deg[:2].tolist() == [20, -5] and np.isnan(face.ypr_deg[2]) and face.read().shape == (60, 60, 3)
    assert not capsys.readouterr().err


@pytest.mark.parametrize('line, said', [
    ('a.png,50,10,10,50,20,-5,0', 'the box needs'),
    ('a.png,0.2,0.2,0.7,0.8,20,-5,0', 'the box has 0.5 x 0.6 pixels.*not shares of its width'),
    ('a.png,10,10,50,17,20,-5,0', 'the box has 40 x 7 pixels'),
    ('a.png,10,10,50,50,left,-5,0', 'left'),
    ('a.png,10,10,50,50,181,-5,0', 'yaw_deg 181 is beyond 180'),
    ('a.png,10,10,50,50,20,-91,0', 'pitch_deg -91 is beyond 90'),
    ('a.png,10,10,50,50,20,-5,inf', 'roll_deg inf is beyond 180'),
    ('a.png,10,10,50,50,20', 'other columns'),
    ('a.png,10,10,50,50,20,5,-5,5', 'other columns'),
])  # fmt: skip
def test_the_users_own_faces_are_checked_line_by_line(line, said, tmp_path):
    """The line counts as an editor does, empty ones too."""
    path = own_file(tmp_path, 'a.png,10,10,50,50,20,-5,0', '', line)
    with pytest.raises(ValueError, match=f'faces.csv, line 4: .*{said}'):
        open_faces(f'csv:{path}')


@pytest.mark.parametrize(
    'content, said',
    [
        (HEADER.encode(), 'no faces, only its header'),
        (b'image,x1\na.png,5\n', 'lacks the columns y1'),
        (HEADER.replace(',', ';').encode(), 'separated by semicolons'),
        (HEADER.encode() + b'm\xfcller.png,10,10,50,50,20,-5,0\n', 'faces.csv, line 2: is no UTF-8'),
    ],
)
def test_a_users_own_file_of_another_form_is_refused(content, said, tmp_path):
    (tmp_path / 'faces.csv').write_bytes(content)
    with pytest.raises(ValueError, match=said):
        open_faces(f'csv:{tmp_path / "faces.csv"}')


@pytest.mark.parametrize(
    'line, said',
    [
        ('b.png,10,10,50,50,20,-5,0', 'b.png does not exist'),
        ('faces.csv,10,10,50,50,20,-5,0', 'faces.csv is no picture'),
        ('a.png,60,10,90,50,20,-5,0', 'outside the picture, which has 60 x 60'),
        ('a.png,10,-50,50,0,20,-5,0', 'outside the picture'),
        ('a.png,0,0,200000,200000,20,-5,0', 'the box has 200000 x 200000 pixels, the picture 60 x 60'),
    ],
)
def test_a_users_own_picture_that_has_no_such_face_is_reported_by_its_line(line, said, tmp_path):
    _, second = open_faces(f'csv:{own_file(tmp_path, "a.png,-5,10,50,50,20,-5,0", line)}')
    with pytest.raises(ValueError, match=f'faces.csv, line 3: .*{said}'):
        second.read()


def test_a_users_own_picture_of_10_bits_is_read_as_bright_as_that_of_8(tmp_path):
    """Values of 4 x 200 in 16 bits: 200 in 8, where cv2.imread gives 800 / 256 = 3."""
    path = own_file(tmp_path, 'ten.png,10,10,50,50,20,-5,0')
    cv2.imwrite(str(tmp_path / 'ten.png'), np.full((60, 60), 4 * 200, np.uint16))
    (face,) = open_faces(f'csv:{path}')
    assert face.read().shape == (60, 60, 3) and np.abs(face.read().astype(int) - 200).max() <= 1


@pytest.mark.parametrize('columns, values, said', [
    ('fx,fy', '500,500', 'has fx, fy of a camera: it needs all of fx, fy, cx, cy'),
    ('fx,fy,cx,cy', '500,,30,30', 'line 2: a camera needs'),
    ('fx,fy,cx,cy', '0,500,30,30', 'line 2: a camera needs'),
])  # fmt: skip
def test_a_users_own_camera_is_whole_or_not_there(columns, values, said, tmp_path):
    path = own_file(tmp_path, f'a.png,10,10,50,50,20,-5,0,{values}')
    path.write_text(path.read_text().replace('roll_deg', f'roll_deg,{columns}'))
    with pytest.raises(ValueError, match=said):
        open_faces(f'csv:{path}')


@pytest.mark.parametrize('yaws, warned', [((0.5, -1.2), True), ((0.5, 20), False), ((0, 0), False)])
def test_angles_that_look_like_radians_are_warned_of(yaws, warned, tmp_path, capsys):
    open_faces(f'csv:{own_file(tmp_path, *(f"a.png,10,10,50,50,{yaw},0,0" for yaw in yaws))}')
    assert ('radians' in capsys.readouterr().err) == warned


@pytest.mark.parametrize('name, said', [('csv:', 'names no file'), ('csv:{folder}', 'names no file'), ('x', 'biwi:official.*csv:FILE')])
def test_an_unknown_name_of_a_set_is_refused_with_the_known_ones(name, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        open_faces(name.format(folder=tmp_path))


def test_axis_sheet_is_drawn(tmp_path):
    from training.evaluate import main

    cv2.imwrite(str(tmp_path / 'a.png'), np.full((60, 60, 3), 50, np.uint8))
    (tmp_path / 'faces.csv').write_text('image,x1,y1,x2,y2,yaw_deg,pitch_deg,roll_deg\na.png,10,10,50,50,20,-5,0\n')
    main(['--axes', f'csv:{tmp_path / "faces.csv"}', '--out', str(tmp_path)])
    drawn = cv2.imread(str(tmp_path / 'axes.png'))[:160, :160].astype(int)
    # yaw > 0: the blue axis, out of the face, leads to the left of the middle
    blue = np.argwhere((drawn[..., 0] > 200) & (drawn[..., 2] < 60))
    assert len(blue) and blue[:, 1].mean() < 80


def test_published_crop_widens_the_visible_points_and_stays_inside():
    """Points from (20, 30) to (60, 80), one hidden at (-1, -1): widened by 16 and 20: 4, 10, 76, 99 (100 is outside)."""
    face = Face('x', np.zeros(3), lambda: None, points21=np.array([[20.0, 30], [60, 80], [-1, -1]]))
    assert protocols.published_bounds(face, 100, 100) == (4, 10, 76, 99)


def test_the_published_crop_is_stretched_and_the_unstretched_one_has_bars():
    """A region of 72 x 89: in 89 pixels it is stretched to all columns, or keeps its 72, with bars of 8 and 9."""
    face = Face('x', np.zeros(3), lambda: None, points21=np.array([[20.0, 30], [60, 80], [-1, -1]]))
    image = np.full((100, 100, 3), 200, np.uint8)
    assert (protocols.cutter('published', 89, 1.5)(face, image) == 200).all()
    columns = (protocols.cutter('unstretched', 89, 1.5)(face, image) == 200).all(0)
    assert columns.nonzero()[0].tolist() == list(range(8, 80))


def test_crops_by_name_keep_their_centre():
    image = np.zeros((200, 200, 3), np.uint8)
    image[98:102, 118:122] = 255
    face = Face('x', np.zeros(3), lambda: image, box=FaceBox(100, 80, 140, 120), landmarks=np.array([[100.0, 80], [140, 120]]))
    for name in ('landmarks', 'box'):
        cut = protocols.cutter(name, 64, 1.5)(face, image).astype(float)
        assert cut.shape == (64, 64)
        y, x = (np.arange(64) @ cut.sum(1 - i) / cut.sum() for i in (0, 1))
        assert abs(x - 31.5) < 1.2 and abs(y - 31.5) < 1.2
    with pytest.raises(ValueError, match='21 points'):
        protocols.cutter('published', 64, 1.5)(face, image)


def test_real_faces_train_beside_renders(tmp_path):
    from training.data.crops import Focus, SyntheticCrops
    from training.synthetic import stand_in

    stand_in.write(tmp_path, 20, 96)
    image = np.full((200, 200, 3), 77, np.uint8)
    real = RealCrops([Face('x', np.array([30.0, 0, np.nan]), lambda: image, box=FaceBox(80, 80, 120, 120))] * 3, 96)
    both = JoinedCrops(SyntheticCrops([tmp_path], None), real)
    assert len(both) == 20 + 3
    assert both.data_hash == both.hashes[0] and real.hashes == (real.data_hash,)
    assert len({*both.hashes, *both.first.hashes, real.data_hash}) == 5  # the renders' two make two of both
    batch = both.gather(np.array([21, 0, 22]))
    assert (batch.image[0] == 77).any() and not (batch.image[1] == 77).all()
    for focus in (None, Focus(elevation_sd_deg=10, floor=0.0)):
        weights = both.draw_weights(focus)
        assert weights[:20].sum() == pytest.approx(1) and weights[20:].sum() == pytest.approx(1)
    assert geometry.geodesic_deg(batch.R_cam_head[0].numpy(), geometry.rotation_from_ypr_deg(np.array([30.0, 0, 0]))) < 0.01


@pytest.mark.parametrize('roll_deg', [20, -45, 90])
def test_a_box_without_landmarks_is_as_wide_however_its_picture_is_turned(roll_deg):
    """Also where the box itself and not the square about it is cut (`stretch_share`), whose sides must not follow the turn."""
    face = Face('x', np.array([0.0, 0, roll_deg]), lambda: np.full((200, 200, 3), 77, np.uint8), box=FaceBox(80, 80, 120, 120))
    batch = RealCrops([face], 96).gather(np.zeros(8, int))
    still = dict.fromkeys(('shift_sd', 'squeeze_sd', 'detector_share', 'roll_sd_deg', 'roll_wide_share', 'border_share'), 0.0)
    how = Augmentation(margin=1.0, zoom=1.0, stretch_share=1.0, **still)
    view = random_view(batch, how, torch.Generator().manual_seed(2))
    assert np.degrees(view.roll.abs().numpy()) == pytest.approx(abs(roll_deg), abs=0.1)
    width, height = view.half.T
    assert np.allclose(2 * height, 96 / 2.2, rtol=0.01) and (width / height > 0.74).all() and (width / height < 1.01).all()


def test_real_faces_beyond_the_limits_are_left_out_and_counted():
    """Limits of 50, 75, 20 degrees: a pan of 60 and a roll of 25 are beyond, an unknown roll is not."""
    image = np.full((200, 200, 3), 77, np.uint8)
    angles = ((45, 30, np.nan), (60, 0, np.nan), (50, 0, 0), (0, 0, 25))
    faces = [Face(str(i), np.array(ypr, float), lambda: image, box=FaceBox(80, 80, 120, 120)) for i, ypr in enumerate(angles)]
    real = RealCrops(faces, 96, (50, 75, 20), 'a set')
    assert real.names == ['0', '2'] and real.left_out == 2
    assert [s.path.name for s in real.sets] == ['2 of a set (2 beyond the pose limits)']
    with pytest.raises(ValueError, match='4 given, none within'):
        RealCrops(faces, 96, (1, 1, 1))
    with pytest.raises(ValueError, match='no faces to train on: a set has none'):
        RealCrops([], 96, None, 'a set')


def test_real_faces_of_a_calibrated_camera_train_relative_to_their_ray(tmp_path):
    """A head 0.3 m beside the axis at 1 m: the network is taught what its crop shows, the camera's rotation turned back by the ray.

    Its box is 0.2 m, 100 pixels; the stored crop is 2.2 / 1.128 = 1.95 boxes and as many pixels as that here, so K keeps its focal length.
    """
    from training.data.augment import centred_view, rotation_in_view

    R_cam = geometry.rotation_from_ypr_deg(np.array([10.0, 5.0, 3.0]))
    write_biwi(tmp_path / '01', R_cam @ geometry.HEAD_AXES.T, centre_mm=(300, 0, 1000))
    real = RealCrops(open_faces('biwi', tmp_path), 195)
    batch = real.gather(np.array([0]))
    seen = geometry.ray_rotation(np.array([0.3, 0.0, 1.0])).T @ R_cam
    assert batch.K[0, 0, 0] == pytest.approx(500)
    for R in (real.R_crop_head[0], rotation_in_view(batch, centred_view(batch, 1.5))[0]):
        assert geometry.geodesic_deg(R.numpy(), seen) < 0.1


def test_real_aflw2000_agrees_with_its_papers_count_and_axes():
    """Labelled faces with all angles within 99 degrees; a face labelled as turned left has its nose left of its jaw's middle."""
    faces = open_faces('aflw2000', need('AFLW2000_DIR'))
    assert len(faces) <= 1969
    turned = [f for f in faces if abs(f.ypr_deg[0]) > 30 and abs(f.ypr_deg[2]) < 20]
    agree = [np.sign(f.landmarks[[0, 16], 0].mean() - f.landmarks[30, 0]) == np.sign(f.ypr_deg[0]) for f in turned]
    assert len(turned) > 100 and np.mean(agree) > 0.98


def test_real_pointing04_has_its_grid():
    faces = open_faces('pointing04', need('POINTING04_DIR'))
    assert {abs(f.ypr_deg[0]) for f in faces} == {0, 15, 30, 45, 60} and {abs(f.ypr_deg[1]) for f in faces} == {0, 15, 30}
    assert faces[0].read().shape == (288, 384, 3)


def test_real_biwi_frame_has_its_head_near_nine_tenths_of_a_metre():
    """The box about the labelled centre holds a head: its median depth is within 8 cm of the label's 0.88 m, and it is near frontal."""
    folder = need('BIWI_DIR')
    face = open_faces('biwi', folder)[0]
    metres = face.read_depth_m()
    assert metres.shape == (480, 640)
    seen = biwi.depth_face(face, folder)
    box, label = seen.box, biwi.read_pose(next(folder.glob('**/*_pose.txt')))[1][2]
    inside = np.nanmedian(metres[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)])
    assert abs(inside - label) < 0.08 and 0.8 < inside < 1.0
    assert np.abs(face.ypr_deg).max() < 15
